"""Who reviews which file: routes by path, size and category, and an A/B split. Pure.

Decided once, for each file, before the first request. The first route that matches decides; what
no route takes is split, if a split was asked for, and the rest goes to the model of the settings.
Nothing is left to chance: a split goes by a hash of what changed, so that the same change always
meets the same model, on every machine and after a crash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from reviewbot.core.plan.categories import categories_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.plan.categories import Category

MODEL: Final = "model"
AB_SPLIT: Final = "ab_split"
"""The settings, beside ``routes[0]`` and so on, that can name who reviews a file."""

_UNIT: Final = 2**53
"""A share is compared with a whole number below this: exact in a float."""

SplitBy = Literal["file", "change"]


@dataclass(frozen=True, slots=True)
class Chain:
    """Models that review, best first, and the setting that names them.

    Two chains are the same only if the same setting names them: the same name may stand for models
    of two servers.
    """

    setting: str = MODEL
    models: tuple[str, ...] = ()


NOBODY: Final = Chain()
"""Where models do not matter."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What was decided for one file: its chain, and the setting that decided, ``model`` if none."""

    chain: Chain
    by: str = MODEL


Matches: TypeAlias = Callable[[str], bool | None]


@dataclass(frozen=True, slots=True)
class Route:
    """Who reviews a file that meets every condition; a condition that is None is always met.

    ``paths`` is true for a path that it takes. ``min_lines`` and ``max_lines`` bound the changed
    lines of the file, ``min_change_lines`` and ``max_change_lines`` those of all reviewed files.
    """

    name: str
    chain: Chain
    paths: Matches | None = None
    categories: frozenset[Category] | None = None
    min_lines: int | None = None
    max_lines: int | None = None
    min_change_lines: int | None = None
    max_change_lines: int | None = None

    def takes(self, file: FileDiff, change_lines: int) -> bool:
        """Return whether ``file`` meets every condition; the cheap ones are asked first."""
        return (
            _within(file.added + file.removed, self.min_lines, self.max_lines)
            and _within(change_lines, self.min_change_lines, self.max_change_lines)
            and (self.paths is None or self.paths(file.path) is True)
            and (self.categories is None or not self.categories.isdisjoint(categories_of(file)))
        )


@dataclass(frozen=True, slots=True)
class Split:
    """A share, from 0 to 1, of what no route takes goes to ``chain``: of files, or of changes."""

    chain: Chain
    share: float
    by: SplitBy = "file"

    def takes(self, files: Iterable[FileDiff]) -> bool:
        """Whether ``files`` are of the share. What is of a share is of every larger one, too."""
        return draw(files) < self.share


@dataclass(frozen=True, slots=True)
class Routing:
    """All that decides who reviews a file."""

    rest: Chain
    routes: tuple[Route, ...] = ()
    split: Split | None = None

    def decide(self, files: Sequence[FileDiff]) -> tuple[Routed, ...]:
        """Who reviews each of ``files``, which are all that is reviewed of a change."""
        lines = sum(file.added + file.removed for file in files)
        split = self.split
        whole = split is not None and split.by == "change" and split.takes(files)

        def one(file: FileDiff) -> Routed:
            for route in self.routes:
                if route.takes(file, lines):
                    return Routed(route.chain, route.name)
            if split is not None and (whole or (split.by == "file" and split.takes((file,)))):
                return Routed(split.chain, AB_SPLIT)
            return Routed(self.rest)

        return tuple(map(one, files))


def draw(files: Iterable[FileDiff]) -> float:
    """A number from 0 to below 1 that only paths and changed lines decide, not where they stand."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(_sized(file.path.encode("utf-8", "surrogatepass")))
        for hunk in file.hunks:
            for kind, raw in hunk.iter_raw():
                if kind != "context":
                    digest.update(kind[:1].encode() + _sized(raw))
        digest.update(b"\0")
    return (int.from_bytes(digest.digest()[:8]) % _UNIT) / _UNIT


def _sized(data: bytes) -> bytes:
    """``data`` behind its length, so that no two lists of texts make the same bytes."""
    return len(data).to_bytes(8) + data


def _within(number: int, low: int | None, high: int | None) -> bool:
    return (low is None or number >= low) and (high is None or number <= high)

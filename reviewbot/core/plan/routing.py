"""Routing of files to models by path, size, category and an A/B split. Pure.

The model of each file is decided once, before the first request. The first matching route decides.
Other files go to the split, if configured, or else to the model of the settings. A split is
deterministic: it uses a hash of the changes, so the same diff always gets the same model, on every
machine and after a crash.
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
"""Name of the split as a setting that chooses models, such as ``routes[0]``."""

_UNIT: Final = 2**53
"""Upper limit of the number that :func:`draw` scales to below 1; exact as a float."""

SplitBy = Literal["file", "change"]


@dataclass(frozen=True, slots=True)
class Chain:
    """Models for a review, best first, and the setting that names them.

    Two chains are equal only if the same setting names them: equal names may be models of
    different servers.
    """

    setting: str = MODEL
    models: tuple[str, ...] = ()


UNREAD: Final = Chain("unread", ("offline",))
"""Chain of the files that stay unread: rules and linters read them, and no model does."""

SECRETS_ONLY: Final = Chain("secrets", ("offline",))
"""Chain of the files that stay unread and are only searched for secrets."""

NOBODY: Final = Chain()
"""Empty chain, for plans where models do not matter."""


@dataclass(frozen=True, slots=True)
class Routed:
    """Decision for one file: the chain, and the deciding setting (``model`` by default)."""

    chain: Chain
    by: str = MODEL


Matches: TypeAlias = Callable[[str], bool | None]


@dataclass(frozen=True, slots=True)
class Route:
    """Models for files that meet every condition. A condition that is None is always met.

    ``paths`` returns True for matching paths. ``min_lines`` and ``max_lines`` limit the changed
    lines of the file. ``min_change_lines`` and ``max_change_lines`` limit the changed lines of all
    reviewed files.
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
        """Return whether ``file`` meets every condition. Cheap conditions are checked first."""
        return (
            _within(file.added + file.removed, self.min_lines, self.max_lines)
            and _within(change_lines, self.min_change_lines, self.max_change_lines)
            and (self.paths is None or self.paths(file.path) is True)
            and (self.categories is None or not self.categories.isdisjoint(categories_of(file)))
        )


@dataclass(frozen=True, slots=True)
class Split:
    """A split: ``chain`` gets a share, from 0 to 1, of the files or changes without a route."""

    chain: Chain
    share: float
    by: SplitBy = "file"

    def takes(self, files: Iterable[FileDiff]) -> bool:
        """Return whether ``files`` belong to the share. Larger shares include smaller shares."""
        return draw(files) < self.share


@dataclass(frozen=True, slots=True)
class Routing:
    """All routes, the split and the default chain."""

    rest: Chain
    routes: tuple[Route, ...] = ()
    split: Split | None = None

    def decide(self, files: Sequence[FileDiff]) -> tuple[Routed, ...]:
        """Return the decision for each of ``files``, which are all reviewed files of a diff."""
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
    """Return a number from 0 to below 1 that depends on paths and changed lines only."""
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
    """Return ``data`` after its length, so that different lists of texts give different bytes."""
    return len(data).to_bytes(8) + data


def _within(number: int, low: int | None, high: int | None) -> bool:
    return (low is None or number >= low) and (high is None or number <= high)

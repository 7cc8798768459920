"""Levels of rules, by path: what the configuration turns off or gives another severity. Pure."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - decoders look it up
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class PathRules:
    """Levels for the paths that one of the gitignore patterns matches.

    ``rules`` maps a rule or category to ``off`` or a severity.
    """

    paths: tuple[str, ...]
    rules: dict[str, str]


@dataclass(frozen=True, slots=True)
class RuleLevels:
    """The levels of a review: ``rules`` for all paths, then ``by_path``, of which the last wins.

    A level of a rule has precedence over a level of its category, whichever comes later.
    """

    rules: Mapping[str, str] = field(default_factory=dict)
    by_path: tuple[PathRules, ...] = ()

    def at(self, path: str) -> Mapping[str, str]:
        """Return ``off`` or a severity, by rule or category, for one path.

        Raises:
            ValueError: a pattern is invalid.
        """
        levels = self.rules
        for one in self.by_path:
            if _matcher(one.paths)(path):
                levels = {**levels, **one.rules}
        return levels


AS_SHIPPED: Final = RuleLevels()
"""Levels without a configuration."""


@lru_cache(maxsize=512)
def _matcher(paths: tuple[str, ...]) -> Callable[[str], bool | None]:
    from reviewbot.core.plan.policy import path_patterns  # loads unidiff, which settings do without

    return path_patterns(paths)

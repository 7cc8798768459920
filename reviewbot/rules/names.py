"""Names of rules in a configuration: which exist, and what was meant by one that does not."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.finding import CATEGORIES
from reviewbot.errors import ConfigError
from reviewbot.rules.folders import CUSTOM
from reviewbot.rules.load import rule_ids

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

PREFIXES: Final = (
    "secrets/",
    "ruff/",
    "oxlint/",
    "shellcheck/",
    "hadolint/",
    "zizmor/",
    "imported/",
)
"""Prefixes of ids that are not listed here: kinds of secrets, and rules of linters."""


def problem_of(name: str, custom_ids: Collection[str] | None = None) -> str | None:
    """Return why ``name`` is neither a rule nor a category, with a remedy; None if it is one.

    Args:
        name: a name from a configuration.
        custom_ids: ids of the repository's own rules; None if they are not known. Then every id of
            a custom rule is accepted.
    """
    if name.startswith(PREFIXES) or (custom_ids is None and name.startswith(f"{CUSTOM}/")):
        return None
    known = [*sorted(rule_ids()), *CATEGORIES, *(custom_ids or ())]
    if name in known:
        return None
    near = get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "`reviewbot rules` lists them"
    return f"there is no rule {name}; {hint}"


def check_names(names: Iterable[str], *, key: str = "rules") -> None:
    """Check that each name is a rule or a category.

    Args:
        names: names from a configuration.
        key: the setting that has them.

    Raises:
        ConfigError: a name is unknown.
    """
    for name in names:
        if problem := problem_of(name):
            raise ConfigError(problem, key=f"{key}.{name}")

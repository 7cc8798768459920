"""The list of the linters' rules that are reported (``rules.toml``), read strictly."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from reviewbot.core.decode import decoder
from reviewbot.core.findings.finding import SEVERITIES, Category, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

Level = Literal["error", "warning", "note", "off", "own"]
_BY_BEGINNING: Final = ("ruff", "shellcheck", "hadolint")
"""Linters whose codes can be grouped by their beginning."""


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules of one linter that are reported alike; ``rules.toml`` describes the fields."""

    linter: str
    codes: tuple[str, ...]
    severity: Level
    category: Category
    reason: str
    tests: bool = True
    whole: bool = False
    contains: str | None = None
    lacks: str | None = None
    line: str | None = None
    once: bool = False

    def severity_for(self, own: Severity) -> Severity:
        """Return the severity of a result that the linter itself rates as ``own``."""
        return next((one for one in SEVERITIES if one == self.severity), own)


@dataclass(frozen=True, slots=True)
class Codes:
    """Codes, or beginnings of codes, that a linter is asked for, and exceptions to them."""

    reported: tuple[str, ...]
    off: tuple[str, ...]


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads((Path(__file__).parent / "rules.toml").read_text("utf-8"))


@cache
def rule_groups() -> tuple[RuleGroup, ...]:
    """Return all groups of rules, in the order of the file.

    Raises:
        ValueError: the file is invalid.
    """
    return cast("tuple[RuleGroup, ...]", decoder(tuple[RuleGroup, ...])(_data()["group"], "group"))


def wanted_versions() -> dict[str, str]:
    """Return the version of each linter, by name, that the list was made for."""
    return dict(_data()["versions"])


def codes_of(linter: str) -> Codes:
    """Return the codes of a linter by name."""
    groups = [group for group in rule_groups() if group.linter == linter]
    return Codes(
        tuple(code for group in groups if group.severity != "off" for code in group.codes),
        tuple(code for group in groups if group.severity == "off" for code in group.codes),
    )


def group_of(linter: str, code: str) -> RuleGroup | None:
    """Return the group of a rule; None if the rule is off or not in the list.

    Args:
        linter: name of the linter.
        code: the rule as in findings, without the name of a plugin: ``F821`` or ``jsx-key``.
    """
    groups = _groups_by_code(linter)
    if linter in _BY_BEGINNING:
        beginnings = (code[:end] for end in range(len(code), 0, -1))
        group = next((groups[one] for one in beginnings if one in groups), None)
    else:
        group = groups.get(code)
    return None if group is None or group.severity == "off" else group


def find_rule(rule: str) -> RuleGroup | None:
    """Return the group of the rule of a finding, such as ``ruff/F821``; None if there is none."""
    linter, _, code = rule.partition("/")
    return group_of(linter, code)


@cache
def _groups_by_code(linter: str) -> dict[str, RuleGroup]:
    return {
        code.rpartition("/")[2]: group
        for group in rule_groups()
        if group.linter == linter
        for code in group.codes
    }

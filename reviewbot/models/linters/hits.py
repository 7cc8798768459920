"""Choose what to report of the results of a linter. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.plan.categories import kind_of
from reviewbot.models.linters.fixes import whole_lines
from reviewbot.models.linters.rules import group_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from reviewbot.core.findings.finding import Category, Severity
    from reviewbot.models.linters.base import Diagnostic
    from reviewbot.models.linters.rules import RuleGroup

MAX_OF_A_RULE: Final = 20
"""Results of one rule in one file; the last one says how many others there are."""
MAX_LINES: Final = 6
"""Lines of a result; a longer one is reported on its first line."""
MAX_LENGTH: Final = 1_000
"""Characters of a line; nobody wrote a longer one by hand, so nothing is reported there."""
TITLE_LENGTH: Final = 200
MESSAGE_LENGTH: Final = 2_000
_EXAMPLES: Final = re.compile(r"(?:^|/)(?:examples?|samples?|docs?|documentation)/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LintHit:
    """A result of a linter on an added line.

    ``title`` and ``message`` can quote the file, and are not safe to show yet. ``suggestion``
    replaces lines ``line`` to ``end_line``.
    """

    line: int
    end_line: int
    rule: str
    severity: Severity
    category: Category
    title: str
    message: str
    suggestion: str | None = None


@dataclass(frozen=True, slots=True)
class LintedText:
    """A text that a linter has read.

    ``whole`` is false for the new side of a hunk. Line numbers count from 1 in ``lines``. ``added``
    are the added lines to report on, ``changeable`` the lines that a suggestion may change.
    """

    path: str
    lines: Sequence[str]
    added: Collection[int]
    changeable: Collection[int]
    whole: bool


def is_test_path(path: str) -> bool:
    """Return whether some rules are off in a file: a test, an example, documentation, a migration.

    The values of a migration are those of its author.
    """
    return kind_of(path) in ("tests", "docs", "migrations") or _EXAMPLES.search(path) is not None


def choose_hits(
    linter: str, text: LintedText, diagnostics: Iterable[Diagnostic]
) -> tuple[LintHit, ...]:
    """Return the results on added lines whose rule is in the rule list, in order of the lines.

    The time is linear in the size of the text and in the number of results.
    """
    fits = _FileCheck(text)
    chosen: dict[tuple[int, str], tuple[Diagnostic, RuleGroup]] = {}
    for diagnostic in sorted(diagnostics, key=lambda diagnostic: diagnostic.line):
        group = group_of(linter, diagnostic.code)
        if (
            group is None
            or diagnostic.line not in text.added
            or (diagnostic.line, diagnostic.code) in chosen
        ):
            continue
        if fits.group(group) and fits.line(group, diagnostic):
            chosen[diagnostic.line, diagnostic.code] = diagnostic, group
    return tuple(_few_of_a_rule(linter, text, [*chosen.values()]))


class _FileCheck:
    """Check of the conditions of rule groups for one file.

    The conditions of a group that concern the whole file are checked once, whatever the number of
    results.
    """

    def __init__(self, text: LintedText) -> None:
        self._text = text
        self._is_test = is_test_path(text.path)
        self._groups: dict[str, bool] = {}
        self._whole: str | None = None

    def group(self, group: RuleGroup) -> bool:
        """Return whether the results of ``group`` are reported in this file."""
        name = group.codes[0]  # no code is in two groups
        if name not in self._groups:
            self._groups[name] = self._check(group)
        return self._groups[name]

    def _check(self, group: RuleGroup) -> bool:
        if (self._is_test and not group.tests) or (group.whole and not self._text.whole):
            return False
        if group.contains is None and group.lacks is None:
            return True
        if self._whole is None:
            self._whole = "\n".join(self._text.lines)
        if group.contains is not None and not re.search(group.contains, self._whole):
            return False
        return group.lacks is None or not re.search(group.lacks, self._whole)

    def line(self, group: RuleGroup, diagnostic: Diagnostic) -> bool:
        """Return whether a result of ``group`` is reported on its line."""
        line = self._text.lines[diagnostic.line - 1]
        if len(line) > MAX_LENGTH:
            return False
        if group.line is None:
            return True
        match = re.search(group.line, line)
        return match is not None and match.groupdict().get("name") in (
            None,
            _quoted_name(diagnostic),
        )


def _quoted_name(diagnostic: Diagnostic) -> str:
    """Return the first name that the message of a result quotes; empty if there is none."""
    return diagnostic.message.partition("`")[2].partition("`")[0]


def _few_of_a_rule(
    linter: str, text: LintedText, chosen: Sequence[tuple[Diagnostic, RuleGroup]]
) -> list[LintHit]:
    """Return at most :data:`MAX_OF_A_RULE` hits of each rule, and one of a group with ``once``."""
    limits = [
        (group.reason, 1) if group.once else (diagnostic.code, MAX_OF_A_RULE)
        for diagnostic, group in chosen
    ]
    total, kept = Counter(limits), Counter[tuple[str, int]]()
    few = []
    for (diagnostic, group), limit in zip(chosen, limits, strict=True):
        kept[limit] += 1
        most, others = limit[1], total[limit] - limit[1]
        if kept[limit] > most:
            continue
        hit = _hit(linter, text, diagnostic, group)
        if kept[limit] == most and others > 0:
            hit = replace(hit, message=f"{hit.message}\n\n{others} more in this file.")
        few.append(hit)
    return few


def _hit(linter: str, text: LintedText, diagnostic: Diagnostic, group: RuleGroup) -> LintHit:
    last = min(max(diagnostic.line, diagnostic.end_line), len(text.lines))
    if last - diagnostic.line >= MAX_LINES:
        last = diagnostic.line
    title, _, rest = diagnostic.message.partition("\n")
    return LintHit(
        line=diagnostic.line,
        end_line=last,
        rule=f"{linter}/{diagnostic.code}",
        severity=group.severity_for(diagnostic.severity),
        category=group.category,
        title=title[:TITLE_LENGTH],
        message="\n\n".join(filter(None, (rest[:MESSAGE_LENGTH], group.reason))),
        suggestion=whole_lines(
            diagnostic.edits, text.lines, diagnostic.line, last, text.changeable
        ),
    )

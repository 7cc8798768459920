"""Choose what to report of the results of a linter. Pure."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.plan.categories import kind_of
from reviewbot.models.linters.fixes import whole_lines
from reviewbot.models.linters.rules import find_rule, group_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from reviewbot.core.findings.finding import Category, Severity
    from reviewbot.models.linters.base import Diagnostic

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
    """Return the results on added lines whose rule is in the rule list, in order of the lines."""
    is_test = is_test_path(text.path)
    found: dict[tuple[int, str], LintHit] = {}
    for one in sorted(diagnostics, key=lambda one: one.line):
        group = group_of(linter, one.code)
        if group is None or one.line not in text.added:
            continue
        if len(text.lines[one.line - 1]) > MAX_LENGTH:
            continue
        if (is_test and not group.tests) or (group.whole and not text.whole):
            continue
        if group.contains and not re.search(group.contains, "\n".join(text.lines)):
            continue
        if group.line and not re.search(_line(group.line, one), text.lines[one.line - 1]):
            continue
        last = min(max(one.line, one.end_line), len(text.lines))
        if last - one.line >= MAX_LINES:
            last = one.line
        title, _, rest = one.message.partition("\n")
        hit = LintHit(
            line=one.line,
            end_line=last,
            rule=f"{linter}/{one.code}",
            severity=group.severity_for(one.severity),
            category=group.category,
            title=title[:TITLE_LENGTH],
            message="\n\n".join(filter(None, (rest[:MESSAGE_LENGTH], group.reason))),
            suggestion=whole_lines(one.edits, text.lines, one.line, last, text.changeable),
        )
        found.setdefault((hit.line, hit.rule), hit)
    return tuple(_few_of_a_rule([*found.values()]))


def _line(pattern: str, one: Diagnostic) -> str:
    """Return the regular expression of a line, with the first name that the result quotes."""
    return pattern.replace("{name}", re.escape(one.message.partition("`")[2].partition("`")[0]))


def _few_of_a_rule(hits: Sequence[LintHit]) -> list[LintHit]:
    """Return at most :data:`MAX_OF_A_RULE` hits of each rule, and one of a group with ``once``."""
    limits = [_limit(hit.rule) for hit in hits]
    total, kept = Counter(limits), Counter[tuple[str, int]]()
    few = []
    for hit, limit in zip(hits, limits, strict=True):
        kept[limit] += 1
        most, others = limit[1], total[limit] - limit[1]
        if kept[limit] == most and others > 0:
            few.append(replace(hit, message=f"{hit.message}\n\n{others} more in this file."))
        elif kept[limit] <= most:
            few.append(hit)
    return few


def _limit(rule: str) -> tuple[str, int]:
    """Return what is counted for a rule, the rule or its group, and the maximum number of hits."""
    group = find_rule(rule)
    return (group.reason, 1) if group is not None and group.once else (rule, MAX_OF_A_RULE)

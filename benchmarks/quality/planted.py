"""Measure how many planted bugs a review finds: with whole files, and from hunks alone."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from benchmarks.quality.history import run_git
from benchmarks.quality.linters_alone import lint_revision
from benchmarks.quality.reviewing import change_of, offline_settings, reviewer
from benchmarks.quality.tables import share, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.quality.reviewing import Reviewer

NEAR: Final = 1
"""Lines between a bug and a finding that still counts."""
MODES: Final = ("whole files", "hunks alone", "linters alone")
_IDENTITY: Final = ("-c", "user.name=quality", "-c", "user.email=quality@example.org")


@dataclass(frozen=True, slots=True)
class Bug:
    """A planted bug: its lines in the new file, a title, and why it is a bug."""

    lines: tuple[int, ...]
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Case:
    """A file before and after a change; ``bugs`` is empty for a clean change."""

    id: str
    language: str
    path: str
    before: str
    after: str
    bugs: tuple[Bug, ...]


@dataclass(slots=True)
class Outcome:
    """What was found in one case, by mode.

    ``found`` has the indices of the bugs that were found. ``others`` are the findings that are not
    near a bug, as line and rule.
    """

    case: Case
    found: dict[str, set[int]] = field(default_factory=dict)
    others: dict[str, list[tuple[int, str]]] = field(default_factory=dict)


def read_cases(text: str) -> list[Case]:
    """Return the cases in the lines of a text."""
    return [_case(json.loads(line)) for line in filter(None, text.splitlines())]


def _case(entry: dict[str, Any]) -> Case:
    bugs = tuple(Bug(tuple(one["lines"]), one["title"], one["why"]) for one in entry.pop("bugs"))
    return Case(**entry, bugs=bugs)


def is_near(bug: Bug, first: int, last: int) -> bool:
    """Return whether a finding on lines ``first`` to ``last`` counts for a bug."""
    return first <= max(bug.lines) + NEAR and last >= min(bug.lines) - NEAR


def match(case: Case, findings: Iterable[tuple[int, int, str]]) -> tuple[set[int], list[Any]]:
    """Return the indices of the bugs that were found, and the findings near no bug.

    Args:
        case: the case.
        findings: first line, last line and rule of each finding.
    """
    found: set[int] = set()
    others: list[tuple[int, str]] = []
    for first, last, rule in findings:
        near = {index for index, bug in enumerate(case.bugs) if is_near(bug, first, last)}
        found |= near
        if not near:
            others.append((first, rule))
    return found, others


async def measure(cases: Sequence[Case]) -> list[Outcome]:
    """Review each case in each mode."""
    with TemporaryDirectory(prefix="reviewbot-planted-") as folder:
        repository = Path(folder)
        run_git(repository, "init", "--quiet")
        async with reviewer() as by:
            outcomes = []
            for case in cases:
                commit_case(repository, case)
                outcomes.append(await _measure(by, repository, case))
                print(case.id, file=sys.stderr, flush=True)
            return outcomes


def commit_case(repository: Path, case: Case) -> None:
    """Commit the file before the change, and then after it."""
    for text in (case.before, case.after):
        path = repository / case.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if text:
            path.write_text(text, "utf-8", newline="\n")
        run_git(repository, "add", "--all")
        run_git(repository, *_IDENTITY, "commit", "--quiet", "--allow-empty", "--message=case")


async def _measure(by: Reviewer, repository: Path, case: Case) -> Outcome:
    outcome = Outcome(case)
    for mode, whole in zip(MODES, (True, False), strict=False):
        settings = offline_settings(whole=whole)
        source = await change_of(repository, settings, commit="HEAD")
        done = await by.review(source, settings)
        findings = [(one.line, one.end_line, one.rule) for one in done.inline]
        outcome.found[mode], outcome.others[mode] = match(case, findings)
    source = await change_of(repository, offline_settings(), commit="HEAD")
    alone = lint_revision(repository, "HEAD", source.data, (case.path,))
    results = [(line, line, rule) for _, line, rule in alone]
    outcome.found[MODES[2]], outcome.others[MODES[2]] = match(case, results)
    return outcome


def report(outcomes: Sequence[Outcome], *, details: bool = False) -> str:
    """Return the tables.

    Args:
        outcomes: what was found.
        details: whether to list the missed bugs and the other findings, too.
    """
    parts = [_recall(outcomes), _noise(outcomes)]
    if details:
        parts.append("".join(f"{line}\n" for one in outcomes for line in _details(one)))
    return "\n".join(parts)


def _recall(outcomes: Sequence[Outcome]) -> str:
    languages: defaultdict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        languages[one.case.language].append(one)
    rows: list[Sequence[object]] = []
    for name, some in (*sorted(languages.items()), ("all", outcomes)):
        bugs = sum(len(one.case.bugs) for one in some)
        found = [sum(len(one.found[mode]) for one in some) for mode in MODES]
        rows.append((name, bugs, *(f"{count} ({share(count, bugs)})" for count in found)))
    return table(("planted bugs", "bugs", *MODES), rows)


def _noise(outcomes: Sequence[Outcome]) -> str:
    clean = [one for one in outcomes if not one.case.bugs]
    faulty = [one for one in outcomes if one.case.bugs]
    rows = [
        (f"findings in {len(clean)} clean changes", *_count_others(clean)),
        (f"findings on other lines of {len(faulty)} faulty changes", *_count_others(faulty)),
    ]
    return table(("", *MODES), rows)


def _count_others(outcomes: Sequence[Outcome]) -> list[int]:
    return [sum(len(one.others[mode]) for one in outcomes) for mode in MODES]


def _details(outcome: Outcome) -> Iterable[str]:
    for index, bug in enumerate(outcome.case.bugs):
        modes = [mode for mode in MODES if index not in outcome.found[mode]]
        if modes:
            yield f"{outcome.case.id}: missed by {', '.join(modes)}: {bug.title}"
    for mode in MODES[:2]:
        for line, rule in outcome.others[mode]:
            yield f"{outcome.case.id}: {mode} reports line {line}: {rule}"

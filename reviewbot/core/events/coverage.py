"""Review status of each file, and the outcome of the review. Pure.

The rest of the project relies on these rules: a file that is ``partly`` or ``failed`` makes the
review ``incomplete``. A chunk without a response counts as failed. A review with ``unread`` files
is never ``clean``; it is ``incomplete`` if no source file at all was read. Files that the policy
leaves unread make it ``shallow`` at best, and so does a model that could not be asked.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from reviewbot.core.events.events import FileCoverage
from reviewbot.core.plan.languages import is_source, language_of
from reviewbot.core.wording import NO_REASON, count, listed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reviewbot.core.events.events import ChunkStatus, CoverageStatus, Outcome, RulesOnly
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunks import Plan

NOT_REACHED = "The review ended before it was reached."
_MISSING: Final = ("partly", "failed")
_WORDS: Final = {
    "failed": "not reviewed",
    "partly": "reviewed in part only",
    "unread": "not read",
}
UNLINTED: Final = 3
"""Sentences about files that a linter could not read, of which a report has these many."""
_NOT_READ: Final[tuple[CoverageStatus, ...]] = ("unread", "skipped")


class ChunkEnd(NamedTuple):
    """Final status of a chunk, with the reason and the kind of a model failure."""

    status: ChunkStatus
    reason: str | None = None
    fault: str | None = None


_UNREACHED: Final = ChunkEnd("failed", NOT_REACHED)


def coverage_of(
    plan: Plan,
    outcomes: Mapping[str, ChunkEnd],
    checks: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> tuple[FileCoverage, ...]:
    """Return every file with its status and reason; those that are not in the diff at the end.

    ``outcomes`` has the ends of the finished chunks, and ``checks`` the rules and linters that read
    a chunk, both by the id of the chunk.
    """
    of_diff = (
        FileCoverage(file.path, "unread" if file.is_unread else "skipped", file.reason)
        if file.reason is not None and not file.chunks
        else replace(
            file_coverage(file.path, [outcomes.get(name, _UNREACHED) for name in file.chunks]),
            checks=_of_all([checks.get(name, ()) for name in file.chunks]),
        )
        for file in plan.files
    )
    marked = (
        replace(covered, by_policy=True)
        if file.is_unread and covered.status == "unread"
        else covered
        for file, covered in zip(plan.files, of_diff, strict=True)
    )
    return (*marked, *plan.beside)


def _of_all(checks: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return the checks that read every chunk of a file."""
    first, *others = checks
    return tuple(one for one in first if all(one in each for each in others))


def file_coverage(path: str, chunks: Sequence[ChunkEnd]) -> FileCoverage:
    """Return the coverage of one file from the ends of its chunks, in order."""
    statuses = {chunk.status for chunk in chunks}
    if statuses <= {"reviewed"}:
        return FileCoverage(path, "reviewed")
    for aside in _NOT_READ:
        if aside in statuses <= {"reviewed", *_NOT_READ}:
            reason = next(one.reason for one in chunks if one.status == aside)
            return FileCoverage(path, aside, reason)
    status: CoverageStatus = "failed" if statuses == {"failed"} else "partly"
    part, end = next((part, one) for part, one in enumerate(chunks, 1) if one.status in _MISSING)
    reason = end.reason
    if len(chunks) > 1:
        reason = f"Part {part} of {len(chunks)}: {reason or NO_REASON}"
    return FileCoverage(path, status, reason, fault=end.fault)


def outcome_of(
    coverage: Sequence[FileCoverage],
    findings: Collection[Finding],
    rules_only: RulesOnly | None = None,
) -> Outcome:
    """Return the outcome of a review that ran to its end.

    ``rules_only`` is as in :class:`~reviewbot.core.events.events.ReviewStarted`.
    """
    if rules_only is not None and rules_only.is_incomplete:
        return "incomplete"
    statuses = {file.status for file in coverage}
    if not statuses.isdisjoint(_MISSING):
        return "incomplete"
    if any(file.status == "unread" and not file.by_policy for file in coverage) and not any(
        file.status == "reviewed" and _was_source_read(file) for file in coverage
    ):
        return "incomplete"
    unread = {file.path for file in coverage if file.by_policy}
    if any(not (finding.placement.held and finding.path in unread) for finding in findings):
        return "findings"
    return "shallow" if "unread" in statuses or rules_only is not None else "clean"


def _was_source_read(file: FileCoverage) -> bool:
    """Return whether a reviewed file is source code; rules read data such as YAML, too."""
    is_script = language_of(file.path) is None and bool(file.checks)
    return is_script or is_source(file.path)


def depth_of(
    checks: Iterable[str], *, unmodelled: int, files: int, unlinted: Sequence[str] = ()
) -> str:
    """Return sentences about the files that no model read, or that a linter could not read.

    Empty if models read all of them, and linters all that they should.

    Args:
        checks: the rules and linters that ran, such as ``6 rules for Go``.
        unmodelled: number of files that no model read.
        files: number of files that are not skipped.
        unlinted: sentences about files that a linter could not read.
    """
    parts = list(unlinted[:UNLINTED])
    if len(unlinted) > UNLINTED:
        parts.append(f"{count(len(unlinted) - UNLINTED, 'more problem')} of linters.")
    if unmodelled:
        those = "this" if unmodelled == files else f"{unmodelled:,} of {count(files, 'file')}"
        ran = list(dict.fromkeys(checks))
        no_model = f"no model read {those}."
        parts.insert(0, f"{listed(ran)} ran; {no_model}" if ran else no_model.capitalize())
    return " ".join(parts)


def answered(coverage: Iterable[FileCoverage]) -> tuple[Outcome, tuple[str, ...]]:
    """Return the outcome of an ended question, and the reasons if there is no answer."""
    reasons = dict.fromkeys(
        file.reason or NO_REASON for file in coverage if file.status in _MISSING
    )
    return ("incomplete" if reasons else "answered"), tuple(reasons)


def reasons_of(coverage: Iterable[FileCoverage]) -> tuple[str, ...]:
    """Return the reasons why a review is incomplete, one sentence each, most files first."""
    return tuple(
        f"{paths[0] if len(paths) == 1 else count(len(paths), 'file')} {word}: {reason}"
        for (word, reason), paths in _by_reason(coverage)
    )


def counted_files(coverage: Iterable[FileCoverage]) -> tuple[str, ...]:
    """Return the files that :func:`reasons_of` counts without their names, in its order."""
    return tuple(path for _, paths in _by_reason(coverage) if len(paths) > 1 for path in paths)


def _by_reason(coverage: Iterable[FileCoverage]) -> list[tuple[tuple[str, str], list[str]]]:
    files: dict[tuple[str, str], list[str]] = {}
    for file in coverage:
        if word := _WORDS.get(file.status):
            files.setdefault((word, file.reason or NO_REASON), []).append(file.path)
    return sorted(files.items(), key=lambda item: -len(item[1]))

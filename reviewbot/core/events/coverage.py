"""Review status of each file, and the outcome of the review. Pure.

The rest of the project relies on this rule: a file that is ``partly`` or ``failed`` makes the
review ``incomplete``. A chunk without a response counts as failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.events.events import FileCoverage
from reviewbot.core.wording import NO_REASON, count

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.core.events.events import ChunkStatus, CoverageStatus, Outcome
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.plan.chunks import Plan

NOT_REACHED = "The review ended before it was reached."


def coverage_of(
    plan: Plan, outcomes: Mapping[str, tuple[ChunkStatus, str | None]]
) -> tuple[FileCoverage, ...]:
    """Return every file with its status and reason; those that are not in the diff at the end.

    Args:
        plan: the plan of the review.
        outcomes: status and reason of each chunk that came to an end.
    """
    of_diff = (
        FileCoverage(file.path, "skipped", file.reason)
        if file.reason is not None
        else file_coverage(
            file.path, [outcomes.get(name, ("failed", NOT_REACHED)) for name in file.chunks]
        )
        for file in plan.files
    )
    return (*of_diff, *plan.beside)


def file_coverage(path: str, chunks: Sequence[tuple[ChunkStatus, str | None]]) -> FileCoverage:
    """Return the coverage of one file from status and reason of its chunks, in order."""
    if all(status == "reviewed" for status, _ in chunks):
        return FileCoverage(path, "reviewed")
    status: CoverageStatus = (
        "failed" if all(status == "failed" for status, _ in chunks) else "partly"
    )
    part, reason = next(
        (part, reason) for part, (status, reason) in enumerate(chunks, 1) if status != "reviewed"
    )
    if len(chunks) > 1:
        reason = f"Part {part} of {len(chunks)}: {reason or NO_REASON}"
    return FileCoverage(path, status, reason)


def outcome_of(coverage: Iterable[FileCoverage], findings: Sequence[Finding]) -> Outcome:
    """Return the outcome of a review that ran to its end."""
    if any(file.status in ("partly", "failed") for file in coverage):
        return "incomplete"
    return "findings" if findings else "clean"


def answered(coverage: Iterable[FileCoverage]) -> tuple[Outcome, tuple[str, ...]]:
    """Return the outcome of an ended question, and the reasons if there is no answer."""
    reasons = dict.fromkeys(
        file.reason or NO_REASON for file in coverage if file.status in ("partly", "failed")
    )
    return ("incomplete" if reasons else "answered"), tuple(reasons)


def reasons_of(coverage: Iterable[FileCoverage]) -> tuple[str, ...]:
    """Return the reasons why a review is incomplete, one sentence each, most files first."""
    files: dict[tuple[str, str], list[str]] = {}
    for file in coverage:
        if file.status in ("partly", "failed"):
            word = "not reviewed" if file.status == "failed" else "reviewed in part only"
            files.setdefault((word, file.reason or NO_REASON), []).append(file.path)
    return tuple(
        f"{paths[0] if len(paths) == 1 else count(len(paths), 'file')} {word}: {reason}"
        for (word, reason), paths in sorted(files.items(), key=lambda item: -len(item[1]))
    )

"""Summary without a model, computed from counts. Pure.

The summary does not count findings: findings of earlier reviews may be open, too, and some may be
dismissed. Every output format states the number of findings above the summary.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.events import ReviewSummary, WalkthroughEntry
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.events.events import FileCoverage, PlannedFile
    from reviewbot.core.findings.finding import Finding

MAX_FILES: Final = 100
MAX_LOOK_AT: Final = 3


def computed_summary(
    files: Sequence[PlannedFile],
    findings: Sequence[Finding],
    coverage: Sequence[FileCoverage],
    changes: Mapping[str, str] | None = None,
) -> ReviewSummary:
    """Return a summary of sizes, and of the files with the worst findings.

    Args:
        files: the files of the diff.
        findings: open findings, worst first.
        coverage: status of each file, also of files that are not in the diff.
        changes: lines of a model on what changed, by path.
    """
    changes = changes or {}
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    per_file = Counter(finding.path for finding in findings)
    paths = {file.path for file in files}
    reviewed = sum(1 for file in coverage if file.status == "reviewed" and file.path in paths)
    return ReviewSummary(
        what=f"{count(len(files), 'file')} changed, +{added} -{removed}; {reviewed} reviewed.",
        files=tuple(
            WalkthroughEntry(file.path, changes.get(file.path) or _entry(file, per_file[file.path]))
            for file in files[:MAX_FILES]
        ),
        look_at=tuple(dict.fromkeys(finding.path for finding in findings if finding.path in paths))[
            :MAX_LOOK_AT
        ],
    )


def _entry(file: PlannedFile, findings: int) -> str:
    change = f"{file.status}, +{file.added} -{file.removed}"
    return f"{change}; {count(findings, 'finding')}" if findings else change

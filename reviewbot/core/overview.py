"""The summary that needs no model: counted, not written. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from reviewbot.core.events import ReviewSummary, WalkthroughEntry
from reviewbot.core.findings import SEVERITIES
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.events import FileCoverage, PlannedFile
    from reviewbot.core.findings import Finding

MAX_FILES: Final = 100
MAX_LOOK_AT: Final = 3


def computed_summary(
    files: Sequence[PlannedFile],
    findings: Sequence[Finding],
    coverage: Sequence[FileCoverage],
) -> ReviewSummary:
    """Sizes and counts, and the files with the worst findings.

    Args:
        files: the files of the diff.
        findings: what stands, worst first.
        coverage: what became of each file.
    """
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    reviewed = sum(1 for file in coverage if file.status == "reviewed")
    by_severity = Counter(finding.severity for finding in findings)
    counted = ", ".join(
        count(by_severity[severity], severity) for severity in SEVERITIES if by_severity[severity]
    )
    per_file = Counter(finding.path for finding in findings)
    paths = {file.path for file in files}
    return ReviewSummary(
        what=(
            f"{count(len(files), 'file')} changed, +{added} -{removed}; "
            f"{reviewed} reviewed; {counted or 'no findings'}."
        ),
        files=tuple(
            WalkthroughEntry(file.path, _entry(file, per_file[file.path]))
            for file in files[:MAX_FILES]
        ),
        look_at=tuple(dict.fromkeys(finding.path for finding in findings if finding.path in paths))[
            :MAX_LOOK_AT
        ],
    )


def _entry(file: PlannedFile, findings: int) -> str:
    change = f"{file.status}, +{file.added} -{file.removed}"
    return f"{change}; {count(findings, 'finding')}" if findings else change

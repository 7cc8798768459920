"""What our markers note of findings. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reviewbot.github.markers import MAX_FINDINGS, Noted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reviewbot.core.findings import Finding
    from reviewbot.github.commented_code import CommentedCode
    from reviewbot.github.memory import Memory
    from reviewbot.github.settled import Settled


def noted_of(code: CommentedCode, beside: Mapping[str, Noted], finding: Finding) -> Noted:
    """What a marker notes of a finding that has no comment.

    Args:
        code: finds code in the diff of the pull request at its head.
        beside: what is known of those that stand beside it, by their ids.
        finding: it.
    """
    known = beside.get(finding.id)
    if known and known.code:
        return replace(known, severity=finding.severity)
    if not finding.is_placed:
        return Noted(finding.id, finding.severity)
    place = (finding.path, finding.side, finding.line, finding.end_line)
    if mark := code.mark(*place):
        return Noted(finding.id, finding.severity, mark, finding.line, code.around(*place))
    return Noted(finding.id, finding.severity)


def all_noted(
    settled: Settled, now: Memory, noted: Callable[[Finding], Noted]
) -> tuple[Noted, ...]:
    """What the summary's marker notes, first what nothing else does: it cannot note all."""
    findings = {one.id: one for one in (*settled.report.findings, *settled.excluded)}
    elsewhere = {*now.posted, *(id_ for id_, one in now.told.items() if one.signed)}
    alone = [one for one in settled.noted if one.id not in elsewhere]
    marked = {one.id: noted(findings[one.id]) for one in alone if one.id in findings}
    every = {one.id: marked.get(one.id, one) for one in (*alone, *settled.noted)}
    return tuple(every.values())[:MAX_FINDINGS]

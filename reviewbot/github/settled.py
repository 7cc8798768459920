"""A review and what is known from earlier ones, settled: what is new, stands, is fixed. Pure.

- What somebody with the right to told us to ignore is taken out, and counted.
- What was found earlier and was not found again stands as long as its code does: a review of what
  changed does not look at the rest, and a model that says nothing of it this time proves nothing.
- What was found earlier in files that the configuration excludes by now counts no more.
- What stood at the last review and stands no more is fixed, if all was reviewed. A review that did
  not come to its end settles nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reviewbot.core.findings import Finding, rank
from reviewbot.core.policy import EXCLUDED
from reviewbot.core.report import gates
from reviewbot.core.wording import count
from reviewbot.github.comment_text import read_back
from reviewbot.github.earlier_findings import carried
from reviewbot.github.markers import Noted
from reviewbot.github.summary_comment import Changes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reviewbot.core.report import Report
    from reviewbot.github.memory import Memory, Posted


@dataclass(frozen=True, slots=True)
class Settled:
    """What is to be posted.

    Attributes:
        report: the review with what stands from earlier ones, without what is ignored.
        new: its findings that have no comment yet.
        fixed: findings with a comment whose code is gone.
        lapsed: those that are ignored, and whose code is gone by now.
        back: findings whose comment says that they are fixed, and whose code is there again.
        changes: what became of the findings since the last review; None if there was none.
        ignored: findings that are ignored and have no comment.
        excluded: the like of those in files that the configuration excludes by now.
    """

    report: Report
    new: tuple[Finding, ...]
    fixed: tuple[Posted, ...]
    lapsed: tuple[Posted, ...]
    back: tuple[Posted, ...]
    changes: Changes | None
    ignored: tuple[Noted, ...] = ()
    excluded: tuple[Finding, ...] = ()

    @property
    def noted(self) -> tuple[Noted, ...]:
        """The findings that count, for the marker; worst first.

        And those that are ignored or excluded and have no comment: once they are not any more, they
        are known to the marker alone, and looked for again.
        """
        every = filter(gates, (*self.report.findings, *self.excluded))
        return (*(Noted(one.id, one.severity) for one in every), *self.ignored)


def unaccounted(report: Report, memory: Memory) -> tuple[Posted, ...]:
    """Findings with a comment of ours that the review does not name: is their code still there?

    Of a review that did not come to its end only those that were fixed before: it settles nothing
    else.
    """
    unnamed = (*_unnamed(report, memory), *_unnamed_and_ignored(report, memory))
    return tuple(one for one in unnamed if report.complete or one.fixed)


def settle(
    report: Report,
    memory: Memory,
    *,
    gone: Collection[str],
    told_and_gone: Mapping[str, str] | None = None,
    lapsed: Collection[str] = (),
) -> Settled:
    """Settle a review.

    Args:
        report: the review, as far as it came.
        memory: what is known of the pull request.
        gone: ids of those of :func:`unaccounted` whose code is there no more.
        told_and_gone: titles of the others that are known and whose code is, by their ids.
        lapsed: ids of those of them that were ignored.
    """
    found = [finding for finding in report.findings if finding.id not in memory.ignored]
    rest = _unnamed(report, memory)
    every = (*found, *(carried(one) for one in rest if one.id not in gone))
    excluded = {file.path for file in report.covered("skipped") if file.reason == EXCLUDED}
    counting = [one for one in every if one.path not in excluded]
    kept = [one for one in found if one.path not in excluded]
    findings = tuple(sorted(counting, key=lambda one: (*rank(one), one.id)))
    notices = (*report.notices, *_notices(memory, len(every) - len(counting)))
    whole = replace(report, findings=findings, notices=notices)
    if report.complete:
        whole = replace(whole, outcome="findings" if findings else "clean")
    return Settled(
        report=whole,
        new=tuple(one for one in kept if one.id not in memory.posted),
        fixed=tuple(one for one in rest if one.id in gone) if report.complete else (),
        lapsed=tuple(one for one in _unnamed_and_ignored(report, memory) if one.id in gone),
        back=tuple(memory.posted[one.id] for one in findings if one.id in memory.marked),
        changes=_changes(whole, memory, gone, told_and_gone or {}),
        ignored=_ignored(report, memory, lapsed),
        excluded=tuple(
            one for one in found if one.path in excluded and one.id not in memory.posted
        ),
    )


def _unnamed(report: Report, memory: Memory) -> tuple[Posted, ...]:
    named = {finding.id for finding in report.findings} | memory.ignored.keys()
    return tuple(one for id_, one in memory.posted.items() if id_ not in named)


def _unnamed_and_ignored(report: Report, memory: Memory) -> tuple[Posted, ...]:
    """Likewise of those that are ignored, and are not known to be gone."""
    named = {finding.id for finding in report.findings}
    ignored = (one for id_, one in memory.posted.items() if id_ in memory.ignored)
    return tuple(one for one in ignored if one.id not in named and not one.fixed)


def _ignored(report: Report, memory: Memory, lapsed: Collection[str]) -> tuple[Noted, ...]:
    """What is ignored without a comment: of this review, and of what the last one noted."""
    marker = memory.summary[1] if memory.summary else None
    last = (*marker.findings, *marker.fixed) if marker else ()
    known = {one.id: Noted(one.id, one.severity) for one in filter(gates, report.findings)}
    known |= {one.id: one for one in last if one.code or one.id not in known}
    ignored = memory.ignored.keys() - memory.posted.keys() - {*lapsed}
    return tuple(one for id_, one in known.items() if id_ in ignored)


def _notices(memory: Memory, excluded: int) -> tuple[str, ...]:
    told: list[str] = []
    if memory.ignored:
        people = ", ".join(sorted(set(memory.ignored.values())))
        told.append(f"{count(len(memory.ignored), 'finding')} ignored, as asked for by {people}.")
    if excluded:
        those = count(excluded, "finding")
        told.append(f"{those} of earlier reviews left out: the configuration excludes the files.")
    return tuple(told)


def _changes(
    report: Report, memory: Memory, gone: Collection[str], told_and_gone: Mapping[str, str]
) -> Changes | None:
    if memory.summary is None:
        return None
    before = {noted.id for noted in memory.summary[1].findings}
    now = {finding.id for finding in report.findings if gates(finding)}
    lost = {*gone, *told_and_gone}
    fixed = [id_ for id_ in before - now if id_ in lost] if report.complete else []
    return Changes(
        new=now - before,
        still=now & before,
        fixed=sorted(fixed),
        titles=_titles(memory.posted, fixed) | dict(told_and_gone),
    )


def _titles(posted: Mapping[str, Posted], ids: Collection[str]) -> dict[str, str]:
    return {id_: read_back(posted[id_].comment.body)[0] for id_ in ids if id_ in posted}

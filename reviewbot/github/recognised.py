"""Recognises findings of a review that have a comment already, and those that only seem to. Pure.

An id comes of path, rule and code. So the same code a second time has the id of the first, and the
same finding has another one if a model gives it another category, or quotes a line more. Where
the comments stand tells them apart.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from reviewbot.core.findings import Placement, fingerprint, same, worse
from reviewbot.github.code_marks import plain_code
from reviewbot.github.earlier_findings import carried
from reviewbot.github.tracked import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from reviewbot.core.findings import Finding
    from reviewbot.core.report import Report
    from reviewbot.github.commented_code import CommentedCode
    from reviewbot.github.memory import Posted
    from reviewbot.github.tracked import Tracked


def recognised(
    report: Report,
    posted: Mapping[str, Posted],
    code: CommentedCode,
    *,
    reserved: Collection[str] = (),
    lapsed: Collection[str] = (),
    tracked: Tracked = NOTHING,
) -> Report:
    """``report``, each of its findings under the id of its comment if it has one.

    What has a comment stands as it was posted: a model that is less sure of it the second time, or
    calls it less severe, does not take it back.

    Args:
        report: the review, as far as it came.
        posted: findings with a comment, by their ids.
        code: finds the code of comments in the diff at the head.
        reserved: ids of others that are known: no copy gets one of them, and what has one is no
            comment's in other words.
        lapsed: ids of comments that were ignored, and whose code is gone: the same elsewhere is
            not ignored.
        tracked: what became of the lines of comments.
    """
    alive = {id_: one for id_, one in posted.items() if id_ not in lapsed}
    known = _Matching(alive, code, reserved, tracked).of(report.findings)
    taken = {*posted, *reserved, *(one.id for one in report.findings if one.id not in known)}
    findings: list[Finding] = []
    for finding in report.findings:
        if finding.id in known:
            findings.append(_as_posted(finding, known[finding.id]))
        elif finding.id in posted:
            name = next(one for one in ids_of(finding) if one not in taken)
            taken.add(name)
            findings.append(replace(finding, id=name))
        else:
            findings.append(finding)
    return replace(report, findings=tuple(findings))


def repeats(finding: Finding, told: Finding) -> bool:
    """Whether a finding says what a comment tells, wherever either stands.

    By their titles alone: what is taken for a repetition is not posted, so these must agree.
    """
    line, end = finding.line, finding.end_line
    here = replace(told, scenario="", side=finding.side, line=line, end_line=end)
    return same(replace(finding, scenario=""), here)


def overlap(one: Finding, other: Finding) -> bool:
    """Whether two findings share a line of one file, on one side."""
    return (
        (one.path, one.side) == (other.path, other.side)
        and one.line <= other.end_line
        and other.line <= one.end_line
    )


def is_said_by(others: Iterable[Finding], finding: Finding) -> bool:
    """Whether one of the others is at the place of a finding, and says the same."""
    return any(overlap(other, finding) and repeats(other, finding) for other in others)


class _Matching:
    """Which comment each finding has."""

    def __init__(
        self,
        posted: Mapping[str, Posted],
        code: CommentedCode,
        reserved: Collection[str],
        tracked: Tracked,
    ) -> None:
        self._left, self._reserved, self._tracked = dict(posted), reserved, tracked
        self._told = {id_: carried(one) for id_, one in posted.items()}
        self._code = code
        self._here = {id_ for id_, one in posted.items() if tracked.in_place(code, one)}
        self._alike = cache(lambda finding: frozenset(islice(ids_of(finding), len(posted) + 1)))

    def of(self, findings: Iterable[Finding]) -> dict[str, Posted]:
        """The comments by the ids of the findings, the surest first."""
        found: dict[str, Posted] = {}
        rounds: tuple[Callable[[Finding, Posted], bool], ...] = (
            lambda one, posted: one.id == posted.id and self._is_repeated(one, posted),
            self._is_repeated,
            lambda one, posted: one.id == posted.id and self._may_be(one, posted),
            lambda one, posted: self._is_here(one, posted) and posted.id in self._alike(one),
            lambda one, posted: one.id == posted.id and self._has_moved(one, posted),
            self._has_moved,
            lambda one, posted: one.id == posted.id and self._may_be_again(one, posted),
            self._is_claimed,
        )
        for is_it in rounds:
            for finding in findings:
                if finding.id in found:
                    continue
                match = next((one for one in self._left.values() if is_it(finding, one)), None)
                if match is not None:
                    found[finding.id] = self._left.pop(match.id)
        return found

    def _is_here(self, finding: Finding, posted: Posted) -> bool:
        """Whether a comment is in its place, and that is the finding's."""
        here = posted.id in self._here and finding.is_placed
        return here and overlap(finding, self._told[posted.id])

    def _is_repeated(self, finding: Finding, posted: Posted) -> bool:
        return self._is_here(finding, posted) and repeats(finding, self._told[posted.id])

    def _is_claimed(self, finding: Finding, posted: Posted) -> bool:
        """Whether a finding that misquotes its code names these lines, and says the same."""
        if finding.is_placed or finding.id in self._reserved or posted.id not in self._here:
            return False
        told = self._told[posted.id]
        return overlap(finding, told) and repeats(finding, told)

    def _may_be(self, finding: Finding, posted: Posted) -> bool:
        """Whether the place of a finding does not speak against it."""
        return not finding.is_placed or self._is_here(finding, posted)

    def _may_be_again(self, finding: Finding, posted: Posted) -> bool:
        """Whether nothing is known that speaks against it."""
        if posted.id in self._here:
            return False
        may_be = self._tracked.may_be(posted.id, finding.path, finding.line)
        return may_be or not finding.is_placed

    def _has_moved(self, finding: Finding, posted: Posted) -> bool:
        """Whether a comment that lost its place is on the same code, and says the same."""
        if posted.id in self._here or not posted.code:
            return False
        if not repeats(finding, self._told[posted.id]):  # before what takes longer
            return False
        if finding.path not in self._code.paths(posted.comment):
            return False
        copies = self._code.copies(finding.path, posted) if finding.is_placed else ()
        lines = range(finding.line - len(posted.code) + 1, finding.end_line + 1)
        may_be = self._tracked.may_be
        there = [first for first in copies if first in lines]
        if there and not any(may_be(posted.id, finding.path, first) for first in there):
            return False
        is_there = bool(there)
        if not is_there and not self._code.is_likely(finding.path, posted):
            return False
        return is_there or _is_within(posted.code, finding.quote.split("\n"))


def _is_within(code: Sequence[str], quoted: Sequence[str]) -> bool:
    """Whether what is quoted is some code, or that with lines put in between."""
    wanted, found = plain_code(code), plain_code(quoted)
    if len(wanted) < 2 or len(found) < 2 or wanted[-1] != found[-1]:
        return wanted == found
    rest = iter(found[1:])
    return wanted[0] == found[0] and all(line in rest for line in wanted[1:])


def _as_posted(finding: Finding, posted: Posted) -> Finding:
    severity = worse(finding.severity, posted.severity)
    finding = replace(finding, id=posted.id, severity=severity)
    if finding.is_placed:
        return replace(finding, placement=Placement("inline"))
    back = carried(posted)
    return replace(
        finding,
        path=back.path,
        side=back.side,
        line=back.line,
        end_line=back.end_line,
        placement=back.placement,
    )


def ids_of(finding: Finding) -> Iterator[str]:
    """All ids that findings like this one can have."""
    number = 0
    while True:
        number += 1
        yield fingerprint(finding.path, finding.rule, finding.quote, number)

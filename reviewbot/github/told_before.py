"""What earlier reviews told of on no line: whether it is found again, stands or is gone. Pure.

It has no comment on a line with which GitHub keeps the code. So the markers of our texts note the
code by a digest. As all that is known from earlier, it stands as long as its code does, and is not
told a second time under another id.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cache, partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from reviewbot.core.findings import Finding, Placement, rank, worse
from reviewbot.github.code_marks import is_brought, length_of, side_of_mark
from reviewbot.github.earlier_findings import NO_LINES, UNTITLED, carried, of_earlier
from reviewbot.github.recognised import ids_of, is_said_by, overlap, repeats
from reviewbot.github.told_texts import OurTexts
from reviewbot.github.tracked import NOTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from reviewbot.core.findings import Side
    from reviewbot.core.report import Report
    from reviewbot.github.commented_code import CommentedCode
    from reviewbot.github.markers import Marker, Noted
    from reviewbot.github.memory import Memory
    from reviewbot.github.told_texts import Item, SignedFor
    from reviewbot.github.tracked import Tracked


@dataclass(frozen=True, slots=True)
class ToldBefore:
    """A review with what earlier ones told of.

    Attributes:
        report: with what stands.
        gone: the titles of what is fixed by now, by ids.
        fixed: what is told of or ignored, and gone by now or before, by ids.
        beside: what stands beside the diff, as far as it is known where.
        held: ids of what a review's text tells of as held back.
        ignored: what is ignored, as far as it can be read what that is.
        lapsed: ids of what was ignored, and is gone.
    """

    report: Report
    gone: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Noted] = field(default_factory=dict)
    beside: Mapping[str, Noted] = field(default_factory=dict)
    held: Collection[str] = ()
    ignored: Sequence[Finding] = ()
    lapsed: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """Code of a new file that was found fault with, and that the change is not on any more.

    ``since``: see :class:`.SignedFor`.
    """

    id: str
    path: str
    code: str
    since: Marker | None


def beside_the_diff(told: Iterable[SignedFor], code: CommentedCode) -> list[Beside]:
    """What may stand in a file although the change is not on it."""
    return [
        Beside(one.id, path, mark, one.since)
        for one in told
        if (mark := one.noted.code) and side_of_mark(mark) == "RIGHT" and not code.holds(mark)
        if (path := _file_of(one, code))
    ]


def with_told(
    report: Report,
    memory: Memory,
    code: CommentedCode,
    link_hosts: Collection[str],
    *,
    in_files: Mapping[str, bool] = MappingProxyType({}),
    tracked: Tracked = NOTHING,
) -> ToldBefore:
    """``report`` with what earlier ones told of on no line, each once and under one id.

    Args:
        report: the review, its findings under the ids of their comments.
        memory: what is known of the pull request; our texts are read only if they are surely ours.
        code: finds code in the diff of the pull request at its head.
        link_hosts: the hosts that links may lead to.
        in_files: whether code is in its file where the diff does not show it; by ids.
        tracked: what became of the lines of what was told.
    """
    texts = OurTexts(memory, code.names)
    matching = _Matching(report.findings, memory, code, tracked)
    # Those that stand in their place before those that may have been moved there, and then those
    # that count: an ignored one takes nothing that another may be.
    told = sorted(
        texts.told(code),
        key=lambda one: (
            not tracked.line(one.id),
            not code.is_below(one.noted.code),
            one.id in memory.ignored,
        ),
    )
    matching.match(told)
    back = {one.id for one in told}
    fixed = {id_: one for id_, one in memory.told_and_fixed.items() if id_ not in back}
    gone: dict[str, str] = {}
    beside: dict[str, Noted] = {}
    ignored: list[Finding] = []
    lapsed = fixed.keys() & memory.ignored.keys()
    for one in told:
        found = matching.found.get(one.id)
        if found is not None and not found.is_placed:
            beside[one.id] = one.noted.at(tracked.line(one.id))
        is_ignored = one.id in memory.ignored
        if found is not None:
            ignored += [found] * is_ignored
            continue
        place = None if in_files.get(one.id) is False else matching.free_place(one)
        mark = one.noted.code
        sure = not mark or is_brought(mark) or _file_of(one, code) is not None
        if place is None and report.complete and sure and not in_files.get(one.id):
            if mark:
                fixed[one.id] = one.noted
            if mark and is_ignored:
                lapsed.add(one.id)
            elif mark:
                gone[one.id] = one.title
            continue  # where its place is not known, all is reviewed again, and that decides
        if is_ignored:
            ignored += [_carried(one, place, link_hosts)] if one.item else []
            if place is not None:
                matching.claim(_carried(one, place, link_hosts))
            continue
        if place is None and not tracked.is_gone(one.id):
            beside[one.id] = one.noted.at(tracked.line(one.id))
        matching.carry(_carried(one, place, link_hosts))
    for item in texts.held():
        matching.carry_held(item, link_hosts)
    ranked = sorted(matching.findings(), key=lambda one: (*rank(one), one.id))
    held = {item.id for item in texts.of_reviews if item.held}
    known = replace(report, findings=tuple(ranked))
    return ToldBefore(known, gone, fixed, beside, held, ignored, lapsed)


class _Matching:
    """Which findings were told of before, and under which ids the others are."""

    def __init__(
        self, findings: Sequence[Finding], memory: Memory, code: CommentedCode, tracked: Tracked
    ) -> None:
        self._code, self._tracked = code, tracked
        self._known, self._ignored = {*memory.posted, *memory.ignored}, memory.ignored.keys()
        self._fixed = memory.told_and_fixed.keys()
        self._posted = [one for one in findings if one.id in memory.posted]
        self._left = [one for one in findings if one.id not in memory.posted]
        named = {one.id for one in self._posted}
        self._commented = [
            carried(one)
            for id_, one in memory.posted.items()
            if id_ not in named and tracked.in_place(code, one)
        ]
        self._carried: list[Finding] = []
        self._claimed: list[Finding] = []
        self._places = cache(partial(_by_path, code))
        self.found: dict[str, Finding] = {}

    def match(self, told: Sequence[SignedFor]) -> None:
        """Find each again, the surest first: on its code, saying the same, under its id."""
        rounds: tuple[Callable[[Finding, SignedFor], bool], ...] = (
            lambda one, told: self._repeats(one, told) and self._code.is_below(told.noted.code),
            lambda one, told: one.id == told.id and self._repeats(one, told),
            self._repeats,
            lambda one, told: one.id == told.id and self._may_be(one, told),
            lambda one, told: not one.is_placed and self._is_claimed(one, told),
        )
        for is_it in rounds:
            for one in told:
                if one.id in self.found:
                    continue
                those = [finding for finding in self._left if is_it(finding, one)]
                match = min(those, key=lambda finding: finding.id != one.id, default=None)
                if match is not None:
                    self._left.remove(match)
                    self.found[one.id] = _as_told(match, one)
        names = {one.id for one in told} | {one.id for one in self._posted} | self._fixed
        taken = names | self._known | {one.id for one in self._left}
        for index, finding in enumerate(self._left):
            if finding.id in names:  # other code under the same id: a copy that came before it
                name = next(id_ for id_ in ids_of(finding) if id_ not in taken)
                taken.add(name)
                self._left[index] = replace(finding, id=name)

    def free_place(self, told: SignedFor) -> tuple[str, range] | None:
        """Where its code stands, and nothing else that is known or found says the same."""
        said = told.item.finding() if told.item else None
        others = {
            (one.path, one.line)
            for one in (*self.found.values(), *self._carried, *self._claimed)
            # Where its words cannot be read, another one can be on the same lines.
            if said is not None and one.is_placed and repeats(one, said)
        }
        placed = [one for one in self._left if one.is_placed]
        is_sure = bool(self._tracked.line(told.id))  # then one that is ignored does not hide it
        commented = (one for one in self._commented if not (is_sure and one.id in self._ignored))
        rivals = [*self._posted, *placed, *commented]
        free = [
            (path, lines)
            for path, places in self._places(told.noted.code).items()
            for lines in places
            if self._tracked.may_be(told.id, path, lines[0])
            if (path, lines[0]) not in others and not _is_of(rivals, told, path, lines)
        ]
        near = told.item.line if told.item else 0
        return min(free, key=lambda place: abs(place[1][0] - near), default=None)

    def claim(self, finding: Finding) -> None:
        """It is ignored, and its place is no other's."""
        self._claimed.append(finding)

    def carry(self, finding: Finding) -> None:
        """It stands."""
        self._carried.append(finding)

    def carry_held(self, item: Item, link_hosts: Collection[str]) -> None:
        """It is told as before, if nothing else is known of it and its code is there."""
        every = self.findings()
        if item.id in self._known or any(one.id == item.id for one in every):
            return
        place = self._code.find(item.path, item.quote, near=item.line)
        if place is None:
            return
        told = item.finding(*place, link_hosts)
        same = next((one for one in self._left if overlap(one, told) and repeats(one, told)), None)
        if same is None:
            self._carried.append(told)
        else:
            self._left[self._left.index(same)] = replace(same, id=told.id)

    def findings(self) -> list[Finding]:
        """All."""
        return [*self._posted, *self.found.values(), *self._left, *self._carried]

    def _is_here(self, finding: Finding, told: SignedFor) -> bool:
        return finding.is_placed and self._is_at(finding, told)

    def _is_at(self, finding: Finding, told: SignedFor) -> bool:
        code = told.noted.code
        if not code or finding.side != side_of_mark(code):
            return False
        places = self._places(code).get(finding.path, [])
        next_ = bisect_right(places, finding.end_line, key=lambda lines: lines[0])
        if next_ == 0 or finding.line > places[next_ - 1][-1]:
            return False
        return self._tracked.may_be(told.id, finding.path, places[next_ - 1][0])

    def _repeats(self, finding: Finding, told: SignedFor) -> bool:
        """Where its words cannot be read, only its id tells it from others on its lines."""
        if not self._is_here(finding, told):
            return False
        item = told.item
        return finding.id == told.id if item is None else repeats(finding, item.finding())

    def _is_claimed(self, finding: Finding, told: SignedFor) -> bool:
        """Whether a finding that misquotes its code names these lines, and says the same."""
        here = told.item is not None and self._is_at(finding, told)
        return here and told.item is not None and repeats(finding, told.item.finding())

    def _may_be(self, finding: Finding, told: SignedFor) -> bool:
        """Whether the place of a finding does not speak against it."""
        unknown = not told.noted.code or not finding.is_placed
        return unknown or self._is_here(finding, told)


def _file_of(told: SignedFor, code: CommentedCode) -> str | None:
    """The file of its code, under the name that it has now; None if that cannot be told."""
    return code.name_of(told.noted.code, told.item.path if told.item else "")


def _by_path(code: CommentedCode, mark: str) -> dict[str, list[range]]:
    """The lines at which the code of a mark stands, in order, by their files."""
    found: dict[str, list[range]] = {}
    for path, lines in code.places(mark) if mark else ():
        found.setdefault(path, []).append(lines)
    return {path: sorted(places, key=lambda lines: lines[0]) for path, places in found.items()}


def _is_of(others: Iterable[Finding], told: SignedFor, path: str, lines: range) -> bool:
    """Whether code at a place is that of another finding which says the same."""
    if told.item is None:
        return False
    there = told.item.finding(side_of_mark(told.noted.code), lines[0])
    return is_said_by(others, replace(there, path=path, end_line=lines[-1]))


def _as_told(finding: Finding, told: SignedFor) -> Finding:
    """It stands as it was told: a model that is less sure of it now does not take it back."""
    severity = worse(finding.severity, told.noted.severity)
    placement = finding.placement
    if placement.held:
        placement = Placement("inline") if finding.is_placed else NO_LINES
    return replace(finding, id=told.id, severity=severity, placement=placement)


def _carried(
    told: SignedFor, place: tuple[str, range] | None, link_hosts: Collection[str]
) -> Finding:
    """A finding of an earlier review that this one does not name."""
    item, code = told.item, told.noted.code
    line = place[1][0] if place else item.line if item else 0
    end = place[1][-1] if place else line + max(1, length_of(code) if code else 1) - 1
    side: Side = side_of_mark(code) if code else "RIGHT"
    path = place[0] if place else item.path if item else UNTITLED
    words = item.finding(side, line, link_hosts) if item else of_earlier(told.noted, side)
    return replace(
        words,
        path=path,
        line=line,
        severity=told.noted.severity,
        end_line=end,
        placement=Placement("inline") if place else NO_LINES,
    )

"""What earlier reviews told of on no line: whether it is found again, stands or is gone. Pure.

It has no comment on a line with which GitHub keeps the code. So the markers of our texts note the
code by a digest, and what was said is read again from the texts, as far as they can be read. As all
that is known from earlier, it stands as long as its code does, and is not told a second time under
another id.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final, cast

from reviewbot.core.findings import CATEGORIES, SEVERITIES, Finding, Placement, rank
from reviewbot.core.shown_text import shown_line, shown_markdown
from reviewbot.github.commented_code import (
    CommentedCode,
    is_brought,
    length_of,
    side_of_mark,
)
from reviewbot.github.recognised import ids_of, is_placed, overlap, repeats
from reviewbot.github.settled import UNTITLED, carried

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.core.findings import Category, Severity, Side
    from reviewbot.core.report import Report
    from reviewbot.github.markers import Noted
    from reviewbot.github.memory import Memory

_TITLE: Final = re.compile(rf"\*\*({'|'.join(SEVERITIES)}): (.{{1,400}})\*\*")
_FACTS: Final = re.compile(
    rf"\[?`(?P<place>[^`\n]+)`[^`\n]*, (?P<category>{'|'.join(CATEGORIES)})"
    r"(?:, `(?P<rule>[^`\n]+)`)?, `(?P<model>[^`\n]+)`, confidence (?P<confidence>[01]\.\d\d)"
    r", id `(?P<id>[0-9a-f]{16})`"
)
_LINE: Final = re.compile(r"(.+):(\d{1,9})")
_HELD: Final = "Held back: "
_ESCAPED: Final = re.compile(r"\\([^\w\s])")
_CUT: Final = re.compile(r"\.\.\. [\d,]+ more lines?")
_NO_LINES: Final = Placement("file", "Its lines are not in the diff of the pull request any more.")


@dataclass(frozen=True, slots=True)
class ToldBefore:
    """A review with what earlier ones told of.

    Attributes:
        report: with what stands.
        gone: the titles of what is fixed, by ids.
        codes: the marks of what stands beside the diff, as they were.
        held: ids of what a review's text tells of as held back.
    """

    report: Report
    gone: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, str] = field(default_factory=dict)
    held: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Beside:
    """Code that was found fault with, was in the diff unchanged, and is in it no more."""

    id: str
    path: str
    code: str


@dataclass(frozen=True, slots=True)
class _Item:
    """A finding as a text tells of it. ``line`` is 0 if it had none."""

    id: str
    path: str
    line: int
    severity: Severity
    title: str
    facts: re.Match[str]
    reason: str
    told: tuple[str, ...]
    quote: tuple[str, ...]

    @property
    def held(self) -> bool:
        return self.reason.startswith(_HELD)


@dataclass(frozen=True, slots=True)
class _Told:
    """A finding that we have signed for, with what is said of it, if that can be read."""

    noted: Noted
    item: _Item | None

    @property
    def id(self) -> str:
        return self.noted.id

    @property
    def title(self) -> str:
        return self.item.title if self.item else UNTITLED


def beside_the_diff(memory: Memory, files: Sequence[FileDiff]) -> list[Beside]:
    """What may stand in a file although the diff has it no more: the change was not on it."""
    code = CommentedCode(files)
    texts = _Texts(memory, {file.path for file in files})
    return [
        Beside(one.id, code.name(one.item.path), one.noted.code)
        for one in texts.told()
        if one.item and one.noted.code and not is_brought(one.noted.code)
        if not code.places(one.noted.code)
    ]


def with_told(
    report: Report,
    memory: Memory,
    files: Sequence[FileDiff],
    link_hosts: Collection[str],
    *,
    in_files: Collection[str] = (),
) -> ToldBefore:
    """``report`` with what earlier ones told of on no line, each once and under one id.

    Args:
        report: the review, its findings under the ids of their comments.
        memory: what is known of the pull request; our texts are read only if they are surely ours.
        files: the diff of the pull request at its head.
        link_hosts: the hosts that links may lead to.
        in_files: ids of what is :func:`beside_the_diff`, and in its file.
    """
    texts = _Texts(memory, {file.path for file in files})
    matching = _Matching(report.findings, memory, CommentedCode(files))
    told = texts.told()
    matching.match(told)
    gone: dict[str, str] = {}
    codes: dict[str, str] = {}
    for one in told:
        if one.id in matching.found or one.id in memory.ignored:
            continue
        place = matching.free_place(one)
        sure = one.item is not None or not one.noted.code or is_brought(one.noted.code)
        if place is None and report.complete and sure and one.id not in in_files:
            if one.noted.code:
                gone[one.id] = one.title
            continue  # where its place is not known, all is reviewed again, and that decides
        if place is None:
            codes[one.id] = one.noted.code
        matching.carry(_carried(one, place, link_hosts))
    for item in texts.held():
        matching.carry_held(item, link_hosts)
    ranked = sorted(matching.findings(), key=lambda one: (*rank(one), one.id))
    held = {item.id for item in texts.of_reviews() if item.held}
    return ToldBefore(replace(report, findings=tuple(ranked)), gone, codes, held)


class _Matching:
    """Which findings were told of before, and under which ids the others are."""

    def __init__(self, findings: Sequence[Finding], memory: Memory, code: CommentedCode) -> None:
        self._code, self._known = code, {*memory.posted, *memory.ignored}
        self._posted = [one for one in findings if one.id in memory.posted]
        self._left = [one for one in findings if one.id not in memory.posted]
        named = {one.id for one in self._posted}
        self._commented = [
            carried(one)
            for id_, one in memory.posted.items()
            if id_ not in named and code.in_place(one)
        ]
        self._carried: list[Finding] = []
        self._places = cache(partial(_by_path, code))
        self.found: dict[str, Finding] = {}

    def match(self, told: Sequence[_Told]) -> None:
        """Find each again, the surest first: on its code, saying the same, under its id."""
        rounds: tuple[Callable[[Finding, _Told], bool], ...] = (
            lambda one, told: one.id == told.id and self._repeats(one, told),
            self._repeats,
            lambda one, told: one.id == told.id and self._may_be(one, told),
        )
        for is_it in rounds:
            for one in told:
                if one.id in self.found:
                    continue
                match = next((finding for finding in self._left if is_it(finding, one)), None)
                if match is not None:
                    self._left.remove(match)
                    self.found[one.id] = _as_told(match, one)
        names = {one.id for one in told} | {one.id for one in self._posted}
        taken = names | self._known | {one.id for one in self._left}
        for index, finding in enumerate(self._left):
            if finding.id in names:  # other code under the same id: a copy that came before it
                name = next(id_ for id_ in ids_of(finding) if id_ not in taken)
                taken.add(name)
                self._left[index] = replace(finding, id=name)

    def free_place(self, told: _Told) -> tuple[str, int] | None:
        """Where its code stands, and nothing else that is known or found says the same."""
        others = {(one.path, one.line) for one in (*self.found.values(), *self._carried)}
        rivals = (*self._posted, *self._left, *self._commented)
        free = [
            (path, first)
            for path, firsts in self._places(told.noted.code).items()
            for first in firsts
            if (path, first) not in others and not _is_of(rivals, told, path, first)
        ]
        near = told.item.line if told.item else 0
        return min(free, key=lambda place: abs(place[1] - near), default=None)

    def carry(self, finding: Finding) -> None:
        """It stands."""
        self._carried.append(finding)

    def carry_held(self, item: _Item, link_hosts: Collection[str]) -> None:
        """It is told as before, if nothing else is known of it and its code is there."""
        every = self.findings()
        if item.id in self._known or any(one.id == item.id for one in every):
            return
        place = self._code.find(item.path, item.quote, near=item.line)
        if place is None:
            return
        told = _finding(item, place, link_hosts)
        same = next((one for one in self._left if overlap(one, told) and repeats(one, told)), None)
        if same is None:
            self._carried.append(told)
        else:
            self._left[self._left.index(same)] = replace(same, id=told.id)

    def findings(self) -> list[Finding]:
        """All."""
        return [*self._posted, *self.found.values(), *self._left, *self._carried]

    def _is_here(self, finding: Finding, told: _Told) -> bool:
        code = told.noted.code
        if not code or not is_placed(finding) or finding.side != side_of_mark(code):
            return False
        firsts = self._places(code).get(finding.path, [])
        next_ = bisect_right(firsts, finding.end_line)
        return next_ > 0 and finding.line < firsts[next_ - 1] + length_of(code)

    def _repeats(self, finding: Finding, told: _Told) -> bool:
        here = self._is_here(finding, told)
        return here and (told.item is None or repeats(finding, _said(told.item)))

    def _may_be(self, finding: Finding, told: _Told) -> bool:
        """Whether the place of a finding does not speak against it."""
        unknown = not told.noted.code or not is_placed(finding)
        return unknown or self._is_here(finding, told)


def _by_path(code: CommentedCode, mark: str) -> dict[str, list[int]]:
    """The first lines at which the code of a mark stands, in order, by their files."""
    found: dict[str, list[int]] = {}
    for path, first in sorted(code.places(mark)) if mark else ():
        found.setdefault(path, []).append(first)
    return found


def _is_of(others: Iterable[Finding], told: _Told, path: str, first: int) -> bool:
    """Whether code at a place is that of another finding which says the same."""
    if told.item is None:
        return False
    code = told.noted.code
    there = replace(
        _said(told.item),
        path=path,
        side=side_of_mark(code),
        line=first,
        end_line=first + length_of(code) - 1,
    )
    return any(overlap(one, there) and repeats(one, there) for one in others)


class _Texts:
    """Our texts that are surely ours, the newest first."""

    def __init__(self, memory: Memory, paths: Collection[str]) -> None:
        self._memory = memory
        bodies = {one.review.id: one.review.body for one in memory.told.values() if one.signed}
        self._reviews = [item for body in bodies.values() for item in _read(body, paths)]
        summary = memory.summary[0].body if memory.summary and memory.signed else ""
        self._summary = list(_read(summary, paths))

    def told(self) -> list[_Told]:
        """What we have signed for, and has no comment."""
        memory = self._memory
        noted = {id_: one.noted for id_, one in memory.told.items() if one.signed}
        if memory.summary and memory.signed:
            noted = {one.id: one for one in memory.summary[1].findings} | noted
        items = {item.id: item for item in (*self._summary, *self._reviews)}
        return [
            _Told(one, items.get(id_)) for id_, one in noted.items() if id_ not in memory.posted
        ]

    def held(self) -> list[_Item]:
        """What was held back."""
        return [item for item in (*self._summary, *self._reviews) if item.held]

    def of_reviews(self) -> list[_Item]:
        """What the texts of reviews tell of."""
        return self._reviews


def _read(text: str, paths: Collection[str]) -> Iterator[_Item]:
    """The findings that a text of ours tells of. Whatever is a stranger's is quoted in it."""
    blocks = text.replace("\r\n", "\n").split("\n\n")
    for index, (heading, facts_block) in enumerate(pairwise(blocks)):
        title, facts = _TITLE.fullmatch(heading), _FACTS.fullmatch(facts_block)
        if title is None or facts is None:
            continue
        rest = blocks[index + 2 :]
        reason = rest.pop(0) if rest and not rest[0].startswith(">") else ""
        quoted = list(_leading(rest))
        if not quoted or not quoted[-1].startswith("> ```"):
            continue
        quote = [line[2:] for line in quoted.pop().split("\n")[1:-1]]
        if quote and _CUT.fullmatch(quote[-1]):
            quote.pop()
        place = facts["place"]
        placed = _LINE.fullmatch(place)
        on_line = placed is not None and place not in paths
        yield _Item(
            id=facts["id"],
            path=placed[1] if placed and on_line else place,
            line=int(placed[2]) if placed and on_line else 0,
            severity=cast("Severity", title[1]),
            title=shown_line(title[2]),
            facts=facts,
            reason=reason,
            told=tuple(map(_unquoted, quoted)),
            quote=tuple(quote),
        )


def _leading(blocks: Iterable[str]) -> Iterator[str]:
    """The first blocks, as far as they are quotations."""
    for block in blocks:
        if not block.startswith(">"):
            return
        yield block


def _finding(item: _Item, place: tuple[Side, int], link_hosts: Collection[str]) -> Finding:
    side, line = place
    *scenario, message = item.told or ("",)
    reason = shown_line(_ESCAPED.sub(r"\1", item.reason.removeprefix(_HELD)))
    category = item.facts["category"]
    return Finding(
        id=item.id,
        path=item.path,
        quote="\n".join(item.quote),
        side=side,
        line=line,
        end_line=line + len(item.quote) - 1,
        scenario=shown_line("".join(scenario)),
        category=cast("Category", category),
        severity=item.severity,
        confidence=float(item.facts["confidence"]),
        title=item.title,
        message=shown_markdown(message, link_hosts=link_hosts),
        suggestion=None,
        rule=item.facts["rule"] or category,
        model=item.facts["model"],
        chunk="",
        attempt=1,
        placement=Placement("outside", reason, held=True) if item.held else Placement("inline"),
    )


def _said(item: _Item) -> Finding:
    """What a text tells, wherever it stands."""
    return _finding(item, ("RIGHT", item.line), ())


def _as_told(finding: Finding, told: _Told) -> Finding:
    """It stands as it was told: a model that is less sure of it now does not take it back."""
    severity = min(finding.severity, told.noted.severity, key=SEVERITIES.index)
    placement = finding.placement
    if placement.held:
        placement = Placement("inline") if is_placed(finding) else _NO_LINES
    return replace(finding, id=told.id, severity=severity, placement=placement)


def _carried(told: _Told, place: tuple[str, int] | None, link_hosts: Collection[str]) -> Finding:
    """A finding of an earlier review that this one does not name."""
    item, code = told.item, told.noted.code
    line = place[1] if place else item.line if item else 0
    side: Side = side_of_mark(code) if code else "RIGHT"
    path = place[0] if place else item.path if item else UNTITLED
    words = _finding(item, (side, line), link_hosts) if item else _unread(told.id, side, line)
    return replace(
        words,
        path=path,
        severity=told.noted.severity,
        end_line=line + max(1, length_of(code) if code else 1) - 1,
        placement=Placement("inline") if place else _NO_LINES,
    )


def _unread(id_: str, side: Side, line: int) -> Finding:
    """One whose words cannot be read any more: somebody has edited them, or they were cut."""
    return Finding(
        id=id_,
        path="",
        quote="",
        side=side,
        line=line,
        end_line=line,
        scenario="",
        category="bug",
        severity="note",
        confidence=1.0,
        title=UNTITLED,
        message="Found by an earlier review, and its code is still there.",
        suggestion=None,
        rule="bug",
        model="an earlier review",
        chunk="",
        attempt=1,
        placement=_NO_LINES,
    )


def _unquoted(markdown: str) -> str:
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in markdown.split("\n"))

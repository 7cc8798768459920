"""The findings that texts of ours tell of on no line, read again from them. Pure.

People with the right to can edit what we wrote. So a text says what a finding is about, and never
that there is one: that, only a marker says that we signed. Whatever is a stranger's is quoted in
our texts, each line behind ``>``, and so can be no item of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Final, cast

from reviewbot.core.findings import CATEGORIES, SEVERITIES, Finding, Placement
from reviewbot.core.shown_text import shown_line, shown_markdown
from reviewbot.github.code_marks import side_of_mark
from reviewbot.github.earlier_findings import UNTITLED

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reviewbot.core.findings import Category, Severity, Side
    from reviewbot.github.commented_code import CommentedCode
    from reviewbot.github.markers import Marker, Noted
    from reviewbot.github.memory import Memory

_TITLE: Final = re.compile(rf"\*\*({'|'.join(SEVERITIES)}): (.{{1,400}})\*\*")


def _span(name: str) -> str:
    """Inline code, behind any number of backticks."""
    return rf"(?P<{name}>(?P<{name}_ticks>`++)[^\n]+?(?P={name}_ticks)(?!`))"


_FACTS: Final = re.compile(
    rf"\[?{_span('place')}[^`\n]*, (?P<category>{'|'.join(CATEGORIES)})"
    rf"(?:, {_span('rule')})?, {_span('model')}, confidence (?P<confidence>[01]\.\d\d)"
    r", id `(?P<id>[0-9a-f]{16})`"
)
_LINE: Final = re.compile(r"(.+):(\d{1,9})")
_HELD: Final = "Held back: "
_ESCAPED: Final = re.compile(r"\\([^\w\s])")
_CUT: Final = re.compile(r"\.\.\. [\d,]+ more lines?")
_NOT_OF_AN_ITEM: Final = re.compile(r"#|<|[\d,]+ more findings?: no room here\.")


@dataclass(frozen=True, slots=True)
class Item:
    """A finding as a text tells of it.

    ``line`` is 0 if it had none; ``said`` are the scenario, if there is one, and the message.
    """

    id: str
    path: str
    line: int
    severity: Severity
    category: Category
    title: str
    rule: str
    model: str
    confidence: float
    reason: str
    said: tuple[str, ...]
    quote: tuple[str, ...]

    @property
    def held(self) -> bool:
        """Whether it was held back."""
        return self.reason.startswith(_HELD)

    def finding(
        self, side: Side = "RIGHT", line: int | None = None, link_hosts: Collection[str] = ()
    ) -> Finding:
        """The finding, on ``line`` or where it was told to be."""
        first = self.line if line is None else line
        *scenario, message = self.said or ("",)
        reason = shown_line(_ESCAPED.sub(r"\1", self.reason.removeprefix(_HELD)))
        return Finding(
            id=self.id,
            path=self.path,
            quote="\n".join(self.quote),
            side=side,
            line=first,
            end_line=first + len(self.quote) - 1,
            scenario=shown_line("".join(scenario)),
            category=self.category,
            severity=self.severity,
            confidence=self.confidence,
            title=self.title,
            message=shown_markdown(message, link_hosts=link_hosts),
            suggestion=None,
            rule=self.rule,
            model=self.model,
            chunk="",
            attempt=1,
            placement=Placement("outside", reason, held=True) if self.held else Placement("inline"),
        )


@dataclass(frozen=True, slots=True)
class SignedFor:
    """A finding that we have signed for, with what is said of it, if that can be read.

    ``since``: the marker of the review that told of it first, or of the last one that told of it.
    """

    noted: Noted
    item: Item | None
    since: Marker | None = None

    @property
    def id(self) -> str:
        """Of the finding."""
        return self.noted.id

    @property
    def title(self) -> str:
        """What is said of it, in a line."""
        return self.item.title if self.item else UNTITLED


class OurTexts:
    """Our texts on a pull request that are surely ours.

    Args:
        memory: what is known of the pull request.
        paths: the files of its diff: a name may end as a line does, ``:12``.
    """

    def __init__(self, memory: Memory, paths: Collection[str]) -> None:
        self._memory = memory
        bodies = [one.review.body for one in memory.reviews if one.signed]
        self.of_reviews = [item for body in bodies for item in items_of(body, paths)]
        self._of_summary = list(items_of(memory.signed_summary, paths))

    def told(self, code: CommentedCode) -> list[SignedFor]:
        """What we have signed for, and has no comment; and was not fixed, or is back in its place.

        The same line elsewhere is not its return. What is ignored is back only at its line, with
        all as it was around it: else it could hide another one.
        """
        memory = self._memory

        def is_as_it_was(one: Noted) -> bool:
            side = side_of_mark(one.code)
            return any(
                one.line == lines[0] and one.around == code.around(path, side, lines[0], lines[-1])
                for path, lines in code.places(one.code)
            )

        def is_back(one: Noted) -> bool:
            is_there = code.is_back(one.code)
            return is_there and (one.id not in memory.ignored or is_as_it_was(one))

        noted = {id_: one.noted for id_, one in memory.told.items() if one.signed}
        if memory.summary and memory.signed:
            noted = {one.id: one for one in memory.summary[1].findings} | noted
        noted = memory.told_and_fixed | noted
        items = {item.id: item for item in (*self._of_summary, *self.of_reviews)}
        # What the summary alone tells stood at the head of the last review.
        since: dict[str, Marker | None] = {}
        if memory.summary and memory.signed:
            last = memory.summary[1]
            since = {one.id: last for one in last.findings}
        since |= {id_: one.marker for id_, one in memory.told.items() if one.signed}
        return [
            SignedFor(one, items.get(id_), since.get(id_))
            for id_, one in noted.items()
            if id_ not in memory.posted
            if id_ not in memory.told_and_fixed or is_back(one)
        ]

    def held(self) -> list[Item]:
        """What was held back."""
        return [item for item in (*self._of_summary, *self.of_reviews) if item.held]


def items_of(text: str, paths: Collection[str] = ()) -> Iterator[Item]:
    """The findings that a text of ours tells of, as far as they can be read."""
    for blocks in _told_in(text):
        if item := _item(blocks, paths):
            yield item


def texts_of(text: str) -> dict[str, str]:
    """What a text of ours tells of each finding, as it stands there, by its id."""
    found = ((_FACTS.fullmatch(blocks[1]), blocks) for blocks in _told_in(text))
    return {facts["id"]: "\n\n".join(blocks) for facts, blocks in found if facts}


def _told_in(text: str) -> Iterator[list[str]]:
    """The blocks of each finding that a text tells of, as :func:`.beside` writes them."""
    blocks = text.split("\n\n")
    begins = [
        at
        for at, block in enumerate(blocks[:-1])
        if _TITLE.fullmatch(block) and _FACTS.fullmatch(blocks[at + 1])
    ]
    for at, end in pairwise((*begins, len(blocks))):
        yield list(takewhile(lambda one: not _NOT_OF_AN_ITEM.match(one), blocks[at:end]))


def _item(blocks: list[str], paths: Collection[str]) -> Item | None:
    title, facts = _TITLE.fullmatch(blocks[0]), _FACTS.fullmatch(blocks[1])
    if title is None or facts is None:
        return None
    rest = blocks[2:]
    reason = rest.pop(0) if rest and not rest[0].startswith(">") else ""
    quoted = list(takewhile(lambda block: block.startswith(">"), rest))
    if not quoted or not quoted[-1].startswith("> ```"):
        return None
    quote = [line[2:] for line in quoted.pop().split("\n")[1:-1]]
    if quote and _CUT.fullmatch(quote[-1]):
        quote.pop()
    place, rule = _code(facts["place"]), facts["rule"]
    placed = None if place in paths else _LINE.fullmatch(place)
    return Item(
        id=facts["id"],
        path=placed[1] if placed else place,
        line=int(placed[2]) if placed else 0,
        severity=cast("Severity", title[1]),
        category=cast("Category", facts["category"]),
        title=shown_line(title[2]),
        rule=_code(rule) if rule else facts["category"],
        model=_code(facts["model"]),
        confidence=float(facts["confidence"]),
        reason=reason,
        said=tuple(map(_unquoted, quoted)),
        quote=tuple(quote),
    )


def _code(span: str) -> str:
    """What stands in inline code, as :func:`.code_span` writes it."""
    inner = span.strip("`")
    return inner[1:-1] if span.startswith("``") else inner


def _unquoted(markdown: str) -> str:
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in markdown.split("\n"))

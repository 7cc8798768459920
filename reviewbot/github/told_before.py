"""What earlier reviews told of on no line, read again from our summary and our reviews. Pure.

It has no comment on a line, so nothing else knows of it. As all that is known from earlier, it
stands as long as its code does, and is not told a second time under another id.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, cast

from reviewbot.core.findings import CATEGORIES, SEVERITIES, Finding, Placement, rank
from reviewbot.core.redact import REDACTED_MARK
from reviewbot.core.shown_text import shown_line, shown_markdown
from reviewbot.github.commented_code import CommentedCode
from reviewbot.github.recognised import overlap, repeats

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.core.findings import Category, Severity, Side
    from reviewbot.core.report import Report
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
_ALTERED: Final = re.compile(rf"\\|{re.escape(REDACTED_MARK)}|## \[|\.\.\.$")
"""In a line that may be another in the file: not to find it there says nothing."""
_CUT: Final = re.compile(r"\.\.\. [\d,]+ more lines?")


@dataclass(frozen=True, slots=True)
class ToldBefore:
    """A review with what earlier ones told of; ``gone``: the titles of what is fixed, by ids."""

    report: Report
    gone: Mapping[str, str]


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


def with_told(
    report: Report, memory: Memory, files: Sequence[FileDiff], link_hosts: Collection[str]
) -> ToldBefore:
    """``report`` with what earlier ones told of on no line and this one does not name.

    Args:
        report: the review, its findings under the ids of their comments.
        memory: what is known of the pull request; our texts are read only if they are surely ours.
        files: the diff of the pull request at its head.
        link_hosts: the hosts that links may lead to.
    """
    code = CommentedCode(files)
    paths = {file.path for file in files}
    known = {*memory.posted, *memory.ignored}
    findings = {finding.id: finding for finding in report.findings}
    gone: dict[str, str] = {}
    for item in _items(memory, paths):
        if item.id in known or item.id in findings:
            continue
        place = code.find(item.path, item.quote, near=item.line)
        if place is None:
            if item.line and not any(map(_ALTERED.search, item.quote)):
                gone[item.id] = item.title
            continue
        told = _finding(item, place, link_hosts)
        alike = (one for one in findings.values() if overlap(one, told) and repeats(one, told))
        same = next((one for one in alike if one.id not in known), None)
        if same is not None:
            del findings[same.id]
            told = replace(same, id=told.id)
        findings[told.id] = told
    ranked = sorted(findings.values(), key=lambda one: (*rank(one), one.id))
    return ToldBefore(replace(report, findings=tuple(ranked)), gone)


def _items(memory: Memory, paths: Collection[str]) -> Iterator[_Item]:
    """What our texts tell of, the newest first: of what counts, only what we have signed for."""
    read: set[str] = set()
    for text, signed in _texts(memory):
        for item in _read(text, paths):
            if item.id not in read and (item.held or item.id in signed):
                read.add(item.id)
                yield item


def _texts(memory: Memory) -> Iterator[tuple[str, Collection[str]]]:
    """Our texts, each with the ids that its marker notes."""
    if memory.summary is not None and memory.signed:
        comment, marker = memory.summary
        yield comment.body, {noted.id for noted in marker.findings}
    of: dict[str, set[str]] = {}
    for id_, told in memory.told.items():
        if told.signed:
            of.setdefault(told.review.body, set()).add(id_)
    yield from of.items()


def _read(text: str, paths: Collection[str]) -> Iterator[_Item]:
    """The findings that a text of ours tells of. Whatever is a stranger's is quoted in it."""
    blocks = text.split("\n\n")
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
        on_line = placed is not None and placed[1] in paths
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


def _unquoted(markdown: str) -> str:
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in markdown.split("\n"))

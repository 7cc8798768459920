"""The offline model: rules on the added code, behind the same protocol as Claude.

It reads the chunks, not a prompt: no network, no key, no cost. Each chunk is scanned in a thread,
and its findings leave before the next chunk is looked at.
"""

from __future__ import annotations

import asyncio
import json
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.escape import show, show_line
from reviewbot.core.events import Usage
from reviewbot.core.languages import language_of
from reviewbot.models.base import (
    Answering,
    Fault,
    ModelFault,
    Stop,
    Stopped,
    ToolInput,
    UsageReport,
)
from reviewbot.models.catalog import lookup
from reviewbot.models.fragments import MAX_DEPTH, new_side, parse, too_deep
from reviewbot.models.syntax import Hit, match
from reviewbot.models.textrules import check_lines
from reviewbot.rules import META_VARIABLE, Rule, load_folder, rules_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from reviewbot.core.chunks import ChunkView, ShownHunk
    from reviewbot.core.diff import Line
    from reviewbot.core.prompt import ModelRequest
    from reviewbot.models.base import ModelEvent
    from reviewbot.models.catalog import ModelInfo

MAX_PER_RULE: Final = 20
"""Findings of one rule in one chunk; the last one names the lines of the others."""
REFUSED: Final = (
    f"Brackets nest more than {MAX_DEPTH} deep in a hunk, so the offline rules did not read it."
)
_NAMED_LINES: Final = 20
_QUOTE_CHARS: Final = 4000
_EXCERPT_CHARS: Final = 200


class OfflineModel:
    """Finds what the rules in :mod:`reviewbot.rules` describe."""

    @property
    def info(self) -> ModelInfo:
        """Its entry in the catalogue: no tokens, no cost."""
        return lookup("offline")

    async def stream(
        self,
        request: ModelRequest,
        *,
        max_tokens: int,  # noqa: ARG002 - the protocol's; an answer of rules is never cut
    ) -> AsyncGenerator[ModelEvent, None]:
        """The report on ``request.chunks``, chunk by chunk.

        Raises:
            ConfigError: a rule file of this installation is broken.
            ModelFault: at the end, a hunk was not read.
        """
        yield Answering()
        yield ToolInput('{"findings":[')
        comma = ""
        for view in request.chunks:
            # Scanning is all CPU: a thread keeps the loop free between ast-grep's calls.
            for item in await asyncio.to_thread(review_chunk, view):
                yield ToolInput(comma + json.dumps(item))
                comma = ","
        if any([await asyncio.to_thread(_refused, view) for view in request.chunks]):
            raise ModelFault(REFUSED, fault=Fault.COULD_NOT_REVIEW)
        yield ToolInput('],"outcome":"complete"}')
        yield UsageReport(Usage())
        yield Stopped(Stop.COMPLETE)

    async def aclose(self) -> None:
        """Nothing to give back."""


def review_chunk(view: ChunkView) -> list[dict[str, Any]]:
    """The findings of one chunk, as items of the report, from its first line to its last.

    Raises:
        ConfigError: a rule file of this installation is broken.
    """
    found = [(hit, lines) for hunk in view.hunks for hit, lines in _scan(view, hunk)]
    kept: dict[str, list[tuple[Hit, tuple[Line, ...]]]] = {}
    for hit, lines in found:
        kept.setdefault(hit.rule.id, []).append((hit, lines))
    items = []
    for group in kept.values():
        items += [_item(view, hit, lines) for hit, lines in group[:MAX_PER_RULE]]
        if len(group) > MAX_PER_RULE:
            rest = [_number(lines, hit.first) for hit, lines in group[MAX_PER_RULE:]]
            items[-1]["message"] += _others(rest)
    return sorted(items, key=lambda item: (item["line"], item["end_line"], item["rule"]))


def _scan(view: ChunkView, hunk: ShownHunk) -> Iterator[tuple[Hit, tuple[Line, ...]]]:
    """What the rules hit in one hunk, and the hunk's new side."""
    lines, fresh = new_side(hunk)
    if not any(fresh):
        return
    hits = [
        Hit(_text_rules()[rule], index, index, values)
        for rule, index, values in check_lines(view.path, lines, fresh)
    ]
    language = language_of(view.path)
    rules = _worth_running(language, view.path, lines)
    if rules and language:
        fragment = parse(lines, fresh, language)
        hits += match(rules, fragment) if fragment else ()
    for hit in hits:
        yield hit, lines


def _refused(view: ChunkView) -> bool:
    """Whether there is a hunk that rules would have to read and that is not parsed."""
    language = language_of(view.path)
    sides = (new_side(hunk) for hunk in view.hunks)
    return any(
        any(fresh) and too_deep(lines) and bool(_worth_running(language, view.path, lines))
        for lines, fresh in sides
    )


def _worth_running(language: str | None, path: str, lines: tuple[Line, ...]) -> list[Rule]:
    """The rules for the path that can match at all.

    Most rules have no business in most hunks, and looking for a word is a hundred times cheaper
    than walking a tree.
    """
    text = "\n".join(line.text for line in lines)
    return [
        rule
        for rule in rules_for(language)
        if any(word in text for word in rule.words) and _runs_on(rule, path)
    ]


@cache
def _text_rules() -> dict[str, Rule]:
    return {rule.id: rule for rule in load_folder("any")}


def _runs_on(rule: Rule, path: str) -> bool:
    *folders, name = path.split("/")

    def matches(pattern: str) -> bool:
        # The two kinds of pattern that rules may have. They are ours, so fnmatch is enough.
        return pattern[:-1] in folders if pattern.endswith("/") else fnmatchcase(name, pattern)

    wanted = not rule.files or any(map(matches, rule.files))
    return wanted and not any(map(matches, rule.ignores))


def _number(lines: tuple[Line, ...], index: int) -> int:
    number = lines[index].new_no
    if number is None:
        raise ValueError("a line of the new side has no number there")
    return number


def _item(view: ChunkView, hit: Hit, lines: tuple[Line, ...]) -> dict[str, Any]:
    """One finding, its fields in the order of the wire schema."""
    rule = hit.rule
    quote = "\n".join(show_line(line.text) for line in lines[hit.first : hit.last + 1])
    if len(quote) > _QUOTE_CHARS:
        # A piece of a line is found where only one line holds it (core.anchors).
        text = lines[hit.first].text
        start = max(0, min(hit.column, len(text) - _EXCERPT_CHARS))
        quote = show(text[start : start + _EXCERPT_CHARS])
    return {
        "path": view.path,
        "quote": quote,
        "side": "RIGHT",
        "line": _number(lines, hit.first),
        "end_line": _number(lines, hit.last),
        "scenario": _fill(rule.scenario, hit),
        "category": rule.category,
        "severity": rule.severity,
        "confidence": rule.confidence,
        "title": _fill(rule.title, hit),
        "message": _fill(rule.message, hit),
        "suggestion": hit.suggestion,
        "rule": rule.id,
    }


def _fill(text: str, hit: Hit) -> str:
    return META_VARIABLE.sub(lambda name: show(hit.values.get(name[2], "")), text)


def _others(numbers: list[int]) -> str:
    named = ", ".join(str(number) for number in numbers[:_NAMED_LINES])
    more = len(numbers) - _NAMED_LINES
    return f" The same is on line {named}" + (f" and {more} more." if more > 0 else ".")

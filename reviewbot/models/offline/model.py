"""The offline model: rules on the added code, behind the same protocol as Claude.

It reads the chunks, not a prompt: no network, no key, no cost. Checks that hold for every language
run here. The others run in a worker process (:mod:`reviewbot.models.offline.parser`). The findings
of a chunk are sent before the next chunk is read.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.events.events import Usage
from reviewbot.core.plan.languages import begins_with_shebang, is_source, language_of, title_of
from reviewbot.core.plan.policy import path_patterns
from reviewbot.core.safety.escape import show, show_line
from reviewbot.core.wording import count
from reviewbot.models.base import (
    Answering,
    Checked,
    PartlyRead,
    Stop,
    Stopped,
    ToolInput,
    UsageReport,
)
from reviewbot.models.catalog import lookup
from reviewbot.models.offline.messages import Pattern
from reviewbot.models.offline.parser import Allowance, ParserHunk
from reviewbot.models.offline.parser_process import ParseError
from reviewbot.models.offline.text_rules import CHECKED_TEXT, check_lines
from reviewbot.rules.folders import TEXT_FOLDERS, languages_of
from reviewbot.rules.load import count_rules, load_folder, rules_in
from reviewbot.rules.meta_variables import META_VARIABLE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence

    from reviewbot.core.diff.parse import DiffLine
    from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.base import ModelEvent
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.offline.messages import Match, TextMatch
    from reviewbot.models.offline.parser import Parser
    from reviewbot.rules.rule import Rule

MAX_PER_RULE: Final = 20
"""Maximum number of findings of one rule in one chunk; the last one names the lines of the
others."""
_NAMED_LINES: Final = 20
_SHELL: Final = re.compile(r"#!\s*(?:/usr)?/bin/(?:env\s+)?(?:ba|da|k)?sh\b")
_QUOTE_CHARS: Final = 4000
_EXCERPT_CHARS: Final = 200
_TITLE_CHARS: Final = 1000
_SCENARIO_CHARS: Final = 4000
_MESSAGE_CHARS: Final = 9000
"""Bounds as for the findings of a model; a message may get the lines of other findings."""


@dataclass(frozen=True, slots=True)
class _Side:
    """The new side of a hunk; ``fresh[i]`` is true if line ``i`` was added in this chunk."""

    lines: tuple[DiffLine, ...]
    fresh: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _RuleMatch:
    """A rule and the lines that it matched, as indices into ``side.lines``, both inclusive.

    ``column`` is the offset of the match in its first line, for lines too long to quote. ``values``
    are texts for the rule's meta variables.
    """

    rule: Rule
    side: _Side
    first: int
    last: int
    values: Mapping[str, str]
    column: int = 0
    suggestion: str | None = None


class OfflineModel:
    """Model that applies the rules of :mod:`reviewbot.rules`. Belongs to one review.

    Args:
        parser: parses the code, in a separate process.
        custom: rules of the repository.
    """

    def __init__(self, parser: Parser, custom: Sequence[Rule] = ()) -> None:
        self._parser, self._custom = parser, custom
        self._allowances: defaultdict[str, Allowance] = defaultdict(Allowance)
        """The time limit of each file, which its chunks share."""

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
        """Yield the report on ``request.chunks``, chunk by chunk.

        Raises:
            ConfigError: a rule file of this installation is broken.
        """
        yield Answering()
        yield ToolInput('{"findings":[')
        comma = ""
        for view in request.chunks:
            # Reading the lines is all CPU: a thread keeps the event loop free.
            scan = await asyncio.to_thread(Scan, view, self._custom)
            yield checked(view, self._custom)
            allowance = self._allowances[view.path]
            texts: Sequence[TextMatch] = ()
            matches: Sequence[Match] = ()
            try:
                if scan.texts:
                    texts = await self._parser.check_text(
                        scan.language, scan.texts, _text_rules(), allowance
                    )
                if scan.hunks:
                    matches = await self._parser.match(
                        scan.language, scan.hunks, scan.patterns, allowance
                    )
            except ParseError as error:
                yield PartlyRead(
                    view.id, f"The offline rules did not read all of this file: {error}"
                )
            for item in await asyncio.to_thread(scan.items, matches, texts):
                yield ToolInput(comma + json.dumps(item))
                comma = ","
        yield ToolInput('],"outcome":"complete"}')
        yield UsageReport(Usage())
        yield Stopped(Stop.COMPLETE)

    async def aclose(self) -> None:
        """Do nothing: the creator of the parser closes it."""


def _own_rules(language: str | None, custom: Sequence[Rule]) -> list[Rule]:
    return [rule for rule in custom if language in languages_of(rule.language)]


def checked(view: ChunkView, custom: Sequence[Rule] = ()) -> Checked:
    """Return which rules read a chunk. ``custom`` are rules of the repository."""
    language = _language_of(view)
    number = count_rules(language) + len(_own_rules(language, custom))
    if language and number:
        return Checked(view.id, (f"{count(number, 'rule')} for {title_of(language)}",))
    if not is_source(view.path) and not _is_script(view):
        return Checked(view.id)
    what = title_of(language) if language else "scripts of an unknown language"
    reason = f"There are no offline rules for {what}: only secrets and text were checked."
    return Checked(view.id, unread=reason)


def _language_of(view: ChunkView) -> str | None:
    """Return the language of a file: by its name, or by the shell that its first line names."""
    language = language_of(view.path)
    if language is None and begins_with_shebang(view.hunks):
        first = view.hunks[0].lines[0].text
        return "bash" if _SHELL.match(first) else None
    return language


def _is_script(view: ChunkView) -> bool:
    """Return whether a file without a known extension is a script."""
    if begins_with_shebang(view.hunks):
        return True
    plain = "." not in view.path.rpartition("/")[2] and language_of(view.path) is None
    return plain and view.is_executable


class Scan:
    """Scan of one chunk with the rules.

    Attributes:
        view: the chunk.
        language: language of the file; empty if unknown.
        hunks: the hunks that have to be parsed; empty if no rule can match.
        patterns: the patterns that can match in them.
        texts: the lines of each hunk for the checks of text; empty if none of them can match.

    Raises:
        ConfigError: a rule file of this installation is broken.
    """

    def __init__(self, view: ChunkView, custom: Sequence[Rule] = ()) -> None:
        self.view = view
        self.language = _language_of(view) or ""
        self._sides = [side for side in map(_new_side, view.hunks) if any(side.fresh)]
        text = "\n".join(line.text for side in self._sides for line in side.lines)
        rules = [
            rule
            for rule in (*rules_in(self.language, text), *_own_rules(self.language, custom))
            if (rule.matcher or rule.flow) and _runs_on(rule, view.path)
        ]
        worth = [_worth_running(rules, side) for side in self._sides]
        self._parsed = [side for side, rules in zip(self._sides, worth, strict=True) if rules]
        self._rules = list({rule.id: rule for rules in worth for rule in rules}.values())
        self.hunks = [
            ParserHunk([line.text for line in one.lines], one.fresh) for one in self._parsed
        ]
        self.patterns = [
            Pattern(
                one.matcher,
                one.focus,
                one.fix,
                f"{one.title} {one.message} {one.scenario}",
                one.words,
                one.flow or None,
            )
            for one in self._rules
        ]

        words = CHECKED_TEXT.get(self.language, ())
        texts = [[line.text for line in side.lines] for side in self._sides]
        has_word = any(word in line for word in words for lines in texts for line in lines)
        self.texts = texts if has_word else []

    def items(
        self, matches: Sequence[Match], texts: Sequence[TextMatch] = ()
    ) -> list[dict[str, Any]]:
        """Return the findings as items of the report, from the first line to the last.

        ``matches`` are those of :attr:`patterns` in :attr:`hunks`, ``texts`` those in
        :attr:`texts`.
        """
        kept: dict[str, list[_RuleMatch]] = {}
        for hit in (*self._text_hits(texts), *map(self._hit, matches)):
            kept.setdefault(hit.rule.id, []).append(hit)
        items = []
        for group in kept.values():
            items += [_item(self.view, hit) for hit in group[:MAX_PER_RULE]]
            if len(group) > MAX_PER_RULE:
                rest = [_number(hit, hit.first) for hit in group[MAX_PER_RULE:]]
                items[-1]["message"] += _others(rest)
        return sorted(items, key=lambda item: (item["line"], item["end_line"], item["rule"]))

    def _text_hits(self, texts: Sequence[TextMatch]) -> Iterator[_RuleMatch]:
        matches = [
            (side, match)
            for side in self._sides
            for match in check_lines(self.view.path, side.lines, side.fresh)
        ]
        matches += [
            (self._sides[match.hunk], (match.rule, match.line, match.values))
            for match in texts
            if self._sides[match.hunk].fresh[match.line]
        ]
        for side, (name, index, values) in matches:
            rule = _text_rules()[name]
            if _runs_on(rule, self.view.path):
                yield _RuleMatch(rule, side, index, index, values)

    def _hit(self, match: Match) -> _RuleMatch:
        return _RuleMatch(
            self._rules[match.pattern],
            self._parsed[match.hunk],
            match.first,
            match.last,
            match.values,
            match.column,
            match.suggestion,
        )


def _new_side(hunk: ShownHunk) -> _Side:
    """Return the context and added lines of a hunk."""
    pairs = [
        (line, owned and line.kind == "added")
        for line, owned in zip(hunk.lines, hunk.owned, strict=True)
        if line.new_no is not None
    ]
    return _Side(tuple(line for line, _ in pairs), tuple(fresh for _, fresh in pairs))


def _worth_running(rules: Sequence[Rule], side: _Side) -> list[Rule]:
    """Return the rules that can match on this side.

    Looking for a word is a hundred times cheaper than walking a tree.
    """
    text = "\n".join(line.text for line in side.lines)
    return [rule for rule in rules if any(word in text for word in rule.words)]


@cache
def _text_rules() -> dict[str, Rule]:
    return {rule.id: rule for folder in TEXT_FOLDERS for rule in load_folder(folder)}


def _runs_on(rule: Rule, path: str) -> bool:
    wanted = not rule.files or _matcher(rule.files)(path)
    return bool(wanted) and not _matcher(rule.ignores)(path)


@lru_cache(maxsize=512)
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool | None]:
    return path_patterns(patterns)


def _number(hit: _RuleMatch, index: int) -> int:
    number = hit.side.lines[index].new_no
    if number is None:
        raise ValueError("a line of the new side has no number there")
    return number


def _item(view: ChunkView, hit: _RuleMatch) -> dict[str, Any]:
    """Return one finding, its fields in the order of the wire schema."""
    rule, lines = hit.rule, hit.side.lines
    quote = "\n".join(show_line(line.text) for line in lines[hit.first : hit.last + 1])
    if len(quote) > _QUOTE_CHARS:
        # A part of a line is found only if a single line contains it (core.findings.anchors).
        text = lines[hit.first].text
        start = max(0, min(hit.column, len(text) - _EXCERPT_CHARS))
        quote = show(text[start : start + _EXCERPT_CHARS])
    return {
        "path": view.path,
        "quote": quote,
        "side": "RIGHT",
        "line": _number(hit, hit.first),
        "end_line": _number(hit, hit.last),
        "scenario": _fill(rule.scenario, hit)[:_SCENARIO_CHARS],
        "category": rule.category,
        "severity": rule.severity,
        "confidence": rule.confidence,
        "title": _fill(rule.title, hit)[:_TITLE_CHARS],
        "message": _fill(rule.message, hit)[:_MESSAGE_CHARS],
        "suggestion": hit.suggestion,
        "rule": rule.id,
    }


def _fill(text: str, hit: _RuleMatch) -> str:
    return META_VARIABLE.sub(lambda name: show(hit.values.get(name[2], "")), text)


def _others(numbers: list[int]) -> str:
    named = ", ".join(str(number) for number in numbers[:_NAMED_LINES])
    more = len(numbers) - _NAMED_LINES
    return f" The same is on line {named}" + (f" and {more} more." if more > 0 else ".")

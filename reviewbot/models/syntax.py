"""Syntax rules on one parsed hunk: which lines they hit, and what the texts say of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from reviewbot.rules import META_VARIABLE

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator

    from ast_grep_py import Config, SgNode

    from reviewbot.models.fragments import Fragment
    from reviewbot.rules import Rule

MAX_LINES: Final = 6
"""A match above this many lines is reported on its first line, where its construct is named."""
_VALUE_CHARS: Final = 60
_SUGGESTION_CHARS: Final = 4000
_TRIES_PER_LINE: Final = 3


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule and the lines (indices into the new side, both inclusive) that it hit.

    ``values`` are texts for the rule's meta variables; ``column`` is where in the first line the
    match begins, for lines too long to quote.
    """

    rule: Rule
    first: int
    last: int
    values: dict[str, str] = field(default_factory=dict)
    suggestion: str | None = None
    column: int = 0


def match(rules: Iterable[Rule], fragment: Fragment) -> Iterator[Hit]:
    """Where the rules fit and a fresh line is part of it; of one rule once a line."""
    for rule in rules:
        tried: Counter[int] = Counter()
        for node in fragment.root.find_all(cast("Config", rule.matcher)):
            place = (node.get_match(rule.focus) if rule.focus else None) or node
            rows = _rows(place, fragment)
            # Matches nest: without a bound, a line of 10,000 nested calls would be looked at
            # from each of them.
            if rows is None or tried[rows[0]] == _TRIES_PER_LINE:
                continue
            tried[rows[0]] += 1
            if fragment.understood(node, place):
                tried[rows[0]] = _TRIES_PER_LINE
                yield _hit(rule, node, place, rows, fragment)


def _rows(place: SgNode, fragment: Fragment) -> tuple[int, int] | None:
    """The lines to report for a place, None if none of them is fresh or they are not the hunk's."""
    span = place.range()
    first = span.start.line - fragment.first_row
    # A node that takes its newline with it ends at column 0 of the next row.
    last = span.end.line - fragment.first_row - (span.end.column == 0)
    if first < 0 or last >= len(fragment.lines):
        return None
    if last - first >= MAX_LINES:
        last = first
    return (first, last) if any(fragment.fresh[first : last + 1]) else None


def _hit(rule: Rule, node: SgNode, place: SgNode, rows: tuple[int, int], fragment: Fragment) -> Hit:
    return Hit(
        rule,
        *rows,
        _values(rule, node),
        _suggestion(rule, node, fragment),
        place.range().start.column,
    )


def _values(rule: Rule, node: SgNode) -> dict[str, str]:
    texts = f"{rule.title} {rule.message} {rule.scenario}"
    return {name[2]: _short(_source(node, name)) for name in META_VARIABLE.finditer(texts)}


def _source(node: SgNode, name: re.Match[str]) -> str:
    """The source that a meta variable stands for; of several nodes from the first to the last."""
    if name[1] == "$":
        match = node.get_match(name[2])
        return match.text() if match else ""
    nodes = node.get_multiple_matches(name[2])
    if not nodes:
        return ""
    text, offset = node.text(), node.range().start.index
    return text[nodes[0].range().start.index - offset : nodes[-1].range().end.index - offset]


def _short(source: str) -> str:
    text = " ".join(source.split()).replace("`", "'")
    return text if len(text) <= _VALUE_CHARS else f"{text[: _VALUE_CHARS - 1]}\u2026"


def _suggestion(rule: Rule, node: SgNode, fragment: Fragment) -> str | None:
    """The lines of the match with the rule's fix in it, if the match is short enough to show."""
    if rule.fix is None:
        return None
    span = node.range()
    first, last = (row - fragment.first_row for row in (span.start.line, span.end.line))
    if last - first >= MAX_LINES:
        return None
    fixed = META_VARIABLE.sub(lambda name: _source(node, name), rule.fix)
    head = fragment.lines[first].text[: span.start.column]
    tail = fragment.lines[last].text[span.end.column :]
    text = "\n".join(line.removesuffix("\r") for line in f"{head}{fixed}{tail}".split("\n"))
    return text if len(text) <= _SUGGESTION_CHARS else None

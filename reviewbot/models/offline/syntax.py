"""Match syntax rules against one parsed hunk.

Only :mod:`reviewbot.models.offline.worker` may run this on text of a pull request.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, cast

from reviewbot.models.offline.assignments import span
from reviewbot.models.offline.flow import Flow, find_flows
from reviewbot.models.offline.messages import Match
from reviewbot.rules.meta_variables import META_VARIABLE

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator, Sequence

    from ast_grep_py import Config, SgNode

    from reviewbot.models.offline.fragments import Fragment
    from reviewbot.models.offline.messages import Pattern

MAX_LINES: Final = 6
"""A match above this many lines is reported on its first line, where its construct is named."""
_VALUE_CHARS: Final = 60
_SUGGESTION_CHARS: Final = 4000
_TRIES_PER_LINE: Final = 3


def match(patterns: Sequence[Pattern], hunk: int, fragment: Fragment) -> Iterator[Match]:
    """Yield the matches that include a fresh line; of one pattern at most one a line.

    ``fragment`` is the parsed hunk with the index ``hunk``.
    """
    text = "\n".join(fragment.lines)
    for index, pattern in enumerate(patterns):
        if pattern.words and not any(word in text for word in pattern.words):
            continue
        tried: Counter[int] = Counter()
        for node, place in _candidates(pattern, fragment):
            rows = _rows(place, fragment)
            # Matches nest: without a bound, a line of 10,000 nested calls would be looked at
            # from each of them.
            if rows is None or tried[rows[0]] == _TRIES_PER_LINE:
                continue
            tried[rows[0]] += 1
            if fragment.understood(node, place):
                tried[rows[0]] = _TRIES_PER_LINE
                column = place.range().start.column
                suggestion = _suggestion(pattern, node, fragment)
                yield Match(hunk, index, *rows, column, suggestion, _values(pattern, node))


def _candidates(pattern: Pattern, fragment: Fragment) -> Iterator[tuple[SgNode, SgNode]]:
    """Yield the nodes that match, each with the node to report; first those without a flow."""
    matched: list[tuple[int, int]] = []
    if pattern.matcher:
        for node in fragment.root.find_all(cast("Config", pattern.matcher)):
            matched.append(span(node))
            yield node, (node.get_match(pattern.focus) if pattern.focus else None) or node
    if pattern.flow:
        for places in find_flows(fragment.root, fragment.language, Flow(**pattern.flow)):
            fresh = next((one for one in places if _rows(one, fragment)), None)
            if fresh is not None and not any(_overlaps(one, matched) for one in places):
                yield fresh, fresh


def _overlaps(node: SgNode, spans: Sequence[tuple[int, int]]) -> bool:
    start, end = span(node)
    return any(first < end and start < last for first, last in spans)


def _rows(place: SgNode, fragment: Fragment) -> tuple[int, int] | None:
    """Return the lines to report; None if none is fresh or they lie outside the hunk."""
    span = place.range()
    first = span.start.line - fragment.first_row
    # A node that includes its newline ends at column 0 of the next row.
    last = span.end.line - fragment.first_row - (span.end.column == 0)
    if first < 0 or last >= len(fragment.lines):
        return None
    if last - first >= MAX_LINES:
        last = first
    return (first, last) if any(fragment.fresh[first : last + 1]) else None


def _values(pattern: Pattern, node: SgNode) -> dict[str, str]:
    names = META_VARIABLE.finditer(pattern.texts)
    return {name[2]: _short(_source(node, name)) for name in names}


def _source(node: SgNode, name: re.Match[str]) -> str:
    """Return the source of a meta variable, from the first of its nodes to the last."""
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


def _suggestion(pattern: Pattern, node: SgNode, fragment: Fragment) -> str | None:
    """Return the lines of the match with the fix in them, if the match is short enough to show."""
    if pattern.fix is None:
        return None
    span = node.range()
    first, last = (row - fragment.first_row for row in (span.start.line, span.end.line))
    if last - first >= MAX_LINES:
        return None
    fixed = META_VARIABLE.sub(lambda name: _source(node, name), pattern.fix)
    head = fragment.lines[first][: span.start.column]
    tail = fragment.lines[last][span.end.column :]
    text = "\n".join(line.removesuffix("\r") for line in f"{head}{fixed}{tail}".split("\n"))
    return text if len(text) <= _SUGGESTION_CHARS else None

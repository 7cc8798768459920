"""Check replies of the parser process: the text may have taken the process over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from reviewbot.core.decode import decoder
from reviewbot.models.offline.messages import HEADER_CHARS, Enclosing, Match, TextMatch

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reviewbot.models.offline.messages import Pattern
    from reviewbot.models.offline.parser import ParserHunk


def read_matches(
    reply: Mapping[str, Any], hunks: Sequence[ParserHunk], patterns: Sequence[Pattern]
) -> list[Match] | None:
    """Return the matches of a reply; None if they are not valid in these hunks."""
    decode = decoder(Match)
    try:
        matches = [cast("Match", decode(match, "match")) for match in reply["matches"]]
    except (KeyError, TypeError, ValueError):
        return None
    inside = all(
        match.hunk in range(len(hunks))
        and match.pattern in range(len(patterns))
        and 0 <= match.first <= match.last < len(hunks[match.hunk].lines)
        and match.column >= 0
        for match in matches
    )
    return matches if inside else None


def read_text_matches(
    reply: Mapping[str, Any], hunks: Sequence[Sequence[str]], rules: Collection[str]
) -> list[TextMatch] | None:
    """Return the matches of a reply; None if they are not valid for these hunks and rules."""
    decode = decoder(TextMatch)
    try:
        matches = [cast("TextMatch", decode(match, "match")) for match in reply["text"]]
    except (KeyError, TypeError, ValueError):
        return None
    inside = all(
        match.rule in rules
        and match.hunk in range(len(hunks))
        and match.line in range(len(hunks[match.hunk]))
        for match in matches
    )
    return matches if inside else None


def read_enclosing(
    reply: Mapping[str, Any], text: str, lines: Sequence[int]
) -> tuple[Enclosing | None, ...] | None:
    """Return the definitions of a reply; None if they are not valid for these lines of a text."""
    decode = decoder(Enclosing | None)
    try:
        definitions = [
            cast("Enclosing | None", decode(definition, "enclosing"))
            for definition in reply["enclosing"]
        ]
    except (KeyError, TypeError, ValueError):
        return None
    last = text.count("\n") + 1
    if len(definitions) != len(lines) or not all(
        definition is None
        or (
            1 <= definition.first <= line <= definition.last <= last
            and _is_header(definition.header)
        )
        for definition, line in zip(definitions, lines, strict=True)
    ):
        return None
    return tuple(definitions)


def read_code_lines(reply: Mapping[str, Any], text: str) -> frozenset[int] | None:
    """Return the line numbers of a reply; None if they are unknown or not those of a text."""
    found, last = reply.get("code_lines"), text.count("\n") + 1
    if not isinstance(found, list):
        return None
    if not all(type(number) is int and 1 <= number <= last for number in found):
        return None
    return frozenset(found)


def _is_header(text: str) -> bool:
    return len(text) <= HEADER_CHARS and "\n" not in text

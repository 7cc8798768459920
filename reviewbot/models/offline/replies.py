"""Check replies of the parser process: the text may have taken the process over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from reviewbot.core.decode import decoder
from reviewbot.models.offline.messages import HEADER_CHARS, OUTLINED, Enclosing, Match, TextMatch

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
        found = [cast("Match", decode(one, "match")) for one in reply["matches"]]
    except (KeyError, TypeError, ValueError):
        return None
    inside = all(
        one.hunk in range(len(hunks))
        and one.pattern in range(len(patterns))
        and 0 <= one.first <= one.last < len(hunks[one.hunk].lines)
        and one.column >= 0
        for one in found
    )
    return found if inside else None


def read_text_matches(
    reply: Mapping[str, Any], hunks: Sequence[Sequence[str]], rules: Collection[str]
) -> list[TextMatch] | None:
    """Return the matches of a reply; None if they are not valid for these hunks and rules."""
    decode = decoder(TextMatch)
    try:
        found = [cast("TextMatch", decode(one, "match")) for one in reply["text"]]
    except (KeyError, TypeError, ValueError):
        return None
    inside = all(
        one.rule in rules
        and one.hunk in range(len(hunks))
        and one.line in range(len(hunks[one.hunk]))
        for one in found
    )
    return found if inside else None


def read_enclosing(
    reply: Mapping[str, Any], text: str, lines: Sequence[int]
) -> tuple[Enclosing | None, ...] | None:
    """Return the definitions of a reply; None if they are not valid for these lines of a text."""
    decode = decoder(Enclosing | None)
    try:
        found = [cast("Enclosing | None", decode(one, "enclosing")) for one in reply["enclosing"]]
    except (KeyError, TypeError, ValueError):
        return None
    last = text.count("\n") + 1
    if len(found) != len(lines) or not all(
        one is None or (1 <= one.first <= line <= one.last <= last and _is_header(one.header))
        for one, line in zip(found, lines, strict=True)
    ):
        return None
    return tuple(found)


def read_outline(reply: Mapping[str, Any], text: str) -> tuple[Enclosing, ...] | None:
    """Return the definitions of a reply; None if they are unknown or not those of a text."""
    decode = decoder(Enclosing)
    try:
        found = [cast("Enclosing", decode(one, "outline")) for one in reply["outline"]]
    except (KeyError, TypeError, ValueError):
        return None
    last = text.count("\n") + 1
    inside = all(1 <= one.first <= one.last <= last and _is_header(one.header) for one in found)
    return tuple(found) if inside and len(found) <= OUTLINED else None


def read_code_lines(reply: Mapping[str, Any], text: str) -> frozenset[int] | None:
    """Return the line numbers of a reply; None if they are unknown or not those of a text."""
    found, last = reply.get("code_lines"), text.count("\n") + 1
    if not isinstance(found, list):
        return None
    if not all(type(one) is int and 1 <= one <= last for one in found):
        return None
    return frozenset(found)


def _is_header(text: str) -> bool:
    return len(text) <= HEADER_CHARS and "\n" not in text

"""Patterns as in ``.gitignore``, matched in bounded time. Pure.

Patterns come from requests and repositories, and paths from authors of diffs. A backtracking
expression with many stars can take very long for a short name, so this module never tries a star
twice. Each star but the last matches as little as possible, in an atomic group: if the rest of the
pattern matches at all, it matches after the shortest match, because the next star can take the
remaining text. The last star in a name is bounded by the end of the name, because the text after it
has a fixed length. The same applies to ``**`` and the names between two of them. So the time is at
most the length of the path times the length of the pattern.

The syntax is git's (https://git-scm.com/docs/gitignore, and ``wildmatch.c`` for brackets), applied
to characters instead of bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Match = Literal["path", "directory"]
"""Kind of a match: the path itself, or only a directory that contains the path."""

_TOKEN: Final = re.compile(
    r"(?P<slash>\\?/)|\\(?P<escaped>.)|(?P<stars>\*+)|(?P<any>\?+)|(?P<set>\[)|(?P<plain>[^\\/*?\[]+)",
    re.DOTALL,
)
_MEMBER: Final = re.compile(
    r"\[:(?P<kind>[^\]]*):\]"
    r"|(?:\\(?P<escaped>.)|(?P<plain>[^\\]))(?:-(?:\\(?P<escaped_to>.)|(?P<to>[^\\\]])))?",
    re.DOTALL,
)
_KINDS: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r" \t\n\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}

_DIRECTORY: Final = "(/)"
"""The only group of an expression. A match with this group is a match of a directory."""
_ANY_DEPTH: Final = None
"""The segment ``**``."""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """One pattern; ``negated`` is True if it begins with ``!``."""

    expression: re.Pattern[str]
    negated: bool

    def match(self, path: str) -> Match | None:
        """Return the match with ``path``, which is relative to the folder of the pattern."""
        found = self.expression.match(path)
        if found is None:
            return None
        return "path" if found.lastindex is None else "directory"


def read_pattern(glob: str) -> PathPattern | None:
    """Return the pattern of a line of ``.gitignore``; None if the line cannot match anything.

    Raises:
        ValueError: the line is not a valid pattern.
    """
    text = _trimmed(glob)
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    text = text.removeprefix("!")
    if not text:
        raise _no_pattern(glob)
    directory = text.endswith("/")
    names = text.removesuffix("/")
    try:
        segments = _segments(names.removeprefix("/"))
    except ValueError as error:
        raise _no_pattern(glob) from error
    if segments is None or "" in segments:  # no name is empty
        return None
    if "/" not in names:
        segments.insert(0, _ANY_DEPTH)
    expression = _expression(segments, directory=directory)
    return PathPattern(re.compile(expression, re.DOTALL), negated)


def _no_pattern(glob: str) -> ValueError:
    return ValueError(f"{glob!r} is not a gitignore pattern")


def _trimmed(glob: str) -> str:
    """Return a pattern without white space at its end, except an escaped space."""
    text = glob.rstrip()
    backslashes = len(text) - len(text.rstrip("\\"))
    return glob[: len(text) + backslashes % 2]


def _expression(segments: Sequence[str | None], *, directory: bool) -> str:
    """Return the expression of segments: expressions of single names, or :data:`_ANY_DEPTH`."""
    runs: list[list[str]] = [[]]
    for segment in segments:
        if segment is _ANY_DEPTH:
            runs.append([])
        else:
            runs[-1].append(segment)
    first, *others = ("/".join(run) for run in runs)
    end = _DIRECTORY if directory else rf"(?:{_DIRECTORY}|\Z)"
    if not others:
        return first + end
    *inner, last = others
    parts = [f"(?>{first}/)"] if first else []
    parts += (f"(?>(?:.*?/)??{run}/)" for run in inner if run)
    if last:
        # The last position first: if it matches, the match is the path itself.
        parts.append(f"(?:.*/)?{last}{end}")
    elif directory:
        parts.append(f"[^/]*{_DIRECTORY}")
    return "".join(parts)


def _segments(text: str) -> list[str | None] | None:
    """Return each name of a pattern as an expression; None if a set cannot match."""
    segments: list[str | None] = []
    pieces, stars, at = [""], 0, 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError("it ends with a backslash")
        at = token.end()
        match token.lastgroup:
            case "slash":
                segments.append(_segment(pieces, stars))
                pieces, stars = [""], 0
            case "stars":
                pieces.append("")
                stars += len(token[0])
            case "any":
                pieces[-1] += f"[^/]{{{len(token[0])}}}"
            case "set":
                found = _set(text, at)
                if found is None:
                    return None
                expression, at = found
                pieces[-1] += expression
            case name:
                pieces[-1] += re.escape(token[name or 0])
    segments.append(_segment(pieces, stars))
    return segments


def _segment(pieces: Sequence[str], stars: int) -> str | None:
    """Return the pieces between the stars of a name. Each matches as many characters as it says."""
    if stars > 1 and not any(pieces) and len(pieces) == 2:
        return _ANY_DEPTH
    first, *others = pieces
    if not others:
        return first
    *inner, last = others
    return first + "".join(f"(?>[^/]*?{piece})" for piece in inner) + f"[^/]*{last}"


def _set(text: str, at: int) -> tuple[str, int] | None:
    """Return the set after a ``[`` and its end; None if unclosed or with an unknown class."""
    negated = text.startswith(("!", "^"), at)
    at += negated
    members: list[str] = []
    while not members or not text.startswith("]", at):
        member = _MEMBER.match(text, at)
        if member is None:
            return None
        at = member.end()
        if (kind := member["kind"]) is not None:
            if kind not in _KINDS:
                return None
            members.append(_KINDS[kind])
            continue
        start = member["escaped"] or member["plain"]
        end = member["escaped_to"] or member["to"] or start
        if end < start:
            raise ValueError("a range has no characters")
        members.append(f"{re.escape(start)}-{re.escape(end)}")
    return f"(?!/)[{'^' * negated}{''.join(members)}]", at + 1

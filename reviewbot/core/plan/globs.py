"""Patterns as in ``.gitignore``, matched in time that pattern and path bound. Pure.

Patterns come with requests and from repositories, paths from whoever writes a diff. An expression
that may try every way to share a name out among many stars takes ages over a few letters, so here
no star is ever tried twice. Each but the last takes as little as it can, for good (an atomic
group): if the rest matches at all, it matches after the least, as the next star may take what this
one left. The last one in a name is held by the name's end, since what follows a star is as long as
it says. The same goes for ``**`` and the names between two of them. What is left is at most one
look at each character of the path for each of the pattern.

The language is git's (https://git-scm.com/docs/gitignore, and ``wildmatch.c`` for what is between
brackets), in characters where git has bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Match = Literal["path", "directory"]
"""What a pattern matches: the path itself, or only a directory that it is in."""

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
"""The only group of an expression, so that a match tells whether it is of a directory."""
_ANY_DEPTH: Final = None
"""The segment ``**``."""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """One pattern; ``negated`` is one that begins with ``!``."""

    expression: re.Pattern[str]
    negated: bool

    def match(self, path: str) -> Match | None:
        """What it matches of ``path``, which is relative to where the pattern stands."""
        found = self.expression.match(path)
        if found is None:
            return None
        return "path" if found.lastindex is None else "directory"


def read_pattern(glob: str) -> PathPattern | None:
    """Return a line of ``.gitignore``; None if it is a comment, or can match nothing.

    Raises:
        ValueError: it is no pattern.
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
    return ValueError(f"{glob!r} is no gitignore pattern")


def _trimmed(glob: str) -> str:
    """Without the white space at its end, but for a space behind a backslash."""
    text = glob.rstrip()
    backslashes = len(text) - len(text.rstrip("\\"))
    return glob[: len(text) + backslashes % 2]


def _expression(segments: Sequence[str | None], *, directory: bool) -> str:
    """Of segments, which are expressions of one name each, or :data:`_ANY_DEPTH`."""
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
        # The last place first: it is the path itself, if that matches.
        parts.append(f"(?:.*/)?{last}{end}")
    elif directory:
        parts.append(f"[^/]*{_DIRECTORY}")
    return "".join(parts)


def _segments(text: str) -> list[str | None] | None:
    """Each name of a pattern as an expression; None if one holds a set that no character is of."""
    segments: list[str | None] = []
    pieces, stars, at = [""], 0, 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError("a backslash is at its end")
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
    """What is behind a ``[``, and where it ends; None if it does not, or has an unknown class."""
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

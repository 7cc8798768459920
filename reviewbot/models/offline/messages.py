"""Values in the messages between a review and the process that parses source code."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD: Final = struct.Struct(">I")
"""The length of a message, in front of it."""
HEADER_CHARS: Final = 200
"""Most characters of :attr:`Enclosing.header`."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """The part of a rule that needs a parser, as plain JSON values.

    ``matcher`` is the argument of ast-grep's ``find_all``. ``focus`` is the meta variable to
    report, None for the whole match. ``fix`` replaces the match. ``texts`` are the rule's texts:
    their meta variables are filled in. A hunk without any of ``words`` is not searched: to
    compile a matcher takes longer than to search a hunk. Without words every hunk is. ``flow`` has
    the arguments of :class:`reviewbot.models.offline.flow.Flow`, if the rule follows values.
    """

    matcher: dict[str, Any]
    focus: str | None
    fix: str | None
    texts: str
    words: Sequence[str] = ()
    flow: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A match of a rule without a pattern: the indices of its hunk and of its line there.

    ``values`` are those for the texts of the rule.
    """

    hunk: int
    line: int
    rule: str
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Match:
    """A place that a pattern matched.

    ``hunk`` and ``pattern`` are indices. ``first`` and ``last`` are indices into the lines of the
    hunk's new side, both inclusive. ``column`` is the offset of the match in its first line, in
    characters. ``values`` are the texts of the meta variables.
    """

    hunk: int
    pattern: int
    first: int
    last: int
    column: int
    suggestion: str | None
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Enclosing:
    """A function, method or class.

    ``first`` and ``last`` are its 1-based lines, decorators of Python included. ``header`` is its
    signature in one line, without the comments in it.
    """

    first: int
    last: int
    header: str

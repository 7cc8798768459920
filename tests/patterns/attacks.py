"""Texts on which a pattern may be slow, derived from its own repeats.

A pattern needs more than linear time if it reads one piece of text from many starts, or splits it
between two repeats in many ways. For each repeat, the texts repeat what it accepts, after what the
pattern wants before it, and end with what fails; or repeat the beginning of the pattern.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The parser of patterns, whose modules have no types.
sre: Final[Any] = import_module("re._constants")
_parser: Final[Any] = import_module("re._parser")

_PROBES: Final = " \n\ta0A_.-/\\\"'`(){}[]<>=,:;*#@!$%&|?+~^\u00e9\0"
_MANY: Final = 10
"""Repeats up to fewer times than this are not pumped."""
_ENDS: Final = ("", "\0", "\n")
_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_PUMPS: Final = 12


@dataclass(frozen=True, slots=True)
class Shape:
    """A text of any size: a head, a unit many times, and an end."""

    head: str
    unit: str
    end: str

    def text(self, size: int) -> str:
        """Return the text of about ``size`` characters."""
        return f"{self.head}{self.unit * max(1, size // len(self.unit))}{self.end}"


def shapes_of(pattern: str | bytes, flags: int) -> Iterator[Shape]:
    """Yield the shapes on which a pattern may be slow. Those of bytes are ASCII."""
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    tree = _parser.parse(text, flags & ~re.DEBUG)
    shapes: dict[Shape, None] = {}
    for before, (_, _, body) in _repeats(tree, ""):
        for pump in _pumps(body):
            for head, unit in (
                (before, pump),
                ("", pump),
                ("", before + pump),
                ("", before),
                (before, pump + "\n"),
                ("", before + pump + "\n"),
            ):
                shapes |= dict.fromkeys(Shape(head, unit, end) for end in _ENDS)
    witness = _witness(tree)
    for unit in (witness, witness[:-1], witness + "\n", witness + " "):
        shapes[Shape("", unit, "")] = None
    for shape in shapes:
        if shape.unit and (isinstance(pattern, str) or shape.text(1).isascii()):
            yield shape


def _repeats(tree: Any, before: str) -> Iterator[tuple[str, Any]]:
    """Yield each repeat without a small limit, with a text for what the pattern wants before."""
    for op, value in tree:
        if op in _REPEATS:
            _, high, body = value
            if high == sre.MAXREPEAT or high >= _MANY:
                yield before, value
            yield from _repeats(body, before)
        elif op is sre.BRANCH:
            for one in value[1]:
                yield from _repeats(one, before)
        elif op is sre.SUBPATTERN:
            yield from _repeats(value[3], before)
        elif op is sre.ATOMIC_GROUP:
            yield from _repeats(value, before)
        elif op in (sre.ASSERT, sre.ASSERT_NOT):
            yield from _repeats(value[1], before)
            continue
        elif op is sre.GROUPREF_EXISTS:
            for one in value[1:]:
                if one is not None:
                    yield from _repeats(one, before)
        before += _witness([(op, value)])


def _pumps(body: Any) -> list[str]:
    """Return texts that a repeat may accept once."""
    (first, *others) = body
    if not others and first[0] in (sre.IN, sre.ANY, sre.NOT_LITERAL, sre.LITERAL, sre.CATEGORY):
        accepted = [probe for probe in _PROBES if _accepts(first, probe)]
        return [*dict.fromkeys([_witness(body), *accepted])]
    return [*dict.fromkeys(_witnesses(body))][:_PUMPS]


def _witness(tree: Any) -> str:
    """Return a text that the pattern may match."""
    return next(iter(_witnesses(tree)), "")


def _witnesses(tree: Any) -> list[str]:
    """Return some texts that the pattern may match: another one for each alternative."""
    texts = [""]
    for node in tree:
        options = _options(node)
        texts = [text + option for text in texts for option in options][:_PUMPS]
    return texts


def _options(node: Any) -> Sequence[str]:  # noqa: PLR0911 - one for each kind of node
    op, value = node
    if op is sre.LITERAL:
        return [chr(value)]
    if op in (sre.IN, sre.ANY, sre.NOT_LITERAL, sre.CATEGORY):
        probes = "a0 \n\"'-_.:=/(" + _PROBES
        accepted = [probe for probe in probes if _accepts(node, probe)]
        if not accepted and op is sre.IN:
            accepted = [
                chr(it[1] if it[0] is sre.LITERAL else it[1][0])
                for it in value
                if it[0] in (sre.LITERAL, sre.RANGE)
            ]
        return [*dict.fromkeys(accepted)][:2]
    if op in _REPEATS:
        low, _, body = value
        once = _witnesses(body)
        if low == 0:
            return ["", *once[:2]]
        return [text * low for text in once[:4]]
    if op is sre.BRANCH:
        return [text for one in value[1] for text in _witnesses(one)[:2]]
    if op is sre.SUBPATTERN:
        return _witnesses(value[3])
    if op is sre.ATOMIC_GROUP:
        return _witnesses(value)
    return [""]


def _accepts(node: Any, probe: str) -> bool:
    """Return whether a class of characters accepts one."""
    op, value = node
    code = ord(probe)
    if op is sre.ANY:
        return probe != "\n"
    if op is sre.LITERAL:
        return bool(value == code)
    if op is sre.NOT_LITERAL:
        return bool(value != code)
    if op is sre.RANGE:
        return bool(value[0] <= code <= value[1])
    if op is sre.CATEGORY:
        return re.match(_CATEGORIES[value], probe) is not None
    negated = value[0][0] is sre.NEGATE
    return any(_accepts(it, probe) for it in value[negated:]) != negated


_CATEGORIES: Final = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}

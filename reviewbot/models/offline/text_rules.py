"""Checks of added lines that need no grammar: conflict markers and characters that deceive.

Those of one language are in modules of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern
from reviewbot.core.plan.languages import language_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.diff.parse import DiffLine

CONFLICT: Final = "any/conflict-marker"
BIDI: Final = "any/bidi-control"
INVISIBLE: Final = "any/invisible-character"

# Seven of one sign, then a blank and a label, as git writes them. A line of "=======" alone is a
# heading in RST and Markdown and proves nothing.
_CONFLICT: Final = late_pattern(r"(?P<open><{7} \S)|(?P<close>>{7} \S)|(?P<middle>={7}\r?$)")
# The characters that reorder what is displayed: Boucher and Anderson, "Trojan Source" (2021).
_BIDI: Final = late_pattern("[\u202a-\u202e\u2066-\u2069]")
_BIDI_OPEN: Final = frozenset("\u202a\u202b\u202d\u202e\u2066\u2067\u2068")
# Joiners are used in Persian and in emoji, so they count only next to ASCII code. The two Hangul
# fillers are invisible letters: no code needs them.
_HIDDEN: Final = "[\u00ad\u200b-\u200d\u2060\ufeff\U000e0000-\U000e007f]"
_INVISIBLE: Final = late_pattern(
    f"(?<=[A-Za-z0-9_$]){_HIDDEN}+(?=[\t -~]|$)|(?<=[ -~]){_HIDDEN}+(?=[A-Za-z0-9_$])"
    "|[\u3164\uffa0]"
)
_NOT_CODE: Final = frozenset({"html", "json", "yaml"})
"""Languages of text for people, where such characters have legitimate uses."""
CHECKED_TEXT: Final = {"dockerfile": ("",), "sql": ("",), "yaml": ("run", "script")}
"""Languages whose text :mod:`reviewbot.models.offline.text_checks` reads in the worker process, and
words of which it needs one."""


def check_lines(
    path: str, lines: tuple[DiffLine, ...], fresh: tuple[bool, ...]
) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield the problems of the fresh ``lines``.

    Args:
        path: path of the file, which determines the language.
        lines: the new side of a hunk.
        fresh: for each line, whether it was added and the chunk owns it.

    Yields:
        The rule's id, the index of the line, and values for the rule's texts.
    """
    language = language_of(path)
    code = language is not None and language not in _NOT_CODE
    yield from _conflicts(lines, fresh)
    for index, line in enumerate(lines):
        if not fresh[index] or line.text.isascii():
            continue
        controls = _BIDI.findall(line.text)
        if controls and (code or not _balanced(controls)):
            yield BIDI, index, {"CHARACTER": _name(controls[0])}
        hidden = _INVISIBLE.search(line.text) if code else None
        if hidden:
            yield INVISIBLE, index, {"CHARACTER": _name(hidden[0])}


def _conflicts(
    lines: tuple[DiffLine, ...], fresh: tuple[bool, ...]
) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield one match per conflict: at its first line, or at its last if the hunk begins inside."""
    opened = middle = False
    for index, line in enumerate(lines):
        mark = _CONFLICT.match(line.text)
        if not mark:
            continue
        if mark["middle"]:
            middle = True
        elif mark["open"]:
            if fresh[index]:
                yield CONFLICT, index, {}
            opened, middle = True, False
        else:
            # Mail quoted seven levels deep looks like a closing marker, so "=======" must precede.
            if middle and not opened and fresh[index]:
                yield CONFLICT, index, {}
            opened = middle = False


def _balanced(controls: list[str]) -> bool:
    depth = 0
    for control in controls:
        depth += 1 if control in _BIDI_OPEN else -1
        if depth < 0:
            return False
    return depth == 0


def _name(text: str) -> str:
    return f"U+{ord(text[0]):04X}"

"""Find private keys in PEM form, even if a hunk shows only a part. Pure.

The form is RFC 7468's and OpenPGP's: a BEGIN line, perhaps headers, lines of base64, an END line.
Source code wraps such lines in quotes, escapes and commas, or writes the whole key on one line.
Only the base64 is redacted, so the rest still looks like a key. A hunk may hold the beginning, the
end, or, in a file that is named like a key, only the middle.

A BEGIN line is no proof of a key: its author may want to hide the code below it from a model. So a
line counts as base64 only if it looks random, which words, assignments and paths do not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.late_pattern import late_pattern
from reviewbot.core.safety.search_text import BREAK, KEY_MASK, Hit
from reviewbot.core.safety.secret_strength import looks_random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.safety.search_text import Confidence, ScanText

_BEGIN: Final = late_pattern(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END: Final = late_pattern(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_OTHER_BEGIN: Final = late_pattern(r"-----BEGIN (?!.{0,40}PRIVATE KEY)")
_HEADER: Final = late_pattern(r"[\s\"'#*/|>+]*(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash): .*)?")
_BODY: Final = late_pattern(
    r"(?:[\s\"'`,;:(#*|>]|(?:\+|//)(?=[\s\"'])|[brf](?=\"))*+(?P<core>[A-Za-z0-9+/]++={0,2}+|=[A-Za-z0-9+/]{4})(?:\\[nr])*+[\s\"'`,;)+\\]*+"
)
_REST: Final = late_pattern(r"(?:\\{1,2}[nrt]|[A-Za-z0-9+/=\s]){16,}+")
_ESCAPES: Final = late_pattern(r"(?:\\{1,2}[nrt]|\s)+")
_RUN: Final = late_pattern(r"\\{1,2}[nrt]|[A-Za-z0-9+/]++={0,2}+")
_WORDS: Final = late_pattern(r"/?[A-Za-z]?[a-z]*+(?:/?[A-Z]?[a-z]++)*+[0-9]?|[0-9]+")
"""Words, names such as ``deleteUsers``, paths and numbers."""
_KEY_FILE: Final = late_pattern(
    r"(?:.*/)?(?:id_(?:rsa|dsa|ecdsa|ed25519)|[^/]*\.(?:pem|key|p8|pk8|ppk|asc|gpg))", re.DOTALL
)
_FULL: Final = 40
"""Minimum number of base64 characters of a whole line of a key; writers break lines at 64 or 70."""
_SHORT: Final = 16
_FIRST: Final = ("MC", "MH", "MI", "b3BlbnNzaC1rZXk")
"""How the base64 of a key begins: a sequence of ASN.1 of 32 bytes or more, or OpenSSH's mark."""


def find(scan: ScanText, path: str) -> Iterator[Hit]:
    """Yield the base64 of every private key, complete or truncated by the border of a hunk."""
    if not may_have(scan.text, path):
        return
    in_key_file = _KEY_FILE.fullmatch(path) is not None
    taken: set[int] = set()
    for number, line in enumerate(scan.lines):
        if "PRIVATE KEY" not in line:
            continue
        if begin := _BEGIN.search(line):
            yield from _within(line, number, begin.end())
            yield from _lines(scan, _below(scan.lines, number), number, taken)
        elif _END.search(line):
            yield from _lines(scan, _above(scan.lines, number), number, taken)
    if in_key_file:
        for run in _middle(scan.lines):
            yield from _lines(scan, run, run[0], taken, sure=False)


def may_have(text: str, path: str) -> bool:
    """Return whether the text of a file may contain a private key. The answer is quick."""
    return "PRIVATE KEY" in text or _KEY_FILE.fullmatch(path) is not None


def in_heading(text: str) -> Iterator[Hit]:
    """Yield the heading of a hunk if it is a line of a key: git takes any line with a letter."""
    if len(text) >= _FULL and (match := _BODY.fullmatch(text)) and _is_body(match["core"]):
        yield _hit(0, *match.span("core"), 0)


def _within(line: str, number: int, start: int) -> Iterator[Hit]:
    """Yield the base64 after BEGIN on the same line, up to END if present."""
    while True:
        end = _END.search(line, start)
        stop = end.start() if end else len(line)
        rest = _REST.match(line, start, stop)
        if rest and _is_base64(rest[0], complete=end is not None and rest.end() == stop):
            yield _hit(number, start, rest.end(), number)
        else:
            for run in _RUN.finditer(line, start, stop):
                if _is_body(run[0]):
                    yield _hit(number, *run.span(), number)
        begin = _BEGIN.search(line, end.end()) if end else None
        if not begin:
            return
        start = begin.end()


def _is_base64(text: str, *, complete: bool) -> bool:
    """Return whether a text is base64 between escapes and blanks; if complete, with a short end."""
    pieces = [piece for piece in _ESCAPES.split(text) if piece]
    if not pieces or not _is_body(pieces[0]):
        return False
    full, last = len(pieces[0]), len(pieces) - 1
    return all(
        _is_body(piece, full) or (complete and number == last and _is_tail(piece, full))
        for number, piece in enumerate(pieces)
    )


def _below(lines: list[str], begin: int) -> list[int]:
    """Return numbers of the body lines after a BEGIN line."""
    found: list[int] = []
    full = 0
    for number in range(begin + 1, len(lines)):
        core = _core(lines[number])
        if core is None and not found and _is_header(lines[number]):
            continue
        last = number + 1 == len(lines) or lines[number + 1] == BREAK
        if core is None or not (
            _masked(lines[number])
            or (len(core) >= (_SHORT if found else _FULL) and _is_body(core, full))
            or (found and (last or _END.search(lines[number + 1])) and _is_tail(core, full))
        ):
            break
        full = full or len(core)
        found.append(number)
    return found


def _is_header(line: str) -> bool:
    """Return whether the line may be a header below BEGIN. A second BEGIN is read separately."""
    return _HEADER.fullmatch(line) is not None and not _BEGIN.search(line)


def _above(lines: list[str], end: int) -> list[int]:
    """Return numbers of the body lines before an END line; the hunk may lack the BEGIN line."""
    found: list[int] = []
    full = 0
    for number in range(end - 1, -1, -1):
        core = _core(lines[number])
        if core is None:
            break
        if not _masked(lines[number]) and not _is_body(core, full):
            above = (_core(lines[number - 1]) if number else None) or ""
            beside = len(above) if _is_body(above) else 0
            is_last = not found and _is_tail(core, beside)
            if not _is_body(core, beside) and not (is_last and (beside or core.endswith("="))):
                break
        full = max(full, len(core))
        found.append(number)
    return found[::-1]


def _is_body(core: str, full: int = 0) -> bool:
    """Return whether base64 may be a line of a key.

    Args:
        core: the base64.
        full: length of a whole line of the same key, if known: a line of equal length need not look
            random.
    """
    if len(core) < _SHORT or _WORDS.fullmatch(core):
        return False
    if looks_random(core):
        return True
    return len(core) >= _FULL and (len(core) == full or core.startswith(_FIRST))


def _is_tail(core: str, full: int) -> bool:
    """Return whether base64 may be the last line of a key with whole lines of a length."""
    is_whole = not core.endswith("=") or len(core) % 4 == 0
    return len(core) <= max(full, _FULL) and is_whole and _WORDS.fullmatch(core) is None


def _middle(lines: list[str]) -> list[list[int]]:
    """Return runs of adjacent whole lines of base64, as numbers.

    Lines below the BEGIN of another block, such as a certificate, are public and left out.
    """
    runs: list[list[int]] = []
    public = False
    for number, line in enumerate(lines):
        if line == BREAK or "-----END" in line:
            public = False
        elif _OTHER_BEGIN.search(line):
            public = True
        elif not public and len(core := _core(line) or "") >= _FULL and _is_body(core):
            if runs and runs[-1][-1] == number - 1:
                runs[-1].append(number)
            else:
                runs.append([number])
    return runs


def _lines(
    scan: ScanText, numbers: list[int], block: int, taken: set[int], *, sure: bool = True
) -> Iterator[Hit]:
    for number in numbers:
        match = _BODY.fullmatch(scan.lines[number])
        if number not in taken and match:
            taken.add(number)
            yield _hit(number, *match.span("core"), block, sure=sure)


def _core(line: str) -> str | None:
    """Return the base64 of a body line; None if the line has other text than quotes and the like.

    A line that is already redacted is returned whole.
    """
    if _masked(line):
        return line
    match = _BODY.fullmatch(line) if line != BREAK else None
    return match["core"] if match else None


def _masked(line: str) -> bool:
    return KEY_MASK in line and not line.strip(KEY_MASK + " \t\r\"'`,;:+#*|>\\nbrf()")


def _hit(number: int, start: int, end: int, block: int, *, sure: bool = True) -> Hit:
    confidence: Confidence = "high" if sure else "medium"
    return Hit(number, start, end, "private-key", "private-key", "Private key.", confidence, block)

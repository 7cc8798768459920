"""Find private keys in PEM form, even if a hunk shows only a part. Pure.

The form is RFC 7468's and OpenPGP's: a BEGIN line, perhaps headers, lines of base64, an END line.
Source code wraps such lines in quotes, escapes and commas, or writes the whole key on one line.
Only the base64 is redacted, so the rest still looks like a key. A hunk may hold the beginning, the
end, or, in a file that is named like a key, only the middle.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.search_text import BREAK, KEY_MASK, Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.safety.search_text import Confidence, ScanText

_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_OTHER_BEGIN: Final = re.compile(r"-----BEGIN (?!.{0,40}PRIVATE KEY)")
_HEADER: Final = re.compile(r"[\s\"'#*/|>+]*(?:(?:Proc-Type|DEK-Info|Version|Comment|Hash): .*)?")
_BODY: Final = re.compile(
    r"(?:[\s\"'`,;:(+#*|>]|//|[brf](?=\"))*+(?P<core>[A-Za-z0-9+/=]++)(?:\\[nr])*+[\s\"'`,;)+\\]*+"
)
_REST: Final = re.compile(r"(?:\\[nrt]|[A-Za-z0-9+/=\s]){16,}")
_KEY_FILE: Final = re.compile(
    r"(?:.*/)?(?:id_(?:rsa|dsa|ecdsa|ed25519)|[^/]*\.(?:pem|key|p8|pk8|ppk|asc|gpg))", re.DOTALL
)
_FULL: Final = 40
"""Minimum number of base64 characters of a whole line of a key; writers break lines at 64 or 70."""
_SHORT: Final = 16


def find(scan: ScanText, path: str) -> Iterator[Hit]:
    """Yield the base64 of every private key, complete or truncated by the border of a hunk."""
    in_key_file = _KEY_FILE.fullmatch(path) is not None
    if "PRIVATE KEY" not in scan.text and not in_key_file:
        return
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


def _within(line: str, number: int, start: int) -> Iterator[Hit]:
    """Yield the text after BEGIN on the same line, up to END if present."""
    while True:
        end = _END.search(line, start)
        if end and end.start() - start >= _SHORT:
            yield _hit(number, start, end.start(), number)
        elif not end and (rest := _REST.match(line, start)):
            yield _hit(number, start, rest.end(), number)
        begin = _BEGIN.search(line, end.end()) if end else None
        if not begin:
            return
        start = begin.end()


def _below(lines: list[str], begin: int) -> list[int]:
    """Return numbers of the body lines after a BEGIN line."""
    found: list[int] = []
    for number in range(begin + 1, len(lines)):
        core = _core(lines[number])
        if core is None and not found and _is_header(lines[number]):
            continue
        last = number + 1 == len(lines) or lines[number + 1] == BREAK
        if core is None or not (
            len(core) >= _FULL
            or _masked(lines[number])
            or (found and (len(core) >= _SHORT or last or _END.search(lines[number + 1])))
        ):
            break
        found.append(number)
    return found


def _is_header(line: str) -> bool:
    """Return whether the line may be a header below BEGIN. A second BEGIN is read separately."""
    return _HEADER.fullmatch(line) is not None and not _BEGIN.search(line)


def _above(lines: list[str], end: int) -> list[int]:
    """Return numbers of the body lines before an END line; the hunk may lack the BEGIN line."""
    found: list[int] = []
    for number in range(end - 1, -1, -1):
        core = _core(lines[number])
        if core is None:
            break
        if len(core) < _SHORT and not _masked(lines[number]):
            above = _core(lines[number - 1]) if number else None
            full_above = above is not None and len(above) >= _FULL
            if found or not (core.endswith("=") or full_above):
                break
        found.append(number)
    return found[::-1]


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
        elif not public and len(_core(line) or "") >= _FULL:
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

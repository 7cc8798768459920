r"""Search text for secrets with betterleaks, a maintained list of patterns. Pure.

betterleaks counts columns in bytes from 1, and only ``\n`` ends its lines. Its time grows with the
square of the matches in a call and on a line. So a call gets a few thousand characters, and long
lines are split into overlapping pieces. A text with more than :data:`MOST` matches is rejected.
betterleaks states its confidence, but this is unreliable for passwords: a name in code is
``medium`` and a real password ``low``. There the value decides. On 33 MB of installed Python this
leaves 1 of 42 matches.

Most patterns allow three blanks beside ``=``, but gofmt and ``terraform fmt`` align with more. So
betterleaks gets each run of blanks as one blank, and the positions of its matches are mapped back.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from reviewbot.core.safety.leak_process import LeakScanError, leak_process
from reviewbot.core.safety.search_text import Hit
from reviewbot.core.safety.secret_rules import is_expression, stands_for_a_password
from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.safety.search_text import Kind, ScanText

_Finding: TypeAlias = dict[str, Any]  # as the library's own JSON has it
MOST: Final = 2_000
"""Maximum number of matches in one text."""
_PIECE: Final = 4096
_OVERLAP: Final = 1024
# The library searches three lines above and below a match for its components, such as the secret
# of an access key id. So each call begins with the last lines of the call before.
_LINES_AGAIN: Final = 4
_CHARACTERS_AGAIN: Final = 2048
_OURS: Final = "private-key"  # private_keys finds those, also incomplete ones
_PASSWORDS: Final = ("generic-password", "generic-credential-uri")
_MONGODB: Final = "mongodb-connection-string"
# Components that name an account, such as generic-username, and prove nothing.
_NAMES: Final = re.compile(r".*-(?:username|name|id|url|host|domain|address|public-key)(?:\.\d+)?")
_LETTER_AND_DIGIT: Final = re.compile(r"(?=[^0-9]*[0-9])[^A-Za-z]*[A-Za-z]")
_PASSWORD_MIN: Final = 8
_SENTENCE: Final = re.compile(
    r"(?:[(]?(?:[^\W\d_]++(?:['\u2019-][^\W\d_]++)*+|\d++(?:[.-]\d++)*+)[),.:;!?]*+(?:\s++|\Z)){3,}+"
)
"""Three or more words or whole numbers, such as ``must have at least 8 characters``."""
_IN_WORD: Final = re.compile(r"\w{2}")
_RUN: Final = re.compile(r"(?<=[^ \t\n])[ \t]{2,}")
"""Blanks within a line. The blanks before a line stay, since they are its level in YAML."""


class _NarrowText:
    """The lines of a text, with each run of blanks as one blank."""

    def __init__(self, text: str) -> None:
        self.lines: Final = _RUN.sub(" ", text).split("\n")
        self._steps: dict[int, tuple[list[int], list[int]]] = {}

    def restored(self, hit: Hit, line: str) -> Hit:
        """Return a match with its positions in the line of the text."""
        if len(line) == len(self.lines[hit.line]):
            return hit
        if hit.line not in self._steps:
            self._steps[hit.line] = _steps(line)
        positions, removed = self._steps[hit.line]
        first, last = (
            at + removed[bisect_right(positions, at) - 1] for at in (hit.start, hit.end - 1)
        )
        return replace(hit, start=first, end=last + 1)


def _steps(line: str) -> tuple[list[int], list[int]]:
    """Return positions in a narrow line, and how many blanks the line has more before each."""
    positions, removed = [0], [0]
    for run in _RUN.finditer(line):
        positions.append(run.start() - removed[-1] + 1)
        removed.append(removed[-1] + run.end() - run.start() - 1)
    return positions, removed


class Engine(Protocol):
    """The library, wherever it runs. ``version`` is its version."""

    version: str

    def scan(self, text: str) -> list[_Finding]:
        """Return the matches in a text.

        Raises:
            LeakScanError: the search failed.
        """
        ...


def engine() -> Engine | None:
    """Return betterleaks in its process; None if the platform has no build of it."""
    return leak_process()


def find(scan: ScanText) -> Iterator[Hit]:
    """Yield the matches of betterleaks; nothing if the platform has no build of it.

    Raises:
        ReviewbotError: the scan failed or finds too much, so the text may hold other secrets.
    """
    library = engine()
    if library is None:
        return
    blocks = count(1)
    narrow = _NarrowText(scan.text)
    for pieces in _calls(narrow.lines):
        text = "\n".join(narrow.lines[line][start : start + _PIECE] for line, start in pieces)
        try:
            findings = library.scan(text)
        except LeakScanError:
            raise ReviewbotError(
                "the secret scanner betterleaks failed, so nothing is sent"
            ) from None
        for finding in findings:
            if finding["rule_id"] == _OURS:
                continue
            if (block := next(blocks)) > MOST:
                raise ReviewbotError(
                    f"It holds more than {MOST:,} secrets or passwords, so it is neither sent nor"
                    " shown; the setting exclude leaves out files of test data."
                )
            if not _is_noise(finding):
                for part in _with_components(finding):
                    for hit in _hits(finding, part, block, narrow, pieces):
                        yield narrow.restored(hit, scan.lines[hit.line])


def _calls(lines: list[str]) -> Iterator[list[tuple[int, int]]]:
    """Yield the pieces of each call: at most :data:`_PIECE` characters of new text, or a piece."""
    call: list[tuple[int, int]] = []
    size = 0
    for number, start in _pieces(lines):
        length = min(_PIECE, len(lines[number]) - start) + 1
        if call and size + length > _PIECE:
            yield call
            call, size = _again(call, lines), 0
        call.append((number, start))
        size += length
    yield call


def _again(call: list[tuple[int, int]], lines: list[str]) -> list[tuple[int, int]]:
    """Return the last pieces of a call, with which the next call begins."""
    found: list[tuple[int, int]] = []
    room = _CHARACTERS_AGAIN
    for number, start in reversed(call[-_LINES_AGAIN:]):
        room -= min(_PIECE, len(lines[number]) - start)
        if room < 0:
            break
        found.insert(0, (number, start))
    return found


def _pieces(lines: list[str]) -> list[tuple[int, int]]:
    """Return line and first character of each piece. The library gets a piece as one line."""
    return [
        (number, start)
        for number, line in enumerate(lines)
        for start in range(0, max(1, len(line) - _OVERLAP), _PIECE - _OVERLAP)
    ]


def _is_noise(finding: _Finding) -> bool:
    if finding["rule_id"] == _MONGODB:
        before_host = finding["match"]["value"].rpartition("@")[0]
        return stands_for_a_password(before_host.rpartition(":")[2])
    if finding["rule_id"] not in _PASSWORDS:
        return False
    value = finding["match"]["value"].strip("\"',;")
    looks_chosen = len(value) >= _PASSWORD_MIN and _LETTER_AND_DIGIT.match(value)
    return (
        not looks_chosen
        or is_expression(value)
        or stands_for_a_password(value)
        or _SENTENCE.fullmatch(value) is not None
    )


def _with_components(finding: _Finding) -> Iterator[_Finding]:
    """Yield the match and its components, such as the secret that belongs to an access key id.

    The name of the account is no secret: it is often a common word, and a model needs it to
    understand the code.
    """
    yield finding
    for components in finding.get("component_sets") or ():
        yield from (
            part for part in components["components"] if not _NAMES.fullmatch(part["rule_id"])
        )


def _hits(
    finding: _Finding,
    part: _Finding,
    block: int,
    narrow: _NarrowText,
    pieces: list[tuple[int, int]],
) -> Iterator[Hit]:
    """Yield the value of one match on each of its lines; the whole match without a value."""
    regions = list(_regions(part["location"], narrow, pieces))
    value = part["match"]["value"]
    kind: Kind = "password" if finding["rule_id"] in _PASSWORDS else "secret"
    if "\n" not in value:
        found = [span for region in regions for span in _occurrences(value, narrow, *region)]
        if kind == "password":  # it can be a common word
            found = [span for span in found if _is_token(narrow, *span)]
        regions = found or regions
    for line, start, end in regions:
        yield Hit(
            line,
            start,
            end,
            kind,
            finding["rule_id"],
            finding["description"],
            "medium" if kind == "password" else finding["confidence"],
            block if len(regions) > 1 and "\n" in value else None,
        )


def _regions(
    where: dict[str, int], narrow: _NarrowText, pieces: list[tuple[int, int]]
) -> Iterator[tuple[int, int, int]]:
    """Yield line, start and end of a match on each of its lines."""
    first, last = where["start_line"] - 1, where["end_line"] - 1
    for number in range(first, last + 1):
        line, offset = pieces[number]
        piece = narrow.lines[line][offset : offset + _PIECE]
        start = _characters(piece, where["start_column"] - 1) if number == first else 0
        end = _characters(piece, where["end_column"]) if number == last else len(piece)
        yield line, offset + start, offset + end


def _occurrences(
    value: str, narrow: _NarrowText, line: int, start: int, end: int
) -> Iterator[tuple[int, int, int]]:
    """Yield every position of the value within the match. The library does not state which."""
    at = narrow.lines[line].find(value, start, end)
    while at >= 0 and value:
        yield line, at, at + len(value)
        at = narrow.lines[line].find(value, at + len(value), end)


def _is_token(narrow: _NarrowText, line: int, start: int, end: int) -> bool:
    """Return whether no word continues beyond the text: ``user`` is not a token of ``username``."""
    text = narrow.lines[line]
    return not any(_IN_WORD.match(text, edge - 1) for edge in (start, end) if edge)


def _characters(line: str, column: int) -> int:
    """Return the number of characters before a byte of ``line``."""
    return len(line.encode()[:column].decode(errors="ignore"))

"""Fingerprints that locate the same code in another version of a file. Pure.

Like finding ids, fingerprints ignore white space and empty lines.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MOST_LINES: Final = 10_000
MOST_WORK: Final = 5_000_000
"""Maximum number of lines that are hashed to find code in one file: about a second."""
_FORM: Final = re.compile(r"([1-9][0-9]{0,4})\.([0-9a-f]{4})\.([0-9a-f]{16})")


def normal(line: str) -> str:
    """Return the comparison form of a line. Invalid UTF-8 becomes U+FFFD, as on GitHub."""
    text = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(text.split())


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``count`` lines that are not empty: a digest of the ``first`` of them, and one of all."""

    count: int
    first: str
    digest: str

    @classmethod
    def of(cls, lines: Iterable[str]) -> Fingerprint | None:
        """Return the fingerprint of some lines; None if they are empty or too many."""
        code = [text for text in map(normal, lines) if text]
        if not 0 < len(code) <= MOST_LINES:
            return None
        return cls(len(code), _digest(code[:1], 4), _digest(code, 16))

    @classmethod
    def parse(cls, text: str) -> Fingerprint | None:
        """Parse a fingerprint; return None if ``text`` is not one."""
        match = _FORM.fullmatch(text)
        return cls(int(match[1]), match[2], match[3]) if match else None

    def __str__(self) -> str:
        return f"{self.count}.{self.first}.{self.digest}"


class SearchedLines:
    """Index of the known lines of one version of a file.

    Args:
        lines: number and :func:`normal` text of each known line, in order.

    Attributes:
        is_exhausted: whether a search was stopped because the file repeats its lines too often.
    """

    def __init__(self, lines: Iterable[tuple[int, str]]) -> None:
        self._lines: list[tuple[int, str]] = []
        # A match must not span unknown lines.
        self._runs: list[int] = []
        self._texts: dict[int, str] = {}
        self._begins: dict[str, list[int]] = {}
        self._found: dict[Fingerprint, list[range]] = {}
        self._work = 0
        self.is_exhausted = False
        last, run = 0, 0
        for number, text in lines:
            run += number != last + 1
            last = number
            self._texts[number] = text
            if text:
                self._begins.setdefault(_digest([text], 4), []).append(len(self._lines))
                self._lines.append((number, text))
                self._runs.append(run)

    def fingerprint(self, lines: Iterable[int]) -> Fingerprint | None:
        """Return the fingerprint of the lines of these numbers; None if one is not known."""
        texts = [self._texts.get(number) for number in lines]
        known = [text for text in texts if text is not None]
        return Fingerprint.of(known) if len(known) == len(texts) else None

    def find(self, code: Fingerprint) -> list[range]:
        """Return the line range of each occurrence of the code."""
        if code not in self._found:
            self._found[code] = list(self._search(code))
        return self._found[code]

    def _search(self, code: Fingerprint) -> Iterator[range]:
        for start in self._begins.get(code.first, ()):
            last = start + code.count - 1
            if last >= len(self._lines) or self._runs[start] != self._runs[last]:
                continue
            self._work += code.count
            if self._work > MOST_WORK:
                self.is_exhausted = True
                return
            if _digest([text for _, text in self._lines[start : last + 1]], 16) == code.digest:
                yield range(self._lines[start][0], self._lines[last][0] + 1)


def _digest(lines: Sequence[str], length: int) -> str:
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:length]

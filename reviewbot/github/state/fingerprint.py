"""Fingerprints of code: they find the same lines again in another version of a file. Pure.

White space and empty lines do not count, as in the id of a finding: new indentation repairs
nothing.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_LINES: Final = 10_000
_FORM: Final = re.compile(r"([1-9][0-9]{0,4})\.([0-9a-f]{4})\.([0-9a-f]{16})")


def normal(line: str) -> str:
    """Return a line as it is compared. Bytes that are not UTF-8 are what GitHub makes of them."""
    text = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(text.split())


def normal_lines(lines: Iterable[str]) -> list[str]:
    """Return the lines that are compared: those that are not empty."""
    return [text for text in map(normal, lines) if text]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """``count`` lines that are not empty: a digest of the ``first`` of them, and one of all."""

    count: int
    first: str
    digest: str

    @classmethod
    def of(cls, lines: Iterable[str]) -> Fingerprint | None:
        """Return the fingerprint of some lines; None if they are empty or too many."""
        code = normal_lines(lines)
        if not 0 < len(code) <= MOST_LINES:
            return None
        return cls(len(code), _digest(code[:1], 4), _digest(code, 16))

    @classmethod
    def parse(cls, text: str) -> Fingerprint | None:
        """Return the fingerprint that was written as ``text``; None if it is none."""
        match = _FORM.fullmatch(text)
        return cls(int(match[1]), match[2], match[3]) if match else None

    def __str__(self) -> str:
        return f"{self.count}.{self.first}.{self.digest}"


class SearchedLines:
    """The lines of one version of a file, as far as they are known; finds fingerprints in them.

    Args:
        lines: number and :func:`normal` text of each known line, in order.
    """

    def __init__(self, lines: Iterable[tuple[int, str]]) -> None:
        self._lines: list[tuple[int, str]] = []
        # Code is not looked for across lines that are not known.
        self._runs: list[int] = []
        self._begins: dict[str, list[int]] = {}
        last, run = 0, 0
        for number, text in lines:
            run += number != last + 1
            last = number
            if text:
                self._begins.setdefault(_digest([text], 4), []).append(len(self._lines))
                self._lines.append((number, text))
                self._runs.append(run)

    def find(self, code: Fingerprint) -> list[range]:
        """Return the numbers of the lines of each place that has the code."""
        found = []
        for start in self._begins.get(code.first, ()):
            last = start + code.count - 1
            if last >= len(self._lines) or self._runs[start] != self._runs[last]:
                continue
            if _digest([text for _, text in self._lines[start : last + 1]], 16) == code.digest:
                found.append(range(self._lines[start][0], self._lines[last][0] + 1))
        return found


def _digest(lines: Sequence[str], length: int) -> str:
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:length]

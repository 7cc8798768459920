"""Text to search for secrets and personal data, and the matches. Pure."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["private-key", "secret", "password", "email", "card"]
Confidence = Literal["high", "medium", "low"]

BREAK: Final = "\x01"
"""Line between lines that are not adjacent, so that no match spans them."""
MASK: Final = "\ufffd"
KEY_MASK: Final = "\x02"
"""Masks a redacted line of a private key, which still belongs to the key."""
_UNSCANNABLE: Final = re.compile("[\x00-\x02\n\ud800-\udfff]")
# betterleaks skips lines with such a comment. A line must be searched before it is sent, even so.
_ALLOW: Final = re.compile(r"((?:git|better)leaks):(?=allow)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hit:
    """A part of one line to redact. The hits of a match over several lines share a ``block``.

    ``line`` indexes the searched lines, ``start`` and ``end`` the characters of that line. The hit
    does not contain the text.
    """

    line: int
    start: int
    end: int
    kind: Kind
    rule: str
    description: str
    confidence: Confidence = "high"
    block: int | None = None


class ScanText:
    """Lines to search, with the same character positions as the original.

    NUL, which ends a C string, and lone surrogates, which cannot be encoded, are replaced. Redacted
    text is masked, so that it is not found again.

    Args:
        lines: lines without line ends; a :data:`BREAK` line separates unrelated lines.
        placeholder: pattern of text from earlier redaction.
    """

    def __init__(self, lines: Sequence[str], placeholder: re.Pattern[str]) -> None:
        text = "\n".join(line if line is BREAK else _UNSCANNABLE.sub(MASK, line) for line in lines)
        if ":" in text:
            text = _ALLOW.sub(r"\1 ", text)
            text = placeholder.sub(_mask, text)
        self.text: Final = text
        self.lines: Final = text.split("\n")
        self._starts: Final = list(accumulate((len(line) + 1 for line in self.lines), initial=0))

    def place(self, start: int, end: int) -> tuple[int, int, int]:
        """Return line, start and end of a piece of :attr:`text` within one line."""
        line = bisect_right(self._starts, start) - 1
        return line, start - self._starts[line], end - self._starts[line]


def _mask(match: re.Match[str]) -> str:
    return (KEY_MASK if "private-key" in match[0] else MASK) * len(match[0])

"""What tells some code of a file again, and how it is noted in our texts. Pure.

White space and empty lines do not count, as in the identity of a finding: new indentation repairs
nothing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.findings import Side
    from reviewbot.github.api.reviews import ReviewComment

ABOVE: Final = 2
"""Lines above some code that tell it from a copy."""
AROUND: Final = 3
"""Lines above some code and below it that tell whether what was ignored is back: it must not hide
another one."""


def plain(line: str) -> str:
    """A line as it is compared. Bytes that are not UTF-8 are what GitHub makes of them."""
    text = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(text.split())


def plain_code(lines: Iterable[str]) -> list[str]:
    """Lines as they are compared."""
    return [text for text in map(plain, lines) if text]


def side_of(comment: ReviewComment) -> Side:
    """The side that a comment stands on."""
    return "LEFT" if comment.side == "LEFT" else "RIGHT"


def code_digest(code: Sequence[str]) -> str:
    """The digests in a mark: of the first line, then of all, which are :func:`plain`."""
    return digest_of(code[:1], 4) + digest_of(code, 12)


def marks_in(lines: Sequence[str], marks: Iterable[str]) -> set[str]:
    """Those of ``marks`` whose code some lines have."""
    have = plain_code(lines)
    begins: dict[str, list[int]] = {}
    for start, line in enumerate(have):
        begins.setdefault(digest_of([line], 4), []).append(start)

    def is_at(mark: str, start: int) -> bool:
        is_it = code_digest(have[start : start + length_of(mark)]) == mark[-24:-8]
        # Where the change had brought it, the base may have a line like it.
        return is_it and (not is_brought(mark) or _is_below(have, start, mark))

    return {
        mark
        for mark in set(marks)
        if any(is_at(mark, start) for start in begins.get(mark[-24:-20], ()))
    }


def _is_below(lines: Sequence[str], first: int, mark: str) -> bool:
    """Whether what stands above is what stood above a mark, as far as its hunk showed that."""
    above = [lines[max(0, first - number) : first] for number in range(ABOVE + 1)]
    return mark[-8:-4] in {digest_of(shown, 4) for shown in above}


def length_of(mark: str) -> int:
    """How many lines a mark is of."""
    return int(mark[:-26])


def is_brought(mark: str) -> bool:
    """Whether the change was on a line of a mark."""
    return mark[-26] == "c"


def side_of_mark(mark: str) -> Side:
    """The side that a mark is of."""
    return "LEFT" if mark[-25] == "L" else "RIGHT"


def digest_of(lines: Sequence[str], length: int) -> str:
    """The first ``length`` digits of the digest of some lines."""
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:length]


NONE_ABOVE: Final = digest_of([], 4)
"""Of no lines above."""

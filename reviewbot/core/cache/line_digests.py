"""Short digests of the lines of a hunk, which tell unchanged lines from changed ones. Pure.

An entry of the cache stores them in place of the code. A digest is short, and authors of pull
requests are not trusted: who knew its key could write a harmless line and later a harmful one with
the same digest. Therefore the key contains a random salt for each entry, which no author can see.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from reviewbot.core.plan.chunk_view import ShownHunk

SHORTEST: Final = 30
"""Lines of the shortest hunk with digests. A shorter hunk is simply reviewed again."""
LONGEST: Final = 400
"""Lines of the longest hunk with digests, which limits the size of an entry."""

_BYTES: Final = 3
_WIDTH: Final = 1 + 2 * _BYTES
HEADING: Final = "@"
MARKS: Final = {"context": " ", "added": "+", "removed": "-"}


def line_digests(hunk: ShownHunk, salt: str) -> str:
    """Return the records of the heading and of each line of ``hunk``, as one text.

    A record has a mark for the kind of the line, and a digest that covers everything about the line
    except its numbers. The text is empty for a hunk that is too short or too long.
    """
    if not SHORTEST <= len(hunk.lines) <= LONGEST:
        return ""
    records = [HEADING + _digest(hunk.section, salt)]
    for line, owned in zip(hunk.lines, hunk.owned, strict=True):
        text = f"{owned} {line.no_newline} {line.text}"
        records.append(MARKS[line.kind] + _digest(text, salt))
    return "".join(records)


def split_records(lines: str) -> list[str]:
    """Return the records of :func:`line_digests`, that of the heading first."""
    return [lines[start : start + _WIDTH] for start in range(0, len(lines), _WIDTH)]


def _digest(text: str, salt: str) -> str:
    # Bytes that are not UTF-8 are lone surrogates.
    data = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=_BYTES, key=salt.encode()).hexdigest()

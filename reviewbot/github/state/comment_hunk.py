"""Read the hunk of an inline comment, as a diff and as the commented lines. Pure.

GitHub stores a hunk with each comment: the header and the lines down to the comment. The counts in
the header are those of the whole hunk, but the stored hunk is only its beginning.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import DiffError, ReviewbotError

if TYPE_CHECKING:
    from reviewbot.github.api.reviews import ReviewComment

MOST_LINES: Final = 200
MOST_BYTES: Final = 16_000
_HEADER: Final = re.compile(
    r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@(?P<section>[^\r\n]{0,300})"
)
_NAMELESS: Final = b"diff --git a/x b/x\n--- a/x\n+++ b/x\n"


def comment_diff(comment: ReviewComment) -> bytes | None:
    """Return a diff with the last lines of the comment's hunk, as many as a question may show.

    Secrets are replaced before the hunk is cut: the rest of a private key does not look like one.

    Returns:
        The diff; None if GitHub stored no line, if the last line is too long, or if the search for
        secrets failed.
    """
    header, *lines = comment.diff_hunk.split("\n")
    match = _HEADER.match(header)
    lines = [line for line in lines if line[:1] in ("+", "-", " ")]  # not "\ No newline ..."
    if match is None or not lines:
        return None
    try:
        texts = redact_text("\n".join(line[1:] for line in lines), comment.path).split("\n")
    except ReviewbotError:
        return None
    lines = [line[0] + text for line, text in zip(lines, texts, strict=True)]
    kept = _last(lines)
    if not kept:
        return None
    before = lines[: len(lines) - len(kept)]
    old = _side(match[1], match[2], before, kept, other="+")
    new = _side(match[3], match[4], before, kept, other="-")
    hunk = "\n".join([f"@@ -{old} +{new} @@{match['section']}", *kept, ""])
    try:
        [file] = parse_diff(_NAMELESS + hunk.encode("utf-8", "surrogatepass"))
        return file_diff_text(replace(file, old_path=comment.path, new_path=comment.path))
    except (DiffError, ValueError):
        return None


def commented_code(comment: ReviewComment) -> tuple[str, ...]:
    """Return the commented lines, from the hunk that GitHub stores with a comment.

    The result is empty if the stored hunk is incomplete: GitHub truncates long hunks.
    """
    last = comment.original_line
    if last is None:
        return ()
    count = last - (comment.original_start_line or last) + 1
    other = "-" if comment.side == "RIGHT" else "+"
    lines = comment.diff_hunk.split("\n")[1:]
    lines = [line for line in lines if not line.startswith((other, "\\"))]
    return tuple(line[1:] for line in lines[-count:]) if 0 < count <= len(lines) else ()


def _last(lines: list[str]) -> list[str]:
    room, first = MOST_BYTES, len(lines)
    while first and len(lines) - first < MOST_LINES:
        room -= len(lines[first - 1].encode("utf-8", "surrogatepass")) + 1
        if room < 0:
            break
        first -= 1
    return lines[first:]


def _side(start: str, count: str | None, before: list[str], kept: list[str], *, other: str) -> str:
    """Return start and line count of one side of the kept lines, in the form of a hunk header.

    The start of a side without lines is the line before it.
    """
    first = int(start) + (count == "0") + sum(line[0] != other for line in before)
    number = sum(line[0] != other for line in kept)
    return f"{first if number else max(0, first - 1)},{number}"

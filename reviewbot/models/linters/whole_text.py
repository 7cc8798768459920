"""The text of a file that is known in full, as a linter may read it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.safety.redact import redact_file

if TYPE_CHECKING:
    from reviewbot.core.diff.parse import FileDiff


def first_line(file: FileDiff) -> str:
    """Return the first line of the new file. It can contain a secret."""
    return next((line.text for line in file.hunks[0].iter_lines() if line.new_no), "")


def read_whole(file: FileDiff) -> tuple[str, frozenset[int]]:
    """Return the new file without secrets, and the numbers of its added lines.

    Uses the CPU: call in a thread.

    Args:
        file: a file whose only hunk shows all its lines.

    Raises:
        ReviewbotError: the file could not be searched for secrets.
    """
    replaced = redact_file(file).replacements
    (hunk,) = file.hunks
    new = [(at, line) for at, line in enumerate(hunk.iter_lines()) if line.new_no]
    text = "".join(f"{replaced.get((0, at), line.text)}\n" for at, line in new)
    return text, frozenset(line.new_no for _, line in new if line.kind == "added" and line.new_no)

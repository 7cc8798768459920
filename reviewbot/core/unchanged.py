"""What of a change was reviewed before, by its content: the hunks of two diffs compared. Pure.

Commits and dates say nothing here: after a rebase or a force-push the same change has others. A
hunk counts as the same only if it takes away and brings the same lines within the same context, at
the same place of the same old file; its place in the new one may differ. The same lines elsewhere
are another change: three lines of context are alike in many functions. In doubt a hunk is new.

What policy left out was not reviewed, and what is left must not be left out for being less.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.core.diff import FileDiff, Hunk


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left to review: ``files`` with the hunks that are new; ``unchanged`` are paths."""

    files: tuple[FileDiff, ...]
    unchanged: tuple[str, ...]


def remaining(
    files: Sequence[FileDiff],
    before: Sequence[FileDiff],
    *,
    skipped: Callable[[FileDiff], bool],
) -> Remaining:
    """What of ``files`` was not in ``before``.

    Args:
        files: the change as it is.
        before: the change as it was reviewed, whole.
        skipped: whether policy leaves a file out. A file that it leaves out now stays as it is, to
            be listed with its reason; so does one that it left out before, or would leave out
            without the hunks that were reviewed.
    """
    known = {file.path: file for file in before}
    # A path that comes twice has no one content.
    often = Counter(file.path for file in before) | Counter(file.path for file in files)
    left: list[FileDiff] = []
    unchanged: list[str] = []
    for file in files:
        old = known.get(file.path)
        if old is None or often[file.path] > 1 or skipped(file) or skipped(old):
            left.append(file)
            continue
        reduced = _reduced(file, old)
        if reduced.hunks:
            left.append(file if skipped(reduced) else reduced)
        else:
            unchanged.append(file.path)
    return Remaining(tuple(left), tuple(unchanged))


def _reduced(file: FileDiff, old: FileDiff) -> FileDiff:
    """``file`` with its new hunks; all of them where ``old`` says nothing of the others."""
    if not _is_alike(file, old) or _has_undone(file.hunks, old.hunks):
        return file
    return replace(file, hunks=_new_hunks(file.hunks, old.hunks))


def _is_alike(new: FileDiff, old: FileDiff) -> bool:
    """Whether the two differ in their hunks at most. A mode that is not known may be any."""
    modes = ((new.old_mode, old.old_mode), (new.new_mode, old.new_mode))
    if any(None not in pair and pair[0] != pair[1] for pair in modes):
        return False
    facts = [(file.old_path, file.new_path, file.status, file.binary) for file in (new, old)]
    return facts[0] == facts[1]


def _has_undone(hunks: Sequence[Hunk], before: Sequence[Hunk]) -> bool:
    """Whether the old file is back where it was changed before.

    No hunk shows that, and the others may have been right only together with it.
    """
    now = sorted(map(_old_lines, hunks))
    for start, stop in map(_old_lines, before):
        # Hunks share context at most: the last that starts before the end is the one that is near.
        index = bisect_left(now, (stop, 0)) - 1
        if index < 0 or now[index][1] <= start:
            return True
    return False


def _old_lines(hunk: Hunk) -> tuple[int, int]:
    """Where it stands in the old file: first line, and the one behind it."""
    return hunk.old_start, hunk.old_start + max(1, hunk.old_count)


def _new_hunks(hunks: Sequence[Hunk], before: Sequence[Hunk]) -> tuple[Hunk, ...]:
    """Those of ``hunks`` that are not in ``before``, each of which accounts for one."""
    left = Counter(map(_content, before))
    found: list[Hunk] = []
    for hunk in hunks:
        content = _content(hunk)
        if left[content]:
            left[content] -= 1
        else:
            found.append(hunk)
    return tuple(found)


def _content(hunk: Hunk) -> bytes:
    """A hunk without its place in the new file, as a hash."""
    digest = hashlib.sha256(_encoded(f"{hunk.old_start} {hunk.section}\n"))
    for line in hunk.iter_lines():
        # As git has it: no other line starts so.
        ended = "\n\\\n" if line.no_newline else "\n"
        digest.update(_encoded(f"{line.kind[0]}{line.text}{ended}"))
    return digest.digest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")

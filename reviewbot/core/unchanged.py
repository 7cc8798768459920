"""What of a change was reviewed before, by its content: the hunks of two diffs compared. Pure.

Commits and dates say nothing here: after a rebase or a force-push the same change has others. A
hunk counts as the same only if it takes away and brings the same lines within the same context, in
the same file; where it stands may differ. In doubt a hunk is new.
"""

from __future__ import annotations

import hashlib
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
        skipped: whether policy leaves a file out: it stays as it is, to be listed with its reason.
    """
    known = {file.path: file for file in before}
    # A path that comes twice has no one content.
    often = Counter(file.path for file in before) | Counter(file.path for file in files)
    left: list[FileDiff] = []
    unchanged: list[str] = []
    for file in files:
        old = known.get(file.path)
        if old is None or often[file.path] > 1 or skipped(file) or not _is_alike(file, old):
            left.append(file)
            continue
        hunks = _new_hunks(file.hunks, old.hunks)
        if hunks:
            left.append(replace(file, hunks=hunks))
        else:
            unchanged.append(file.path)
    return Remaining(tuple(left), tuple(unchanged))


def _is_alike(new: FileDiff, old: FileDiff) -> bool:
    """Whether the two differ in their hunks at most. A mode that is not known may be any."""
    modes = ((new.old_mode, old.old_mode), (new.new_mode, old.new_mode))
    if any(None not in pair and pair[0] != pair[1] for pair in modes):
        return False
    facts = [(file.old_path, file.new_path, file.status, file.binary) for file in (new, old)]
    return facts[0] == facts[1]


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
    """A hunk without the place where it stands, as a hash."""
    digest = hashlib.sha256()
    for line in hunk.iter_lines():
        ended = "\\" if line.no_newline else "\n"
        digest.update(f"{line.kind[0]}{line.text}{ended}".encode("utf-8", "surrogateescape"))
    return digest.digest()

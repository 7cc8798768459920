"""Which hunks of a change were reviewed before, by their content. Pure.

The digest of a hunk covers the path, the heading, the lines that change and three lines of context.
It covers no line number and no commit: after a rebase that only shifts lines, nothing is reviewed
again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff, Hunk

CONTEXT: Final = 3
"""Lines of context that count."""
LENGTH: Final = 20
"""Hexadecimal digits of a digest."""


@dataclass(frozen=True, slots=True)
class UnreviewedHunks:
    """What is left to review: ``files`` with the hunks that are new; ``unchanged`` are paths."""

    files: tuple[FileDiff, ...]
    unchanged: tuple[str, ...]


def hunk_digest(path: str, hunk: Hunk) -> str:
    """Return the digest of a hunk of the file ``path``."""
    lines = list(hunk.iter_lines())
    changed = [index for index, line in enumerate(lines) if line.kind != "context"]
    first = max(0, changed[0] - CONTEXT) if changed else 0
    last = changed[-1] + CONTEXT if changed else len(lines)
    # Three lines of context are alike in many functions: the heading tells these apart.
    digest = hashlib.sha256(_encoded(f"{path}\n{hunk.section}\n"))
    for line in lines[first : last + 1]:
        # As git writes it: no other line starts so.
        ended = "\n\\\n" if line.no_newline else "\n"
        digest.update(_encoded(f"{line.kind[0]}{line.text}{ended}"))
    return digest.hexdigest()[:LENGTH]


def hunk_digests(file: FileDiff) -> list[str]:
    """Return the digests of the hunks of a file, in their order.

    Changes of name, mode or binary content count as one more hunk.
    """
    modes = {file.old_mode, file.new_mode} - {None}
    mode = file.new_mode if file.status == "modified" and len(modes) > 1 else ""
    head = f"{file.old_path}\n{file.new_path}\n{file.status}\n{mode}\n{file.binary}"
    digest = hashlib.sha256(_encoded(head)).hexdigest()[:LENGTH]
    return [digest, *(hunk_digest(file.path, hunk) for hunk in file.hunks)]


def file_digest(path: str, digests: Iterable[str]) -> str:
    """Return one digest for those of a file's hunks."""
    return hashlib.sha256(_encoded("\n".join([path, *digests]))).hexdigest()[:LENGTH]


def fresh_hunks(
    files: Iterable[FileDiff], hunks: Mapping[str, int], whole_files: Collection[str]
) -> list[tuple[Hunk, ...] | None]:
    """Return for each file the hunks that were not reviewed before.

    None says that there are none, and that nothing else of the file is new. A file whose name,
    mode or kind is new has all of its hunks.

    Args:
        files: the change as it is.
        hunks: how often each digest was reviewed.
        whole_files: digests of files that were reviewed (:func:`file_digest`).
    """
    known = Counter(hunks)
    found: list[tuple[Hunk, ...] | None] = []
    for file in files:
        digests = hunk_digests(file)
        fresh = []
        for digest in digests:
            fresh.append(known[digest] <= 0)
            known[digest] -= 1
        if file_digest(file.path, digests) in whole_files or not any(fresh):
            found.append(None)
        elif fresh[0]:
            found.append(file.hunks)
        else:
            chosen = zip(file.hunks, fresh[1:], strict=True)
            found.append(tuple(hunk for hunk, is_new in chosen if is_new))
    return found


def remaining(
    files: Sequence[FileDiff],
    hunks: Mapping[str, int],
    whole_files: Collection[str],
    *,
    skipped: Callable[[FileDiff], bool],
) -> UnreviewedHunks:
    """Return what of ``files`` was not reviewed before.

    Args:
        files: the change as it is.
        hunks: how often each digest was reviewed.
        whole_files: digests of files that were reviewed (:func:`file_digest`).
        skipped: whether policy leaves a file out. Such a file stays as it is, to be listed with its
            reason; and so does one that policy would leave out without the hunks that are known.
    """
    # A path that comes twice has no one content.
    often = Counter(file.path for file in files)
    left: list[FileDiff] = []
    unchanged: list[str] = []
    fresh = fresh_hunks(files, hunks, whole_files)
    for file, new in zip(files, fresh, strict=True):
        if often[file.path] > 1 or skipped(file):
            left.append(file)
        elif new is None:
            unchanged.append(file.path)
        else:
            reduced = replace(file, hunks=new)
            left.append(file if skipped(reduced) else reduced)
    return UnreviewedHunks(tuple(left), tuple(unchanged))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")

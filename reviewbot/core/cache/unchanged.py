"""Find hunks that were reviewed before, by their content. Pure.

The digest of a hunk covers the path, the heading, the lines that change and three lines of context.
It covers no line number and no commit: after a rebase that only shifts lines, nothing is reviewed
again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.paths import encoded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff, Hunk

CONTEXT: Final = 3
"""Lines of context in the digest of a hunk."""
LENGTH: Final = 20
"""Hexadecimal digits of a digest."""


@dataclass(frozen=True, slots=True)
class UnreviewedHunks:
    """Files with new hunks to review in ``files``; paths without new hunks in ``unchanged``."""

    files: tuple[FileDiff, ...]
    unchanged: tuple[str, ...]


def hunk_digest(path: str, hunk: Hunk) -> str:
    """Return the digest of a hunk of the file ``path``."""
    lines = list(hunk.iter_lines())
    changed = [index for index, line in enumerate(lines) if line.kind != "context"]
    first = max(0, changed[0] - CONTEXT) if changed else 0
    last = changed[-1] + CONTEXT if changed else len(lines)
    # Many functions share three lines of context; the heading distinguishes them.
    digest = hashlib.sha256(encoded(f"{path}\n{hunk.section}\n"))
    for line in lines[first : last + 1]:
        # As git writes it: no other line starts so.
        ended = "\n\\\n" if line.no_newline else "\n"
        digest.update(encoded(f"{line.kind[0]}{line.text}{ended}"))
    return digest.hexdigest()[:LENGTH]


def hunk_digests(file: FileDiff) -> list[str]:
    """Return the digests of the hunks of a file, in their order.

    Changes of name, mode or binary content count as one more hunk.
    """
    modes = {file.old_mode, file.new_mode} - {None}
    mode = file.new_mode if file.status == "modified" and len(modes) > 1 else ""
    head = f"{file.old_path}\n{file.new_path}\n{file.status}\n{mode}\n{file.binary}"
    digest = hashlib.sha256(encoded(head)).hexdigest()[:LENGTH]
    return [digest, *(hunk_digest(file.path, hunk) for hunk in file.hunks)]


def file_digest(path: str, digests: Iterable[str]) -> str:
    """Return one digest of the digests of a file's hunks."""
    return hashlib.sha256(encoded("\n".join([path, *digests]))).hexdigest()[:LENGTH]


def fresh_hunks(
    files: Iterable[FileDiff], hunks: Mapping[str, int], whole_files: Collection[str]
) -> list[tuple[Hunk, ...] | None]:
    """Return the new hunks of each file.

    None means that nothing of the file is new. A file with a new name, mode or type is returned
    with all its hunks.

    Args:
        files: the current diff.
        hunks: number of reviewed hunks by digest.
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
    """Return the part of ``files`` that was not reviewed before.

    Args:
        files: the current diff.
        hunks: number of reviewed hunks by digest.
        whole_files: digests of files that were reviewed (:func:`file_digest`).
        skipped: returns whether the policy keeps a file from the models. Such a file stays whole,
            so that it is listed with its reason. A file also stays whole if the policy would keep
            its new part from the models.
    """
    # A path that occurs twice has no unique content.
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

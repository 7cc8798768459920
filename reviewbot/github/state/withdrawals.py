"""Findings that we withdrew after a reply, and how long that holds. Pure.

A withdrawal rests on code, so it names a digest: of the changes of the finding's file if the line
that decides is there, else of all changes. While they are the same, the finding counts as
dismissed, even if a later review reports it again. After other changes it is open again, since the
line that decided may be gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.cache.unchanged import file_digest, hunk_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.github.state.block import Record

DIGITS: Final = 16
"""Digits of the digest in the key of a reply."""


def changes_digest(file: FileDiff) -> str:
    """Return a digest of the changes of a file, without its line numbers."""
    digests = (hunk_digest(file.path, hunk) for hunk in file.hunks)
    return file_digest(file.path, digests)[:DIGITS]


def all_changes_digest(files: Iterable[FileDiff]) -> str:
    """Return a digest of the changes of all files, without line numbers."""
    digests = sorted(changes_digest(file) for file in files if file.hunks)
    return file_digest("", digests)[:DIGITS]


def withdrawals_at(
    withdrawn: Mapping[str, frozenset[str]],
    records: Mapping[str, Record],
    files: Sequence[FileDiff],
) -> frozenset[str]:
    """Return the ids of the findings whose withdrawal holds for a diff.

    A finding that is a rule's by now is not withdrawn.

    Args:
        withdrawn: the digests of the withdrawals of each finding, by id.
        records: the prior findings by id.
        files: the whole diff.
    """
    if not withdrawn:
        return frozenset()
    digests = {file.path: changes_digest(file) for file in files}
    known = {
        id_: records[id_] for id_ in withdrawn if id_ in records and not records[id_].is_of_a_rule
    }
    whole = all_changes_digest(files)
    return frozenset(
        id_ for id_, record in known.items() if {digests.get(record.path), whole} & withdrawn[id_]
    )

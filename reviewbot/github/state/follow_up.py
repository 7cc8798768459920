"""Choose the open findings that a review asks about, and show what changed near them.

A review asks about an open finding of a model if the code of the finding is still there, and if
lines near it, or near code that it rests on, changed since the last review. After a question
without an answer, the next review compares with the same version again.

Both versions of a file are read as a whole, and secrets are replaced before they are compared. A
file that cannot be read in both versions is left out: its findings stay open.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.code.lookup_paths import LookupRefusedError
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.paths import encoded
from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.core.findings.prior import MOST, FollowUp, PriorFinding, PriorPlace
from reviewbot.core.safety.shown_text import shown_line
from reviewbot.errors import ReviewbotError
from reviewbot.github.change.local_diff import local_diff
from reviewbot.github.state.fingerprint import Fingerprint, SearchedLines, normal
from reviewbot.github.state.matching import places_of
from reviewbot.github.state.relocate import HeadCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reviewbot.code.lookup_files import LookupFiles
    from reviewbot.core.diff.hunks import Hunk
    from reviewbot.core.diff.parse import FileDiff, FileStatus
    from reviewbot.github.state.block import ProofPlace, Record

log = logging.getLogger(__name__)

MOST_COMMITS: Final = 3
"""Maximum number of commits that one review compares with."""
CONTEXT: Final = 10
"""Lines around a change that are near it."""
MOST_FILES: Final = 20
"""Maximum number of files that are compared."""
MOST_BYTES: Final = 60_000
"""Maximum bytes of the changes that the request shows."""
READ_S: Final = 30.0
"""Seconds for reading and comparing all files."""


@dataclass(frozen=True, slots=True)
class _Compared:
    """A file in both versions: its old lines, and what changed."""

    old: tuple[str, ...]
    new: tuple[str, ...]
    diff: FileDiff | None


def by_commit(records: Iterable[Record], last: str) -> dict[str, list[Record]]:
    """Return the open findings of models by the commit to compare with, the worst first.

    ``records`` are those of a trusted state block, and ``last`` is its head, which comes first. At
    most :data:`MOST_COMMITS` commits are returned.
    """
    found: dict[str, list[Record]] = {last: []}
    for record in sorted(records, key=lambda record: SEVERITIES.index(record.severity)):
        is_shown = not record.held and record.title.strip()
        if record.state == "open" and not record.is_of_a_rule and is_shown:
            found.setdefault(record.since or last, []).append(record)
    return dict([*found.items()][:MOST_COMMITS])


async def follow_up(
    records: Sequence[Record], files: Sequence[FileDiff], old: LookupFiles, new: LookupFiles
) -> FollowUp | None:
    """Return the findings to ask about, and the changes near them; None if there are none.

    Args:
        records: open findings of models.
        files: the whole diff of the pull request.
        old: the files at the commit to compare with.
        new: the files at the present head.
    """
    code = HeadCode(files, {})
    pairs = dict.fromkeys((record.path, code.path_of(record)) for record in records)
    proofs = (proof.path for record in records for proof in record.rests_on)
    pairs |= dict.fromkeys((path, path) for path in proofs)
    compared: dict[str, _Compared] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_S):
            for before, after in [*pairs][:MOST_FILES]:
                found = await _compare(before, after, old, new)
                compared |= {after: found} if found else {}
    try:
        return await asyncio.to_thread(_chosen, records, files, compared)
    except (ReviewbotError, ValueError) as error:  # the findings stay open
        log.warning("could not compare the code of open findings: %s", type(error).__name__)
        return None


async def _compare(before: str, after: str, old: LookupFiles, new: LookupFiles) -> _Compared | None:
    """Return a file in both versions; None if one of them cannot be read."""
    try:
        for files, path in ((old, before), (new, after)):
            files.check_access(path)
        versions = [(await old.load(before)).lines, (await new.load(after)).lines]
        texts = [encoded("".join(f"{line}\n" for line in lines)) for lines in versions]
        diff = await local_diff(*texts, as_text=True, context=CONTEXT)
    except (LookupRefusedError, ReviewbotError):
        return None
    if diff is not None:
        status: FileStatus = "modified" if before == after else "renamed"
        diff = replace(diff, old_path=before, new_path=after, status=status)
    return _Compared(versions[0], versions[1], diff)


def _chosen(
    records: Sequence[Record], files: Sequence[FileDiff], compared: Mapping[str, _Compared]
) -> FollowUp | None:
    whole = {path: [*map(normal, file.new)] for path, file in compared.items()}
    code = HeadCode(files, whole)
    places = places_of(records, code)
    shown: dict[tuple[str, int], Hunk] = {}
    findings: list[PriorFinding] = []
    room = MOST_BYTES
    for record in records:
        path, place = code.path_of(record), places.get(record.id)
        lines = place and _new_lines(record, place, files)
        if lines is None or len(findings) == MOST:
            continue
        near = dict(_near(path, lines, compared, is_old=False))
        rests_on = []
        for proof in record.rests_on:
            then = _old_lines(proof, compared)
            near |= dict(_near(proof.path, then, compared, is_old=True))
            rests_on.append(PriorPlace(proof.path, then[0], then[-1]))
        new = {key: hunk for key, hunk in near.items() if key not in shown}
        size = sum(hunk.size for hunk in new.values())
        if near and size <= room:
            room -= size
            shown |= new
            findings.append(_prior(record, path, lines, rests_on))
    return FollowUp(tuple(findings), _diff(shown, compared)) if findings else None


def _prior(record: Record, path: str, lines: range, rests_on: Sequence[PriorPlace]) -> PriorFinding:
    return PriorFinding(
        id=record.id,
        path=path,
        side=record.side,
        line=lines[0],
        end_line=lines[-1],
        category=record.category,
        severity=record.severity,
        title=shown_line(record.title),
        rests_on=tuple(rests_on),
    )


def _new_lines(record: Record, place: range, files: Iterable[FileDiff]) -> range | None:
    """Return lines of the new file for the place of a finding.

    For removed lines it is the line after them, or the last one before them.
    """
    if record.side == "RIGHT":
        return place
    last = None
    for file in files:
        for hunk in file.hunks if record.path in (file.path, file.old_path) else ():
            is_after = False
            for line in hunk.iter_lines():
                is_after |= line.old_no == place[-1]
                last = line.new_no if line.new_no is not None else last
                if is_after and line.new_no is not None:
                    return range(line.new_no, line.new_no + 1)
            if is_after and last is not None:
                return range(last, last + 1)
    return None


def _old_lines(proof: ProofPlace, compared: Mapping[str, _Compared]) -> range:
    """Return where code that a finding rests on was: the nearest occurrence of its lines."""
    noted = range(proof.line, proof.end_line + 1)
    code, file = Fingerprint.parse(proof.fingerprint), compared.get(proof.path)
    if code is None or file is None:
        return noted
    found = SearchedLines(enumerate(map(normal, file.old), 1)).find(code)
    return min(found, key=lambda lines: abs(lines[0] - proof.line), default=noted)


def _near(
    path: str, lines: range, compared: Mapping[str, _Compared], *, is_old: bool
) -> Iterator[tuple[tuple[str, int], Hunk]]:
    """Yield the changes of a file that lines of one version are near, by path and old line."""
    file = compared.get(path)
    for hunk in file.diff.hunks if file and file.diff else ():
        start, count = hunk.new_start, hunk.new_count
        if is_old:
            start, count = hunk.old_start, hunk.old_count
        if lines[0] < start + count and start <= lines[-1]:
            yield (path, hunk.old_start), hunk


def _diff(shown: Mapping[tuple[str, int], Hunk], compared: Mapping[str, _Compared]) -> str:
    """Return the shown changes as a git diff.

    Raises:
        DiffError: it cannot be read again.
        ValueError: a path cannot be written.
    """
    parts = []
    for path, file in compared.items():
        hunks = tuple(shown[key] for key in sorted(shown) if key[0] == path)
        if hunks and file.diff is not None:
            parts.append(file_diff_text(replace(file.diff, hunks=hunks)))
    data = b"".join(parts)
    parse_diff(data)
    return data.decode("utf-8", "surrogateescape")

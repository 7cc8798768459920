"""Locate the code of prior findings at the head of a pull request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.github.client.errors import TooLargeError
from reviewbot.github.state.fingerprint import Fingerprint, SearchedLines, normal

if TYPE_CHECKING:
    from collections.abc import (
        Awaitable,
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.findings.finding import Finding, Side
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.state.block import Record

MAX_FILE: Final = 2_000_000
"""Maximum bytes of a file to search."""
LONG: Final = 10
"""Characters of a line from which it tells one file from another."""
SHARED: Final = 0.2
"""Share of the long lines of a deleted file that the file in its place must have."""

PAUSE_S: Final = 1.0
"""Seconds before a second request for a file that GitHub does not find."""
ReadHead: TypeAlias = "Callable[[str], Awaitable[list[str] | None]]"


class HeadCode:
    """The code at the head of a pull request: its diff, and the whole files that were read.

    Args:
        files: the diff of the pull request.
        whole: the lines of some new files, :func:`.normal`; None if a file is not known, empty if
            there is none.
    """

    def __init__(
        self, files: Sequence[FileDiff], whole: Mapping[str, Sequence[str] | None]
    ) -> None:
        self._files = {file.path: file for file in files}
        self._whole = whole
        self._searched: dict[tuple[str, Side], SearchedLines] = {}
        self._moved: dict[tuple[str, Side, str], str] = {}
        self._long: dict[tuple[str, Side], frozenset[str]] = {}
        self._renamed = {
            file.old_path: file.path for file in files if file.status == "renamed" and file.old_path
        }

    def path_of(self, record: Record) -> str:
        """Return the current path of a record's file.

        The diff shows renames. If the file was deleted, an open record follows its code to a file
        that the pull request adds or changes; if the diff shows the deletion, that file must also
        resemble the deleted one. A dismissed record follows renames only, because it could hide
        another finding.
        """
        path = record.path
        is_deleted = record.side == "RIGHT" and record.state == "open" and self.is_deleted(path)
        if path in self._files and not is_deleted:
            return path
        if path in self._renamed:
            return self._renamed[path]
        is_gone = is_deleted or record.side == "LEFT" or self._whole.get(path) == []
        if record.state == "dismissed" or not is_gone:
            return path
        return self._moved_to(path, record.side, record.fingerprint)

    def _moved_to(self, path: str, side: Side, text: str) -> str:
        key = (path, side, text)
        if key not in self._moved:
            code = Fingerprint.parse(text)
            found = (
                other
                for other in self._files
                if code and self._changes(other, side, code) and self._may_replace(other, path)
            )
            self._moved[key] = next(found, path)
        return self._moved[key]

    def _may_replace(self, path: str, deleted: str) -> bool:
        """Return whether a file resembles one whose deletion the diff shows; True without one."""
        if deleted not in self._files:
            return True
        before, after = self._long_lines(deleted, "LEFT"), self._long_lines(path, "RIGHT")
        return len(before & after) >= max(1, SHARED * len(before))

    def _long_lines(self, path: str, side: Side) -> frozenset[str]:
        key = (path, side)
        if key not in self._long:
            lines = (text for _, text in self._lines(path, side))
            self._long[key] = frozenset(text for text in lines if len(text) >= LONG)
        return self._long[key]

    def _changes(self, path: str, side: Side, code: Fingerprint) -> bool:
        """Return whether the pull request adds a file with the code, or changes the code."""
        places = self.places(path, side, code)
        if places and self._files[path].status in ("added", "renamed", "copied"):
            return True
        kind = "removed" if side == "LEFT" else "added"
        changed = {
            line.old_no if side == "LEFT" else line.new_no
            for hunk in (self._files[path].hunks if places else ())
            for line in hunk.iter_lines()
            if line.kind == kind
        }
        return any(not changed.isdisjoint(place) for place in places)

    def is_in_diff(self, path: str) -> bool:
        """Return whether the pull request changes a file."""
        return path in self._files

    def is_deleted(self, path: str) -> bool:
        """Return whether the pull request deletes a file."""
        return path in self._files and self._files[path].status == "deleted"

    def is_known(self, path: str, side: Side) -> bool:
        """Return whether all lines of a side that can have findings are known.

        On the old side, these are the removed lines.
        """
        file = self._files.get(path)
        searched = self._searched.get((path, side))
        if searched is not None and searched.is_exhausted:
            return False
        if side == "LEFT" or (file is not None and file.status in ("added", "deleted")):
            return True
        return self._whole.get(path) is not None

    def places(self, path: str, side: Side, code: Fingerprint) -> list[range]:
        """Return the lines of each place in a file that has the code, as far as it is known."""
        return self._search(path, side).find(code)

    def fingerprint_of(self, finding: Finding) -> str:
        """Return the fingerprint of a finding's code; empty if it has no line.

        The quote of a finding is not used, because its secrets are redacted.
        """
        if not finding.is_placed:
            return ""
        searched = self._search(finding.path, finding.side)
        found = searched.fingerprint(range(finding.line, finding.end_line + 1))
        return str(found or Fingerprint.of(finding.quote.split("\n")) or "")

    def _search(self, path: str, side: Side) -> SearchedLines:
        key = (path, side)
        if key not in self._searched:
            self._searched[key] = SearchedLines(self._lines(path, side))
        return self._searched[key]

    def _lines(self, path: str, side: Side) -> Iterator[tuple[int, str]]:
        if side == "RIGHT" and (whole := self._whole.get(path)) is not None:
            yield from enumerate(whole, start=1)
            return
        file = self._files.get(path)
        for hunk in file.hunks if file else ():
            for line in hunk.iter_lines():
                if side == "LEFT":
                    # An unchanged line of the old side was not removed.
                    if line.kind == "removed" and line.old_no is not None:
                        yield line.old_no, normal(line.text)
                elif line.new_no is not None:
                    yield line.new_no, normal(line.text)


async def read_head_code(
    files: Sequence[FileDiff],
    records: Collection[Record],
    named: Collection[str],
    read_file: ReadHead,
) -> HeadCode:
    """Return the code at the head, with the files whose diff does not show all code of records.

    ``named`` has the ids of the records that the review names; their lines are known.

    Raises:
        GitHubError: a file cannot be read.
    """
    wanted = await asyncio.to_thread(_not_shown, files, records, named)
    read = await asyncio.gather(*map(read_file, wanted))
    return HeadCode(files, dict(zip(wanted, read, strict=True)))


def _not_shown(
    files: Sequence[FileDiff], records: Collection[Record], named: Collection[str]
) -> list[str]:
    """Return the files with code that must be searched for outside the diff."""
    code = HeadCode(files, {})
    lines: dict[tuple[str, str], set[int]] = {}
    unnamed: set[tuple[str, str]] = set()
    for record in records:
        path = code.path_of(record)
        if record.fingerprint and not code.is_known(path, record.side):
            key = (path, record.fingerprint)
            lines.setdefault(key, set()).add(record.line)
            if record.id not in named:
                unnamed.add(key)
    found: dict[str, None] = {}
    for path, text in unnamed:
        fingerprint = Fingerprint.parse(text)
        shown = code.places(path, "RIGHT", fingerprint) if fingerprint else ()
        if len(shown) < len(lines[path, text]):
            found[path] = None
    return sorted(found)


def head_reader(api: Api, repo: str, head: str, files: Iterable[FileDiff]) -> ReadHead:
    """Return a function that reads files at a commit as :func:`.normal` lines.

    It returns an empty list if GitHub twice does not find the file. It returns None if the file is
    too large, or is in the diff but not found.
    """
    there = {file.new_path for file in files}

    async def read(path: str) -> list[str] | None:
        try:
            data = await api.contents.file(repo, path, head, max_bytes=MAX_FILE)
            if data is None:  # a GitHub replica may lag
                await asyncio.sleep(PAUSE_S)
                data = await api.contents.file(repo, path, head, max_bytes=MAX_FILE)
        except TooLargeError:
            return None
        if data is None and path in there:
            return None
        return await asyncio.to_thread(_normal_lines, data)

    return read


def _normal_lines(data: bytes | None) -> list[str]:
    return [normal(line) for line in data.decode("utf-8", "replace").split("\n")] if data else []

"""Files that a model may look up: their paths, and their redacted lines.

Only the setting ``exclude`` withholds a file, so generated and vendored files can be read. A file
is redacted as a whole, before any line is chosen.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.code.at_commit import FILE_BYTES, NO_FILES
from reviewbot.code.lookup_paths import LookupRefusedError, checked_path
from reviewbot.core.diff.hunks import DiffLine
from reviewbot.core.diff.numbered_line import format_line
from reviewbot.core.diff.paths import encoded
from reviewbot.core.diff.whole import shows_whole_file
from reviewbot.core.diff.widen import new_content
from reviewbot.core.safety.escape import is_plain, show
from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.code.at_commit import CodeAtCommit, Unread
    from reviewbot.core.diff.parse import FileDiff, FileStatus
    from reviewbot.core.plan.policy import Policy

CACHED_CHARS: Final = 16_000_000
"""Most characters of redacted files that are kept."""
_REASONS: Final[Mapping[Unread, str]] = {
    "missing": "The commit has no such file.",
    "link": "It is a symbolic link, and links are not followed.",
    "submodule": "It is a submodule, whose files belong to another repository.",
    "folder": "It is a folder; search_code can search in it.",
    "binary": "It is a binary file.",
    "large": f"It has more than {FILE_BYTES:,} bytes, so it can be neither read nor searched.",
    "unavailable": "Its content is not available here. This says nothing about the file.",
}


class NotSearchedError(LookupRefusedError):
    """A search could not read all code, so a text without a match may still exist."""


@dataclass(frozen=True, slots=True)
class FileLines:
    """A redacted file.

    ``path`` is its path in the version that was read. ``shown`` has the 1-based numbers of the
    lines that the diff shows of this version, and ``changed`` those that it adds or removes.
    """

    path: str
    status: FileStatus | Literal["unchanged"]
    is_base: bool
    lines: tuple[str, ...]
    shown: frozenset[int]
    changed: frozenset[int]

    def numbered(self, number: int, text: str | None = None) -> str:
        """Return a line with its prefix, as a prompt shows it.

        Args:
            number: its 1-based number.
            text: the text to show instead of the whole line.
        """
        shown = self.lines[number - 1] if text is None else text
        is_changed = number in self.changed
        if self.is_base:
            return format_line(DiffLine("removed", number, None, shown), owned=is_changed)
        return format_line(DiffLine("added" if is_changed else "context", None, number, shown))


class LookupFiles:
    """Files of one review that may be looked up.

    Args:
        files: the parsed diff.
        policy: its setting ``exclude`` decides which files are withheld.
        whole_files: diffs of files that are known in full, by path.
        source: the code at the reviewed commit; None if there is none beyond the diff.
    """

    def __init__(
        self,
        files: Sequence[FileDiff],
        policy: Policy,
        whole_files: Mapping[str, FileDiff] = MappingProxyType({}),
        *,
        source: CodeAtCommit | None = None,
    ) -> None:
        self.source = source
        self.changed = {file.path: file for file in files}
        self._renamed = {file.old_path: file for file in files if file.old_path}
        self._policy, self._whole_files = policy, whole_files
        self._shown_paths = {show(path): path for path in self.changed if not is_plain(path)}
        self._cache: OrderedDict[tuple[str, bool], FileLines] = OrderedDict()
        self._cached_chars = 0
        self._cache_lock = Lock()
        self._wholes: dict[str, FileDiff | None] = {}
        self._large = set[str]()
        self._withheld = set[tuple[str, bool]]()

    def resolve(self, value: object, *, folder: bool = False) -> str:
        """Return the path that a model names.

        Args:
            value: what the model wrote.
            folder: whether it may be a folder; the root is an empty path.

        Raises:
            LookupRefusedError: it is no path within the repository, or the path is withheld.
        """
        if not isinstance(value, str) or not (value or folder):
            raise LookupRefusedError("`path` must be a text, such as src/settings.ts.")
        if value in self._shown_paths or value in self.changed:
            path = self._shown_paths.get(value, value)
        else:
            path = checked_path(value, folder=folder)
            if path.startswith(("a/", "b/")) and path[2:] in self.changed:
                path = path[2:]
        self.check_access(path)
        return path

    def is_excluded(self, path: str) -> bool:
        """Return whether the configuration withholds a path."""
        return self._policy.configured(path) is True

    def check_access(self, path: str) -> None:
        """Check that a path is not withheld.

        Raises:
            LookupRefusedError: it is excluded, or contains a secret.
        """
        if self.is_excluded(path):
            raise LookupRefusedError("The configuration of the repository excludes this path.")
        try:
            is_withheld = redact_text(path) != path
        except ReviewbotError:
            is_withheld = True
        if is_withheld:
            raise LookupRefusedError("The path is withheld, because it may contain a secret.")

    def remember(self, path: str) -> None:
        """Accept the shown form of a path that a result names."""
        if not is_plain(path) and len(self._shown_paths) < 1_000:
            self._shown_paths.setdefault(show(path), path)

    def is_candidate(self, path: str) -> bool:
        """Return whether a path may be searched: it is not excluded, and for the diff a file."""
        file = self.changed.get(path)
        is_file = file is None or (file.status != "deleted" and file.new_mode not in NO_FILES)
        return is_file and not self.is_excluded(path)

    def may_contain(self, path: str, text: bytes) -> bool | None:
        """Return whether a changed file may contain a text; None if the diff does not show it all.

        Uses the CPU: call in a thread.
        """
        whole = self._whole(path)
        if whole is None or path in self._large:  # a large file is never searched
            return None if whole is None else False
        return any(text in hunk.raw for hunk in whole.hunks)

    def _known(self, path: str) -> bytes | Unread | None:
        """Return the new content of a changed file that the diff shows in full, else None."""
        whole = self._whole(path)
        if path in self._large:
            return "large"
        return None if whole is None else new_content(whole)

    def _whole(self, path: str) -> FileDiff | None:
        """Return the diff of a changed file that shows all its lines; None if there is none."""
        if path not in self._wholes:
            file = self.changed.get(path)
            whole = None
            if file is not None and file.new_mode not in NO_FILES and file.status != "deleted":
                whole = self._whole_files.get(path)
                if whole is None and not file.binary and shows_whole_file(file):
                    whole = file
            if whole is not None and _new_size(whole) > FILE_BYTES:
                self._large.add(path)
            self._wholes[path] = whole
        return self._wholes[path]

    async def load(self, path: str, *, base: bool = False) -> FileLines:
        """Return a file.

        Args:
            path: a path as :meth:`resolve` returns it.
            base: whether to read the old version, of a renamed file under its old path.

        Raises:
            LookupRefusedError: the file has no lines that may be read.
        """
        kept = self._cache.get((path, base))
        if kept is not None:
            return kept
        content = await (self._old(path) if base else self._new(path))
        return await asyncio.to_thread(self.redacted, path, content, base=base)

    async def contents(self, paths: Sequence[str]) -> dict[str, bytes | Unread]:
        """Return the new contents of files, or the reasons why they have none."""
        read: dict[str, bytes | Unread] = dict.fromkeys(paths, "unavailable")
        for path in paths:
            content = await asyncio.to_thread(self._known, path)
            if content is not None:
                read[path] = content
        others = [path for path in paths if read[path] == "unavailable"]
        if others and self.source is not None:
            read |= await self.source.read(others)
        return read

    async def _new(self, path: str) -> bytes | Unread:
        file = self.changed.get(path)
        if file is not None:
            if file.status == "deleted":
                raise LookupRefusedError("The change deletes it; read it with base=true.")
            if file.new_mode in NO_FILES:
                raise LookupRefusedError("It is a link or a submodule, not a file.")
            content = await asyncio.to_thread(self._known, path)
            if content is not None:
                return content
        return await self._from_source(path, base=False)

    async def _old(self, path: str) -> bytes | Unread:
        file = self.changed.get(path) or self._renamed.get(path)
        if file is None:
            return await self._from_source(path, base=True)
        if file.old_path is None:
            raise LookupRefusedError("The change adds this file: it has no old version.")
        self.check_access(file.old_path)
        if file.old_mode in NO_FILES:
            raise LookupRefusedError("It was a link or a submodule, not a file.")
        whole = file if file.status == "deleted" else await asyncio.to_thread(self._whole, path)
        if whole is not None and whole.hunks:
            return await asyncio.to_thread(_old_content, whole)
        return await self._from_source(file.old_path, base=True)

    async def _from_source(self, path: str, *, base: bool) -> bytes | Unread:
        if self.source is None:
            raise LookupRefusedError("Only changed files that the diff shows in full can be read.")
        return (await self.source.read([path], base=base)).get(path, "unavailable")

    def redacted(self, path: str, content: bytes | Unread, *, base: bool = False) -> FileLines:
        """Return the redacted lines of a content. Uses the CPU: call in a thread.

        The lines are kept, and returned again for the same path.

        Raises:
            LookupRefusedError: the content is not text, or may not be read.
        """
        kept = self._cache.get((path, base))
        if kept is not None:
            return kept
        if content == "unavailable":
            raise NotSearchedError(_REASONS[content])
        if isinstance(content, str):
            raise LookupRefusedError(_REASONS[content])
        if len(content) > FILE_BYTES:
            raise LookupRefusedError(_REASONS["large"])
        if b"\0" in content:
            raise LookupRefusedError(_REASONS["binary"])
        file = self.changed.get(path) or (self._renamed.get(path) if base else None)
        name = file.old_path or path if file and base else path
        withheld = LookupRefusedError("It is withheld, because it may contain secrets.")
        if (path, base) in self._withheld:  # the search for secrets takes long in such a file
            raise withheld
        try:
            text = redact_text(content.decode("utf-8", "surrogateescape"), name)
        except ReviewbotError:
            self._withheld.add((path, base))
            raise withheld from None
        lines = tuple(text.removesuffix("\n").split("\n")) if text else ()
        status = file.status if file else "unchanged"
        found = FileLines(name, status, base, lines, *_numbers(file, base=base))
        self._keep((path, base), found)
        return found

    def _keep(self, key: tuple[str, bool], file: FileLines) -> None:
        with self._cache_lock:
            if self._cache.setdefault(key, file) is file:
                self._cached_chars += sum(map(len, file.lines))
            while self._cached_chars > CACHED_CHARS:
                _, oldest = self._cache.popitem(last=False)
                self._cached_chars -= sum(map(len, oldest.lines))


def _numbers(file: FileDiff | None, *, base: bool) -> tuple[frozenset[int], frozenset[int]]:
    """Return the numbers of the lines of one side that a diff shows, and of those it changes."""
    shown, changed = set[int](), set[int]()
    for hunk in file.hunks if file else ():
        for line in hunk.iter_lines():
            number = line.old_no if base else line.new_no
            if number is not None:
                shown.add(number)
                if line.kind != "context":
                    changed.add(number)
    return frozenset(shown), frozenset(changed)


def _new_size(whole: FileDiff) -> int:
    """Return the bytes of the new file of a diff that shows it in full."""
    lines = (line for hunk in whole.hunks for line in hunk.iter_raw())
    return sum(len(raw) + 1 for kind, raw in lines if kind != "removed")


def _old_content(whole: FileDiff) -> bytes:
    """Return the old file of a diff that shows it in full."""
    lines = [
        encoded(line.text) + (b"" if line.no_newline else b"\n")
        for hunk in whole.hunks
        for line in hunk.iter_lines()
        if line.old_no is not None
    ]
    return b"".join(lines)

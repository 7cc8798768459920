"""Answer the look-ups of a model: lines of a file, a search for a text.

All code comes from the reviewed commit (:class:`~reviewbot.code.at_commit.CodeAtCommit`) or from
the diff. A search asks the source which files may contain the text, and then searches their
redacted lines. Only these are counted, so no search can confirm a secret.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reviewbot.code.at_commit import FILE_BYTES, SEARCH_S, FilesWith, SearchError
from reviewbot.code.definitions import definition_lines, is_symbol
from reviewbot.code.lookup_files import NotSearchedError
from reviewbot.code.lookup_input import checked_input
from reviewbot.code.lookup_paths import LookupRefusedError
from reviewbot.code.lookup_text import activity, read_text, search_text
from reviewbot.core.plan.categories import kind_of
from reviewbot.core.plan.languages import is_source
from reviewbot.core.plan.marks import vendored_directory
from reviewbot.core.prompt.lookup_tools import LookupResult
from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reviewbot.code.at_commit import Unread
    from reviewbot.code.lookup_files import FileLines, LookupFiles
    from reviewbot.core.prompt.lookup_tools import LookupCall

    Match: TypeAlias = tuple[FileLines, Sequence[int]]

log = logging.getLogger(__name__)

LOOKUP_S: Final = 30.0
"""Seconds of one look-up, after which it fails."""
AT_ONCE: Final = 2
"""Look-ups of one review that run at a time."""
CANDIDATES: Final = 40
"""Most files that are read for one search."""
NOT_SEARCHED: Final = (
    f"not searched: binary files, files of more than {FILE_BYTES:,} bytes, and files that are"
    " withheld"
)
"""Note of every search. Naming the files that contain the text would confirm a secret in them."""


class Lookups:
    """Answers the look-ups of one review; an instance is a ``LookUp``.

    Args:
        files: the files of the review.
    """

    def __init__(self, files: LookupFiles) -> None:
        self._files = files
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._folders = {path.rpartition("/")[0] for path in files.changed}

    async def __call__(self, call: LookupCall) -> LookupResult:
        """Return the result of a look-up. It raises nothing: a failure is a result, too."""
        shown = ""
        try:
            values = await asyncio.to_thread(checked_input, call)
            shown = await asyncio.to_thread(_activity_of, call.name, values)
            async with self._slots, asyncio.timeout(LOOKUP_S):
                answer = self._read if call.name == "read_code" else self._search
                text = await answer(values)
        except NotSearchedError as error:
            return _could_not(str(error), shown)
        except LookupRefusedError as error:
            return LookupResult(str(error), shown, failed=True)
        except TimeoutError:
            return _could_not(f"It took more than {LOOKUP_S:g} s.", shown)
        except Exception as error:  # noqa: BLE001 - the review goes on without this look-up
            # Not the message, which may quote code.
            log.warning("a look-up failed: %s", type(error).__name__)
            return _could_not("It failed. This says nothing about the code.", shown)
        return LookupResult(text, shown)

    async def _read(self, values: Mapping[str, Any]) -> str:
        path = await asyncio.to_thread(self._files.resolve, values["path"])
        file = await self._files.load(path, base=values.get("base", False))
        if not file.lines:
            raise LookupRefusedError("The file is empty.")
        if values["first"] > len(file.lines):
            raise LookupRefusedError(f"The file has only {len(file.lines)} lines.")
        return await asyncio.to_thread(read_text, file, values["first"], values["last"])

    async def _search(self, values: Mapping[str, Any]) -> str:
        text, path = values["text"], values.get("path", "")
        under = await asyncio.to_thread(partial(self._files.resolve, path, folder=True))
        deadline = time.monotonic() + SEARCH_S
        word = text.isidentifier()
        matches, notes, is_complete = await self._found(text, under, deadline, word=word)
        if not matches and not is_complete:
            raise NotSearchedError(
                "Could not search all files, and those searched do not contain the text. This does"
                " not mean that it is absent; search with a path."
            )
        if not matches and word:
            is_complete = False
            with suppress(NotSearchedError):
                matches, notes, is_complete = await self._found(text, under, deadline, word=False)
            if matches:
                notes.append("no whole word: these lines have it as a part of longer names")
            elif not is_complete:
                notes.append("matched as a whole word: longer names may contain the text")
        if is_symbol(text):
            matches = await asyncio.to_thread(_definitions_first, text, matches)
        for file, _ in matches:
            self._files.remember(file.path)
        return await asyncio.to_thread(search_text, redact_text(text), matches, notes)

    async def _found(
        self, text: str, under: str, deadline: float, *, word: bool
    ) -> tuple[list[Match], list[str], bool]:
        """Return the lines with a text, what was not searched, and whether all files were.

        Raises:
            NotSearchedError: the code could not be searched.
        """
        try:
            candidates = await self._candidates(text, under, word=word)
        except SearchError as error:
            raise NotSearchedError(
                f"Could not search: {error}. This does not mean that the text is absent."
            ) from error
        matches, is_complete = await self._matches(text, candidates, deadline, word=word)
        notes = [NOT_SEARCHED]
        if candidates.absent:
            count = candidates.absent
            notes.append(f"not searched: {count} files whose contents are not in the clone")
        if not is_complete:
            notes.append("the search did not cover all files: more lines may contain the text")
        return matches, notes, is_complete and not candidates.absent

    async def _candidates(self, text: str, under: str, *, word: bool) -> FilesWith:
        """Return the files that may contain a text, best first.

        Raises:
            SearchError: the code could not be searched.
        """
        files, raw, folder = self._files, text.encode(), f"{under}/" if under else ""
        inside = [path for path in files.changed if path == under or path.startswith(folder)]
        known = await asyncio.to_thread(
            lambda: {path: files.may_contain(path, raw) for path in inside}
        )
        paths = [path for path in inside if known[path]]
        others = FilesWith((), stopped=True)
        try:
            if files.source is not None:
                others = await files.source.files_with(text, word=word, under=under)
        except SearchError:
            if all(known[path] is None for path in inside):  # whatever they contain
                raise
        # The diff decides about the files that it shows in full.
        paths += [path for path in others.paths if known.get(path) is None]
        allowed = filter(files.is_candidate, paths)
        return others._replace(paths=tuple(sorted(allowed, key=self._rank)))

    def _rank(self, path: str) -> tuple[bool, bool, bool, bool, bool, str]:
        """Return a sort key: changed files, source, tests, the rest; those near changes first.

        Vendored files come last.
        """
        is_vendored = vendored_directory(path) is not None
        is_test = kind_of(path) == "tests"
        is_far = path.rpartition("/")[0] not in self._folders
        is_unchanged = path not in self._files.changed
        return is_unchanged, is_vendored, not is_source(path), is_test, is_far, path

    async def _matches(
        self, text: str, candidates: FilesWith, deadline: float, *, word: bool
    ) -> tuple[list[Match], bool]:
        """Return the files and lines with a text, and whether all candidates were searched."""
        chosen = candidates.paths[:CANDIDATES]
        is_complete = len(chosen) == len(candidates.paths) and not candidates.stopped
        contents = await self._files.contents(chosen)
        matches: list[Match] = []
        has_text = line_pattern(text, word=word)
        for path in chosen:
            if time.monotonic() > deadline:
                return matches, False
            try:
                file = await asyncio.to_thread(self._searchable, path, contents[path])
            except NotSearchedError:
                is_complete = False
            except LookupRefusedError:  # as NOT_SEARCHED says
                pass
            else:
                numbers = await asyncio.to_thread(_numbers, file.lines, has_text)
                matches += [(file, numbers)] if numbers else []
        return matches, is_complete

    def _searchable(self, path: str, content: bytes | Unread) -> FileLines:
        """Return the redacted lines of a file.

        Raises:
            LookupRefusedError: the file may not be read.
        """
        self._files.check_access(path)
        return self._files.redacted(path, content)


def line_pattern(text: str, *, word: bool) -> Callable[[str], bool]:
    """Return whether a line contains a text, or contains it as a whole word."""
    if not word:
        return lambda line: text in line
    pattern = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)")
    return lambda line: text in line and pattern.search(line) is not None


def _numbers(lines: Sequence[str], has_text: Callable[[str], bool]) -> list[int]:
    return [number for number, line in enumerate(lines, 1) if has_text(line)]


def _definitions_first(name: str, matches: Sequence[Match]) -> list[Match]:
    """Return the files that look like they define a name before the others."""

    def is_use(match: Match) -> bool:
        file, numbers = match
        return not definition_lines(name, [file.lines[number - 1] for number in numbers])

    return sorted(matches, key=is_use)


def _could_not(reason: str, shown: str) -> LookupResult:
    """Return the result of a look-up that could not be done."""
    return LookupResult(reason, shown, failed=True, is_certain=False)


def _activity_of(tool: str, values: Mapping[str, Any]) -> str:
    """Return what a look-up does, without secrets; empty if the search for secrets failed."""
    with suppress(ReviewbotError):
        path = redact_text(values.get("path", "").removeprefix("./"))
        if tool == "search_code":
            text = redact_text(values["text"])
            return activity(f"searching `{text}`", f" in {path}" if path else "")
        old = ", old version" if values.get("base") else ""
        return activity(f"reading {path}", f" {values['first']}-{values['last']}{old}")
    return ""

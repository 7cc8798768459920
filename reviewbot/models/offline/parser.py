"""Parse source code of a pull request in worker processes.

tree-sitter is C code that hostile text can make loop, crash or use all memory, and ast-grep holds
the interpreter's lock while it runs. So both run in a process of their own
(:mod:`reviewbot.models.offline.worker`). It starts with the first request and is kept. A request
that takes too long or too much memory ends the process, and the next request starts another one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from reviewbot.core.plan.languages import PARSED, is_source, language_of
from reviewbot.models.offline.parser_process import (
    CRASHED,
    FILE_S,
    TOO_LONG,
    WATCH_S,
    ParseError,
    ParserProcess,
)
from reviewbot.models.offline.replies import (
    read_code_lines,
    read_enclosing,
    read_matches,
    read_text_matches,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reviewbot.core.findings.suggestions import Edit
    from reviewbot.models.offline.messages import Enclosing, Match, Pattern, TextMatch

CHECK_S: Final = 2.0
"""Seconds of processor time for the check of one suggestion, and for one question about the
structure of a file."""
KEPT_MEMORY: Final = 256 << 20
"""Bytes above which a process is not used again."""


@dataclass(frozen=True, slots=True)
class ParserHunk:
    """The new side of a hunk; ``fresh[i]`` is true if line ``i`` was added in this chunk."""

    lines: list[str]
    fresh: tuple[bool, ...]


@dataclass(slots=True)
class Allowance:
    """The seconds of processor time for which a file may still be parsed."""

    seconds: float = FILE_S


class ParserPool:
    """Worker processes that parse source code.

    A tenant uses one process at a time, so with two of them one tenant's hostile files do not keep
    the others waiting. While ``n`` tenants send such files at once, a request of another one may
    have to wait for about ``n / size`` of them.

    Args:
        size: the number of processes at most.
    """

    def __init__(self, size: int = 1) -> None:
        self._slots = asyncio.Semaphore(size)
        self._tenants: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._idle: list[ParserProcess] = []

    def for_tenant(self, tenant: str) -> Parser:
        """Return the parser of one tenant."""
        return Parser(self, tenant)

    async def ask(
        self, tenant: str, request: dict[str, Any], allowance: Allowance
    ) -> dict[str, Any]:
        """Return the response of a process to a request.

        Args:
            tenant: the sender of the text.
            request: as :func:`reviewbot.models.offline.worker.answer` takes it.
            allowance: the limit of processor time, from which the request is subtracted. Of a
                request that fails, the elapsed time is subtracted.

        Raises:
            ParseError: the process was stopped, crashed, or could not start.
        """
        lock = self._tenants.setdefault(tenant, asyncio.Lock())
        async with lock, self._slots:
            if allowance.seconds <= 0:
                raise ParseError(TOO_LONG)
            worker = self._take()
            clock = asyncio.get_running_loop().time
            try:
                if worker.new:
                    await worker.start()
                started, before = clock(), worker.processor_time()
                try:
                    reply = await worker.answer(request, allowance.seconds)
                except BaseException:
                    allowance.seconds -= clock() - started
                    raise
                allowance.seconds -= max(worker.processor_time() - before, 0.0)
            except BaseException:
                worker.close()
                raise
            # Short requests use little memory, so the memory is checked only after a long request.
            if clock() - started > WATCH_S and worker.memory() > KEPT_MEMORY:
                worker.close()
            else:
                self._idle.append(worker)
        return reply

    def _take(self) -> ParserProcess:
        """Return an idle process, or start one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:  # the system may have ended it meanwhile
                return worker
            worker.close()
        return ParserProcess()

    async def warm(self) -> None:
        """Start a process, so that the first request need not wait for it."""
        with suppress(ParseError):  # the first request that needs the parser reports it
            await self.ask("", {"do": "warm"}, Allowance())

    def close(self) -> None:
        """End all processes. No request may be at work."""
        while self._idle:
            self._idle.pop().close()


class Parser:
    """The parser of one tenant."""

    def __init__(self, pool: ParserPool, tenant: str) -> None:
        self._pool, self._tenant = pool, tenant

    async def match(
        self,
        language: str,
        hunks: Sequence[ParserHunk],
        patterns: Sequence[Pattern],
        allowance: Allowance,
    ) -> list[Match]:
        """Return the matches of ``patterns`` in ``hunks``, hunk by hunk.

        There must be syntax rules for ``language``. ``allowance`` is the limit of the file.

        Raises:
            ParseError: the text was not parsed.
        """
        request = {
            "do": "match",
            "language": language,
            "hunks": [asdict(hunk) for hunk in hunks],
            "patterns": [asdict(pattern) for pattern in patterns],
        }
        reply = await self._pool.ask(self._tenant, request, allowance)
        found = await asyncio.to_thread(read_matches, reply, hunks, patterns)  # there may be many
        if found is None:
            raise ParseError(CRASHED)
        return found

    async def check_text(
        self,
        language: str,
        hunks: Sequence[Sequence[str]],
        rules: Collection[str],
        allowance: Allowance,
    ) -> list[TextMatch]:
        """Return what the checks of text find in the new sides of ``hunks``.

        Args:
            language: ``dockerfile``, ``sql`` or ``yaml``.
            hunks: the lines of each hunk.
            rules: the ids of all rules, to check the reply.
            allowance: the limit of the file.

        Raises:
            ParseError: the text was not checked.
        """
        request = {"do": "text", "language": language, "hunks": hunks}
        reply = await self._pool.ask(self._tenant, request, allowance)
        found = await asyncio.to_thread(read_text_matches, reply, hunks, rules)  # may be many
        if found is None:
            raise ParseError(CRASHED)
        return found

    async def refused(
        self, language: str, matcher: Mapping[str, Any], allowance: Allowance
    ) -> str | None:
        """Return why ``matcher`` is not valid for a grammar; None if it is.

        Raises:
            ParseError: it was not tried.
        """
        request = {"do": "try", "language": language, "matcher": matcher}
        reason = (await self._pool.ask(self._tenant, request, allowance)).get("refused")
        return None if reason is None else str(reason)

    async def keeps_syntax(self, edit: Edit) -> bool:
        """Return whether ``edit`` adds no syntax error; False if it could not be checked."""
        request = {"do": "check", **asdict(edit)}
        try:
            reply = await self._pool.ask(self._tenant, request, Allowance(CHECK_S))
        except ParseError:
            return False
        return reply.get("kept") is True

    async def enclosing(
        self, path: str, text: str, lines: Sequence[int]
    ) -> tuple[Enclosing | None, ...]:
        """Return the innermost function, else class, around each 1-based line.

        ``text`` is the whole file, and ``path`` decides its language.

        Returns:
            One value for each line; None where there is none, or the text was not parsed.
        """
        nothing = (None,) * len(lines)
        language = _code_language(path)
        if language is None or not lines:
            return nothing
        request = {"do": "enclosing", "language": language, "text": text, "lines": [*lines]}
        try:
            reply = await self._pool.ask(self._tenant, request, Allowance(CHECK_S))
        except ParseError:
            return nothing
        return read_enclosing(reply, text, lines) or nothing

    async def code_lines(
        self, path: str, text: str, *, part: bool = False
    ) -> frozenset[int] | None:
        """Return the 1-based lines that contain running code, not only comments or strings.

        Args:
            path: the path of the file, which decides its language.
            text: the text.
            part: whether the text is a part of a file, such as a hunk. It may begin inside a
                comment or a string, so its result is less certain.

        Returns:
            The lines; None if the language has no grammar or the text was not parsed.
        """
        language = _code_language(path)
        if language is None:
            return None
        request = {"do": "code_lines", "language": language, "text": text, "part": part}
        try:
            reply = await self._pool.ask(self._tenant, request, Allowance(CHECK_S))
        except ParseError:
            return None
        return read_code_lines(reply, text)


def _code_language(path: str) -> str | None:
    """Return the language of a file if it is a language of programs with a grammar."""
    language = language_of(path)
    return language if language in PARSED and is_source(path) else None

"""Parse source code of a pull request in worker processes.

tree-sitter is C code that hostile text can make loop, crash or use all memory, and ast-grep holds
the interpreter's lock while it runs. So both run in a process of their own
(:mod:`reviewbot.models.offline.worker`). It starts with the first request and is kept. A request
that takes too long or too much memory ends the process, and the next request starts another one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from reviewbot.core.plan.languages import PARSED, is_source, language_of
from reviewbot.errors import ReviewbotError
from reviewbot.models.offline.replies import read_code_lines, read_enclosing, read_matches
from reviewbot.models.offline.worker import HEAD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.findings.suggestions import Edit
    from reviewbot.models.offline.structure import Enclosing
    from reviewbot.models.offline.syntax import Match, Pattern

FILE_S: Final = 5.0
"""Seconds for which one file is parsed, all its chunks together."""
CHECK_S: Final = 2.0
"""Seconds for the check of one suggestion, and for one question about the structure of a file."""
START_S: Final = 30.0
"""Seconds for the start of a process: a machine with other work can be slow at it."""
WATCH_S: Final = 0.05
"""Seconds between two looks at a process."""
END_S: Final = 1.0
"""Seconds for a process to end that has closed its output."""
MEMORY: Final = 1 << 30
"""Bytes that a process may use."""
KEPT_MEMORY: Final = 256 << 20
"""Bytes above which a process is not used again."""
REPLY_BYTES: Final = 16 << 20
TOO_LONG: Final = f"parsing took longer than {FILE_S:g} s."
CRASHED: Final = "the parser crashed."

_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    " from reviewbot.models.offline.worker import main; main()"
)
_ENVIRONMENT: Final = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""The variables that a process may need to load libraries; it gets no others."""
_CPU_SIGNALS: Final = {-getattr(signal, "SIGXCPU", 0)} - {0}


class ParseError(ReviewbotError):
    """The text was not parsed; the message completes "did not read all of it: ..."."""


@dataclass(frozen=True, slots=True)
class ParserHunk:
    """The new side of a hunk; ``fresh[i]`` is true if line ``i`` was added in this chunk."""

    lines: list[str]
    fresh: tuple[bool, ...]


@dataclass(slots=True)
class Allowance:
    """The seconds for which a file may still be parsed."""

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
        self._idle: list[_Worker] = []

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
            allowance: the time limit. The time that the request took is taken from it.

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
                started = clock()
                try:
                    reply = await worker.answer(request, allowance.seconds)
                finally:
                    allowance.seconds -= clock() - started
            except BaseException:
                worker.close()
                raise
            # Short requests use little memory, so the memory is checked only after a long request.
            if clock() - started > WATCH_S and worker.memory() > KEPT_MEMORY:
                worker.close()
            else:
                self._idle.append(worker)
        return reply

    def _take(self) -> _Worker:
        """Return an idle process, or start one."""
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:  # the system may have ended it meanwhile
                return worker
            worker.close()
        return _Worker()

    async def warm(self) -> None:
        """Start a process, so that the first request need not wait for it."""
        with suppress(ParseError):  # the first request that needs the parser reports it
            await self.ask("", {"do": "warm"}, Allowance())

    def close(self) -> None:
        """End all processes. No request may be at work."""
        while self._idle:
            self._idle.pop().close()


class Parser:
    """The parser of one tenant.

    Args:
        pool: the processes.
        tenant: the tenant's id.
    """

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

        Args:
            language: a language that there are syntax rules for.
            hunks: the text.
            patterns: what to look for.
            allowance: the time limit of the file.

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
        """Return the innermost function, else class, around each line.

        Args:
            path: the path of the file, which decides its language.
            text: the whole file.
            lines: 1-based lines.

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


class _Worker:
    """One process. It answers one request at a time."""

    def __init__(self) -> None:
        self.new = True
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-I", "-c", _START, json.dumps([*map(os.path.abspath, sys.path)])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True,  # Ctrl-C is for the parent, which ends this process
            )
        except OSError as error:
            raise ParseError(f"the parser could not start ({error.strerror}).") from error

    async def start(self) -> None:
        """Wait until the process is ready.

        Raises:
            ParseError: the process did not start.
        """
        try:
            await self.answer({"do": "warm"}, START_S)
        except ParseError as error:
            if str(error) == TOO_LONG:
                raise ParseError(f"the parser did not start within {START_S:g} s.") from None
            raise
        self.new = False

    async def answer(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return the reply to a request.

        Args:
            request: the request.
            seconds: the time limit, of the wall and of the processor.

        Raises:
            ParseError: the process was stopped or crashed. It cannot be used again.
        """
        data = json.dumps({**request, "seconds": seconds}).encode()
        exchange = asyncio.ensure_future(asyncio.to_thread(self._exchange, data))
        # Retrieved here, too: after a second cancellation no task awaits the exchange.
        exchange.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            await self._watch(exchange, seconds)
        except BaseException:
            self._kill()
            await asyncio.wait({exchange})
            raise
        try:
            reply = exchange.result()
        except (OSError, EOFError, ValueError, TypeError, RecursionError):
            with suppress(subprocess.TimeoutExpired):  # an invalid reply, and still alive
                await asyncio.to_thread(self._process.wait, END_S)
            slow = self._process.returncode in _CPU_SIGNALS
            raise ParseError(TOO_LONG if slow else CRASHED) from None
        if "error" in reply:
            raise ParseError(f"{reply['error']}.")
        return reply

    async def _watch(self, exchange: asyncio.Future[dict[str, Any]], seconds: float) -> None:
        """Wait for the end of ``exchange``.

        Raises:
            ParseError: the process exceeds the limit of time or memory.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        while not (await asyncio.wait({exchange}, timeout=WATCH_S))[0]:
            if clock() >= deadline:
                raise ParseError(TOO_LONG)
            if self.memory() > MEMORY:
                raise ParseError(f"the parser used more than {MEMORY >> 20} MiB of memory.")

    def _exchange(self, data: bytes) -> dict[str, Any]:
        """Send a request and wait for its reply. Blocks; ends at once when the process ends."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: PT018, S101 - both are pipes
        stdin.write(HEAD.pack(len(data)) + data)
        stdin.flush()
        head = stdout.read(HEAD.size)
        if len(head) < HEAD.size:
            raise EOFError
        (size,) = HEAD.unpack(head)
        if size > REPLY_BYTES:
            raise EOFError
        return dict(json.loads(stdout.read(size)))

    @property
    def alive(self) -> bool:
        """True while the process is running."""
        return self._process.poll() is None

    def memory(self) -> int:
        """Return the bytes of memory in use; 0 if the process has ended."""
        import psutil

        with suppress(psutil.Error):
            return int(psutil.Process(self._process.pid).memory_info().rss)
        return 0

    def _kill(self) -> None:
        """Kill the process, and what it may have started."""
        if os.name == "posix" and self._process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def close(self) -> None:
        """End the process."""
        self._kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # unsent requests
                if pipe is not None:
                    pipe.close()

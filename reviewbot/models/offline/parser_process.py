"""One process that parses source code, with its limits of time and memory."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from reviewbot.core.safety.child_process import start_child
from reviewbot.errors import ReviewbotError
from reviewbot.models.offline.messages import HEAD

FILE_S: Final = 5.0
"""Seconds of processor time for which one file is parsed, all its chunks together."""
WALL_S: Final = 60.0
"""Seconds for one request. A machine with other work can take long for :data:`FILE_S`."""
START_S: Final = 30.0
"""Seconds for the start of a process: a machine with other work can be slow at it."""
WATCH_S: Final = 0.05
"""Seconds between two looks at a process."""
END_S: Final = 1.0
"""Seconds for a process to end that has closed its output."""
MEMORY: Final = 1 << 30
"""Bytes that a process may use."""
REPLY_BYTES: Final = 16 << 20
TOO_LONG: Final = f"parsing took longer than {FILE_S:g} s of processor time."
NO_END: Final = f"parsing did not end within {WALL_S:g} s."
CRASHED: Final = "the parser crashed."

START: Final = "from reviewbot.models.offline.worker import main; main()"
_CPU_SIGNALS: Final = {-getattr(signal, "SIGXCPU", 0)} - {0}


class ParseError(ReviewbotError):
    """The text was not parsed; the message completes "did not read all of this file: ..."."""


class ParserProcess:
    """One process. It answers one request at a time."""

    def __init__(self) -> None:
        self.new = True
        try:
            self._process = start_child(START)
        except OSError as error:
            raise ParseError(f"the parser could not start ({error.strerror}).") from error

    async def start(self) -> None:
        """Wait until the process is ready.

        Raises:
            ParseError: the process did not start.
        """
        try:
            await self.answer({"do": "warm"}, START_S, wall_s=START_S)
        except ParseError as error:
            if str(error) in (TOO_LONG, NO_END):
                raise ParseError(f"the parser did not start within {START_S:g} s.") from None
            raise
        self.new = False

    async def answer(
        self, request: dict[str, Any], seconds: float, *, wall_s: float | None = None
    ) -> dict[str, Any]:
        """Return the reply to a request.

        Args:
            request: the request.
            seconds: the limit of processor time.
            wall_s: the limit of elapsed time; None is :data:`WALL_S`.

        Raises:
            ParseError: the process was stopped or crashed. It cannot be used again.
        """
        data = json.dumps({**request, "seconds": seconds}).encode()
        exchange = asyncio.ensure_future(asyncio.to_thread(self._exchange, data))
        # Retrieved here, too: after a second cancellation no task awaits the exchange.
        exchange.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        try:
            await self._watch(exchange, seconds, WALL_S if wall_s is None else wall_s)
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

    async def _watch(
        self, exchange: asyncio.Future[dict[str, Any]], seconds: float, wall_s: float
    ) -> None:
        """Wait for the end of ``exchange``.

        Raises:
            ParseError: the process exceeds the limit of time or memory.
        """
        clock = asyncio.get_running_loop().time
        deadline, most = clock() + wall_s, self.processor_time() + seconds
        while not (await asyncio.wait({exchange}, timeout=WATCH_S))[0]:
            if self.processor_time() >= most:
                raise ParseError(TOO_LONG)
            if clock() >= deadline:
                raise ParseError(NO_END)
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

    def processor_time(self) -> float:
        """Return the seconds of processor time used so far; 0 if the process has ended."""
        return processor_time(self._process.pid)

    def memory(self) -> int:
        """Return the bytes of memory in use; 0 if the process has ended."""
        return memory(self._process.pid)

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


def processor_time(pid: int) -> float:
    """Return the seconds of processor time that a process has used; 0 if it has ended."""
    if sys.platform == "linux":  # a short review need not load psutil
        with suppress(OSError):
            return time.clock_gettime(~pid << 3 | 2)  # the clock of clock_getcpuclockid(3)
    import psutil

    with suppress(psutil.Error):
        used = psutil.Process(pid).cpu_times()
        return float(used.user + used.system)
    return 0.0


def memory(pid: int) -> int:
    """Return the bytes of memory that a process has in use; 0 if it has ended."""
    if sys.platform == "linux":
        with suppress(OSError, IndexError):
            pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
            return int(pages) * os.sysconf("SC_PAGE_SIZE")
    import psutil

    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0

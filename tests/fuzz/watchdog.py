"""Watchdog of the fuzz target: sends cases to a child process and judges it from outside.

The child process can hang with the interpreter's lock held or crash, so that only another process
can report it. The child is kept for the next case, and replaced after a failure.
"""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from reviewbot.models.offline.messages import HEAD
from reviewbot.models.offline.parser_process import WALL_S

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from tests.fuzz.cases import Case

ROOT: Final = Path(__file__).parents[2]
OWN_S: Final = 30.0
"""Seconds of processor time for all of a case but the parsing of its files."""
CPU_S: Final = 20.0
"""Seconds of processor time that the main process may use for a case: its parsing is not in it."""
START_S: Final = 60.0
MEMORY: Final = 1 << 30
WAIT_FACTOR: Final = 5
"""Elapsed seconds allowed for each second of a limit, as other processes use the machine, too."""
POLL_S: Final = 0.1
END_S: Final = 10.0
"""Seconds for a process to end that has closed its output."""
PASSED: Final = ("ok", "refused")
DETAIL_CHARS: Final = 6000
MOST_STOPPED: Final = 6
"""Files of one case that the limit allows to be stopped."""


@dataclass(frozen=True)
class Verdict:
    """Result of one case.

    ``status`` is ``ok``, ``refused`` (no diff), ``hang``, ``crash``, ``exception``, ``memory``,
    ``slow`` or ``wrong`` (a promise was broken). ``stopped`` are the reasons of the files that the
    parser was stopped in. ``cpu`` are the main process's seconds of processor time.
    """

    name: str
    status: str
    detail: str = ""
    seconds: float = 0.0
    cpu: float = 0.0
    stopped: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return self.status in PASSED


def limit_of(case: Case) -> float:
    """Return the seconds of processor time of a case: hostile files of it may be stopped."""
    if "limit" in case:
        return float(case["limit"])
    if "edit" in case:
        return OWN_S + 2 * WALL_S
    if "files" in case:
        return OWN_S + WALL_S * len(case["files"])
    files = str(case.get("diff", "")).count("diff --git ")
    return OWN_S + WALL_S * min(MOST_STOPPED, files)


class Watchdog:
    """Runs cases in a child process.

    Args:
        limit: seconds of processor time after which the child process hangs, None for
            :func:`limit_of`. A child process that waits has :data:`WAIT_FACTOR` times as long.
        cpu: seconds of processor time for a case that ends.
        memory: bytes that the child process may use.
    """

    def __init__(
        self, *, limit: float | None = None, cpu: float = CPU_S, memory: int = MEMORY
    ) -> None:
        self._limit, self._cpu, self._memory = limit, cpu, memory
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def run(self, case: Case) -> Verdict:
        """Run one case and return its verdict."""
        if self._child is None:
            self._child = _Child()
            if self._child.ask({"plant": "nothing"}, START_S, self._memory) != "reply":
                raise RuntimeError(f"the child process does not start: {self._child.errors()}")
        child = self._child
        limit = limit_of(case) if self._limit is None else self._limit
        started = time.perf_counter()
        end = child.ask(case, limit, self._memory)
        seconds = time.perf_counter() - started
        if end == "reply":
            verdict = Verdict(name=case["name"], **child.reply)
            if verdict.passed and verdict.cpu > self._cpu:
                detail = f"{verdict.cpu:.1f} s of processor time in the main process"
                verdict = Verdict(**{**vars(verdict), "status": "slow", "detail": detail})
            if not verdict.passed:
                self._end()
            return verdict
        if end == "hang":
            child.dump()
        self._end()
        detail = f"{child.ended()}\n{child.errors()}"
        return Verdict(case["name"], end, detail, seconds)

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


class _Child:
    """One child process."""

    def __init__(self) -> None:
        self.reply: dict[str, Any] = {}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._text = ""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
        )

    def ask(self, case: Case, limit: float, memory: int) -> str:
        """Send a case; return ``reply``, ``hang``, ``memory`` or ``crash``.

        ``limit`` is in seconds of the child's processor time, which is counted from now.
        """
        replies: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._exchange, args=(case, replies), daemon=True).start()
        deadline = time.monotonic() + WAIT_FACTOR * limit
        last = self._used() + limit
        while True:
            with suppress(queue.Empty):
                reply = replies.get(timeout=POLL_S)
                if reply is None:
                    with suppress(subprocess.TimeoutExpired):  # it sent nonsense and lives on
                        self._process.wait(END_S)
                    return "crash"
                self.reply = reply
                return "reply"
            if time.monotonic() > deadline or self._used() > last:
                return "hang"
            with suppress(psutil.Error):
                if psutil.Process(self._process.pid).memory_info().rss > memory:
                    return "memory"

    def _exchange(self, case: Case, replies: queue.Queue[dict[str, Any] | None]) -> None:
        """Send a case and wait for its reply; None if the process ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        data = json.dumps(case).encode()
        try:
            stdin.write(HEAD.pack(len(data)) + data)
            stdin.flush()
            head = stdout.read(HEAD.size)
            replies.put(json.loads(stdout.read(*HEAD.unpack(head))) if head else None)
        except (OSError, ValueError):
            replies.put(None)

    def _used(self) -> float:
        """Return the processor time of the process in seconds; 0 if it has ended."""
        with suppress(psutil.Error):
            times = psutil.Process(self._process.pid).cpu_times()
            return float(times.user + times.system)
        return 0.0

    def dump(self) -> None:
        """Have the process write where it is."""
        if hasattr(signal, "SIGUSR1"):
            self._process.send_signal(signal.SIGUSR1)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)

    def ended(self) -> str:
        """Return how the process ended."""
        code = self._process.returncode
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def errors(self) -> str:
        """Return the end of what the process wrote to standard error."""
        if not self._errors.closed:
            self._errors.seek(0)
            self._text = self._errors.read().decode(errors="replace")[-DETAIL_CHARS:]
        return self._text

    def end(self) -> None:
        """End the process and its workers."""
        workers = []
        with suppress(psutil.Error):
            workers = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait()
        for worker in workers:
            with suppress(psutil.Error):
                worker.kill()
        self.errors()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(OSError):
                if stream is not None:
                    stream.close()

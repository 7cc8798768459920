"""Run betterleaks in a process of its own, which has no network, no secrets and few files.

betterleaks is native code that reads strangers' text. Its process starts with the first search and
is kept. It gets a text on a line of JSON, and replies with its matches on a line of JSON
(:mod:`reviewbot.models.sandbox.leak_worker`). Not pure.
"""

from __future__ import annotations

import atexit
import importlib.util
import json
import os
import threading
from contextlib import suppress
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Final

from reviewbot.core.safety.child_process import start_child

if TYPE_CHECKING:
    import subprocess

SCAN_S: Final = 30.0
"""Seconds for one text of a few thousand characters, or for the start, on a busy machine."""
_START: Final = "from reviewbot.models.sandbox.leak_worker import main; main()"
_STARTING = threading.Lock()


class LeakScanError(Exception):
    """The search failed. The message never quotes the text."""


class LeakProcess:
    """The process, which is started again if it ended. ``version`` is that of betterleaks.

    Texts of several threads are searched one after the other.

    Raises:
        LeakScanError: it does not start, for example since the platform has no build.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.version = self._start()

    def scan(self, text: str) -> list[dict[str, Any]]:
        """Return the matches in a text, as betterleaks' own JSON has them.

        Raises:
            LeakScanError: the search failed, or took longer than :data:`SCAN_S` seconds.
        """
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()
            matches = self._exchange(json.dumps(text))
        if not isinstance(matches, list):
            raise LeakScanError("it could not search the text")
        return matches

    def _start(self) -> str:
        self.close()
        try:
            self._process = start_child(_START)
        except OSError as error:
            raise LeakScanError(f"it could not start ({error.strerror})") from error
        version = self._exchange("null")
        if not isinstance(version, str):
            self.close()
            raise LeakScanError("it has no build for this Python and platform")
        return version

    def _exchange(self, line: str) -> object:
        """Send a line and return the reply.

        Raises:
            LeakScanError: the process ended, or was killed because it took too long.
        """
        process = self._process
        assert process is not None  # noqa: S101 - it was started
        stdin, stdout = _pipes(process)
        limit = threading.Timer(SCAN_S, process.kill)
        limit.daemon = True
        limit.start()
        try:
            stdin.write(line.encode() + b"\n")
            stdin.flush()
            return json.loads(stdout.readline())
        except (OSError, ValueError):
            self.close()
            raise LeakScanError("its process has ended") from None
        finally:
            limit.cancel()

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            _close_pipes(process)

    def abandon(self) -> None:
        """Leave the process to its parent, of which this process is a fork."""
        process, self._process = self._process, None
        if process is not None:
            process.returncode = 0  # so that nothing here waits for it
            _close_pipes(process)


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018, S101 - pipes
    return process.stdin, process.stdout


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in _pipes(process):
        with suppress(OSError):  # an unsent line
            pipe.close()


def leak_process() -> LeakProcess | None:
    """Return the process of betterleaks; None if it is not installed or does not start."""
    with _STARTING:  # threads must not start several
        return _leak_process()


def start_early() -> None:
    """Start the process of betterleaks while this one goes on: its start takes 100 ms."""
    threading.Thread(target=leak_process, daemon=True).start()


@cache
def _leak_process() -> LeakProcess | None:
    if importlib.util.find_spec("betterleaks") is None:
        return None
    try:
        process = LeakProcess()
    except LeakScanError:
        return None
    atexit.register(process.close)
    return process


def _forget_process() -> None:
    """Give up the process of the parent after a fork: the next search starts another one."""
    global _STARTING  # noqa: PLW0603 - a thread of the parent may hold it
    _STARTING = threading.Lock()
    if _leak_process.cache_info().currsize and (inherited := _leak_process()) is not None:
        inherited.abandon()
    _leak_process.cache_clear()


getattr(os, "register_at_fork", dict)(after_in_child=_forget_process)  # Windows has no forks

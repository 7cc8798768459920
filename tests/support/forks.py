"""Processes of reviewbot, forked from a template that has loaded it."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

ROOT: Final = Path(__file__).parents[2]
_HARMLESS: Final = {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE"}
"""Variables of Python that change nothing once reviewbot is loaded."""


@dataclass(frozen=True)
class _Template:
    process: subprocess.Popen[bytes]
    requests: socket.socket
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fork(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        files: Sequence[int],
        *,
        linters: bool = False,
        code: Mapping[str, str] | None = None,
    ) -> int:
        """Start a process and return its id.

        Args:
            arguments: those after ``reviewbot``.
            environment: all of its variables.
            folder: its working directory.
            files: its input, output and errors, and a pipe that gets its exit code.
            linters: whether it runs linters.
            code: what a server looks up in every review; None leaves that to the repository.
        """
        assert may_fork(environment), environment
        message = {
            "arguments": [*arguments],
            "environment": {**environment},
            "folder": str(folder),
            "linters": linters,
            "code": {**(code or {})},
        }
        with self.lock:
            socket.send_fds(self.requests, [json.dumps(message).encode()], files)
            return int(self.requests.recv(16))


def may_fork(environment: Mapping[str, str]) -> bool:
    """Return whether a process with these variables would load what the template has loaded."""
    return (
        environment.get("PYTHONPATH") == str(ROOT)
        and not {name for name in environment if name.startswith("PYTHON")} - _HARMLESS
    )


@cache
def _template() -> _Template:
    """Return the template of this test process. The template ends with the test process."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.template_process", str(its.fileno())],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            pass_fds=[its.fileno()],
            stdin=subprocess.DEVNULL,
        )
    atexit.register(process.wait)
    atexit.register(ours.close)
    return _Template(process, ours)


class Fork:
    """A process, as far as tests need what asyncio's ``Process`` has."""

    def __init__(self, pid: int, stdout: asyncio.StreamReader, status: int) -> None:
        self.pid = pid
        self.stdout = stdout
        self._status = status
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(status, self._end)

    @property
    def returncode(self) -> int | None:
        return self._ended.result() if self._ended.done() else None

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._status)
        code = os.read(self._status, 16)
        os.close(self._status)
        self._ended.set_result(int(code or b"-9"))  # nothing: the template itself is gone


async def start_fork(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    log: BinaryIO,
    linters: bool = False,
    code: Mapping[str, str] | None = None,
) -> Fork:
    """Start ``reviewbot`` with ``arguments``, its standard error in ``log``.

    ``code`` is what a server looks up in every review.
    """
    output, its_output = os.pipe()
    status, its_status = os.pipe()
    its_input = os.open(os.devnull, os.O_RDONLY)
    files = [its_input, its_output, log.fileno(), its_status]
    pid = _template().fork(arguments, environment, folder, files, linters=linters, code=code)
    for file in (its_input, its_output, its_status):
        os.close(file)
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(output, "rb"))
    return Fork(pid, reader, status)


def run_fork(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    timeout_s: float = 60.0,
    linters: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run ``reviewbot`` with ``arguments`` to its end, without standard input."""
    its_input = os.open(os.devnull, os.O_RDONLY)
    (output, its_output), (errors, its_errors), (status, its_status) = (os.pipe() for _ in range(3))
    files = [its_input, its_output, its_errors, its_status]
    pid = _template().fork(arguments, environment, folder, files, linters=linters)
    for file in files:
        os.close(file)
    late = threading.Timer(timeout_s, os.kill, (pid, signal.SIGKILL))
    late.start()
    with ThreadPoolExecutor(2) as pool:
        out, err = pool.map(_read, (output, errors))
        code = int(_read(status) or "-9")
    late.cancel()
    return subprocess.CompletedProcess([*arguments], code, out, err)


@contextmanager
def running_fork(
    arguments: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: BinaryIO
) -> Iterator[BinaryIO]:
    """Run ``reviewbot`` with ``arguments`` until it is killed at the end; its output."""
    its_input = os.open(os.devnull, os.O_RDONLY)
    (output, its_output), (status, its_status) = os.pipe(), os.pipe()
    files = [its_input, its_output, log.fileno(), its_status]
    pid = _template().fork(arguments, environment, folder, files)
    for file in (its_input, its_output, its_status):
        os.close(file)
    with os.fdopen(output, "rb") as stream:
        yield stream
        os.kill(pid, signal.SIGKILL)
        _read(status)


def _read(file: int) -> str:
    with os.fdopen(file, "rb") as stream:
        return stream.read().decode().replace("\r\n", "\n")

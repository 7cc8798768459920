"""Start programs that read only named files, and have no network and no other program.

A program is started by a small process that exists for it (:mod:`.launch_worker`), because Python
code between a fork and a program is unsafe in a process with threads like the server, and a new
interpreter for each program would take longer than most linters.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reviewbot.errors import ReviewbotError
from reviewbot.models.sandbox import landlock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from threading import Event

READ: Final = landlock.READ_FILE | landlock.READ_FOLDER
"""The right to read a file, or a folder with all that is in it."""
_RUN: Final = landlock.EXECUTE | landlock.READ_FILE
_ELF: Final = b"\x7fELF\x02\x01"
"""The first bytes of a program for 64 bits, little-endian."""
_INTERPRETER: Final = 3
"""``PT_INTERP``: the type of the program header that names the dynamic loader."""
_LISTED: Final = re.compile(r"(/.+) \(0x[0-9a-f]+\)")
_LIST_S: Final = 10.0
START_S: Final = 30.0
"""Seconds for the start of a launcher: a machine with other work can be slow at it."""
_LOOK_MS: Final = 20
"""Milliseconds between two looks at ``stop``."""
_START: Final = (
    "import sys; sys.path.append(sys.argv[1]);"
    " from reviewbot.models.sandbox.launch_worker import main; main()"
)
_PACKAGES: Final = Path(__file__).resolve().parents[3]
"""The folder of our package."""
_ENVIRONMENT: Final = ("LD_LIBRARY_PATH",)
"""The variable that an interpreter may need to load libraries."""


class LaunchError(ReviewbotError):
    """A program did not start, or did not end by itself; the message is a clause."""


@dataclass(frozen=True, slots=True)
class Launch:
    """A program to run.

    Attributes:
        command: the program and its arguments.
        folder: the folder to run it in.
        output: the file for its standard output.
        environment: its environment variables.
        limits: its resource limits, by name, such as ``RLIMIT_CPU``.
        allowed: the rights of :mod:`reviewbot.models.sandbox.landlock` that it has, by path.
    """

    command: tuple[str, ...]
    folder: str
    output: str
    environment: Mapping[str, str]
    limits: Mapping[str, int]
    allowed: Mapping[str, int]


_idle: Final[list[_Launcher]] = []
"""Launchers without a program, for the next ones."""


def run_confined(launch: Launch, *, wall_s: float, stop: Event) -> int:
    """Run a program and return its exit code, negative if a signal ended it. Blocks.

    Args:
        launch: the program.
        wall_s: seconds after which it is killed.
        stop: kills it when it is set.

    Raises:
        LaunchError: the program did not start, or was killed.
    """
    launcher = _idle_launcher() or _Launcher()
    try:
        code = launcher.run(launch, wall_s, stop)
    except BaseException:
        launcher.kill()
        raise
    _idle.append(launcher)
    return code


def _idle_launcher() -> _Launcher | None:
    with suppress(IndexError):
        while True:
            launcher = _idle.pop()
            if launcher.alive:
                return launcher
            launcher.kill()
    return None


@atexit.register
def close_launchers() -> None:
    """End the launchers that have no program. A later program gets a new one."""
    while _idle:
        _idle.pop().kill()


class _Launcher:
    """A process that starts programs, and the group of all that it starts."""

    def __init__(self) -> None:
        self._is_new = True
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                [sys.executable, "-I", "-S", "-c", _START, os.fspath(_PACKAGES)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            raise LaunchError(f"it could not start ({error.strerror})") from error

    @property
    def alive(self) -> bool:
        """True while the process is running."""
        return self._process.poll() is None

    def run(self, launch: Launch, wall_s: float, stop: Event) -> int:
        """Run a program and return its exit code.

        Raises:
            LaunchError: the program did not start, or did not end in time.
        """
        if self._is_new:
            self._is_new = bool(self._exchange(b"", START_S, stop))
        reply = self._exchange(json.dumps(asdict(launch)).encode() + b"\n", wall_s, stop)
        if "error" in reply:
            raise LaunchError(f"it could not start confined ({reply['error']})")
        return int(reply["code"])

    def _exchange(self, request: bytes, seconds: float, stop: Event) -> dict[str, Any]:
        """Send a request and return the reply.

        Raises:
            LaunchError: there was none in time.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None  # noqa: PT018, S101 - both are pipes
        replied, deadline = select.poll(), time.monotonic() + seconds
        replied.register(stdout, select.POLLIN)
        try:
            stdin.write(request)
            stdin.flush()
            while not replied.poll(_LOOK_MS):
                if stop.is_set():
                    raise LaunchError("it was stopped")
                if time.monotonic() >= deadline:
                    raise LaunchError(f"it took longer than {seconds:g} s")
            return dict(json.loads(stdout.readline()))
        except (OSError, ValueError) as error:
            raise LaunchError("the process that starts it has ended") from error

    def kill(self) -> None:
        """Kill the process and the program. A program cannot leave the group."""
        if self._process.returncode is None:  # otherwise its number may be another group's
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            # The first process of a container becomes the parent of the program, and must wait.
            with suppress(ChildProcessError):
                os.waitpid(-self._process.pid, 0)
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # an unsent request
                if pipe is not None:
                    pipe.close()


@cache
def files_to_start(program: Path) -> Mapping[str, int]:
    """Return the rights that a program needs to start, by file: itself, its loader and libraries.

    Raises:
        LaunchError: the program cannot be read, or is not an ELF file for 64 bits.
    """
    try:
        loader = _loader_of(program)
        if loader is None:
            return {os.fspath(program): _RUN}
        # With this argument the loaders of glibc and musl list the libraries, and run nothing.
        done = subprocess.run(  # noqa: S603 - the system's own loader
            [loader, "--list", program], capture_output=True, env={}, timeout=_LIST_S, check=False
        )
    except OSError as error:
        raise LaunchError(f"it could not start ({error.strerror})") from error
    except (ValueError, struct.error, subprocess.SubprocessError):
        raise LaunchError("it could not start confined (its libraries are unknown)") from None
    libraries = _LISTED.findall(done.stdout.decode(errors="replace"))
    settings = ["/etc/ld.so.cache", *map(os.fspath, Path("/etc").glob("ld-musl-*.path"))]
    files = [path for path in (*libraries, *settings) if Path(path).exists()]
    return {**dict.fromkeys(files, landlock.READ_FILE), os.fspath(program): _RUN, loader: _RUN}


def _loader_of(program: Path) -> str | None:
    """Return the path of the dynamic loader of a program; None if the program is static.

    Raises:
        OSError: the program cannot be read.
        ValueError: it is not an ELF file for 64 bits.
        struct.error: it ends early.
    """
    with program.open("rb") as file:
        head = file.read(64)
        if not head.startswith(_ELF):
            raise ValueError("it is not an ELF program for 64 bits")
        (start,), (size, count) = (
            struct.unpack_from("<Q", head, 32),
            struct.unpack_from("<HH", head, 54),
        )
        file.seek(start)
        table = file.read(size * count)
        for at in range(0, len(table), size):
            kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", table, at)
            if kind == _INTERPRETER:
                file.seek(offset)
                return file.read(length).rstrip(b"\0").decode()
    return None

"""Run a linter on a copy of one file, confined as far as the system allows.

The process gets a fresh private folder that holds only the copy, an empty home folder and an empty
environment. On Linux it can read nothing else, write no file, and use no network and no other
program (:mod:`reviewbot.models.sandbox`). On POSIX systems it is limited in memory, processor time,
and the size of its output. It is ended after :data:`WALL_S` seconds with all that it started.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.models.linters.base import NotLintedError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

WALL_S: Final = 10.0
"""Seconds for one file."""
MEMORY_KIB: Final = 512 << 10
"""Data of a process. GHC and Rust programs reserve far more addresses than they use."""
OUTPUT_BYTES: Final = 4 << 20
_BLOCK: Final = 512
"""Bytes of the unit of ``ulimit -f``."""
_TOO_MUCH_OUTPUT: Final = -getattr(signal, "SIGXFSZ", 25)
_LONGEST_WAIT_S: Final = 0.02
_LIMITS: Final = (
    f"ulimit -c 0 && ulimit -t {int(WALL_S)} && ulimit -d {MEMORY_KIB}"
    f" && ulimit -f {OUTPUT_BYTES // _BLOCK}"
    ' && exec "$@"'
)
"""A script for the shell where nothing is confined: a limit that cannot be set ends it."""
_NEEDED: Final = ("SYSTEMROOT",)
"""Variables without which no program starts on Windows."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a process: its exit code and its standard output."""

    code: int
    output: bytes


def run_linter(
    program: Path,
    arguments: Sequence[str],
    *,
    copy: tuple[str, bytes],
    configuration: tuple[str, str] | None,
    stop: Event,
) -> Completed:
    """Run a linter and wait for its end. Blocks.

    Args:
        program: the linter.
        arguments: its arguments. The working folder is that of the copy; the configuration is in
            :data:`reviewbot.models.linters.base.OURS`.
        copy: relative path and content of the file.
        configuration: name and text of the linter's configuration, or None.
        stop: ends the process when it is set.

    Raises:
        NotLintedError: the process did not start, took too long, or crashed.
    """
    with tempfile.TemporaryDirectory(prefix="reviewbot-lint-") as folder:
        root = Path(folder)
        work, ours, home = root / "work", root / "ours", root / "home"
        for new in (work, ours, home):
            new.mkdir(mode=0o700)
        target = work / copy[0]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(copy[1])
        if configuration is not None:
            (ours / configuration[0]).write_text(configuration[1], "utf-8")
        command, output = [os.fspath(program), *arguments], root / "output"
        code = _run(command, root, output, stop)
        if code == _TOO_MUCH_OUTPUT:
            raise NotLintedError(f"it reported more than {OUTPUT_BYTES >> 20} MiB.", failed=True)
        if code < 0:
            raise NotLintedError(f"it crashed (signal {-code}).", failed=True)
        with output.open("rb") as source:
            return Completed(code, source.read(OUTPUT_BYTES))


def _environment(home: Path) -> dict[str, str]:
    folder = os.fspath(home)
    return {
        **{name: os.environ[name] for name in _NEEDED if name in os.environ},
        **dict.fromkeys(("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA"), folder),
        **dict.fromkeys(("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"), folder),
        "LC_ALL": "C.UTF-8",  # programs in Haskell read and write text in this encoding
        "RAYON_NUM_THREADS": "1",
    }


def _run(command: list[str], root: Path, output: Path, stop: Event) -> int:
    """Run a linter in its private folder, and return its exit code.

    Raises:
        NotLintedError: it did not start, or was ended.
    """
    run = _run_confined if sys.platform == "linux" else _run_unconfined
    return run(command, root, output, stop)


def _run_confined(command: list[str], root: Path, output: Path, stop: Event) -> int:
    """Run a linter in a sandbox.

    Raises:
        NotLintedError: it did not start, could not be confined, or was ended.
    """
    from reviewbot.models.sandbox.launcher import (
        READ,
        Launch,
        LaunchError,
        files_to_start,
        run_confined,
    )

    try:
        launch = Launch(
            command=tuple(command),
            folder=os.fspath(root / "work"),
            output=os.fspath(output),
            environment=_environment(root / "home"),
            limits={
                "RLIMIT_CORE": 0,
                "RLIMIT_CPU": math.ceil(WALL_S),
                "RLIMIT_DATA": MEMORY_KIB << 10,
                "RLIMIT_FSIZE": OUTPUT_BYTES,
            },
            allowed={**files_to_start(Path(command[0])), os.fspath(root): READ},
        )
        return run_confined(launch, wall_s=WALL_S, stop=stop)
    except LaunchError as error:
        raise NotLintedError(f"{error}.", failed=True) from error


def _run_unconfined(command: list[str], root: Path, output: Path, stop: Event) -> int:
    """Run a linter without a sandbox.

    Raises:
        NotLintedError: it did not start, or was ended.
    """
    if os.name == "posix":
        command = ["/bin/sh", "-c", _LIMITS, "sh", *command]
    with output.open("wb") as sink:
        try:
            process = subprocess.Popen(  # noqa: S603 - a linter of this installation
                command,
                cwd=root / "work",
                env=_environment(root / "home"),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            reason = f"it could not start ({error.strerror})."
            raise NotLintedError(reason, failed=True) from error
        _wait(process, stop)
        return process.returncode


def _wait(process: subprocess.Popen[bytes], stop: Event) -> None:
    """Wait for the end of a process; end it after the time limit or on ``stop``.

    Raises:
        NotLintedError: the process was ended.
    """
    deadline, pause = time.monotonic() + WALL_S, 0.001
    while process.poll() is None:
        stopped = stop.wait(pause)
        if stopped or time.monotonic() >= deadline:
            _kill(process)
            raise NotLintedError(
                "it was stopped." if stopped else f"it took longer than {WALL_S:g} s.",
                failed=True,
            )
        pause = min(2 * pause, _LONGEST_WAIT_S)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that was not waited for yet, and all that it started."""
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()

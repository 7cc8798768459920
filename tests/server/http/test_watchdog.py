"""A server whose event loop hangs ends by itself; a healthy one does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.server.nodes import ROOT, START_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVE = """
import re
import sys
import time
from asyncio import get_running_loop

from reviewbot.cli.main import main
from reviewbot.server.http import process, watchdog

watchdog.HANG_S, watchdog.REARM_S, watchdog.SHUTDOWN_S = {hang_s}, 0.1, 0.5


def hang():
    print("hangs", flush=True)
    re.match(r"(?:a+)+$", "a" * 200 + "b")  # holds the lock of the interpreter for ages


class Server(process.HttpServer):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        {at_start}

    async def shutdown(self, sockets=None):
        {at_end}
        await super().shutdown(sockets)


process.HttpServer = Server
{before}
sys.exit(main(["serve", "--port", "0", "--grace-s", "0.5"]))
"""


@contextmanager
def serving(
    folder: Path, *, hang_s: float, at_start: str = "pass", at_end: str = "pass", before: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """A real server process with a short limit, after it has printed its address."""
    script = SERVE.format(hang_s=hang_s, at_start=at_start, at_end=at_end, before=before)
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "REVIEWBOT_STATE_DIR": str(folder),
                "PYTHONPATH": str(ROOT),
            },
        )
    try:
        assert process.stdout is not None
        assert b" at http" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def errors(folder: Path) -> str:
    return (folder / "errors").read_text("utf-8")


pytestmark = pytest.mark.slow


def test_a_hung_server_prints_the_stack_and_ends_with_exit_code_1(tmp_path: Path) -> None:
    hang = "get_running_loop().call_later(0.2, hang)"
    with serving(tmp_path, hang_s=1.0, at_start=hang) as process:
        assert process.wait(START_S) == 1
    text = errors(tmp_path)
    assert "Timeout (0:00:01)!" in text
    assert "in hang\n" in text
    assert "aaaa" not in text  # a stack has no values


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
def test_an_idle_server_outlives_the_limit_and_ends_well(tmp_path: Path) -> None:
    with serving(tmp_path, hang_s=1.0) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_S) == 0
    assert "Timeout" not in errors(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
@pytest.mark.parametrize(
    "end", ["hang()", "import asyncio; await asyncio.sleep(600)"], ids=["hung", "waiting"]
)
def test_a_shutdown_that_does_not_end_is_ended(tmp_path: Path, end: str) -> None:
    with serving(tmp_path, hang_s=600.0, at_end=end) as process:
        process.send_signal(signal.SIGTERM)
        # While other threads run, writing their stacks can crash the process: it has ended, too.
        assert process.wait(START_S) in (1, -signal.SIGSEGV)
    assert "Timeout (0:00:01)!" in errors(tmp_path)  # the grace period and half a second


def test_a_hung_server_ends_without_a_standard_error(tmp_path: Path) -> None:
    hang = "get_running_loop().call_later(0.2, hang)"
    close = "sys.stderr.close(); sys.stderr = None"
    with serving(tmp_path, hang_s=1.0, at_start=f"{close}; {hang}") as process:
        assert process.wait(START_S) == 1

"""The process of a linter: what it sees, what it may use, and how it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import psutil
import pytest

from reviewbot.models.linters import process
from reviewbot.models.linters.base import NotLintedError
from reviewbot.models.linters.process import Completed, run_linter
from tests.models.sandbox.canaries import need_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELL = Path("/bin/bash")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems limit less")


@pytest.fixture(autouse=True)
def _private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of private folders; nothing may be left in it."""
    need_sandbox()
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(tmp_path))
    yield
    assert list(tmp_path.glob("reviewbot-lint-*")) == []


def run_program(
    *command: str, copy: tuple[str, bytes] = ("a.py", b"x"), stop: Event | None = None
) -> Completed:
    return run_linter(
        Path(command[0]),
        command[1:],
        copy=copy,
        configuration=("ours.json", "{}"),
        stop=stop or Event(),
    )


def run(
    script: str, *, copy: tuple[str, bytes] = ("a.py", b"x"), stop: Event | None = None
) -> Completed:
    return run_program(os.fspath(SHELL), "-c", script, copy=copy, stop=stop)


def test_it_sees_only_the_copy_and_our_configuration() -> None:
    done = run_program("/usr/bin/find", ".", "../ours", "../home", "-type", "f")
    assert done == Completed(0, b"./a.py\n../ours/ours.json\n")
    assert run_program("/bin/cat", "a.py", copy=("a.py", b"text")).output == b"text"


def test_the_copy_can_be_in_a_folder() -> None:
    done = run_program(
        "/bin/cat", ".github/workflows/a.yml", copy=(".github/workflows/a.yml", b"text")
    )
    assert done.output == b"text"


def test_the_folder_is_closed_to_other_users() -> None:
    done = run_program("/usr/bin/stat", "-c", "%a", ".", "..", "../ours", "../home")
    assert done.output.split() == [b"700"] * 4


def test_the_environment_holds_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    lines = run_program("/usr/bin/env").output.decode().splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert values.keys() <= {
        *("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "LC_ALL", "RAYON_NUM_THREADS"),
        *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"),
    }
    assert values["HOME"].endswith("/home")
    assert values["HOME"] == values["XDG_CONFIG_HOME"]


def test_standard_input_is_empty_and_errors_are_not_output() -> None:
    assert run("read -r line; echo a >&2; exit 3") == Completed(3, b"")


def test_memory_time_and_core_dumps_are_limited() -> None:
    script = "ulimit -d; ulimit -t; ulimit -c; ulimit -Hd; ulimit -Ht"
    assert run(script).output.split() == [b"524288", b"10", b"0", b"524288", b"10"]


def test_a_program_that_wants_more_memory_does_not_get_it() -> None:
    script = "printf -v x %0600000000d 0; echo reached"
    assert b"reached" not in run(script).output
    assert run("printf -v x %0100000000d 0; echo reached").output == b"reached\n"


def test_too_much_output_is_refused() -> None:
    with pytest.raises(NotLintedError, match="it reported more than 4 MiB"):
        run_program("/usr/bin/yes")


def test_output_below_the_limit_is_whole() -> None:
    assert len(run("printf %04000000d 0").output) == 4_000_000


def test_a_signal_is_a_crash() -> None:
    with pytest.raises(NotLintedError, match=r"it crashed \(signal 11\)"):
        run("ulimit -s 100; f() { f; }; f")


def test_a_program_that_cannot_start_is_an_error() -> None:
    with pytest.raises(NotLintedError, match="it could not start") as caught:
        run_program("/nowhere/ruff")
    assert caught.value.failed


@pytest.mark.parametrize(
    "script",
    [
        "read -r line < {outside}/file",
        "echo x >> {outside}/file",
        "echo x > {outside}/new",
        "exec /bin/true",
        "(:)",
        "echo x > /dev/tcp/127.0.0.1/{port}",
        "echo x > /dev/udp/127.0.0.1/{port}",
        "[[ $(< /proc/{pid}/environ) ]]",
        "kill -0 {pid}",
        "echo x > a.py",
    ],
)
def test_it_reaches_no_other_file_no_network_and_no_other_program(
    script: str, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("secret\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = script.format(outside=outside, port=port, pid=os.getpid())
        assert run(script).code != 0
        there = subprocess.run([os.fspath(SHELL), "-c", script], cwd=outside, check=False)
        assert there.returncode == 0, "the test itself is at fault"


def processes(text: str) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if text in (one.info["cmdline"] or ())]


def test_the_time_limit_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WALL_S", 0.3)
    seconds = f"9{os.getpid()}"  # a text that finds it
    with pytest.raises(NotLintedError, match=r"it took longer than 0\.3 s"):
        run_program("/bin/sleep", seconds)
    assert [one for one in processes(seconds) if one.status() != psutil.STATUS_ZOMBIE] == []


def test_a_stop_ends_the_process_at_once() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(NotLintedError, match="it was stopped"):
        run_program("/bin/sleep", "60", stop=stop)


@pytest.fixture
def _unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Linters run as on other systems than Linux."""
    monkeypatch.setattr(process, "_run", process._run_unconfined)


@pytest.mark.usefixtures("_unconfined")
def test_an_unconfined_linter_has_its_limits_too() -> None:
    assert run_program("/bin/cat", "a.py", copy=("a.py", b"text")) == Completed(0, b"text")
    assert run("ulimit -d; ulimit -t").output.split() == [b"524288", b"10"]
    with pytest.raises(NotLintedError, match="it reported more than 4 MiB"):
        run_program("/usr/bin/yes")
    assert run_program("/nowhere/ruff").code in (126, 127)


@pytest.mark.usefixtures("_unconfined")
@pytest.mark.parametrize("background", ["", "& wait"])
def test_the_time_limit_ends_an_unconfined_linter_and_what_it_started(
    background: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "WALL_S", 0.3)
    seconds = f"9{os.getpid()}"
    with pytest.raises(NotLintedError, match=r"it took longer than 0\.3 s"):
        run(f"/bin/sleep {seconds} {background}")
    assert [one for one in processes(seconds) if one.status() != psutil.STATUS_ZOMBIE] == []

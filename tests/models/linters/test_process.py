"""The process of a linter: what it sees, what it may use, and how it ends."""

from __future__ import annotations

import os
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

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELL = Path("/bin/sh")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems limit less")


@pytest.fixture(autouse=True)
def _private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of private folders; nothing may be left in it."""
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(tmp_path))
    yield
    assert list(tmp_path.glob("reviewbot-lint-*")) == []


def run(
    script: str, *, copy: tuple[str, bytes] = ("a.py", b"x"), stop: Event | None = None
) -> Completed:
    return run_linter(
        SHELL,
        ["-c", script],
        copy=copy,
        configuration=("ours.json", "{}"),
        stop=stop or Event(),
    )


def test_it_sees_only_the_copy_and_our_configuration() -> None:
    done = run("/usr/bin/find . ../ours ../home -type f; cat a.py", copy=("a.py", b"text"))
    assert done == Completed(0, b"./a.py\n../ours/ours.json\ntext")


def test_the_copy_can_be_in_a_folder() -> None:
    done = run("cat .github/workflows/a.yml", copy=(".github/workflows/a.yml", b"text"))
    assert done.output == b"text"


def test_the_folder_is_closed_to_other_users() -> None:
    assert run("stat -c %a .. . ../ours ../home").output.split() == [b"700"] * 4


def test_the_environment_holds_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    lines = run("exec /usr/bin/env").output.decode().splitlines()
    values = dict(line.split("=", 1) for line in lines)
    assert values.keys() <= {
        *("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "LC_ALL", "RAYON_NUM_THREADS"),
        *("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "PWD", "OLDPWD", "SHLVL", "_"),
    }
    assert values["HOME"].endswith("/home")
    assert values["HOME"] == values["XDG_CONFIG_HOME"]


def test_standard_input_is_empty_and_errors_are_not_output() -> None:
    assert run("cat; echo a >&2; exit 3") == Completed(3, b"")


def test_memory_time_and_core_dumps_are_limited() -> None:
    script = "ulimit -d; ulimit -t; ulimit -c; ulimit -Hd; ulimit -Ht"
    assert run(script).output.split() == [b"524288", b"10", b"0", b"524288", b"10"]


def test_a_program_that_wants_more_memory_does_not_get_it() -> None:
    script = f"{sys.executable} -c 'x = bytearray(600 << 20)' 2>&1 | tail -n 1"
    assert b"MemoryError" in run(script).output


def test_too_much_output_is_refused() -> None:
    with pytest.raises(NotLintedError, match="it reported more than 4 MiB"):
        run("exec head -c 5000000 /dev/zero")


def test_output_below_the_limit_is_whole() -> None:
    assert len(run("exec head -c 4000000 /dev/zero").output) == 4_000_000


def test_a_signal_is_a_crash() -> None:
    with pytest.raises(NotLintedError, match=r"it crashed \(signal 6\)"):
        run("kill -ABRT $$")


def test_a_program_that_cannot_start_is_named_by_its_exit_code() -> None:
    done = run_linter(Path("/nowhere/ruff"), [], copy=("a", b""), configuration=None, stop=Event())
    assert done.code in (126, 127)


def processes(text: str) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if text in (one.info["cmdline"] or ())]


@pytest.mark.parametrize("background", ["", "& wait"])
def test_the_time_limit_ends_the_process_and_what_it_started(
    background: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "WALL_S", 0.3)
    seconds = f"9{os.getpid()}"  # a text that finds it
    with pytest.raises(NotLintedError, match=r"it took longer than 0\.3 s"):
        run(f"/bin/sleep {seconds} {background}")
    assert [one for one in processes(seconds) if one.status() != psutil.STATUS_ZOMBIE] == []


def test_a_stop_ends_the_process_at_once() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(NotLintedError, match="it was stopped"):
        run("/bin/sleep 60", stop=stop)

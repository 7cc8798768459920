"""Programs in a sandbox reach nothing outside of it, and end in time."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from reviewbot.models.sandbox import confine, landlock, launcher, seccomp
from reviewbot.models.sandbox.launcher import (
    READ,
    Launch,
    LaunchError,
    close_launchers,
    files_to_start,
    run_confined,
)
from tests.models.sandbox.canaries import (
    CANARIES,
    OUTSIDE_TOO,
    need_sandbox,
    run_python,
    try_inside,
    try_outside,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a sandbox")


PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture(autouse=True)
def _sandbox() -> None:
    need_sandbox()


@pytest.fixture
def at(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the canaries try to reach: real files, sockets and a process outside of the sandbox."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("file", "removable"):
        (outside / name).write_text("secret")
    with ExitStack() as stack:

        def listen(family: int, kind: int, address: Any) -> Any:
            server = stack.enter_context(socket.socket(family, kind))
            server.bind(address)
            if kind == socket.SOCK_STREAM:
                server.listen()
            return server.getsockname()

        abstract = f"\0reviewbot-{os.getpid()}"
        process = stack.enter_context(subprocess.Popen(["/bin/sleep", "600"]))
        stack.callback(process.kill)
        yield {
            "file": os.fspath(outside / "file"),
            "removable": os.fspath(outside / "removable"),
            "folder": os.fspath(outside),
            "own": os.fspath(tmp_path / "own" / "work"),
            "tcp": listen(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))[1],
            "udp": listen(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))[1],
            "udp6": listen(socket.AF_INET6, socket.SOCK_DGRAM, ("::1", 0))[1],
            "unix": listen(socket.AF_UNIX, socket.SOCK_STREAM, os.fspath(outside / "socket")),
            "abstract": listen(socket.AF_UNIX, socket.SOCK_STREAM, abstract) and abstract,
            "process": process.pid,
            "tgkill": 234 if platform.machine() == "x86_64" else 131,
        }


@pytest.fixture
def own(tmp_path: Path) -> Path:
    (tmp_path / "own" / "work").mkdir(parents=True)
    return tmp_path / "own"


@pytest.mark.parametrize("canary", CANARIES)
def test_a_program_is_refused_what_it_could_do_outside(
    canary: str, at: dict[str, Any], own: Path
) -> None:
    inside = try_inside(canary, at, own)
    assert (inside.output, inside.code) == ("refused\n", 0)
    outside = try_outside(canary, at)
    if canary not in OUTSIDE_TOO:
        assert "refused" not in outside.output
        assert outside.code == 0


def test_in_ci_on_linux_a_missing_sandbox_is_a_failure_and_not_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception):
        need_sandbox()
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="unconfined"):
        need_sandbox()


def test_a_program_reads_its_own_folder(own: Path) -> None:
    (own / "work" / "a.py").write_text("text")
    done = run_python("print(open('a.py').read(), __import__('os').listdir())", own)
    assert done.output == "text ['a.py']\n"


def test_a_program_can_start_threads(own: Path) -> None:
    code = "import threading; t = threading.Thread(target=print, args=(1,)); t.start(); t.join()"
    assert run_python(code, own).output == "1\n"


def test_a_program_inherits_no_open_file(own: Path) -> None:
    with (own / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        code = (
            "import os, contextlib\n"
            "for number in range(3, 1024):\n"
            "    with contextlib.suppress(OSError): os.fstat(number); print(number)\n"
        )
        assert run_python(code, own).output == ""


def test_a_program_has_its_limits_from_its_start(own: Path) -> None:
    code = "import resource as r; print(r.getrlimit(r.RLIMIT_DATA), r.getrlimit(r.RLIMIT_CPU))"
    limits = {"RLIMIT_DATA": 300 << 20, "RLIMIT_CPU": 7}
    assert run_python(code, own, limits=limits).output == "(314572800, 314572800) (7, 7)\n"


def test_a_program_that_wants_more_memory_does_not_get_it(own: Path) -> None:
    code = "try: bytearray(600 << 20)\nexcept MemoryError: print('refused')"
    assert run_python(code, own, limits={"RLIMIT_DATA": 512 << 20}).output == "refused\n"


def test_a_program_is_killed_after_its_time(own: Path) -> None:
    with pytest.raises(LaunchError, match=r"it took longer than 0\.3 s"):
        run_python("while True: pass", own, wall_s=0.3)


def test_a_program_is_killed_when_it_is_stopped(own: Path) -> None:
    stop = Event()
    Timer(0.3, stop.set).start()
    with pytest.raises(LaunchError, match="it was stopped"):
        run_python("import time; time.sleep(600)", own, stop=stop)


def test_programs_after_a_killed_one_run(own: Path) -> None:
    with pytest.raises(LaunchError):
        run_python("while True: pass", own, wall_s=0.1)
    assert run_python("print(1)", own).output == "1\n"


def test_a_killed_program_leaves_no_zombie_to_the_first_process_of_a_container(own: Path) -> None:
    """Such a process becomes the parent of orphans, as a subreaper does (prctl(2))."""
    before = psutil.Process().children()
    landlock.libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        with pytest.raises(LaunchError):
            run_python("while True: pass", own, wall_s=0.3)
        assert set(psutil.Process().children()) <= set(before)
    finally:
        landlock.libc().prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def test_programs_run_after_the_end_of_the_process_that_starts_them(own: Path) -> None:
    close_launchers()
    run_python("", own)
    (idle,) = launcher._idle
    psutil.Process(idle._process.pid).kill()
    idle._process.wait()
    assert run_python("print(1)", own).output == "1\n"


def test_no_process_is_left_after_the_launchers_are_closed(own: Path) -> None:
    close_launchers()
    before = psutil.Process().children()
    run_python("", own)
    assert len(psutil.Process().children()) == len(before) + 1
    close_launchers()
    assert psutil.Process().children() == before


def test_a_program_that_cannot_be_confined_does_not_run(own: Path) -> None:
    launch = Launch(
        command=("/bin/true",),
        folder=os.fspath(own),
        output=os.fspath(own / "output"),
        environment={},
        limits={},
        allowed={**files_to_start(Path("/bin/true")), "/nowhere": READ},
    )
    with pytest.raises(LaunchError, match=r"it could not start confined \(No such file"):
        run_confined(launch, wall_s=30, stop=Event())


def test_a_program_that_is_no_elf_file_is_refused(own: Path) -> None:
    script = own / "script"
    script.write_text("#!/bin/sh\n")
    with pytest.raises(LaunchError, match="it could not start confined"):
        files_to_start(script)


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_import_the_modules_and_say_that_they_cannot_confine(system: str) -> None:
    code = (
        f"import sys; import ctypes, subprocess, tempfile; sys.platform = {system!r}\n"
        "import reviewbot.models.linters.process\n"
        "from reviewbot.models.sandbox.confine import unconfined\n"
        "print(unconfined())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "only Linux can limit files, network and other programs\n"


def test_what_the_kernel_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert confine.unconfined() is None
    monkeypatch.setattr(landlock, "version", lambda: 0)
    assert confine.unconfined() == (
        "this kernel has no Landlock, so files and other programs are not limited"
    )
    monkeypatch.setattr(seccomp, "available", lambda: False)
    gaps = confine.unconfined() or ""
    assert "no Landlock" in gaps
    assert gaps.endswith("so the network is not limited")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert confine.unconfined() == "only Linux can limit files, network and other programs"

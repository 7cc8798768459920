"""Small programs that try to leave a sandbox, and the Python to run them in one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

import pytest

from reviewbot.models.sandbox.confine import unconfined
from reviewbot.models.sandbox.launcher import READ, Launch, files_to_start, run_confined

if TYPE_CHECKING:
    from collections.abc import Mapping

PYTHON: Final = Path(sys.executable).resolve()
WALL_S: Final = 30.0

CANARIES: Final = {
    "read a file outside": "open(at['file']).read()",
    "list a folder outside": "os.listdir(at['folder'])",
    "list the root": "os.listdir('/')",
    "write a file outside": "open(at['folder'] + '/new', 'w')",
    "append to a file outside": "open(at['file'], 'a')",
    "make a folder outside": "os.mkdir(at['folder'] + '/made')",
    "remove a file outside": "os.unlink(at['removable'])",
    "truncate a file outside": "os.truncate(at['file'], 1)",
    "change the mode of a file outside": "os.chmod(at['file'], 0o600)",
    "change the times of a file outside": "os.utime(at['file'])",
    "write into its own folder": "open(at['own'] + '/new', 'w')",
    "connect by TCP": "socket.create_connection(('127.0.0.1', at['tcp']))",
    "listen on TCP": "socket.create_server(('127.0.0.1', 0))",
    "send by UDP": (
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', at['udp']))"
    ),
    "send by UDP on IPv6": (
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('::1', at['udp6']))"
    ),
    "connect to a Unix socket": "socket.socket(socket.AF_UNIX).connect(at['unix'])",
    "connect to an abstract Unix socket": "socket.socket(socket.AF_UNIX).connect(at['abstract'])",
    "open a netlink socket": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
    "run another program": "os.execv('/bin/true', ['true'])",
    "run itself again": "subprocess.run([sys.executable, '-c', ''], check=True)",
    "run a program from memory": (
        "program = os.memfd_create('true'); os.write(program, open('/bin/true', 'rb').read())\n"
        "os.execve(program, ['true'], {})"
    ),
    "fork": "os.fork() or os._exit(0)",
    "start a session": "os.setsid()",
    "signal another process": "os.kill(at['process'], 0)",
    "signal a thread of another process": (
        "ctypes.set_errno(0)\n"
        "if libc.syscall(at['tgkill'], at['process'], at['process'], 0): raise OSError()"
    ),
    "read the environment of another process": "open(f'/proc/{at[\"process\"]}/environ').read()",
    "limit another process": "resource.prlimit(at['process'], resource.RLIMIT_CORE, (0, 0))",
    "make a user namespace": "if libc.unshare(0x10000000): raise OSError()",
    "set up io_uring": (
        "if libc.syscall(425, 1, ctypes.create_string_buffer(120)) < 0: raise OSError()"
    ),
}
"""Python code by what it tries; ``at`` has what it needs. It raises OSError if it is refused."""
OUTSIDE_TOO: Final = frozenset({"make a user namespace", "set up io_uring"})
"""What a system may refuse outside of a sandbox, too."""
_PROGRAM: Final = """\
import ctypes, json, os, resource, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
at = json.loads(sys.argv[1])
try:
    exec(sys.argv[2])
except OSError as error:
    print("refused", flush=True)
else:
    print("reached", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a program: its exit code and its output."""

    code: int
    output: str


def python_files() -> Mapping[str, int]:
    """Return the rights that Python needs, by path: its program, its modules and its libraries."""
    program = files_to_start(PYTHON)
    folders = {os.fspath(Path(one).parent) for one in program if "/lib" in one}
    modules = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]
    return {**dict.fromkeys([*modules, *folders], READ), **program}


def run_python(
    code: str,
    folder: Path,
    *arguments: str,
    wall_s: float = WALL_S,
    stop: Event | None = None,
    limits: Mapping[str, int] | None = None,
) -> Ended:
    """Run Python code in a sandbox that has the folder."""
    (folder / "work").mkdir(exist_ok=True)
    output = folder / "output"
    launch = Launch(
        command=(os.fspath(PYTHON), "-I", "-S", "-c", code, *arguments),
        folder=os.fspath(folder / "work"),
        output=os.fspath(output),
        environment={},
        limits=limits or {},
        allowed={**python_files(), os.fspath(folder): READ},
    )
    done = run_confined(launch, wall_s=wall_s, stop=stop or Event())
    return Ended(done, output.read_text())


def try_inside(canary: str, at: Mapping[str, object], folder: Path) -> Ended:
    """Run a canary in a sandbox that has the folder."""
    return run_python(_PROGRAM, folder, json.dumps(at), CANARIES[canary])


def try_outside(canary: str, at: Mapping[str, object]) -> Ended:
    """Run a canary without a sandbox."""
    command = [os.fspath(PYTHON), "-I", "-S", "-c", _PROGRAM, json.dumps(at), CANARIES[canary]]
    done = subprocess.run(command, capture_output=True, text=True, env={}, check=False)
    return Ended(done.returncode, done.stdout)


def need_sandbox() -> None:
    """Skip a test where this machine cannot confine; in CI on Linux it must be able to."""
    gaps = unconfined()
    if gaps is None:
        return
    if sys.platform == "linux" and os.environ.get("CI"):
        pytest.fail(f"linters are unconfined: {gaps}")
    pytest.skip(gaps)

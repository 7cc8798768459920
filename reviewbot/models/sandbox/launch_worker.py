"""The process that starts confined programs, one at a time.

:mod:`reviewbot.models.sandbox.launcher` starts it, and writes a request to standard input for each
program: a line of JSON with the fields of :class:`~reviewbot.models.sandbox.launcher.Launch`. The
reply on standard output is a line with the exit code, or with an error; an empty reply comes first,
when the process is ready. It has one thread, so that it can fork safely. The child restricts itself
before it becomes the program.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from typing import Any

from reviewbot.models.sandbox import confine


def main() -> None:
    """Answer requests until standard input ends."""
    print("{}", flush=True)  # noqa: T201 - ready
    for line in sys.stdin:
        print(json.dumps(_run(json.loads(line))), flush=True)  # noqa: T201 - the reply


def _run(launch: dict[str, Any]) -> dict[str, Any]:
    """Return the exit code of a program, negative if a signal ended it, or why it did not start."""
    error, report = os.pipe()  # both are closed when a program starts
    child = os.fork()
    if child == 0:
        try:
            _become(launch)
        except BaseException as problem:  # noqa: BLE001 - nothing may return from the child
            reason = getattr(problem, "strerror", None) or problem
            os.write(report, str(reason).encode())
        finally:
            os._exit(1)
    os.close(report)
    with open(error, "rb") as pipe:  # noqa: PTH123 - a descriptor
        reason = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    return {"error": reason} if reason else {"code": os.waitstatus_to_exitcode(status)}


def _become(launch: dict[str, Any]) -> None:
    """Restrict the process, and replace it by the program.

    Raises:
        OSError: a file is missing, or a restriction cannot be applied.
    """
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and thus by the program
        signal.signal(ignored, signal.SIG_DFL)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, opened in enumerate(
        (
            os.open(os.devnull, os.O_RDONLY),
            os.open(launch["output"], flags, 0o600),
            os.open(os.devnull, os.O_WRONLY),
        )
    ):
        os.dup2(opened, number)
    os.chdir(launch["folder"])
    for kind, most in launch["limits"].items():
        number = getattr(resource, kind)
        _, hard = resource.getrlimit(number)
        lower = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(number, (lower, lower))
    confine.restrict_thread(launch["allowed"])
    program, *_ = launch["command"]
    os.execve(program, launch["command"], launch["environment"])  # noqa: S606 - no shell is wanted

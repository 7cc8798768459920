"""A process that has loaded reviewbot and forks: a server starts without importing anything.

Importing is most of what the start of a server costs. ``tests.support.forks`` starts one template
for each test process, as ``python -m tests.support.template_process FD``, and sends it requests
over the socket FD: JSON with the arguments, the environment and the folder of a command, whether
it runs linters, which code it looks up, and file descriptors for its input, output and errors. The
template answers with the process id. A last descriptor of the request gets the exit code once the
process is over.

What a fork inherits is what ``python -m reviewbot`` would have loaded anyway: modules, and the
parsed rules. Nothing else has run in the template: the threads of a library would be missing in the
forks. At the end of a fork its threads are joined and its exit handlers run. The interpreter is not
taken down: that would copy what the fork shares with the template, for 0.1 CPU seconds.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Final

from tests.support.leak_server import start_leak_server, use_leak_server

LOADED: Final = (
    *("anthropic", "anthropic.types", "dbos", "dbos._sys_db_sqlite", "psycopg", "sse_starlette"),
    *("dotenv", "encodings.idna", "filelock", "github", "ijson", "jinja2", "markdown_it"),
    *("psutil", "requests", "tenacity", "tiktoken", "uvicorn"),
    *("uvicorn.lifespan.on", "uvicorn.loops.auto", "uvicorn.protocols.http.h11_impl"),
    *("reviewbot.cli.serve", "reviewbot.cli.action", "reviewbot.action.review"),
    *("reviewbot.cli.main", "reviewbot.cli.pull_request", "reviewbot.cli.review_run"),
    *("reviewbot.cli.repository_source", "reviewbot.code.dossier", "reviewbot.code.running_code"),
    *("reviewbot.models.sandbox.launcher", "reviewbot.pipeline.dossiers"),
    *("reviewbot.pipeline.lookups", "reviewbot.pipeline.use_finder"),
    *("reviewbot.core.prompt.verification", "reviewbot.github.client.transport"),
    *("reviewbot.jobs.service", "reviewbot.jobs.warm_up"),
    *(
        "reviewbot.models.anthropic.claude",
        "reviewbot.models.linters.batches",
        "reviewbot.models.linters.overlap",
        "reviewbot.models.linters.whole_text",
        "reviewbot.models.offline.model",
        "reviewbot.models.verifier",
        "reviewbot.pipeline.prepare",
        "reviewbot.pipeline.review",
        "reviewbot.pipeline.workers",
    ),
    *(
        "reviewbot.server.app",
        "reviewbot.server.github.integration",
        "reviewbot.server.telemetry.logs",
    ),
    *(
        "reviewbot.server.telemetry.metrics",
        "reviewbot.server.http.process",
        "reviewbot.server.http.protocol",
        "reviewbot.server.telemetry.traces",
    ),
    *("sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite"),
)
MOST_BYTES: Final = 1_000_000
LINTERS: Final = "reviewbot.models.linters.linters"
"""Module that finds the linters. Few tests run any: each is a process for a file."""


def fork_on_request(requests: socket.socket, leaks: str) -> None:
    """Fork whenever asked. Return in each fork; the template itself ends with its socket.

    ``leaks`` is the address of the server of betterleaks.
    """
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([requests.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _reap(children)
        if requests.fileno() not in ready:
            continue
        message, files, _, _ = socket.recv_fds(requests, MOST_BYTES, 4)
        if not message:
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os._exit(0)
        assert threading.active_count() == 1, "only a process of one thread may be forked"
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, file in enumerate(files[:3]):
                os.dup2(file, number)
            for file in (*files, *children.values(), woken, wake):
                os.close(file)
            requests.close()
            use_leak_server(leaks)
            _become(**json.loads(message))
            return
        for file in files[:3]:
            os.close(file)
        children[pid] = files[3]
        requests.send(str(pid).encode())


def _reap(children: dict[int, int]) -> None:
    """Report the exit codes of the forks that ended."""
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        code = os.waitstatus_to_exitcode(status)
        with contextlib.suppress(BrokenPipeError):
            os.write(children[pid], str(code).encode())
        os.close(children.pop(pid))


def _become(
    arguments: list[str],
    environment: dict[str, str],
    folder: str,
    *,
    linters: bool,
    code: dict[str, str],
) -> None:
    if not linters:
        vars(import_module(LINTERS))["find_programs"] = tuple
    if code:
        from tests.support.served_code import serve_code

        serve_code(code, Path(folder))
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[1:] = arguments
    # Those of the template know what kind of file was there before.
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - a descriptor, to the end
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - likewise
    sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115 - likewise


def _run() -> int:
    """Run the command to its end and return its exit code."""
    from reviewbot.cli.main import main

    try:
        return main()
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        return ended.code


if __name__ == "__main__":
    from reviewbot.models.anthropic.messages_api import load_sdk
    from reviewbot.rules.folders import FOLDERS_OF
    from reviewbot.rules.load import load_rules, rules_in

    for module in LOADED:
        import_module(module)
    load_sdk()
    import_module(LINTERS)
    load_rules()
    for language in FOLDERS_OF:
        rules_in(language, "")
    address = start_leak_server()
    gc.collect()
    gc.freeze()
    fork_on_request(socket.socket(fileno=int(sys.argv[1])), address)
    code = _run()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

"""betterleaks for all forks of a template, whose own process would take longer than most of them.

The template starts ``python -m tests.support.leak_server FD``, which answers each connection to the
listening socket FD as :mod:`reviewbot.models.sandbox.leak_worker` answers its standard input. Tests
of that process, and of commands that are not forked, start it as users do.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from reviewbot.core.safety import leak_process
from reviewbot.core.safety.leak_process import LeakScanError
from reviewbot.models.sandbox.leak_worker import replies_to

_SERVERS: Final[list[subprocess.Popen[bytes]]] = []
"""The server of this process, whose standard input stays open."""


class SharedLeaks:
    """A connection to the server, with the methods of a ``LeakProcess`` that reviews use."""

    def __init__(self, address: str) -> None:
        self._lock = threading.Lock()
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
        self._stream = connection.makefile("rw")
        self.version = self._exchange(None)

    def scan(self, text: str) -> list[dict[str, Any]]:
        """Return the matches in a text."""
        with self._lock:
            matches = self._exchange(text)
        if not isinstance(matches, list):
            raise LeakScanError("it could not search the text")
        return matches

    def _exchange(self, text: str | None) -> object:
        self._stream.write(json.dumps(text) + "\n")
        self._stream.flush()
        return cast("object", json.loads(self._stream.readline()))


def start_leak_server() -> str:
    """Start the server and return its address. It ends with this process and its forks."""
    address = str(Path(tempfile.mkdtemp(prefix="leaks")) / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(64)
        server = subprocess.Popen(
            [sys.executable, "-m", __name__, str(listening.fileno()), address],
            pass_fds=[listening.fileno()],
            stdin=subprocess.PIPE,
        )
    _SERVERS.append(server)
    return address


def use_leak_server(address: str) -> None:
    """Have this process search with the server at ``address``."""
    vars(leak_process)["_leak_process"] = cache(lambda: SharedLeaks(address))


def _answer(connection: socket.socket) -> None:
    with connection, connection.makefile("rw") as stream:
        for reply in replies_to(stream):
            stream.write(reply + "\n")
            stream.flush()


def _serve(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_answer, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    listener = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=_serve, args=(listener,), daemon=True).start()
    sys.stdin.read()  # ends when nobody is left to ask
    shutil.rmtree(Path(sys.argv[2]).parent)
    os._exit(0)

"""What holds for every test: no network but loopback, and no waiting for real."""

from __future__ import annotations

import socket
import time
from typing import Any, Final

import pytest

LOOPBACK: Final = ("127.", "::1", "localhost")
LONGEST_SLEEP_S: Final = 0.05


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anything but loopback fails the test, and so does a name to be resolved."""
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def only_loopback(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(LOOPBACK):
            pytest.fail(f"a test wanted to connect to {address}")
        connect(self, address)

    def only_local_names(host: Any, *arguments: Any, **options: Any) -> Any:
        if host is not None and not str(host).startswith(LOOPBACK):
            pytest.fail(f"a test wanted to resolve {host!r}")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket.socket, "connect", only_loopback)
    monkeypatch.setattr(socket, "getaddrinfo", only_local_names)


@pytest.fixture(autouse=True)
def _no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """``time.sleep`` of more than some milliseconds fails the test."""
    sleep = time.sleep

    def short(seconds: float) -> None:
        if seconds > LONGEST_SLEEP_S:
            pytest.fail(f"a test slept for {seconds} s")
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", short)

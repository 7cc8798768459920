"""The listening sockets of a server, and error messages for invalid addresses."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

BACKLOG: Final = 2_048
"""Maximum number of connections that wait to be accepted."""
FREE_PORTS: Final = 10
"""Maximum number of ports to try, to find a port that is free at every address."""


def listening(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen at each address of ``host``, all on the same port.

    uvicorn would create the sockets later, and report failures as errors of its own.

    Raises:
        ConfigError: the host or the port cannot be used.
    """
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        reason = f": {error.strerror}" if isinstance(error, OSError) else ""
        raise ConfigError(f"{host} cannot be resolved{reason}", source="--host") from error
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    for left in reversed(range(FREE_PORTS)):
        try:
            return _bound(addresses, port)
        except OSError as error:
            # A port that is free at one address may be in use at the next address.
            if port or not left or error.errno != errno.EADDRINUSE:
                raise _no_socket(error, host, port) from error
    raise AssertionError("the last try returns")


def _bound(
    addresses: Sequence[tuple[socket.AddressFamily, tuple[Any, ...]]], port: int
) -> list[socket.socket]:
    """Return a socket for each address that exists; at least one socket.

    Raises:
        OSError: the port cannot be used, or no address exists.
    """
    with ExitStack() as undone:
        sockets: list[socket.socket] = []
        missing: OSError | None = None
        for family, address in addresses:
            there = (address[0], port, *address[2:])
            try:
                one = socket.create_server(there, family=family, backlog=BACKLOG)
            except OSError as error:
                # localhost has an IPv6 address where the machine has none.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                missing = error
                continue
            sockets.append(undone.enter_context(one))
            port = one.getsockname()[1]
        if missing and not sockets:
            raise missing
        undone.pop_all()
    return sockets


def _no_socket(error: OSError, host: str, port: int) -> ConfigError:
    where = f"port {port} of {host or 'this machine'}"
    match error.errno:
        case errno.EADDRINUSE:
            return ConfigError(f"{where} is in use; choose another with --port")
        case errno.EACCES | errno.EPERM:
            return ConfigError(
                f"this user may not listen on {where}; choose another, above 1023, with --port"
            )
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return ConfigError(f"{host} is not an address of this machine", source="--host")
        case _:
            reason = os.strerror(error.errno or 0)
            return ConfigError(f"cannot listen on {where}: {reason}", source="--host")

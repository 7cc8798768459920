"""``reviewbot serve``: reviews over HTTP, on this machine or for others."""

from __future__ import annotations

import argparse
import asyncio
import errno
import ipaddress
import logging
import math
import os
import signal
import socket
import sys
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reviewbot import __version__
from reviewbot.configure import read_settings, read_variable
from reviewbot.core.wording import count
from reviewbot.errors import EXIT_INTERRUPTED, EXIT_OK, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

    import uvicorn

    from reviewbot.jobs.service import ReviewService
    from reviewbot.server.logs import LogFormat
    from reviewbot.settings import Settings

BACKLOG: Final = 2_048
"""Connections that wait until they are taken."""
FREE_PORTS: Final = 10
"""How many are tried, for one that is free at every address."""
M_MMAP_THRESHOLD: Final = -3  # malloc.h
LARGE: Final = 1 << 20
"""Bytes of a block that is returned, such as a diff: the default grows up to 32 MiB."""
AT_ONCE_S: Final = 0.7
"""How long a server that is interrupted twice may take to put its reviews back into the queue."""

log = logging.getLogger(__name__)

EPILOG: Final = """\
examples:
  reviewbot serve                              on this machine, without a key
  reviewbot keys add ci && reviewbot serve --host 0.0.0.0
  reviewbot serve --database postgresql://reviewbot@db/reviewbot

  git diff main... | curl -N -H 'Accept: text/event-stream' \\
      --data-binary @- localhost:8000/v1/reviews
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--port", type=_port, default=8000, help="0 takes a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="sqlite:///PATH or postgresql://... (default: a file in the state folder)",
    )
    parser.add_argument("--model", metavar="NAME", help="who reviews unless a request says")
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of .reviewbot.yml")
    parser.add_argument(
        "--require-keys", action="store_true", help="ask for a key on a loopback address, too"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name that requests may be for, behind a proxy",
    )
    parser.add_argument(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a site whose pages may use the API, such as https://example.com",
    )
    parser.add_argument(
        "--reviews-at-once", type=_count, default=8, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--reviews-per-key",
        type=_count,
        default=8,
        metavar="N",
        help="reviews of one key at work at once, the others wait (default: %(default)s)",
    )
    parser.add_argument(
        "--max-body-mb", type=_count, default=10, metavar="N", help="default: %(default)s"
    )
    parser.add_argument(
        "--retention-days",
        type=_days,
        default=30,
        metavar="N",
        help="delete finished reviews after N days; 0 keeps them (default: %(default)s)",
    )
    parser.add_argument(
        "--cache-mb",
        type=_megabytes,
        default=200,
        metavar="N",
        help="keep N MB of what was reviewed for each key, so that it is not paid for again;"
        " 0 is no cache (default: %(default)s)",
    )
    parser.add_argument(
        "--grace-s",
        type=_seconds,
        default=10.0,
        metavar="S",
        help="let reviews go on for S seconds at the end (default: %(default)s)",
    )
    parser.add_argument(
        "--first-wait-s",
        type=_seconds,
        default=30.0,
        metavar="S",
        help="while every model is down, try again after S seconds, then ever later"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--wait-limit-s",
        type=_seconds,
        default=3600.0,
        metavar="S",
        help="after S seconds of that, end the review as incomplete (default: %(default)s)",
    )
    parser.add_argument(
        "--log-format",
        choices=("json", "text"),
        help="of the log on standard error (default: text on a terminal, else json)",
    )
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="default: %(default)s",
    )
    parser.epilog = EPILOG


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:6]) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:7]) <= 10_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 10000")
    return int(text)


def _megabytes(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:9]) > 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes")
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:7]) > 36_500:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal comes."""
    try:
        import uvicorn

        from reviewbot.jobs.run import Waits
        from reviewbot.jobs.service import ReviewService, ServiceConfig
        from reviewbot.prepare import Crew
        from reviewbot.server.app import ServerConfig, make_app
        from reviewbot.server.guard import Guard
        from reviewbot.server.logs import configure
        from reviewbot.server.metrics import Metrics
        from reviewbot.server.observed import Observed
        from reviewbot.server.protocol import ACCEPTED_AT_ONCE, HEAD_LIMIT, ProblemProtocol
        from reviewbot.server.traces import Traces, provider_from
        from reviewbot.store import keys
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("reviewbot"):
            raise
        raise ConfigError(
            f"the server is not installed ({error.name} is missing):"
            " install reviewbot with its extra, as in pip install '.[server]'"
        ) from None
    log_format: LogFormat = args.log_format or ("text" if sys.stderr.isatty() else "json")
    configure(log_format, args.log_level)
    settings = _load({"model": args.model}, config=args.config)
    Crew(settings)  # or no request could be answered
    url = database_url(args.database, settings)
    loopback = _is_loopback(args.host)
    metrics = Metrics([*(one.name for one in settings.choices), *settings.models])
    observed = Observed(metrics, Traces(provider_from(os.environ), model=metrics.model))
    service = ReviewService(
        ServiceConfig(
            database_url=url,
            at_once=args.reviews_at_once,
            per_tenant=args.reviews_per_key,
            retention_days=args.retention_days,
            grace_s=args.grace_s,
            cache_bytes=args.cache_mb * 1_000_000,
            waits=Waits(args.first_wait_s, args.wait_limit_s),
        ),
        partial(_load_for_request, args.model, args.config),
        hooks=observed.hooks,
    )
    need_key = args.require_keys or not loopback
    if need_key:
        with service.database.engine.connect() as connection:
            if not keys.exist(connection):
                raise ConfigError(
                    f"{args.host} can be reached by others, and there is no key yet;"
                    " make one with: reviewbot keys add NAME",
                    source="--host",
                )
    app = make_app(
        service,
        ServerConfig(
            need_key=need_key,
            guard=Guard(loopback, tuple(args.allow_host), tuple(args.cors_origin)),
            body_limit=args.max_body_mb * 1_000_000,
        ),
        observed,
    )
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here depends on who a proxy says that it asks for
        ws="none",
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
        http=ProblemProtocol,
        h11_max_incomplete_event_size=HEAD_LIMIT,
        backlog=ACCEPTED_AT_ONCE,
    )
    service.lock()
    _give_memory_back()
    sockets = listening(args.host, args.port)
    about = f"{settings.model.name} reviews: {settings.model_source}"
    tell = _say if log_format == "text" else log.info
    _server(config, service, about, tell).run(sockets)
    return EXIT_OK


def _server(
    config: uvicorn.Config, service: ReviewService, about: str, tell: Callable[[str], object]
) -> uvicorn.Server:
    """A server that says where it can be found once it can be; ``tell`` what it waits for."""
    import uvicorn

    class Server(uvicorn.Server):
        winding_down: asyncio.Task[None] | None = None
        ending: asyncio.Task[None] | None = None

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            super().handle_exit(sig, frame)
            if self.force_exit and self.ending is None:
                if self.winding_down is not None:
                    self.winding_down.cancel()
                self.ending = asyncio.get_running_loop().create_task(_end_at_once(service))

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Shut down at a signal, and be done: uvicorn lets it end the process after all."""
            loop = asyncio.get_running_loop()
            numbers = (signal.SIGINT, signal.SIGTERM)
            try:
                for number in numbers:
                    loop.add_signal_handler(number, self.handle_exit, number, None)
            except NotImplementedError:  # Windows
                with super().capture_signals():
                    yield
                return
            try:
                yield
            finally:
                for number in numbers:
                    loop.remove_signal_handler(number)

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            _tell_where(sockets if self.started and sockets else [], about)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            _tell_of_wait(service, tell)
            # uvicorn waits for streams to end before it tells the application to end them.
            self.winding_down = asyncio.create_task(service.wind_down())
            await asyncio.wait({self.winding_down})
            if self.ending is None:
                await super().shutdown(sockets)
            if self.ending is not None:  # by now, perhaps: it ends the process
                await self.ending

    return Server(config)


async def _end_at_once(service: ReviewService) -> None:
    """End the process, whatever its threads wait for: Python would wait for them."""
    log.warning("interrupted again: it ends at once, and its reviews are taken up again later")
    asyncio.get_running_loop().call_later(AT_ONCE_S, os._exit, EXIT_INTERRUPTED)
    with suppress(Exception):  # what is not put back is found, as after a power cut
        await service.wind_down(grace_s=0)
    os._exit(EXIT_INTERRUPTED)


def listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen at each address of ``host``, all on the same port.

    uvicorn would do it later, and tell of what goes wrong as of an error of its own.

    Raises:
        ConfigError: what is wrong with the host or the port.
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
            # What was free at one address need not be at the next.
            if port or not left or error.errno != errno.EADDRINUSE:
                raise _no_socket(error, host, port) from error
    raise AssertionError("the last try returns")


def _bound(
    addresses: Sequence[tuple[socket.AddressFamily, tuple[Any, ...]]], port: int
) -> list[socket.socket]:
    """A socket for each address that is there; at least one.

    Raises:
        OSError: the port cannot be had, or no address is there.
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
            return ConfigError(f"{host} is no address of this machine", source="--host")
        case _:
            reason = os.strerror(error.errno or 0)
            return ConfigError(f"{where} cannot be listened on: {reason}", source="--host")


def _give_memory_back() -> None:
    """Have large blocks returned once they are free. glibc would keep them between smaller ones."""
    import ctypes

    with suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)


def _tell_where(sockets: Sequence[socket.socket], about: str) -> None:
    """Say where the server can be found, if it can."""
    for one in sockets:
        one.listen(BACKLOG)  # asyncio has set that to the number that it takes at once
    if not sockets:
        return
    host, port = sockets[0].getsockname()[:2]
    name = f"[{host}]" if ":" in host else host
    print(f"reviewbot {__version__} at http://{name}:{port} ({about})", flush=True)  # noqa: T201  for people


def _tell_of_wait(service: ReviewService, tell: Callable[[str], object]) -> None:
    running, grace_s = len(service.runner.active), service.config.grace_s
    if running and grace_s > 0:
        wait = f"waiting up to {grace_s:g} s for {count(running, 'review')}"
        tell(f"{wait}; press Ctrl-C again to stop now")


def _say(sentence: str) -> None:
    print(f"reviewbot: {sentence}", file=sys.stderr, flush=True)  # noqa: T201  for people


def _load(flags: dict[str, object], *, config: Path | None) -> Settings:
    return read_settings(flags, config=config)


def _load_for_request(
    model: str | None, config: Path | None, options: dict[str, object]
) -> Settings:
    """The settings of one review: the request's options, then what serve was started with."""
    return read_settings({"model": model, **options}, config=config)


def database_url(given: str | None, settings: Settings) -> str:
    """The flag, then the environment, then a file in the state folder."""
    from reviewbot.jobs.service import default_url

    return given or read_variable("REVIEWBOT_DATABASE_URL") or default_url(settings.state_folder)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""``reviewbot serve``: serve reviews over HTTP, locally or for other machines."""

from __future__ import annotations

import argparse
import ipaddress
import logging
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reviewbot.cli.amounts import dollars, whole_number
from reviewbot.cli.keys import database_url
from reviewbot.config.installation import install_command
from reviewbot.config.load import dotenv_of, read_settings
from reviewbot.config.variables import DOTENV_NAME, GITHUB_ADDRESS, not_read
from reviewbot.errors import EXIT_OK, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from reviewbot.config.settings import Settings
    from reviewbot.jobs.service import ReviewService
    from reviewbot.server.github.integration import GitHubSide
    from reviewbot.server.telemetry.logs import LogFormat
    from reviewbot.store.keys import Limits


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
        "--port",
        type=whole_number(0, 65_535),
        default=8000,
        help="the port to listen on; 0 selects a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--database",
        metavar="URL",
        help="sqlite:///PATH or postgresql://... (default: a file in the state folder)",
    )
    parser.add_argument(
        "--model", metavar="NAME", help="model that reviews, unless a request names one"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="read this file instead of .reviewbot.yml"
    )
    parser.add_argument(
        "--require-keys", action="store_true", help="require a key on a loopback address, too"
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name to accept in requests, behind a proxy",
    )
    parser.add_argument(
        "--public-url",
        metavar="URL",
        help="address at which GitHub and people reach this server, for App setup and links",
    )
    parser.add_argument(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a site whose pages may use the API, such as https://example.com",
    )
    parser.add_argument(
        "--reviews-at-once",
        type=whole_number(1, 10_000),
        default=16,
        metavar="N",
        help="maximum concurrent reviews on this node; others wait (default: %(default)s)",
    )
    parser.add_argument(
        "--reviews-per-key",
        type=whole_number(1, 10_000),
        default=8,
        metavar="N",
        help="maximum concurrent reviews per key; others wait (default: %(default)s)",
    )
    parser.add_argument(
        "--usd-per-installation",
        type=dollars,
        metavar="N",
        help="maximum US dollars per installation of the App and UTC day (default: no limit)",
    )
    parser.add_argument(
        "--max-body-mb",
        type=whole_number(1, 10_000),
        default=10,
        metavar="N",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--retention-days",
        type=whole_number(0, 36_500),
        default=30,
        metavar="N",
        help="delete finished reviews after N days; 0 keeps them (default: %(default)s)",
    )
    parser.add_argument(
        "--cache-mb",
        type=whole_number(0, 1_000_000),
        default=200,
        metavar="N",
        help="size of the review cache of each key, in MB; 0 turns it off (default: %(default)s)",
    )
    parser.add_argument(
        "--clones-mb",
        type=whole_number(0, 1_000_000),
        default=2_000,
        metavar="N",
        help="size of the clones that the App keeps in the state folder, in MB; 0 keeps none"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--grace-s",
        type=_seconds,
        default=10.0,
        metavar="S",
        help="let running reviews continue for S seconds at shutdown (default: %(default)s)",
    )
    parser.add_argument(
        "--first-wait-s",
        type=_seconds,
        default=30.0,
        metavar="S",
        help="while every model is down, retry after S seconds, then at growing intervals"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--wait-limit-s",
        type=_seconds,
        default=3600.0,
        metavar="S",
        help="end a review as incomplete once every model was down for S seconds"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--log-format",
        choices=("json", "text"),
        help="format of the log on standard error (default: text on a terminal, else json)",
    )
    parser.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="default: %(default)s",
    )
    parser.epilog = EPILOG


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number of seconds")
    return value


def run(args: argparse.Namespace) -> int:
    """Serve until a signal arrives."""
    try:
        import uvicorn

        from reviewbot.jobs.run_dependencies import ModelRetryPolicy
        from reviewbot.jobs.service import ReviewService, ServiceConfig
        from reviewbot.pipeline.model_clients import check_choices
        from reviewbot.server.app import ServerConfig, make_app
        from reviewbot.server.http.guard import Guard
        from reviewbot.server.http.process import (
            HttpServer,
            give_memory_back,
            say,
            shorten_switch_interval,
        )
        from reviewbot.server.http.protocol import ACCEPTED_AT_ONCE, HEAD_LIMIT, ProblemProtocol
        from reviewbot.server.http.sockets import listening
        from reviewbot.server.telemetry.instrumentation import Telemetry
        from reviewbot.server.telemetry.logs import configure
        from reviewbot.server.telemetry.metrics import Metrics
        from reviewbot.server.telemetry.traces import Traces, provider_from
        from reviewbot.store import keys, store_key
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("reviewbot"):
            raise
        raise ConfigError(
            f"the server is not installed ({error.name} is missing):"
            f" install reviewbot with its extra, as in {install_command('server')}"
        ) from None
    log_format: LogFormat = args.log_format or ("text" if sys.stderr.isatty() else "json")
    configure(log_format, args.log_level)
    dotenv = dotenv_of(Path.cwd(), None)  # once: a git pull must not redirect a running server

    def load(options: Mapping[str, object]) -> Settings:
        """Return the settings of one review; its options override those of serve."""
        return read_settings({"model": args.model, **options}, config=args.config, dotenv=dotenv)

    settings = load({})
    for sentence in (*settings.ignored, *_of_dotenv(settings, dotenv)):
        log.warning("%s", sentence)
    check_choices(settings)  # fail now instead of at each request
    url = database_url(args.database, settings)
    loopback = _is_loopback(args.host)
    metrics = Metrics([*(one.name for one in settings.choices), *settings.models])
    observed = Telemetry(metrics, Traces(provider_from(os.environ), model=metrics.model))
    service = ReviewService(
        ServiceConfig(
            database_url=url,
            cipher=store_key.read_cipher(os.environ.get, settings.state_folder, url),
            at_once=args.reviews_at_once,
            per_tenant=args.reviews_per_key,
            retention_days=args.retention_days,
            grace_s=args.grace_s,
            cache_bytes=args.cache_mb * 1_000_000,
            waits=ModelRetryPolicy(args.first_wait_s, args.wait_limit_s),
        ),
        load,
        hooks=observed.hooks,
    )
    need_key = args.require_keys or not loopback
    if need_key:
        with service.database.engine.connect() as connection:
            if not keys.exist(connection):
                raise _without_key(args.host, loopback=loopback)
    limits = keys.Limits(usd_per_day=args.usd_per_installation)
    github = github_side(
        *(settings, service, load, args.public_url, limits),
        clone_bytes=args.clones_mb * 1_000_000,
    )
    app = make_app(
        service,
        ServerConfig(
            need_key=need_key,
            guard=Guard(
                loopback,
                _hosts(args, need_key=need_key),
                tuple(args.cors_origin),
                (urlsplit(args.public_url).netloc,) if args.public_url else (),
            ),
            body_limit=args.max_body_mb * 1_000_000,
        ),
        observed,
        github=github,
    )
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing uses the client that a proxy names
        ws="none",
        timeout_graceful_shutdown=5,
        timeout_keep_alive=30,
        http=ProblemProtocol,
        h11_max_incomplete_event_size=HEAD_LIMIT,
        backlog=ACCEPTED_AT_ONCE,
    )
    service.lock()
    give_memory_back()
    shorten_switch_interval()
    sockets = listening(args.host, args.port)
    about = f"{settings.model.name} reviews: {settings.model_source}"
    report = say if log_format == "text" else log.info
    server = HttpServer(
        config,
        service,
        about=about,
        report=report,
        invite=github.invitation if github else lambda _address: None,
    )
    server.run(sockets)
    return EXIT_OK


def _hosts(args: argparse.Namespace, *, need_key: bool) -> tuple[str, ...]:
    """Return the allowed hosts, including the public address only if keys are needed."""
    given = tuple(args.allow_host)
    checked = bool(given) or _is_loopback(args.host)
    if args.public_url and need_key and checked:
        return (*given, urlsplit(args.public_url).netloc)
    return given


def github_side(
    settings: Settings,
    service: ReviewService,
    load: Callable[[Mapping[str, object]], Settings],
    public_url: str | None,
    limits: Limits,
    *,
    clone_bytes: int = 0,
) -> GitHubSide | None:
    """Return the GitHub side of the server; None without PyGithub and without an App.

    ``clone_bytes`` is the maximum size of the App's clones; 0 keeps none.

    Raises:
        ConfigError: an App is configured but cannot be used.
    """
    from importlib.util import find_spec

    from reviewbot.github.api.gateway import API_URL
    from reviewbot.github.app.credentials import read_app_config
    from reviewbot.server.github.integration import GitHubSide
    from reviewbot.server.github.setup import SetupConfig

    app = read_app_config(os.environ.get, settings.state_folder)
    if app is None and find_spec("github") is None:
        return None
    api_url = (os.environ.get(GITHUB_ADDRESS) or API_URL).rstrip("/")
    setup = SetupConfig(settings.state_folder, api_url, public_url)
    return GitHubSide(app, setup, service, load, limits, clone_bytes=clone_bytes)


def _of_dotenv(settings: Settings, dotenv: Mapping[str, str]) -> Iterator[str]:
    """Yield sentences about addresses that ``.env`` sets, or may not set."""
    origin = settings.origins.get("base_url", "")
    if origin.endswith(DOTENV_NAME) and settings.model.base_url:
        yield f"diffs are sent to {settings.model.base_url}, set by {origin}."
    # A server uses this address for its App: the set-up must not lead to an untrusted server.
    if dotenv.get(GITHUB_ADDRESS):
        yield not_read(GITHUB_ADDRESS)


def _without_key(host: str, *, loopback: bool) -> ConfigError:
    remedy = "there is no key yet; make one with: reviewbot keys add NAME"
    if loopback:
        return ConfigError(remedy, source="--require-keys")
    return ConfigError(f"{host} can be reached by others, and {remedy}", source="--host")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

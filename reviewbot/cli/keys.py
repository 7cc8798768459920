"""``reviewbot keys``: the API keys of a server."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.cli.amounts import dollars, whole_number
from reviewbot.config.installation import install_command
from reviewbot.config.load import read_settings
from reviewbot.config.variables import DATABASE_URL
from reviewbot.core.safety.escape import show
from reviewbot.core.wording import count
from reviewbot.errors import EXIT_OK, ConfigError

if TYPE_CHECKING:
    from reviewbot.config.settings import Settings
    from reviewbot.store.keys import Key, Limits

EPILOG: Final = """\
examples:
  reviewbot keys add ci --tokens-per-day 2000000 --usd-per-day 20
  reviewbot keys add prometheus --scope metrics
  reviewbot keys list
  reviewbot keys revoke 3f2a91c07be4

A key is shown once, when it is added; the database keeps only its digest.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    database = argparse.ArgumentParser(add_help=False)
    database.add_argument(
        "--database", metavar="URL", help="database of reviewbot serve (default: the same)"
    )
    database.add_argument(
        "--config", type=Path, metavar="FILE", help="read this file instead of .reviewbot.yml"
    )
    add = commands.add_parser("add", parents=[database], help="make a key and show it")
    add.add_argument("name", help="name that says who or what the key is for")
    add.add_argument(
        "--scope",
        choices=("reviews", "metrics"),
        default="reviews",
        help="what the key is for: reviews, or reading /metrics (default: %(default)s)",
    )
    number = whole_number(1, 10**15 - 1)
    for flag, kind, what in (
        ("--tokens-per-request", number, "maximum tokens per review"),
        ("--tokens-per-day", number, "maximum tokens per UTC day"),
        ("--usd-per-day", dollars, "maximum US dollars per UTC day"),
        ("--requests-per-minute", number, "maximum new reviews per minute"),
        ("--reviews-at-once", number, "maximum concurrent reviews"),
    ):
        add.add_argument(flag, type=kind, metavar="N", help=f"{what} (default: no limit)")
    commands.add_parser("list", parents=[database], help="list the keys, without their secrets")
    revoke = commands.add_parser("revoke", parents=[database], help="revoke a key")
    revoke.add_argument("id", help="id of the key, as keys list shows it")
    parser.epilog = EPILOG


def run(args: argparse.Namespace) -> int:
    """Add, list or revoke keys."""
    try:
        from reviewbot.store import keys, turns
        from reviewbot.store.database import open_database
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("reviewbot"):
            raise
        raise ConfigError(
            f"the server is not installed ({error.name} is missing):"
            f" install reviewbot with its extra, as in {install_command('server')}"
        ) from None

    settings = read_settings({}, config=args.config)
    for sentence in settings.ignored:
        print(f"reviewbot: {show(sentence)}", file=sys.stderr)  # noqa: T201  for people
    engine = open_database(database_url(args.database, settings)).engine
    note = ""
    try:
        with engine.begin() as connection:
            if args.action == "add":
                name = args.name.strip()
                if not 1 <= len(name) <= 100 or not name.isprintable():
                    raise ConfigError("a name has 1 to 100 printable characters", key="name")
                key, secret = keys.add(connection, name, _limits(args), scope=args.scope)
                said = secret
                note = f"This is the key {key.id} ({name}). It is not shown again."
            elif args.action == "list":
                lines = map(_line, keys.everyone(connection))
                said = "\n".join(lines) or "There are no keys; make one: reviewbot keys add NAME"
            elif keys.revoke(connection, args.id):
                at_work = turns.open_of(connection, args.id)
                turns.ask_to_stop(connection, at_work, "cancelled")
                said = f"revoked {args.id}"
                if at_work:
                    said += f"; {count(len(at_work), 'review')} of this key will be cancelled"
            else:
                raise ConfigError(f"there is no key {args.id:.40} in use; see: reviewbot keys list")
    finally:
        engine.dispose()
    print(said, flush=True)  # noqa: T201  the command's output
    if note:
        print(note, file=sys.stderr)  # noqa: T201  for people: the output is the key alone
    return EXIT_OK


def _limits(args: argparse.Namespace) -> Limits:
    from reviewbot.store.keys import Limits

    limits = Limits(
        tokens_per_request=args.tokens_per_request,
        tokens_per_day=args.tokens_per_day,
        usd_per_day=args.usd_per_day,
        requests_per_minute=args.requests_per_minute,
        reviews_at_once=args.reviews_at_once,
    )
    if args.scope == "metrics" and limits != Limits():
        raise ConfigError("a key for metrics has no limits; omit them", source="--scope")
    return limits


def _line(key: Key) -> str:
    """Return the line of a key in a list."""
    state = f"revoked {_day(key.revoked_at)}" if key.revoked_at else f"used {_day(key.used_at)}"
    limits = key.limits
    shown = [
        f"{value:,} {what}"
        for value, what in (
            (limits.tokens_per_request, "tokens a request"),
            (limits.tokens_per_day, "tokens a day"),
            (limits.requests_per_minute, "requests a minute"),
            (limits.reviews_at_once, "reviews at once"),
        )
        if value is not None
    ]
    if limits.usd_per_day is not None:
        shown.append(f"${limits.usd_per_day:,.2f} a day")
    return (
        f"{key.id}  {key.name}  {key.scope}, added {_day(key.created_at)}, {state};"
        f" {', '.join(shown) or 'no limits'}"
    )


def _day(at: int | None) -> str:
    return "never" if at is None else datetime.fromtimestamp(at / 1000, tz=UTC).strftime("%Y-%m-%d")


def database_url(given: str | None, settings: Settings) -> str:
    """Return the URL from the flag, the environment, or for a file in the state folder."""
    from reviewbot.jobs.service import default_url

    return given or os.environ.get(DATABASE_URL) or default_url(settings.state_folder)

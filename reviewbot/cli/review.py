"""``reviewbot review``: a diff from a file, standard input or git; findings as they arrive."""

from __future__ import annotations

import argparse
import asyncio
import math
import signal
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot import sources
from reviewbot.cli.output import PLAN_FORMATS, Outputs, write_plan
from reviewbot.configure import config_differs, read_settings, read_variable
from reviewbot.core.render import FINAL, STREAMING
from reviewbot.core.report import fails
from reviewbot.errors import (
    EXIT_FINDINGS,
    EXIT_INCOMPLETE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    ConfigError,
    SourceError,
)
from reviewbot.job import StopSignal
from reviewbot.prepare import prepare, workers
from reviewbot.review import review

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.report import Report
    from reviewbot.prepare import Prepared
    from reviewbot.settings import Settings

FORMATS: Final = ("terminal", *(name for name in STREAMING if name != "sse"), *FINAL)

MAX_JOBS: Final = 64

EPILOG: Final = """\
examples:
  reviewbot review                         what changed in this working tree
  reviewbot review --base main             what this branch changes
  reviewbot review change.diff             a diff file
  gh pr diff 42 | reviewbot review -       a diff from another program
  reviewbot review --dry-run               what would be sent, and its cost

exit codes:
  0 nothing at or above --fail-on   1 something   2 usage or configuration
  3 incomplete, even if there are findings        130 interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "diff", nargs="?", metavar="DIFF", help="a diff file, or - for standard input"
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--base", metavar="REV", help="all changes since the branch left REV")
    source.add_argument("--staged", action="store_true", help="what the next commit changes")
    parser.add_argument("--model", metavar="NAME", help="who reviews; offline needs no key")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="terminal",
        metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the format to FILE, text to the terminal"
    )
    parser.add_argument(
        "--fail-on",
        choices=("error", "warning", "note", "never"),
        help="exit 1 from this severity on (default: error)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print files, chunks, tokens and cost; ask no model"
    )
    parser.add_argument(
        "--budget-usd", type=_dollars, metavar="X", help="stop before spending more than X dollars"
    )
    parser.add_argument(
        "--jobs", type=_jobs, metavar="N", help="model requests at once (default: 8)"
    )
    parser.add_argument("--no-summary", action="store_true", help="do not ask for a summary")
    parser.add_argument("--title", default="", help="title of the change, for the summary")
    parser.add_argument(
        "--description-file", type=Path, metavar="FILE", help="its description, for the summary"
    )
    parser.add_argument(
        "--server",
        metavar="URL",
        help="have a reviewbot serve review it, and show what it finds as it comes",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of .reviewbot.yml")
    parser.epilog = EPILOG


def _dollars(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no amount above 0, such as 0.50")
    return value


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_JOBS:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {MAX_JOBS}")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Review; the exit code says how it went."""
    if args.dry_run and args.format not in PLAN_FORMATS:
        raise ConfigError(
            f"--dry-run has no findings to show as {args.format};"
            f" use --format {', '.join(PLAN_FORMATS[:-1])} or {PLAN_FORMATS[-1]}"
        )
    if args.dry_run and args.server is not None:
        raise ConfigError("--dry-run plans on this machine; leave out --server")
    if args.diff is not None and (args.base or args.staged):
        raise SourceError("give either a diff or --base or --staged, not both")
    repository = None
    if args.diff is None:
        repository = sources.open_repository(Path.cwd(), args.base)
    settings = read_settings(
        {
            "model": args.model,
            "fail_on": args.fail_on,
            "budget_usd": args.budget_usd,
            "jobs": args.jobs,
            "summary": False if args.no_summary else None,
        },
        config=args.config,
        base=repository if args.base else None,
    )
    data, notices = _read(args, repository)
    if args.server is not None:
        return exit_code(asyncio.run(_review_there(args, settings, data)), settings)
    attributes = "" if repository is None else repository.attributes()
    prepared = prepare(data, settings, attributes=attributes, notices=notices)
    if args.dry_run:
        write_plan(prepared.job, args.format, args.output)
        return EXIT_OK
    report = asyncio.run(_review(args, settings, prepared))
    with suppress(OSError):  # what was learned about tokens is a convenience
        prepared.calibration.save()
    return exit_code(report, settings)


def exit_code(report: Report, settings: Settings) -> int:
    """The exit code that a report amounts to."""
    if report.outcome == "cancelled":
        return EXIT_INTERRUPTED
    if not report.complete:
        return EXIT_INCOMPLETE
    return EXIT_FINDINGS if fails(report, settings.fail_on) else EXIT_OK


async def _review(args: argparse.Namespace, settings: Settings, prepared: Prepared) -> Report:
    stop = StopSignal()
    async with AsyncExitStack() as stack:
        work = await stack.enter_async_context(
            workers(prepared, settings, title=args.title, description=_description(args))
        )
        outputs = stack.enter_context(Outputs(args.format, args.output, prepared.job.files))
        stack.callback(_stop_on_interrupt(stop))
        events = review(prepared.job, work.run_batch, summarize=work.summarize, stop=stop)
        await stack.enter_async_context(aclosing(events))
        async for event in events:
            await outputs.take(event)
    return outputs.report


async def _review_there(args: argparse.Namespace, settings: Settings, data: bytes) -> Report:
    """The same by a server; the code around findings is our own."""
    from reviewbot.core.diff import parse_diff
    from reviewbot.remote import KEY, RemoteRequest, Server
    from reviewbot.settings import Secret

    key = (read_variable(KEY) or "").strip()
    server = Server(args.server, Secret(key) if key else None)
    asked = RemoteRequest(
        diff=data,
        title=args.title,
        description=_description(args),
        options=remote_options(settings, model=args.model),
    )
    files = parse_diff(data)
    stop = StopSignal()
    async with AsyncExitStack() as stack:
        stack.callback(_stop_on_interrupt(stop))
        events = await stack.enter_async_context(aclosing(server.review(asked, stop)))
        first = await anext(events)  # what is refused shows nothing
        outputs = stack.enter_context(Outputs(args.format, args.output, files))
        await outputs.take(first)
        async for event in events:
            await outputs.take(event)
    return outputs.report


def remote_options(settings: Settings, *, model: str | None) -> dict[str, object]:
    """What of ``settings`` goes to a server: the review's own, not who reviews unless asked for."""
    values: dict[str, object] = {
        "budget_usd": settings.budget_usd,
        "summary": settings.summary,
        "instructions": settings.instructions,
        "path_instructions": [
            {"paths": list(one.paths), "instructions": one.instructions}
            for one in settings.path_instructions
        ],
        "exclude": list(settings.exclude),
        "rules": dict(settings.rules),
        "confidence": settings.confidence,
        "max_notes": settings.max_notes,
    }
    chosen = {name: value for name, value in values.items() if name in settings.origins}
    return chosen | ({"model": model} if model else {})


def _description(args: argparse.Namespace) -> str:
    if not args.description_file:
        return ""
    return sources.read_file(args.description_file).decode("utf-8", "replace")


def _stop_on_interrupt(stop: StopSignal) -> Callable[[], None]:
    """The first Ctrl-C (or SIGTERM) ends the review properly, a second one at once.

    Returns:
        What puts the signals back as they were.
    """
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def restore() -> None:
        for number in numbers:
            with suppress(NotImplementedError):
                loop.remove_signal_handler(number)

    def interrupt() -> None:
        restore()
        stop.stop("cancelled")

    for number in numbers:
        with suppress(NotImplementedError):  # Windows: Ctrl-C raises KeyboardInterrupt there
            loop.add_signal_handler(number, interrupt)
    return restore


def _read(
    args: argparse.Namespace, repository: sources.Repository | None
) -> tuple[bytes, tuple[str, ...]]:
    """The diff, and what has to be said about where it comes from."""
    if repository is None:
        if args.diff == "-":
            return sources.read_stdin(), ()
        return sources.read_file(Path(args.diff)), ()
    if args.staged:
        return repository.staged(), repository.notices
    notices = list(repository.notices)
    if args.base and args.config is None and config_differs(repository, Path.cwd()):
        notices.append(
            "The configuration is the base's, not the one of the working tree; --config names"
            " another."
        )
    if untracked := repository.untracked():
        more = "" if len(untracked) == 1 else f" and {len(untracked) - 1} more"
        notices.append(
            f"Not in the diff: untracked {untracked[0]}{more}; git add what belongs to it."
        )
    return repository.changes(), tuple(notices)

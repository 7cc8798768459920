"""The run of ``reviewbot review``: review a diff from any source, and show findings at once."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from reviewbot.cli.interrupts import stop_on_interrupt
from reviewbot.cli.source import SourceArguments, read_source
from reviewbot.config.load import read_variable
from reviewbot.core.prompt.purpose import Purpose
from reviewbot.errors import (
    EXIT_OK,
    ConfigError,
    SourceError,
)
from reviewbot.models.catalog import lookup
from reviewbot.models.exchange import MAX_TURNS
from reviewbot.pipeline import sources
from reviewbot.pipeline.job import StopSignal
from reviewbot.pipeline.output import PLAN_FORMATS, Outputs, exit_code, write_plan
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.run import RunDescription, run_review

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from reviewbot.config.settings import Settings
    from reviewbot.core.events.report import Report, Threshold
    from reviewbot.models.linters.imported import ImportedHit
    from reviewbot.pipeline.color import ColorChoice
    from reviewbot.pipeline.prepare import Prepared
    from reviewbot.pipeline.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewArguments(SourceArguments):
    """Arguments of ``reviewbot review``; None where a flag was not given."""

    model: str | None
    format: str
    output: Path | None
    color: ColorChoice
    fail_on: Threshold | None
    budget_usd: float | None
    jobs: int | None
    no_summary: bool
    verify: bool | None
    lookups: int | None
    title: str
    description_file: Path | None
    imports: Sequence[Path]


def review_diff(args: ReviewArguments) -> int:
    """Review a diff, and return the exit code."""
    if args.dry_run and args.format not in PLAN_FORMATS:
        raise ConfigError(
            f"--dry-run has no findings to show as {args.format};"
            f" use --format {', '.join(PLAN_FORMATS[:-1])} or {PLAN_FORMATS[-1]}"
        )
    if args.server is not None:
        _refuse_local_options(args)
    flags = {
        "model": args.model,
        "fail_on": args.fail_on,
        "budget_usd": args.budget_usd,
        "jobs": args.jobs,
        "summary": False if args.no_summary else None,
        "verify": args.verify,
        "lookups": args.lookups,
    }
    settings, source = read_source(args, flags)
    source = replace(
        source,
        title=args.title or source.title,
        description=_description(args) or source.description,
    )
    nothing = not source.data.strip() and not source.missing
    if nothing and args.format == "terminal" and not args.dry_run:
        print("\n".join(("No changes.", *source.notices)))  # noqa: T201 - this is the output
        return EXIT_OK
    if args.server is not None and not nothing:
        _refuse_missing(source)
        return exit_code(asyncio.run(_review_there(args, args.server, settings, source)), settings)
    prepared = prepare(
        source.data,
        settings,
        attributes=source.attributes,
        notices=(*settings.ignored, *source.notices, *_of_plan(args, settings, source)),
        beside=source.missing,
        whole_files=source.whole_files,
        context=source.context,
    )
    if args.dry_run:
        write_plan(prepared.job, args.format, args.output)
        return EXIT_OK
    imported = _imported(args.imports, {file.path for file in prepared.job.files})
    report = asyncio.run(_review(args, settings, prepared, source, imported))
    with suppress(OSError):  # the calibration of tokens is optional
        prepared.calibration.save()
    return exit_code(report, settings)


def _of_plan(args: ReviewArguments, settings: Settings, source: Source) -> Iterator[str]:
    """Yield what a dry run does not estimate."""
    if not args.dry_run:
        return
    models = (lookup(choice.name, settings.models) for choice in settings.choices)
    if settings.lookups and source.code is not None and any(model.looks_up for model in models):
        yield (
            f"Look-ups can add up to {MAX_TURNS - 1} turns to a request, which the estimate does"
            " not include."
        )
    if settings.cross_file:
        yield "cross_file can add a request, which the estimate does not include."


def _imported(files: Sequence[Path], paths: Collection[str]) -> tuple[ImportedHit, ...]:
    """Return the results of other tools on the files of the diff.

    Raises:
        SourceError: a file cannot be read or imported.
    """
    if not files:
        return ()
    from reviewbot.models.linters.imported import read_results

    return tuple(hit for file in files for hit in read_results(sources.read_file(file), paths))


async def _review(
    args: ReviewArguments,
    settings: Settings,
    prepared: Prepared,
    source: Source,
    imported: Sequence[ImportedHit],
) -> Report:
    stop = StopSignal()
    async with AsyncExitStack() as stack:
        outputs = stack.enter_context(
            Outputs(
                args.format,
                args.output,
                prepared.job.files,
                color=args.color,
                custom_rules=source.context.custom_rules,
                whole_files=prepared.whole_files,
            )
        )
        stack.callback(stop_on_interrupt(stop))
        run = RunDescription(
            prepared=prepared,
            settings=settings,
            purpose=Purpose(source.title, source.description),
            imported=imported,
            code=source.code,
        )
        events = await stack.enter_async_context(aclosing(run_review(run, stop=stop)))
        async for event in events:
            await outputs.take(event)
    return outputs.report


def _refuse_missing(source: Source) -> None:
    """Refuse an incomplete diff, since a server would report its review as complete.

    Raises:
        SourceError: a part of the diff is missing.
    """
    for one in source.missing:
        raise SourceError(
            "a part of this change could not be read, and a server would report the review as"
            f" complete; leave out --server ({one.path}: {one.reason})"
        )


def _refuse_local_options(args: ReviewArguments) -> None:
    """Refuse options that a server would not heed."""
    local = {
        "--dry-run": args.dry_run,
        "--import": args.imports,
        "--jobs": args.jobs is not None,
        "--verify": args.verify is True,
        "--no-verify": args.verify is False,
        "--lookups": args.lookups is not None,
    }
    for name, given in local.items():
        if given:
            raise ConfigError(
                f"{name} is for reviews on this machine; leave out {name} or --server"
            )


async def _review_there(
    args: ReviewArguments, server_url: str, settings: Settings, source: Source
) -> Report:
    """Review on a server and return the report, with code excerpts from the local diff."""
    from reviewbot.config.settings import SecretText
    from reviewbot.config.variables import SERVER_KEY
    from reviewbot.core.diff.parse import parse_diff
    from reviewbot.core.events.events import ReviewStarted
    from reviewbot.pipeline.remote import RemoteRequest, RemoteServer

    key = (read_variable(SERVER_KEY) or "").strip()
    server = RemoteServer(server_url, SecretText(key) if key else None)
    asked = RemoteRequest(
        diff=source.data,
        title=source.title,
        description=source.description,
        options=remote_options(settings, model=args.model),
    )
    files = parse_diff(source.data)
    stop = StopSignal()
    async with AsyncExitStack() as stack:
        stack.callback(stop_on_interrupt(stop))
        events = await stack.enter_async_context(aclosing(server.review(asked, stop)))
        first = await anext(events)  # a refused request shows nothing
        if isinstance(first, ReviewStarted):
            notices = (*settings.ignored, *source.notices, *first.notices)
            first = replace(first, notices=notices)
        outputs = stack.enter_context(Outputs(args.format, args.output, files, color=args.color))
        await outputs.take(first)
        async for event in events:
            await outputs.take(event)
    return outputs.report


def remote_options(settings: Settings, *, model: str | None) -> dict[str, object]:
    """Return the options for a server: settings of the review, and ``model`` if given."""
    values: dict[str, object] = {
        "budget_usd": settings.budget_usd,
        "summary": settings.summary,
        "instructions": settings.instructions,
        "path_instructions": [
            {"paths": list(one.paths), "instructions": one.instructions}
            for one in settings.path_instructions
        ],
        "exclude": list(settings.exclude),
        "accept_unread": list(settings.accept_unread),
        "linters": settings.linters,
        "rules": dict(settings.rules),
        "path_rules": [
            {"paths": list(one.paths), "rules": one.rules} for one in settings.path_rules
        ],
        "confidence": settings.confidence,
    }
    chosen = {name: value for name, value in values.items() if name in settings.origins}
    return chosen | ({"model": model} if model else {})


def _description(args: ReviewArguments) -> str:
    if not args.description_file:
        return ""
    return sources.read_file(args.description_file).decode("utf-8", "replace")

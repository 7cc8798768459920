"""Run the same review, or the same free prompt, several times at each of several settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reviewbot.config.prompt_files import read_templates, use_templates
from reviewbot.core.events.events import Usage
from reviewbot.core.events.report import ReportBuilder, counts_for_fail_on
from reviewbot.core.prompt.templates import prompt_version
from reviewbot.errors import ConfigError
from reviewbot.eval.consistency import Run, Series
from reviewbot.models.base import ModelFault, Stop, Stopped, ToolInput, UsageReport
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import claude_of, workers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.models.offline.parser import Parser

REVIEW: Final = "review"
SHIPPED: Final = "shipped"
SYSTEM: Final = "You are a helpful assistant."


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the compared settings: its name, its place on an axis, and all settings.

    ``templates`` are those of its prompts, for the whole process; None leaves them as they are.
    """

    name: str
    position: float
    settings: Settings
    templates: Mapping[str, str] | None = None


@dataclass(slots=True)
class Spending:
    """US dollars that were spent, and their limit; None without a limit.

    ``reasons`` are those of failed runs.
    """

    limit: float | None
    spent: float = 0.0
    reasons: list[str] = field(default_factory=list)

    @property
    def is_exhausted(self) -> bool:
        """True if no run may begin."""
        return self.limit is not None and self.spent >= self.limit


class RunFailed(Exception):
    """Exception of a run without a usable result; the message is a sentence."""


RunOnce: TypeAlias = Callable[[Spending], Awaitable[Run]]
"""Function that makes one run, and adds its cost; raises RunFailed."""


def vary_fact(settings: Settings, fact: str, values: Sequence[Any]) -> tuple[Variant, ...]:
    """Return a variant of ``settings`` for each value of a fact of its model.

    Args:
        settings: the loaded settings.
        fact: ``temperature`` or ``effort``.
        values: the values.

    Raises:
        ConfigError: a value is invalid, or the model gets no temperature.
    """
    name = settings.model.name
    found = []
    for number, value in enumerate(values):
        facts = {**settings.models.get(name, {}), fact: value}
        models = {**settings.models, name: facts}
        info = lookup(name, models)
        if fact == "temperature" and not info.gets_temperature:
            raise ConfigError(
                f"{name} gets no temperature; use --efforts or --models, or, if its server accepts"
                f" one, set models.{name}.sampling to true and .thinking to none"
            )
        shown = f"{value:g}" if fact == "temperature" else value
        position = float(value) if fact == "temperature" else float(number)
        found.append(Variant(f"{fact}={shown}", position, replace(settings, models=models)))
    return tuple(found)


def vary_templates(settings: Settings, folders: Sequence[str]) -> tuple[Variant, ...]:
    """Return a variant for the templates in each folder; ``shipped`` are those of the package.

    Raises:
        ConfigError: a folder cannot be read, or a template is invalid.
    """
    found = []
    for number, folder in enumerate(folders):
        templates = {} if folder == SHIPPED else read_templates(Path(folder))
        use_templates(templates, source=folder)
        name = f"{folder} ({prompt_version()})"
        found.append(Variant(name, float(number), settings, templates))
    return tuple(found)


async def check_accepted(variants: Sequence[Variant], wire_name: str) -> None:
    """Check by a small request that the server accepts the part of requests that varies.

    Args:
        variants: the compared settings.
        wire_name: name of the part, such as ``temperature``.

    Raises:
        ConfigError: the server refuses it, so that all settings would be the same.
        ModelFault: the request failed.
    """
    settings = variants[-1].settings
    model = claude_of(settings.model, settings)
    async with aclosing(model):
        probe = await model.probe()
    if wire_name in probe.refused:
        raise ConfigError(f"the server of {settings.model.name} refuses {wire_name}")


def review_cost(data: bytes, settings: Settings) -> float | None:
    """Return the estimated cost of one review with its verification; None if it is unknown."""
    expected = prepare(data, replace(settings, summary=False)).job.estimate
    parts = [expected.cost_usd, *(one.cost_usd for one in expected.verification)]
    known = [one for one in parts if one is not None]
    return sum(known) if len(known) == len(parts) else None


def prompt_cost(prompt: str, settings: Settings, max_tokens: int) -> float | None:
    """Return the highest cost of one answer to a free prompt; None if it is unknown."""
    usage = Usage(input=len(SYSTEM + prompt), output=max_tokens)
    return cost_usd(lookup(settings.model.name, settings.models), usage)


def reviewing(data: bytes, settings: Settings, parser: Parser) -> RunOnce:
    """Return the function that reviews a diff. It asks for no summary."""
    settings = replace(settings, summary=False)

    async def once(spending: Spending) -> Run:
        prepared = await asyncio.to_thread(prepare, data, settings)
        builder = ReportBuilder()
        async with workers(prepared, settings, parser=parser) as work:
            events = review(
                prepared.job,
                work.run_batch,
                verify=work.verify,
                find_uses=work.find_uses,
                keeps_syntax=work.keeps_syntax,
            )
            async with aclosing(events):
                async for event in events:
                    builder.add(event)
        report = builder.report
        spending.spent += report.cost_usd or 0.0
        if not report.complete:
            raise RunFailed(" ".join(report.reasons) or f"The review ended as {report.outcome}.")
        found = [one for one in report.findings if counts_for_fail_on(one)]
        text = "\n".join(f"{one.title} {one.scenario} {one.message}" for one in found)
        return Run(text, frozenset(one.id for one in found))

    return once


def asking(prompt: str, settings: Settings, max_tokens: int) -> RunOnce:
    """Return the function that asks a free prompt."""

    async def once(spending: Spending) -> Run:
        model = claude_of(settings.model, settings)
        text, usage, stop = "", Usage(), None
        try:
            async with (
                aclosing(model),
                aclosing(model.answer_words(SYSTEM, prompt, max_tokens=max_tokens)) as events,
            ):
                async for event in events:
                    match event:
                        case ToolInput(text=piece):
                            text += piece
                        case UsageReport():
                            usage = event.usage
                        case Stopped():
                            stop = event.stop
                        case _:
                            pass
        except ModelFault as fault:
            raise RunFailed(str(fault)) from None
        finally:
            spending.spent += cost_usd(model.info, usage) or 0.0
        if stop is Stop.REFUSED:
            raise RunFailed("The model declined to answer.")
        return Run(text)

    return once


async def run_series(
    task: str, variant: Variant, once: RunOnce, *, runs: int, jobs: int, spending: Spending
) -> Series:
    """Return the runs of a task at one setting, ``jobs`` at once."""
    slots = asyncio.Semaphore(jobs)

    async def one() -> Run | None:
        async with slots:
            if spending.is_exhausted:
                spending.reasons.append("The budget is spent.")
                return None
            try:
                return await once(spending)
            except RunFailed as failure:
                spending.reasons.append(str(failure))
                return None

    made = await asyncio.gather(*(one() for _ in range(runs)))
    found = tuple(run for run in made if run is not None)
    return Series(task, variant.name, variant.position, found, failed=runs - len(found))

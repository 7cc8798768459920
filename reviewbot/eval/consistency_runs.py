"""Contestants of ``eval consistency``: a review, or free prompts, at several settings."""

from __future__ import annotations

import hashlib
import json
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reviewbot import __version__
from reviewbot.config.prompt_files import read_templates, use_templates
from reviewbot.core.events.events import Usage
from reviewbot.core.prompt.templates import prompt_version
from reviewbot.errors import ConfigError
from reviewbot.eval.consistency import Run, Series
from reviewbot.eval.results import Comment, Result
from reviewbot.models.base import ModelFault, Stop, Stopped, ToolInput, UsageReport
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.pipeline.model_clients import claude_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.eval.cases import Case

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


@dataclass(frozen=True, slots=True)
class PromptAnswers:
    """Contestant that asks free prompts. The id of a case is the name of its prompt.

    Args:
        name: name of the setting.
        settings: the settings; only the model and its facts matter.
        prompts: the prompts by name.
        max_tokens: maximum tokens of an answer.
    """

    name: str
    settings: Settings
    prompts: Mapping[str, str]
    max_tokens: int

    @property
    def spec(self) -> str:
        """The version, the model, and a digest of everything that decides about answers."""
        info = lookup(self.settings.model.name, self.settings.models)
        asked = json.dumps([repr(info), SYSTEM, dict(self.prompts), self.max_tokens])
        digest = hashlib.sha256(asked.encode()).hexdigest()[:12]
        return f"reviewbot {__version__}, {info.name}, prompts and settings {digest}"

    def estimate(self, case: Case) -> float | None:
        """Return the highest cost of one answer; None if it is unknown."""
        usage = Usage(input=len(SYSTEM + self.prompts[case.id]), output=self.max_tokens)
        return cost_usd(lookup(self.settings.model.name, self.settings.models), usage)

    async def review(self, case: Case, run: int) -> Result:
        """Return the answer as one comment on no file."""
        model = claude_of(self.settings.model, self.settings)
        text, used, stop, problem = "", Usage(), None, None
        answer = model.answer_words(SYSTEM, self.prompts[case.id], max_tokens=self.max_tokens)
        try:
            async with aclosing(model), aclosing(answer) as events:
                async for event in events:
                    match event:
                        case ToolInput(text=piece):
                            text += piece
                        case UsageReport():
                            used = event.usage
                        case Stopped():
                            stop = event.stop
                        case _:
                            pass
        except ModelFault as fault:
            problem = str(fault)
        if stop is Stop.REFUSED:
            problem = "The model declined to answer."
        return Result(
            self.name,
            run,
            case.id,
            comments=(Comment("", 0, 0, text=text, inline=False),),
            error=problem,
            tokens=used.input + used.output + used.cache_read + used.cache_write,
            cost_usd=cost_usd(model.info, used),
        )


def series_of(
    tasks: Sequence[str], variants: Sequence[Variant], results: Iterable[Result]
) -> list[Series]:
    """Return the runs of each task at each setting; those that failed are only counted.

    Args:
        tasks: ids of the cases.
        variants: the compared settings.
        results: the results of all runs.
    """
    made = list(results)
    found = []
    for variant in variants:
        for task in tasks:
            mine = [one for one in made if (one.contestant, one.case) == (variant.name, task)]
            runs = tuple(_run(one) for one in mine if one.error is None)
            failed = len(mine) - len(runs)
            found.append(Series(task, variant.name, variant.position, runs, failed))
    return found


def _run(result: Result) -> Run:
    """Return what the model wrote: rules report the same in every run."""
    comments = [comment for comment in result.comments if not comment.by_rule]
    text = "\n".join(comment.text for comment in comments)
    is_answer = any(not comment.path for comment in comments)
    return Run(text, None if is_answer else frozenset(comment.id for comment in comments))

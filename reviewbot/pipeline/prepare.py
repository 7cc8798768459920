"""Prepare a job and its models from the settings and the bytes of a diff.

Every entry point (command line, server, Action) calls this module before
:func:`reviewbot.pipeline.review.review`.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import OFFLINE
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.intake import FindingFilters
from reviewbot.core.findings.levels import RuleLevels
from reviewbot.core.plan.stored import check_fits
from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import ConfigError
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.budget import Budget
from reviewbot.models.catalog import lookup
from reviewbot.models.offline.parser import ParserPool
from reviewbot.models.tokens import Calibration, TokenCounter
from reviewbot.pipeline.job import Job
from reviewbot.pipeline.planner import (
    OUTPUT_PER_REQUEST,
    Chains,
    Planner,
    accepted_unread,
    check_path_rules,
    patterns_of,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence

    from reviewbot.config.settings import ModelChoice, Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import Estimate, FileCoverage
    from reviewbot.core.findings.suggestions import SyntaxCheck
    from reviewbot.core.plan.chunks import Batch, Plan
    from reviewbot.core.plan.routing import Chain
    from reviewbot.models.anthropic.claude import Claude
    from reviewbot.models.base import Model, ModelFault
    from reviewbot.models.batch import BatchResult, BatchTask, Emit, RunBatch
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.linters.imported import ImportedHit
    from reviewbot.models.linters.linters import Linters
    from reviewbot.models.offline.parser import Parser
    from reviewbot.pipeline.job import Summarize
    from reviewbot.rules import Rule

__all__ = ["OUTPUT_PER_REQUEST", "Prepared", "Workers", "prepare", "workers"]

CALIBRATION_FILE: Final = "calibration.json"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job, the description of its main model, and the calibration of token counts.

    ``fallback_estimates`` are the estimates if the first model of each chain fails, and so on.
    """

    job: Job
    info: ModelInfo
    calibration: Calibration
    fallback_estimates: tuple[Estimate, ...] = ()


def prepare(
    data: bytes,
    settings: Settings,
    *,
    attributes: str = "",
    notices: Sequence[str] = (),
    stored: Plan | None = None,
    beside: Sequence[FileCoverage] = (),
) -> Prepared:
    """Parse and plan a diff.

    Args:
        data: the diff.
        settings: the loaded settings.
        attributes: text of the base's ``.gitattributes``.
        notices: notices to show with the review.
        stored: the plan of an earlier run of this review, which is reused; None plans anew.
        beside: coverage of changed files that are not in ``data``.

    Raises:
        DiffError: ``data`` is not a diff that can be read completely.
        ConfigError: the overrides of a model are invalid, or a rule does not exist.
        ValueError: ``stored`` is not a plan of this diff.
    """
    check_rule_names(settings)
    files = files_of(data)
    chains = Chains(settings)
    learns = any(chain.models[0] != OFFLINE for chain in chains.of_setting.values())
    calibration = Calibration(settings.state_folder / CALIBRATION_FILE if learns else None)
    planner = Planner(files, settings, chains, calibration)
    if stored is None:
        shown = (replace(file, path=redact_text(file.path)) for file in beside)
        planned = replace(planner.plan(attributes), beside=tuple(shown))
    else:
        check_fits(stored, files)
        planned = stored
    asked = dict.fromkeys(map(chains.first, planned.batches)) or {settings.model.name: None}
    online = not all(planner.info(name).offline for name in asked)
    prefixes = {name: planner.prefix(name) for name in asked}
    job = Job(
        files=files,
        plan=planned,
        models=_models(planned, chains),
        estimate=planner.estimate(planned),
        gates=resolve_filters(settings, online=online),
        instructions=redact_text(settings.instructions),
        path_instructions=path_instructions_of(settings),
        prefix_tokens=max(prefixes.values()),
        prefix_by_model=prefixes,
        jobs=settings.jobs,
        notices=(*notices, *settings.notices, *_plan_notices(settings, planned, chains.first)),
        prompt_version=_prompt_version() if online else None,
        accepts_unread=accepted_unread(settings),
    )
    return Prepared(
        job,
        planner.info(settings.model.name),
        calibration,
        planner.fallback_estimates(planned),
    )


def check_rule_names(settings: Settings) -> None:
    """Check the rules and patterns of ``rules`` and ``path_rules``.

    A configuration file was checked when it was read. This checks the options of a request, too.

    Raises:
        ConfigError: there is no such rule, or a pattern is invalid.
    """
    check_path_rules(settings)
    if settings.rules or settings.path_rules:
        from reviewbot.rules.names import check_names

        by_path = {f"path_rules[{i}].rules": one.rules for i, one in enumerate(settings.path_rules)}
        for key, names in {"rules": settings.rules, **by_path}.items():
            check_names(names, key=key)


def _models(planned: Plan, chains: Chains) -> tuple[str, ...]:
    """Return every model that may be used, the first models of the chains first."""
    used = {batch.chain: chains.choices(batch.chain) for batch in planned.batches}
    every = list(used.values()) or [chains.choices(chains.rest)]
    if len(every) == 1:
        return tuple(one.name for one in every[0])
    firsts, others = [chain[0] for chain in every], [one for chain in every for one in chain[1:]]
    return tuple(dict.fromkeys(one.name for one in (*firsts, *others)))


def _plan_notices(
    settings: Settings, planned: Plan, first: Callable[[Batch], str]
) -> Iterator[str]:
    """Yield notices about truncated lines, replaced models, and a review without a model.

    Args:
        settings: the loaded settings.
        planned: the plan.
        first: function that returns the first model of a batch.
    """
    paths = list(dict.fromkeys(chunk.path for chunk in planned.chunks if chunk.cut))
    if paths:
        yield f"A line is too long to be shown whole, so it is shown in part: {_which(paths)}."
    asked = [(batch, first(batch)) for batch in planned.batches]
    gone = {(batch.chain.models[0], name) for batch, name in asked if batch.chain.models}
    for wanted, instead in sorted((old, new) for old, new in gone if old != new):
        yield f"This was planned for {wanted}, which is no longer set: {instead} reviews it."
    if settings.model.name == OFFLINE and "model" not in settings.origins:  # not chosen by the user
        yield f"Reviewed {OFFLINE}: {settings.model_source}."


def _which(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def files_of(data: bytes) -> tuple[FileDiff, ...]:
    """Return the files of a diff, with secrets in their paths replaced.

    Raises:
        DiffError: the diff cannot be read completely.
    """
    return tuple(_without_secrets(parse_diff(data)))


def _without_secrets(files: Sequence[FileDiff]) -> Iterator[FileDiff]:
    """Yield the files with secrets in paths replaced, since paths are sent and shown too."""
    paths = [path or "" for file in files for path in (file.old_path, file.new_path)]
    # One search for all paths; a line break in a path would shift the paths after it.
    shown = redact_text("\n".join(path.replace("\n", "\0") for path in paths)).split("\n")
    for file, old, new in zip(files, shown[::2], shown[1::2], strict=bool(files)):
        old_path, new_path = (text.replace("\0", "\n") or None for text in (old, new))
        changed = (old_path, new_path) != (file.old_path, file.new_path)
        yield replace(file, old_path=old_path, new_path=new_path) if changed else file


def resolve_filters(settings: Settings, *, online: bool) -> FindingFilters:
    """Return the filters; the prompt's examples are decoys only for a review by a model."""
    decoys: frozenset[str] = frozenset()
    if online:
        from reviewbot.core.prompt.examples import example_identifiers

        decoys = example_identifiers()
    return FindingFilters(
        confidence=settings.confidence,
        max_notes=settings.max_notes,
        link_hosts=settings.link_hosts,
        levels=RuleLevels(settings.rules, settings.path_rules),
        decoys=decoys,
        heed_added=settings.heed_added_suppressions,
    )


@dataclass(frozen=True, slots=True)
class Workers:
    """Functions that :func:`reviewbot.pipeline.review.review` calls.

    ``chains`` has the models of each batch, best first, by the id of the batch. ``linters`` are
    those that run beside the models; None runs none.
    """

    run_batch: RunBatch
    summarize: Summarize | None
    keeps_syntax: SyntaxCheck
    chains: Mapping[str, tuple[ModelChoice, ...]]
    linters: Linters | None = None

    def with_linters(self, run_batch: RunBatch, imported: Iterable[ImportedHit] = ()) -> RunBatch:
        """Return ``run_batch`` with the linters beside it, and the results of other tools."""
        imported = tuple(imported)
        if self.linters is None and not imported:
            return run_batch
        from reviewbot.models.linters.batches import LintedBatches

        return LintedBatches(run_batch, self.linters, imported)


@asynccontextmanager
async def workers(
    prepared: Prepared,
    settings: Settings,
    *,
    title: str = "",
    description: str = "",
    spent_usd: float = 0.0,
    parser: Parser | None = None,
    lint_slots: asyncio.Semaphore | None = None,
) -> AsyncIterator[Workers]:
    """Yield the models of the settings, within their budget; close the models at the end.

    Args:
        prepared: the job, and the calibration to update.
        settings: the loaded settings.
        title: title of the change, for the summary.
        description: description of the change, for the summary.
        spent_usd: US dollars that earlier runs of the review have spent.
        parser: parser of source code; None starts a separate process.
        lint_slots: limits the processes of linters at a time, in all reviews that share it.

    Raises:
        ConfigError: a model has no key, or its overrides are invalid.
    """
    budget = budget_of(settings, spent_usd)
    async with AsyncExitStack() as stack:
        if parser is None:
            parser = (await stack.enter_async_context(own_pool())).for_tenant("local")
        crew = ModelClients(settings, parser)
        stack.push_async_callback(crew.aclose)
        writer = crew.chain(crew.chains.rest)[0]
        summarize = None
        if settings.summary and not writer.info.offline:
            from reviewbot.models.summary import Summarizer, SummaryModel

            if isinstance(writer, SummaryModel):
                summarize = Summarizer(writer, budget, title=title, description=description)
        yield Workers(
            run_batch=_runner(prepared, settings, crew, budget),
            summarize=summarize,
            keeps_syntax=parser.keeps_syntax,
            chains={
                batch.id: crew.chains.choices(batch.chain) for batch in prepared.job.plan.batches
            },
            linters=_linters(prepared, lint_slots) if settings.linters else None,
        )


def _linters(prepared: Prepared, slots: asyncio.Semaphore | None) -> Linters:
    from reviewbot.models.linters.linters import Linters

    return Linters(heed_added=prepared.job.gates.heed_added, slots=slots)


@asynccontextmanager
async def own_pool() -> AsyncIterator[ParserPool]:
    """Yield a pool with one process that parses source code, started in the background."""
    pool = ParserPool()
    warming = asyncio.create_task(pool.warm())
    try:
        yield pool
    finally:
        warming.cancel()
        await asyncio.wait({warming})
        pool.close()


def budget_of(settings: Settings, spent_usd: float) -> Budget | None:
    """Return the budget of the settings, minus ``spent_usd``; None without a budget."""
    if settings.budget_usd is None:
        return None
    return Budget(settings.budget_usd, _measure, spent_usd=spent_usd)


def _measure(info: ModelInfo, prompt: str) -> int:
    return TokenCounter(info.token_factor).count(prompt) if prompt else 0


def check_choices(settings: Settings) -> None:
    """Check that each model of the settings has the key that it needs.

    Raises:
        ConfigError: a model has no key. The error names the route.
    """
    places = {one.name: one.source for one in settings.routes}
    if settings.ab_split:
        places[settings.ab_split.name] = settings.ab_split.source
    for setting, choices in settings.chains():
        for problem in (one.problem for one in choices if one.problem):
            key = setting if setting in places else None
            raise ConfigError(problem, source=places.get(setting), key=key)


class ModelClients:
    """Clients of the models of the settings; chains that contain the same model share a client.

    Args:
        settings: the loaded settings.
        parser: parser of source code for the offline rules.

    Raises:
        ConfigError: a model has no key. The error names the route.
    """

    def __init__(self, settings: Settings, parser: Parser) -> None:
        check_choices(settings)
        self.chains = Chains(settings)
        self._clients: dict[ModelChoice, Model] = {}
        self._settings, self._parser = settings, parser

    def chain(self, chain: Chain) -> tuple[Model, ...]:
        """Return the models of ``chain``, best first."""
        return tuple(map(self._client, self.chains.choices(chain)))

    def _client(self, choice: ModelChoice) -> Model:
        if choice not in self._clients:
            self._clients[choice] = self._new_client(choice)
        return self._clients[choice]

    def _new_client(self, choice: ModelChoice) -> Model:
        if choice.name == OFFLINE:
            from reviewbot.models.offline.model import OfflineModel

            return OfflineModel(self._parser, _custom_rules(self._settings))
        return claude_of(choice, self._settings)

    async def aclose(self) -> None:
        """Close every client."""
        async with AsyncExitStack() as stack:
            for client in self._clients.values():
                stack.push_async_callback(client.aclose)


def _custom_rules(settings: Settings) -> tuple[Rule, ...]:
    from reviewbot.rules import parse_rule

    return tuple(parse_rule(data, source=f"{data['id']}.yml") for data in settings.custom_rules)


def _runner(
    prepared: Prepared, settings: Settings, crew: ModelClients, budget: Budget | None
) -> RunBatch:
    """Return the function that runs a batch with its chain, and updates the calibration."""
    policy = AttemptPolicy(
        max_attempts=settings.max_attempts, retry_after_cap_s=settings.retry_after_cap_s
    )
    closed: dict[Model, ModelFault] = {}
    chain_of_batch = {batch.id: batch.chain for batch in prepared.job.plan.batches}
    attempts = {
        chain: Attempts(crew.chain(chain), policy, budget=budget, closed=closed)
        for chain in set(chain_of_batch.values())
    }

    async def run_batch(task: BatchTask, emit: Emit) -> BatchResult:
        result = await attempts[chain_of_batch[task.id]](task, emit)
        for spent in result.spent:
            usage = spent.usage
            actual = usage.input + usage.cache_read + usage.cache_write
            prepared.calibration.learn(spent.model, estimated=spent.estimated, actual=actual)
        return result

    return run_batch


def claude_of(choice: ModelChoice, settings: Settings) -> Claude:
    """Return the client of a model on a server, without a request.

    Raises:
        ConfigError: the model has no key, or its overrides are invalid.
    """
    if choice.problem:
        raise ConfigError(choice.problem)
    info = lookup(choice.name, settings.models)
    from reviewbot.models.anthropic.claude import Claude, ModelTimeouts

    limits = settings.timeouts
    return Claude(
        info,
        api_key=choice.api_key.reveal() if choice.api_key else None,
        base_url=choice.base_url,
        timeouts=ModelTimeouts(
            first_content_s=limits.first_content_s, idle_s=limits.idle_s, total_s=limits.total_s
        ),
    )


def path_instructions_of(settings: Settings) -> Callable[[str], tuple[str, ...]]:
    matchers = [
        (patterns_of(one.paths, key="path_instructions"), redact_text(one.instructions))
        for one in settings.path_instructions
    ]
    return lambda path: tuple(text for matches, text in matchers if matches(path))


def _prompt_version() -> str:
    from reviewbot.core.prompt.templates import prompt_version

    return prompt_version()

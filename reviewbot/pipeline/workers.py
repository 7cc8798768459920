"""Functions that run a prepared job: the models, the linters and the parser of source code.

Every entry point (command line, server, Action) passes them to
:func:`reviewbot.pipeline.review.review`.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING

from reviewbot.config.settings import OFFLINE, ModelChoice
from reviewbot.core.plan.languages import language_of
from reviewbot.core.prompt.purpose import NO_PURPOSE
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.budget import Budget
from reviewbot.models.exchange import Exchange
from reviewbot.models.offline.parser import ParserPool
from reviewbot.models.tokens import TokenCounter
from reviewbot.pipeline.cross_file import CROSS_FILE
from reviewbot.pipeline.model_clients import ModelClients
from reviewbot.rules.load import count_rules

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.code.quotable_code import QuotableCode
    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.findings.suggestions import SyntaxCheck
    from reviewbot.core.prompt.lookup_tools import LookUp
    from reviewbot.core.prompt.purpose import Purpose
    from reviewbot.models.base import Model, ModelFault
    from reviewbot.models.batch import BatchResult, BatchTask, Emit, RunBatch, Verify
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.dialogue import Lookups
    from reviewbot.models.exchange import TurnCheckpoints
    from reviewbot.models.linters.batches import RequestCheckpoints
    from reviewbot.models.linters.imported import ImportedHit
    from reviewbot.models.linters.linters import Linters
    from reviewbot.models.linters.slots import ReviewSlots
    from reviewbot.models.offline.parser import Parser
    from reviewbot.models.verifier import FindCode
    from reviewbot.pipeline.cross_file import FindUses
    from reviewbot.pipeline.dossiers import Dossiers
    from reviewbot.pipeline.job import Summarize
    from reviewbot.pipeline.lookups import CheckQuotes
    from reviewbot.pipeline.prepare import Prepared


@dataclass(frozen=True, slots=True)
class Workers:
    """Functions that :func:`reviewbot.pipeline.review.review` calls.

    ``chains`` has the models of each batch, best first, by the id of the batch. ``linters`` are
    those that run beside the models; None runs none. ``verify`` is None if nothing is verified.
    ``whole_files`` are the files that linters can read in full. ``own_rules`` has the runner of the
    offline rules for each batch of a model. ``find_uses`` is None if no request about uses is
    wanted, or no model can answer it. ``lookups`` is the maximum number of look-ups of models; 0
    offers none. ``check_quotes`` checks the code that findings rest on. ``look_up`` answers
    look-ups without counting them, and ``dossiers`` adds code to requests of models that cannot
    look it up; the review cache compares the results of both with those of an earlier review.
    """

    run_batch: RunBatch
    summarize: Summarize | None
    keeps_syntax: SyntaxCheck
    chains: Mapping[str, tuple[ModelChoice, ...]]
    linters: Linters | None = None
    verify: Verify | None = None
    whole_files: Mapping[str, FileDiff] = field(default_factory=dict)
    own_rules: Mapping[str, RunBatch] = field(default_factory=dict)
    find_uses: FindUses | None = None
    lookups: int = 0
    check_quotes: CheckQuotes | None = None
    look_up: LookUp | None = None
    dossiers: Dossiers | None = None

    def with_linters(
        self,
        run_batch: RunBatch,
        imported: Iterable[ImportedHit] = (),
        *,
        wait_for_all: bool = False,
        checkpoints: RequestCheckpoints | None = None,
    ) -> RunBatch:
        """Return ``run_batch`` with the own rules and the linters beside it.

        Args:
            run_batch: runner of the models.
            imported: results of other tools, which are reported, too.
            wait_for_all: whether the request of a model waits for every rule and linter, so that
                it is the same each time.
            checkpoints: store of the results that the requests list; None stores nothing.
        """
        imported = tuple(imported)
        if self.linters is None and not imported and not self.own_rules:
            return run_batch
        from reviewbot.models.linters.batches import REQUEST_WAIT_S, LintedBatches

        return LintedBatches(
            run_batch,
            self.linters,
            imported,
            self.whole_files,
            self.own_rules,
            wait_s=None if wait_for_all else REQUEST_WAIT_S,
            checkpoints=checkpoints,
        )


@asynccontextmanager
async def workers(
    prepared: Prepared,
    settings: Settings,
    *,
    purpose: Purpose = NO_PURPOSE,
    spent_usd: float = 0.0,
    parser: Parser | None = None,
    lint_slots: ReviewSlots | None = None,
    code: CodeAtCommit | None = None,
    client_of: Callable[[ModelChoice], Model | None] | None = None,
    lookups_used: int = 0,
    check_lookups_used: int = 0,
    turns: TurnCheckpoints | None = None,
) -> AsyncIterator[Workers]:
    """Yield the models of the settings, within their budget; close the models at the end.

    Args:
        prepared: the job, and the calibration to update.
        settings: the loaded settings.
        purpose: the purpose of the change, for the summary alone.
        spent_usd: US dollars that earlier runs of the review have spent.
        parser: parser of source code; None starts a separate process.
        lint_slots: limits the processes of linters at a time; None limits those of this review.
        code: the code at the reviewed commit; None without it.
        client_of: function that returns the client of a model in place of the usual one, or None.
        lookups_used: look-ups of earlier runs of the review.
        check_lookups_used: look-ups of the verifier in earlier runs.
        turns: store of the turns of conversations; None stores nothing.

    Raises:
        ConfigError: a model has no key, or its overrides are invalid.
    """
    budget = budget_of(settings, spent_usd)
    files_of = cache(partial(_code, prepared, settings, code))
    async with AsyncExitStack() as stack:
        if parser is None:
            languages = {language_of(file.path) for file in prepared.job.files}
            pool = await stack.enter_async_context(own_pool(early=any(map(count_rules, languages))))
            parser = pool.for_tenant("local")
        clients = ModelClients(settings, parser, prepared.context.parsed_rules(), client_of)
        stack.push_async_callback(clients.aclose)
        writer = clients.chain(clients.chains.rest)[0]
        summarize = None
        if settings.summary and not writer.info.offline:
            from reviewbot.models.summary import Summarizer, SummaryModel

            if isinstance(writer, SummaryModel):
                summarize = Summarizer(writer, budget, purpose)
        # A review by the offline rules alone reads no other code, and need not import what does.
        looked_up = dossiers = verify = find_uses = None
        most_lookups = 0
        if code is not None and settings.lookups:
            from reviewbot.pipeline.dossiers import Dossiers
            from reviewbot.pipeline.lookups import lookups_of, review_lookups

            most_lookups = review_lookups(prepared, settings)
            looked_up = lookups_of(
                prepared,
                settings,
                code,
                most_lookups,
                used=lookups_used,
                checks_used=check_lookups_used,
            )
            dossiers = Dossiers(files_of(), parser, settings.batch_tokens)
        if prepared.job.needs_verifier:
            from reviewbot.code.running_code import running_code
            from reviewbot.pipeline.lookups import check_lookups, lookup_files

            checks = looked_up.checks if looked_up else None
            exchange = Exchange(budget, checks, turns, dossiers)
            files = looked_up.files if looked_up else lookup_files(prepared, settings, code)
            verify = verifier_of(
                settings,
                clients,
                running_code(parser, files),
                exchange,
                lookups=check_lookups(settings) if looked_up else 0,
                link_hosts=prepared.job.gates.link_hosts,
            )
        if settings.cross_file and clients.online():
            from reviewbot.pipeline.use_finder import UseFinder

            find_uses = UseFinder(files_of())
        yield Workers(
            run_batch=_runner(
                prepared,
                settings,
                clients,
                budget,
                lookups=looked_up.counted if looked_up else None,
                turns=turns,
                dossiers=dossiers,
            ),
            lookups=most_lookups,
            check_quotes=looked_up.check_quotes if looked_up else None,
            look_up=looked_up.look_up if looked_up else None,
            dossiers=dossiers,
            summarize=summarize,
            keeps_syntax=parser.keeps_syntax,
            chains={
                batch.id: clients.chains.choices(batch.chain) for batch in prepared.job.plan.batches
            },
            linters=_linters(prepared, lint_slots) if settings.linters else None,
            verify=verify,
            whole_files=prepared.whole_files,
            own_rules=_own_rules(prepared, clients),
            find_uses=find_uses,
        )


def _code(prepared: Prepared, settings: Settings, source: CodeAtCommit | None) -> QuotableCode:
    from reviewbot.code.quotable_code import QuotableCode
    from reviewbot.pipeline.patterns import policy_of

    policy = policy_of(settings, prepared.attributes)
    return QuotableCode(prepared.job.files, policy, prepared.whole_files, source=source)


def verifier_of(
    settings: Settings,
    clients: ModelClients,
    find_code: FindCode,
    exchange: Exchange,
    *,
    lookups: int,
    link_hosts: Sequence[str],
) -> Verify:
    """Return the verifier of the settings; ``find_code`` finds lines of running code."""
    from reviewbot.models.verifier import Verifier

    def model_of(reviewer: str) -> Model | None:
        choice = settings.verify_model
        model = clients.named(reviewer) if choice is None else clients.client(choice)
        return None if model is None or model.info.offline else model

    return Verifier(
        model_of,
        attempt_policy(settings),
        find_code,
        exchange,
        lookups=lookups,
        link_hosts=link_hosts,
    )


def attempt_policy(settings: Settings) -> AttemptPolicy:
    """Return the limits of attempts and waits of the settings."""
    return AttemptPolicy(
        max_attempts=settings.max_attempts, retry_after_cap_s=settings.retry_after_cap_s
    )


def _own_rules(prepared: Prepared, clients: ModelClients) -> dict[str, RunBatch]:
    rules = Attempts([clients.client(ModelChoice(OFFLINE))])
    models = {batch.id: clients.chain(batch.chain)[0] for batch in prepared.job.plan.batches}
    return {name: rules for name, model in models.items() if not model.info.offline}


def _linters(prepared: Prepared, slots: ReviewSlots | None) -> Linters:
    from reviewbot.models.linters.linters import Linters

    return Linters(heed_added=prepared.job.gates.heed_added, slots=slots)


@asynccontextmanager
async def own_pool(*, early: bool = True) -> AsyncIterator[ParserPool]:
    """Yield a pool with one process that parses source code.

    It starts in the background if ``early`` is true, else with the first request.
    """
    pool = ParserPool()
    warming = asyncio.create_task(pool.warm()) if early else None
    try:
        yield pool
    finally:
        if warming is not None:
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


def _runner(
    prepared: Prepared,
    settings: Settings,
    clients: ModelClients,
    budget: Budget | None,
    *,
    lookups: Lookups | None,
    turns: TurnCheckpoints | None,
    dossiers: Dossiers | None,
) -> RunBatch:
    """Return the function that runs a batch with its chain, and updates the calibration."""
    policy = attempt_policy(settings)
    closed: dict[Model, ModelFault] = {}
    chain_of_batch = {batch.id: batch.chain for batch in prepared.job.plan.batches}

    def attempts_of(chain: Sequence[Model]) -> Attempts:
        return Attempts(
            chain,
            policy,
            budget=budget,
            closed=closed,
            lookups=lookups,
            checkpoints=turns,
            dossiers=dossiers,
        )

    attempts = {chain: attempts_of(clients.chain(chain)) for chain in set(chain_of_batch.values())}
    across = attempts_of(clients.online())

    async def run_batch(task: BatchTask, emit: Emit) -> BatchResult:
        if task.id == CROSS_FILE:
            return await across(task, emit)
        result = await attempts[chain_of_batch[task.id]](task, emit)
        for spent in result.spent:
            usage = spent.usage
            actual = usage.input + usage.cache_read + usage.cache_write
            key = clients.chains.endpoint(spent.model)
            prepared.calibration.learn(key, estimated=spent.estimated, actual=actual)
        return result

    return run_batch

"""Functions that run a prepared job: the models, the linters and the parser of source code.

Every entry point (command line, server, Action) passes them to
:func:`reviewbot.pipeline.review.review`.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reviewbot.code.evidence import Evidence
from reviewbot.code.quotable_code import QuotableCode
from reviewbot.code.running_code import running_code
from reviewbot.config.settings import OFFLINE, ModelChoice
from reviewbot.errors import ConfigError
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.budget import Budget
from reviewbot.models.catalog import lookup
from reviewbot.models.offline.parser import ParserPool
from reviewbot.models.tokens import TokenCounter
from reviewbot.pipeline.cross_file import CROSS_FILE, UseFinder
from reviewbot.pipeline.dossiers import Dossiers
from reviewbot.pipeline.lookups import lookups_of
from reviewbot.pipeline.patterns import policy_of
from reviewbot.pipeline.planner import Chains

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.findings.suggestions import SyntaxCheck
    from reviewbot.core.plan.routing import Chain
    from reviewbot.core.prompt.lookup_tools import LookUp
    from reviewbot.models.anthropic.claude import Claude
    from reviewbot.models.anthropic.deadlines import Frame
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
    from reviewbot.pipeline.cross_file import FindUses
    from reviewbot.pipeline.job import Summarize
    from reviewbot.pipeline.lookups import CheckQuotes
    from reviewbot.pipeline.prepare import Prepared
    from reviewbot.rules.rule import Rule


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
    title: str = "",
    description: str = "",
    spent_usd: float = 0.0,
    parser: Parser | None = None,
    lint_slots: ReviewSlots | None = None,
    code: CodeAtCommit | None = None,
    client_of: Callable[[ModelChoice], Model | None] | None = None,
    lookups_used: int = 0,
    turns: TurnCheckpoints | None = None,
) -> AsyncIterator[Workers]:
    """Yield the models of the settings, within their budget; close the models at the end.

    Args:
        prepared: the job, and the calibration to update.
        settings: the loaded settings.
        title: title of the change, for the summary.
        description: description of the change, for the summary.
        spent_usd: US dollars that earlier runs of the review have spent.
        parser: parser of source code; None starts a separate process.
        lint_slots: limits the processes of linters at a time; None limits those of this review.
        code: the code at the reviewed commit; None without it.
        client_of: function that returns the client of a model in place of the usual one, or None.
        lookups_used: look-ups of earlier runs of the review.
        turns: store of the turns of conversations; None stores nothing.

    Raises:
        ConfigError: a model has no key, or its overrides are invalid.
    """
    budget = budget_of(settings, spent_usd)
    async with AsyncExitStack() as stack:
        if parser is None:
            parser = (await stack.enter_async_context(own_pool())).for_tenant("local")
        crew = ModelClients(settings, parser, prepared.context.parsed_rules(), client_of)
        stack.push_async_callback(crew.aclose)
        writer = crew.chain(crew.chains.rest)[0]
        summarize = None
        if settings.summary and not writer.info.offline:
            from reviewbot.models.summary import Summarizer, SummaryModel

            if isinstance(writer, SummaryModel):
                summarize = Summarizer(writer, budget, title=title, description=description)
        looked_up = lookups_of(prepared, settings, code, parser, used=lookups_used)
        verify = None
        files = _code(prepared, settings, code)
        dossiers = Dossiers(files, parser, settings.batch_tokens) if looked_up else None
        if prepared.job.verified:
            evidence = Evidence(files, parser, callers=settings.callers)
            verify = _verifier(settings, crew, parser, evidence, budget)
        yield Workers(
            run_batch=_runner(
                prepared,
                settings,
                crew,
                budget,
                lookups=looked_up.counted if looked_up else None,
                turns=turns,
                dossiers=dossiers,
            ),
            lookups=settings.lookups if looked_up else 0,
            check_quotes=looked_up.check_quotes if looked_up else None,
            look_up=looked_up.look_up if looked_up else None,
            dossiers=dossiers,
            summarize=summarize,
            keeps_syntax=parser.keeps_syntax,
            chains={
                batch.id: crew.chains.choices(batch.chain) for batch in prepared.job.plan.batches
            },
            linters=_linters(prepared, lint_slots) if settings.linters else None,
            verify=verify,
            whole_files=prepared.whole_files,
            own_rules=_own_rules(prepared, crew),
            find_uses=UseFinder(files) if settings.cross_file and crew.online() else None,
        )


def _code(prepared: Prepared, settings: Settings, source: CodeAtCommit | None) -> QuotableCode:
    policy = policy_of(settings, prepared.attributes)
    return QuotableCode(prepared.job.files, policy, prepared.whole_files, source=source)


def _verifier(
    settings: Settings,
    crew: ModelClients,
    parser: Parser,
    evidence: Evidence,
    budget: Budget | None,
) -> Verify:
    from reviewbot.models.verifier import Verifier, VerifierModel

    def model_of(reviewer: str) -> VerifierModel | None:
        choice = settings.verify_model
        model = crew.named(reviewer) if choice is None else crew.client(choice)
        if model is None:
            return None
        return model if isinstance(model, VerifierModel) else None

    return Verifier(
        model_of,
        _attempt_policy(settings),
        running_code(parser, evidence.code),
        evidence=evidence.views,
        budget=budget,
    )


def _attempt_policy(settings: Settings) -> AttemptPolicy:
    return AttemptPolicy(
        max_attempts=settings.max_attempts, retry_after_cap_s=settings.retry_after_cap_s
    )


def _own_rules(prepared: Prepared, crew: ModelClients) -> dict[str, RunBatch]:
    rules = Attempts([crew.client(ModelChoice(OFFLINE))])
    models = {batch.id: crew.chain(batch.chain)[0] for batch in prepared.job.plan.batches}
    return {name: rules for name, model in models.items() if not model.info.offline}


def _linters(prepared: Prepared, slots: ReviewSlots | None) -> Linters:
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

    ``parser`` parses source code for the offline rules, to which ``custom_rules`` are added.
    ``client_of`` may return the client of a model in place of the usual one.

    Raises:
        ConfigError: a model has no key. The error names the route.
    """

    def __init__(
        self,
        settings: Settings,
        parser: Parser,
        custom_rules: Sequence[Rule] = (),
        client_of: Callable[[ModelChoice], Model | None] | None = None,
    ) -> None:
        if client_of is None:
            check_choices(settings)
        self.chains = Chains(settings)
        self._clients: dict[ModelChoice, Model] = {}
        self._settings, self._parser = settings, parser
        self._custom_rules, self._client_of = tuple(custom_rules), client_of

    def chain(self, chain: Chain) -> tuple[Model, ...]:
        """Return the models of ``chain``, best first."""
        return tuple(map(self.client, self.chains.choices(chain)))

    def online(self) -> tuple[Model, ...]:
        """Return the models of the default chain except the offline rules."""
        return tuple(one for one in self.chain(self.chains.rest) if not one.info.offline)

    def named(self, name: str) -> Model | None:
        """Return the client of the model ``name``; None if the settings do not name it."""
        found = (choice for choice in self._settings.choices if choice.name == name)
        return next(map(self.client, found), None)

    def client(self, choice: ModelChoice) -> Model:
        """Return the client of a model."""
        if choice not in self._clients:
            self._clients[choice] = self._new_client(choice)
        return self._clients[choice]

    def _new_client(self, choice: ModelChoice) -> Model:
        if self._client_of and (client := self._client_of(choice)) is not None:
            return client
        if choice.name == OFFLINE:
            from reviewbot.models.offline.model import OfflineModel

            return OfflineModel(self._parser, self._custom_rules)
        return claude_of(choice, self._settings)

    async def aclose(self) -> None:
        """Close every client."""
        async with AsyncExitStack() as stack:
            for client in self._clients.values():
                stack.push_async_callback(client.aclose)


def _runner(
    prepared: Prepared,
    settings: Settings,
    crew: ModelClients,
    budget: Budget | None,
    *,
    lookups: Lookups | None,
    turns: TurnCheckpoints | None,
    dossiers: Dossiers | None,
) -> RunBatch:
    """Return the function that runs a batch with its chain, and updates the calibration."""
    policy = _attempt_policy(settings)
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

    attempts = {chain: attempts_of(crew.chain(chain)) for chain in set(chain_of_batch.values())}
    across = attempts_of(crew.online())

    async def run_batch(task: BatchTask, emit: Emit) -> BatchResult:
        if task.id == CROSS_FILE:
            return await across(task, emit)
        result = await attempts[chain_of_batch[task.id]](task, emit)
        for spent in result.spent:
            usage = spent.usage
            actual = usage.input + usage.cache_read + usage.cache_write
            key = crew.chains.endpoint(spent.model)
            prepared.calibration.learn(key, estimated=spent.estimated, actual=actual)
        return result

    return run_batch


def claude_of(
    choice: ModelChoice, settings: Settings, *, on_frame: Callable[[Frame], None] | None = None
) -> Claude:
    """Return the client of a model on a server, without a request.

    Args:
        choice: the model.
        settings: the loaded settings.
        on_frame: function that sees each event of a response.

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
        on_frame=on_frame,
    )

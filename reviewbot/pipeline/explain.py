"""Turn a question into a job, and provide the models that answer.

The job has one batch, which is answered instead of reviewed: the hunk of a finding, or the changed
files that fit into one request. So a question is stored, charged, resumed and cancelled like a
review.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.events.events import Estimate, ModelEstimate, Usage
from reviewbot.core.plan.chunks import SplitLimits, plan_routed
from reviewbot.core.plan.policy import Exclusion, exclusion
from reviewbot.core.plan.routing import MODEL, Chain, Routed
from reviewbot.core.plan.stored import check_fits
from reviewbot.core.prompt.question import PullQuestion, redacted, render_question
from reviewbot.core.prompt.reply import REPLY_LOOKUPS, FindingReply
from reviewbot.core.prompt.templates import prompt_version
from reviewbot.core.prompt.views import Views
from reviewbot.core.safety.redact import redact_file, redact_text
from reviewbot.errors import ConfigError, DiffError, ReviewbotError
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.models.explanation import Explainer, WordsWriter
from reviewbot.models.offline.parser import ParserPool
from reviewbot.models.tokens import Calibration, TokenCounter
from reviewbot.pipeline.job import Job, manifest_of
from reviewbot.pipeline.model_clients import ModelClients
from reviewbot.pipeline.patterns import policy_of
from reviewbot.pipeline.prepare import Prepared, files_of, path_instructions_of, resolve_filters
from reviewbot.pipeline.workers import Workers, attempt_policy, budget_of, own_pool, verifier_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.plan.chunks import Plan
    from reviewbot.core.prompt.question import Inquiry
    from reviewbot.models.budget import Budget
    from reviewbot.models.exchange import TurnCheckpoints
    from reviewbot.models.offline.parser import Parser
    from reviewbot.models.replies import ReplyAnswerer

OFFLINE_CANNOT: Final = (
    "The offline rules cannot answer questions; the operator of this server can set a model with"
    " REVIEWBOT_MODEL."
)
OUTPUT_TOKENS: Final = 2_000
"""Estimated tokens of an answer, including thinking."""
SHOWN_TOKENS: Final = 30_000
"""Maximum tokens of the changed files that a question about a pull request shows."""
SHOWN_BYTES: Final = 200_000
"""Maximum bytes of one of these files; a longer one is not even tokenized."""
NO_ROOM: Final = "A question shows a limited number of changed lines."
_WHOLE: Final = 10**9
"""Limit of tokens of a chunk: so high that no file is split."""


def explanation_models(settings: Settings) -> tuple[str, ...]:
    """Return the models of the settings that can answer in words, best first."""
    choices = (settings.model, *settings.fallback_models)
    return tuple(one.name for one in choices if not lookup(one.name, settings.models).offline)


def prepare_explanation(
    data: bytes, settings: Settings, inquiry: Inquiry, *, stored: Plan | None = None
) -> Prepared:
    """Plan one request. Uses the CPU: call in a thread.

    Args:
        data: a diff of the finding's hunk, or of the pull request.
        settings: the loaded settings.
        inquiry: the question.
        stored: the plan of an earlier run, which is reused; None plans anew.

    Raises:
        ConfigError: no model of the settings can answer in words.
        DiffError: ``data`` has no lines that can be shown, or those of several files although the
            question is about a finding.
        ReviewbotError: the search for secrets failed.
        ValueError: ``stored`` is not a plan of this diff.
    """
    models = explanation_models(settings)
    if not models:
        raise ConfigError(OFFLINE_CANNOT, key=MODEL)
    files = files_of(data)
    chain = Chain(MODEL, models)
    if stored is None:
        counter = TokenCounter(lookup(models[0], settings.models).token_factor)
        planned = plan_routed(
            files,
            exclusions=[
                Exclusion(reason) if reason else None
                for reason in _reasons(files, settings, inquiry, counter)
            ],
            route=lambda some: [Routed(chain) for _ in some],
            sizes=lambda _: SplitLimits(counter, _WHOLE, _WHOLE, max(1, len(files))),
        )
    else:
        check_fits(stored, files)
        planned = stored
    path_instructions = path_instructions_of(settings)
    views, unread = Views(files, path_instructions).of(planned.chunks)
    for reason in unread.values():
        raise ReviewbotError(reason)
    prompt = "\n".join(
        render_question(
            redacted(inquiry),
            chunks=views,
            manifest=manifest_of(planned),
            instructions=redact_text(settings.instructions),
        )
    )
    estimates = [_estimate(name, prompt, settings) for name in models]
    job = Job(
        files=files,
        plan=planned,
        models=models,
        estimate=estimates[0],
        gates=resolve_filters(settings, online=False),
        instructions=redact_text(settings.instructions),
        path_instructions=path_instructions,
        prompt_version=prompt_version(),
        question=inquiry.shown_question,
    )
    return Prepared(
        job, lookup(models[0], settings.models), Calibration(None), tuple(estimates[1:])
    )


def _reasons(
    files: tuple[FileDiff, ...], settings: Settings, inquiry: Inquiry, counter: TokenCounter
) -> list[str | None]:
    """Return the reason why each file is not shown; None for a file that is shown.

    Raises:
        DiffError: no file can be shown.
    """
    if not isinstance(inquiry, PullQuestion):  # a question about a finding, or a reply to one
        if len(files) != 1 or not files[0].hunks:
            raise DiffError("a question is about the lines of one file", line=1)
        return [None]
    policy, room = policy_of(settings, ""), SHOWN_TOKENS
    reasons: list[str | None] = []
    for file in files:
        text = file_diff_text(file)
        why = exclusion(file, policy)
        reason = why.reason if why else NO_ROOM if len(text) > SHOWN_BYTES else None
        tokens = 0 if reason else counter.count(text.decode(errors="replace"))
        reason = reason or (NO_ROOM if tokens > room else _unsearchable(file))
        room -= 0 if reason else tokens
        reasons.append(reason)
    if all(reasons):
        raise DiffError("the pull request has no changed line that a model could read", line=1)
    return reasons


def _unsearchable(file: FileDiff) -> str | None:
    """Return the reason why a file cannot be searched for secrets; None if it can."""
    try:
        redact_file(file)
    except ReviewbotError as error:
        return str(error)
    return None


def _estimate(model: str, prompt: str, settings: Settings) -> Estimate:
    info = lookup(model, settings.models)
    usage = Usage(input=TokenCounter(info.token_factor).count(prompt), output=OUTPUT_TOKENS)
    one = ModelEstimate(model, 1, usage.input, usage.output, cost_usd(info, usage))
    return Estimate(1, one.input_tokens, one.output_tokens, one.cost_usd, (one,))


@asynccontextmanager
async def explainers(
    prepared: Prepared,
    settings: Settings,
    inquiry: Inquiry,
    *,
    spent_usd: float = 0.0,
    code: CodeAtCommit | None = None,
    parser: Parser | None = None,
    turns: TurnCheckpoints | None = None,
) -> AsyncIterator[Workers]:
    """Yield the models that answer, within their budget; close the models at the end.

    Args:
        prepared: the job.
        settings: the loaded settings.
        inquiry: the question.
        spent_usd: US dollars that earlier runs have spent.
        code: the code at the reviewed commit, which the answer to a reply may look up.
        parser: parser of source code; None starts a process if one is needed.
        turns: store of the turns of conversations; None stores nothing.

    Raises:
        ConfigError: a model has no key, or its overrides are invalid.
    """
    async with AsyncExitStack() as stack:
        parsers = ParserPool()  # starts no process: offline rules answer no questions
        clients = ModelClients(settings, parsers.for_tenant("local"))
        stack.push_async_callback(clients.aclose)
        (batch,) = prepared.job.plan.batches
        if isinstance(inquiry, FindingReply):
            if parser is None:
                parser = (await stack.enter_async_context(own_pool())).for_tenant("local")
            answerer = _reply_answerer(
                *(prepared, settings, inquiry, clients),
                budget=budget_of(settings, spent_usd),
                code=code,
                parser=parser,
                turns=turns,
            )
            yield Workers(
                run_batch=answerer, summarize=None, keeps_syntax=parser.keeps_syntax, chains={}
            )
            return
        able = [model for model in clients.chain(batch.chain) if isinstance(model, WordsWriter)]
        explainer = Explainer(
            able,
            inquiry,
            budget_of(settings, spent_usd),
            link_hosts=prepared.job.gates.link_hosts,
        )
        yield Workers(
            run_batch=explainer,
            summarize=None,
            keeps_syntax=parsers.for_tenant("local").keeps_syntax,
            chains={},
        )


def _reply_answerer(
    prepared: Prepared,
    settings: Settings,
    reply: FindingReply,
    clients: ModelClients,
    *,
    budget: Budget | None,
    code: CodeAtCommit | None,
    parser: Parser,
    turns: TurnCheckpoints | None,
) -> ReplyAnswerer:
    from reviewbot.code.running_code import running_code
    from reviewbot.models.exchange import Exchange
    from reviewbot.models.replies import ReplyAnswerer
    from reviewbot.pipeline.lookups import lookup_files, lookups_of

    limited = replace(settings, lookups=min(settings.lookups, REPLY_LOOKUPS))
    looked_up = lookups_of(prepared, limited, code, limited.lookups)
    files = looked_up.files if looked_up else lookup_files(prepared, settings, code)
    find_code = running_code(parser, files)
    lookups = limited.lookups if looked_up else 0
    (batch,) = prepared.job.plan.batches
    answering = Exchange(budget, looked_up.counted if looked_up else None, turns)
    checking = Exchange(budget, looked_up.checks if looked_up else None, turns)
    link_hosts = prepared.job.gates.link_hosts
    return ReplyAnswerer(
        [model for model in clients.chain(batch.chain) if not model.info.offline],
        reply,
        answering,
        find_code,
        verify=verifier_of(
            settings, clients, find_code, checking, lookups=lookups, link_hosts=link_hosts
        ),
        policy=attempt_policy(settings),
        lookups=lookups,
        link_hosts=link_hosts,
    )

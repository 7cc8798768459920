"""Settings and the bytes of a diff to a job, and to the models that will run it.

What every way in (command line, server, Action) does before :func:`reviewbot.review.review`.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.chunks import BATCH_BUDGET, MIN_BUDGET, budget_for, plan
from reviewbot.core.diff import parse_diff
from reviewbot.core.events import Estimate, Usage
from reviewbot.core.intake import Gates
from reviewbot.core.policy import Policy, git_attributes, path_patterns, skip_reason
from reviewbot.core.redact import redact_text
from reviewbot.core.stored_plan import check_fits
from reviewbot.errors import ConfigError
from reviewbot.job import Job
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.budget import Budget
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.notices import plan_notices
from reviewbot.settings import OFFLINE
from reviewbot.tokens import Calibration, TokenCounter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from reviewbot.core.chunks import Plan
    from reviewbot.core.diff import FileDiff
    from reviewbot.job import Summarize
    from reviewbot.models.base import Model
    from reviewbot.models.batch import BatchResult, BatchTask, Emit, RunBatch
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.settings import ModelChoice, Settings

OUTPUT_PER_REQUEST: Final = 4_000
"""Output tokens that the estimate assumes for a request, thinking included. A guess on the high
side: findings are short, and what a model thinks depends on the code."""

OFFLINE_CHUNK_TOKENS: Final = 1_000_000
"""The rules read a file best whole; this only bounds what is held at once (about 2 MB)."""

LEAST_OUTPUT: Final = 4_000
"""Tokens of the context window that are kept free for an answer, however small the window."""

SUMMARY_PROMPT: Final = 2_000
SUMMARY_TOKENS: Final = 20_000
"""Tokens of the summary's own prompt, and of the most that it shows of a diff."""

CALIBRATION_FILE: Final = "calibration.json"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job and what runs it. ``info`` is the first model's; ``calibration`` learns from it."""

    job: Job
    info: ModelInfo
    calibration: Calibration


def prepare(
    data: bytes,
    settings: Settings,
    *,
    attributes: str = "",
    notices: Sequence[str] = (),
    stored: Plan | None = None,
) -> Prepared:
    """Parse and plan.

    Args:
        data: the diff.
        settings: as read.
        attributes: the text of the base's ``.gitattributes``.
        notices: what the reader shall be told beside the review.
        stored: the plan that an earlier run of this review has made; it is kept to.

    Raises:
        DiffError: ``data`` is no diff that can be read whole.
        ConfigError: a model's overrides are wrong, or a rule does not exist.
        ValueError: ``stored`` is not a plan of this diff.
    """
    if settings.rules:
        from reviewbot.rules import check_levels

        check_levels(settings.rules)
    files = tuple(_without_secrets(parse_diff(data)))
    info = lookup(settings.model.name, settings.models)
    calibration = Calibration(None if info.offline else settings.state_folder / CALIBRATION_FILE)
    counter = TokenCounter(info.token_factor, calibration.correction(info.name))
    prefix = 0 if info.offline else _prefix_tokens(files, settings, counter)
    if stored is None:
        planned = _plan(files, settings, attributes, info=info, counter=counter, prefix=prefix)
    else:
        check_fits(stored, files)
        planned = stored
    job = Job(
        files=files,
        plan=planned,
        models=tuple(one.name for one in (settings.model, *settings.fallback_models)),
        estimate=_estimate(planned, info, prefix, summary=settings.summary),
        gates=gates_of(settings, online=not info.offline),
        instructions=settings.instructions,
        path_instructions=_path_instructions(settings),
        prefix_tokens=prefix,
        jobs=settings.jobs,
        notices=(*notices, *plan_notices(settings, planned, offline=info.offline)),
        prompt_version=None if info.offline else _prompt_version(),
    )
    return Prepared(job, info, calibration)


def _without_secrets(files: Sequence[FileDiff]) -> Iterator[FileDiff]:
    """The files, a secret in a path replaced: paths are sent and shown like everything else."""
    paths = [path or "" for file in files for path in (file.old_path, file.new_path)]
    # One search for all of them; a line break in a path would shift those behind it.
    shown = redact_text("\n".join(path.replace("\n", "\0") for path in paths)).split("\n")
    for file, old, new in zip(files, shown[::2], shown[1::2], strict=bool(files)):
        old_path, new_path = (text.replace("\0", "\n") or None for text in (old, new))
        changed = (old_path, new_path) != (file.old_path, file.new_path)
        yield replace(file, old_path=old_path, new_path=new_path) if changed else file


def _plan(
    files: Sequence[FileDiff],
    settings: Settings,
    attributes: str,
    *,
    info: ModelInfo,
    counter: TokenCounter,
    prefix: int,
) -> Plan:
    """What is reviewed, in pieces that fit into the model's context window.

    A piece takes half of the window at most; with the prompt and the least room for an answer, it
    takes all of it.
    """
    policy = Policy(
        configured=_patterns(settings.exclude, "exclude"), attributes=git_attributes(attributes)
    )
    room = min(info.context // 2, info.context - prefix - LEAST_OUTPUT)
    if info.offline:
        budget = batch = OFFLINE_CHUNK_TOKENS
    elif room < MIN_BUDGET:
        raise ConfigError(
            f"a context of {info.context:,} tokens is too small to review in: it has to hold the "
            f"prompt ({prefix:,}), a piece of the diff ({MIN_BUDGET:,}) and an answer "
            f"({LEAST_OUTPUT:,})",
            key=f"models.{info.name}.context",
        )
    else:
        budget = min(settings.chunk_tokens or budget_for(info.context), room)
        batch = min(settings.batch_tokens or max(BATCH_BUDGET, budget), room)
    return plan(
        files,
        skip=lambda file: skip_reason(file, policy),
        count=counter,
        budget=max(MIN_BUDGET, budget),
        batch_budget=batch,
    )


def gates_of(settings: Settings, *, online: bool) -> Gates:
    """The thresholds; the prompt's examples matter only where a model saw them."""
    decoys: frozenset[str] = frozenset()
    if online:
        from reviewbot.core.examples import example_identifiers

        decoys = example_identifiers()
    return Gates(
        confidence=settings.confidence,
        max_notes=settings.max_notes,
        link_hosts=settings.link_hosts,
        rules=settings.rules,
        decoys=decoys,
    )


@dataclass(frozen=True, slots=True)
class Workers:
    """What :func:`reviewbot.review.review` is given to work with."""

    run_batch: RunBatch
    summarize: Summarize | None


@asynccontextmanager
async def workers(
    prepared: Prepared,
    settings: Settings,
    *,
    title: str = "",
    description: str = "",
    spent_usd: float = 0.0,
) -> AsyncIterator[Workers]:
    """The models of the settings, at work within their budget; closed at the end.

    Args:
        prepared: the job, and what learns from it.
        settings: as read.
        title: what the change calls itself, for the summary.
        description: what it says of itself, likewise.
        spent_usd: what an earlier run of the review has spent of its budget.

    Raises:
        ConfigError: a model has no key, or its overrides are wrong.
    """
    budget = None
    if settings.budget_usd is not None:
        budget = Budget(settings.budget_usd, _measure, spent_usd=spent_usd)
    async with AsyncExitStack() as stack:
        chain = chain_of(settings)
        for model in chain:
            stack.push_async_callback(model.aclose)
        summarize = None
        if settings.summary and not chain[0].info.offline:
            from reviewbot.models.summary import Summarizer, Writer

            if isinstance(chain[0], Writer):
                summarize = Summarizer(chain[0], budget, title=title, description=description)
        yield Workers(_runner(prepared, settings, chain, budget), summarize)


def _measure(info: ModelInfo, prompt: str) -> int:
    return TokenCounter(info.token_factor).count(prompt) if prompt else 0


def chain_of(settings: Settings) -> tuple[Model, ...]:
    """The models that review, best first. Nothing is asked yet.

    Raises:
        ConfigError: a model has no key, or its overrides are wrong.
    """
    return tuple(_model(choice, settings) for choice in (settings.model, *settings.fallback_models))


def _runner(
    prepared: Prepared, settings: Settings, chain: Sequence[Model], budget: Budget | None
) -> RunBatch:
    """What runs one batch: the chain, and a note of how good the token estimate was."""
    attempts = Attempts(
        chain,
        AttemptPolicy(
            max_attempts=settings.max_attempts, retry_after_cap_s=settings.retry_after_cap_s
        ),
        budget=budget,
    )

    async def run_batch(task: BatchTask, emit: Emit) -> BatchResult:
        result = await attempts(task, emit)
        for spent in result.spent:
            usage = spent.usage
            actual = usage.input + usage.cache_read + usage.cache_write
            prepared.calibration.learn(spent.model, estimated=spent.estimated, actual=actual)
        return result

    return run_batch


def _model(choice: ModelChoice, settings: Settings) -> Model:
    if choice.problem:
        raise ConfigError(choice.problem)
    info = lookup(choice.name, settings.models)
    if choice.name == OFFLINE:
        from reviewbot.models.offline import OfflineModel

        return OfflineModel()
    from reviewbot.models.claude import Claude, Timeouts

    limits = settings.timeouts
    return Claude(
        info,
        api_key=choice.api_key.reveal() if choice.api_key else None,
        base_url=choice.base_url,
        timeouts=Timeouts(
            first_content_s=limits.first_content_s, idle_s=limits.idle_s, total_s=limits.total_s
        ),
    )


def _patterns(patterns: Sequence[str], key: str) -> Callable[[str], bool | None]:
    try:
        return path_patterns(patterns)
    except ValueError as error:
        raise ConfigError(str(error), key=key) from error


def _path_instructions(settings: Settings) -> Callable[[str], tuple[str, ...]]:
    matchers = [
        (_patterns(one.paths, "path_instructions"), one.instructions)
        for one in settings.path_instructions
    ]
    return lambda path: tuple(text for matches, text in matchers if matches(path))


def _prompt_version() -> str:
    from reviewbot.core.templates import prompt_version

    return prompt_version()


def _prefix_tokens(files: Sequence[FileDiff], settings: Settings, counter: TokenCounter) -> int:
    """What every request costs beside its chunks: tool, instructions, examples, manifest."""
    import json

    from reviewbot.core.prompt import ManifestEntry, ModelRequest, render
    from reviewbot.core.report_tool import REPORT_TOOL

    # Which files policy skips is not known yet; it changes the manifest by a word.
    manifest = tuple(
        ManifestEntry(file.path, file.status, file.added, file.removed, shown=True)
        for file in files
    )
    prompt = render(ModelRequest((), manifest, instructions=settings.instructions))
    text = json.dumps(REPORT_TOOL) + prompt.system + prompt.shared + prompt.body
    return round(len(text.encode()) * counter.per_byte)


def _estimate(planned: Plan, info: ModelInfo, prefix: int, *, summary: bool) -> Estimate:
    """The first request writes the shared prefix to the cache, the others read it."""
    requests = len(planned.batches)
    if info.offline:
        return Estimate(requests, planned.tokens, 0, 0.0)
    usages = [
        (Usage(cache_write=prefix) if number == 0 else Usage(cache_read=prefix))
        + Usage(input=batch.tokens, output=OUTPUT_PER_REQUEST)
        for number, batch in enumerate(planned.batches)
    ]
    if summary and usages:
        shown = min(planned.tokens, SUMMARY_TOKENS)
        usages.append(Usage(input=SUMMARY_PROMPT + shown, output=OUTPUT_PER_REQUEST // 2))
    costs = [cost_usd(info, usage) for usage in usages]
    return Estimate(
        requests=len(usages),
        input_tokens=sum(one.input + one.cache_read + one.cache_write for one in usages),
        output_tokens=sum(one.output for one in usages),
        cost_usd=None if None in costs else sum(cost or 0.0 for cost in costs),
    )

"""Settings and the bytes of a diff to a job, and to the models that will run it.

What every way in (command line, server, Action) does before :func:`reviewbot.review.review`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.chunks import BATCH_BUDGET, MIN_BUDGET, budget_for, plan
from reviewbot.core.diff import parse_diff
from reviewbot.core.events import Estimate, Usage
from reviewbot.core.intake import Gates
from reviewbot.core.languages import language_of
from reviewbot.core.policy import Policy, git_attributes, path_patterns, skip_reason
from reviewbot.errors import ConfigError
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.review import Job, manifest_of
from reviewbot.settings import OFFLINE
from reviewbot.tokens import Calibration, TokenCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.core.chunks import Plan
    from reviewbot.models.base import Model
    from reviewbot.models.batch import BatchResult, BatchTask, Emit, RunBatch
    from reviewbot.models.budget import Budget
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.settings import ModelChoice, Settings

OUTPUT_PER_REQUEST: Final = 4_000
"""Output tokens that the estimate assumes for a request, thinking included. A guess on the high
side: findings are short, and what a model thinks depends on the code."""

OFFLINE_CHUNK_TOKENS: Final = 1_000_000
"""The rules read a file best whole; this only bounds what is held at once (about 2 MB)."""

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
) -> Prepared:
    """Parse and plan.

    Args:
        data: the diff.
        settings: as read.
        attributes: the text of the base's ``.gitattributes``.
        notices: what the reader shall be told beside the review.

    Raises:
        DiffError: ``data`` is no diff that can be read whole.
        ConfigError: a model's overrides are wrong.
    """
    files = parse_diff(data)
    info = lookup(settings.model.name, settings.models)
    online = settings.model.name != OFFLINE
    calibration = Calibration(settings.state_folder / CALIBRATION_FILE if online else None)
    policy = Policy(
        configured=_patterns(settings.exclude, "exclude"), attributes=git_attributes(attributes)
    )
    counter = TokenCounter(info.token_factor, calibration.correction(info.name))
    budget = _chunk_budget(settings, info)
    planned = plan(
        files,
        skip=lambda file: skip_reason(file, policy),
        count=counter,
        budget=budget,
        batch_budget=settings.batch_tokens or max(BATCH_BUDGET, budget),
    )
    prefix = _prefix_tokens(planned, settings, counter) if online else 0
    job = Job(
        files=files,
        plan=planned,
        models=tuple(one.name for one in (settings.model, *settings.fallback_models)),
        estimate=_estimate(planned, info, prefix),
        gates=gates_of(settings, online=online),
        instructions=settings.instructions,
        path_instructions=_path_instructions(settings),
        prefix_tokens=prefix,
        jobs=settings.jobs,
        notices=(*notices, *_offline_notice(planned, info)),
        prompt_version=_prompt_version() if online else None,
    )
    return Prepared(job, info, calibration)


def _chunk_budget(settings: Settings, info: ModelInfo) -> int:
    if info.provider == "offline":
        return OFFLINE_CHUNK_TOKENS
    if info.context < 2 * MIN_BUDGET:
        raise ConfigError(
            f"a context of {info.context} tokens is too small to review in; at least "
            f"{2 * MIN_BUDGET} are needed",
            key=f"models.{info.name}.context",
        )
    wanted = settings.chunk_tokens or budget_for(info.context)
    return max(MIN_BUDGET, min(wanted, info.context // 2))


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


def chain_of(settings: Settings) -> tuple[Model, ...]:
    """The models that review, best first. Nothing is asked yet.

    Raises:
        ConfigError: a model has no key, or its overrides are wrong.
    """
    return tuple(_model(choice, settings) for choice in (settings.model, *settings.fallback_models))


def runner(
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


def _offline_notice(planned: Plan, info: ModelInfo) -> tuple[str, ...]:
    """What has to be said where the rules can say little."""
    if info.provider != "offline":
        return ()
    from reviewbot.rules import FOLDERS_OF

    foreign = [
        file.path
        for file in planned.files
        if file.reason is None and language_of(file.path) not in FOLDERS_OF
    ]
    if not foreign:
        return ()
    which = foreign[0] if len(foreign) == 1 else f"{foreign[0]} and {len(foreign) - 1} more"
    return (f"There are no offline syntax rules for {which}; only secrets and text were checked.",)


def _prompt_version() -> str:
    from reviewbot.core.templates import prompt_version

    return prompt_version()


def _prefix_tokens(planned: Plan, settings: Settings, counter: TokenCounter) -> int:
    """What every request costs beside its chunks: tool, instructions, examples, manifest."""
    import json

    from reviewbot.core.prompt import ModelRequest, render
    from reviewbot.core.report_tool import REPORT_TOOL

    request = ModelRequest((), manifest_of(planned), instructions=settings.instructions)
    prompt = render(request)
    text = json.dumps(REPORT_TOOL) + prompt.system + prompt.shared + prompt.body
    return round(len(text.encode()) * counter.per_byte)


def _estimate(planned: Plan, info: ModelInfo, prefix: int) -> Estimate:
    """The first request writes the shared prefix to the cache, the others read it."""
    requests = len(planned.batches)
    if info.provider == "offline":
        return Estimate(requests, planned.tokens, 0, 0.0)
    output = OUTPUT_PER_REQUEST * requests
    cost: float | None = 0.0
    for number, batch in enumerate(planned.batches):
        shared = Usage(cache_write=prefix) if number == 0 else Usage(cache_read=prefix)
        one = cost_usd(info, shared + Usage(input=batch.tokens, output=OUTPUT_PER_REQUEST))
        cost = None if cost is None or one is None else cost + one
    return Estimate(requests, planned.tokens + prefix * requests, output, cost)

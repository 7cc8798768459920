"""One batch over a chain of models: attempts, continuations, splitting, fallback, and the budget.

For each model in turn: at most three attempts for a chunk in all, with exponential backoff and
``retry-after`` obeyed up to a cap; a batch of several chunks that failed twice is split for its
last attempt, so that one bad chunk cannot take the others down. An answer cut at its length limit
is continued at most twice. What is left after the last model is ``failed``, or ``partly`` if
something was found.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.drafts import InvalidFinding, own_draft, parse_draft
from reviewbot.core.events import Usage
from reviewbot.core.prompt import KnownFinding
from reviewbot.core.toolstream import ToolStream, ToolStreamError
from reviewbot.models.base import (
    Fault,
    InputRestarted,
    ModelFault,
    Stop,
    Stopped,
    Thinking,
    ToolInput,
    UsageReport,
)
from reviewbot.models.batch import (
    Asked,
    BatchResult,
    ChunkOutcome,
    Drafted,
    Recalled,
    Retrying,
    Spent,
    Working,
)
from reviewbot.models.catalog import cost_usd

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tenacity import RetryCallState

    from reviewbot.core.chunks import ChunkView
    from reviewbot.core.prompt import ModelRequest
    from reviewbot.models.base import Model, ModelEvent
    from reviewbot.models.batch import BatchEvent, BatchTask, Emit
    from reviewbot.models.budget import Budget

CHARS_PER_TOKEN: Final = 2
"""Of a model's output, on the safe side, where its server did not come to say."""

COULD_NOT_REVIEW: Final = "The model said that it could not review all of it."


@dataclass(frozen=True, slots=True)
class AttemptPolicy:
    """How hard to try. Times are seconds."""

    max_attempts: int = 3
    max_continuations: int = 2
    max_tokens: int = 32_000
    """Thinking counts toward it, and unused room costs nothing (Anthropic, "Rate limits")."""
    backoff_initial_s: float = 1.0
    backoff_max_s: float = 30.0
    retry_after_cap_s: float = 120.0


@dataclass(slots=True)
class _Run:
    """What one batch has come to so far."""

    task: BatchTask
    emit: Emit
    drafts: list[Drafted] = field(default_factory=list)
    outcomes: list[ChunkOutcome] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    """The last failure of each chunk."""
    tried: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Model and attempt that each chunk was last asked with."""

    async def say(self, event: BatchEvent) -> None:
        match event:
            case Drafted():
                self.drafts.append(event)
            case Recalled(answer=answer):
                self.drafts = [draft for draft in self.drafts if draft.answer != answer]
            case ChunkOutcome():
                self.outcomes.append(event)
            case Spent():
                self.spent.append(event)
            case _:
                pass
        await self.emit(event)


@dataclass(slots=True)
class _Answer:
    """One request to ``model`` and what came of it."""

    name: str
    model: Model
    attempt: int
    drafts: int = 0
    malformed: list[str] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    estimated: int = 0
    stopped: Stopped | None = None
    stream: ToolStream = field(default_factory=ToolStream)
    characters: int = 0
    gave_up: bool = False

    @property
    def used(self) -> Usage:
        """Its tokens. A server that is cut off has often named only the first output token."""
        if self.stopped is not None:
            return self.usage
        written = self.characters // CHARS_PER_TOKEN
        return replace(self.usage, output=max(self.usage.output, written))


@dataclass(slots=True)
class _Tries:
    """Where one batch stands with one model, the ``index``-th of the chain."""

    model: Model
    index: int
    left: list[ChunkView]
    attempt: int = 0
    apart: bool = False
    fault: ModelFault | None = None

    def retrying(self, next_model: str, delay_s: float) -> Retrying:
        return Retrying(
            chunks=tuple(chunk.id for chunk in self.left),
            model=self.model.info.name,
            attempt=self.attempt,
            reason=str(self.fault),
            next_model=next_model,
            delay_s=delay_s,
        )


class Attempts:
    """Runs batches over a chain of models; an instance is a ``RunBatch``.

    A model whose key or account is at fault is left alone for the rest of the review.

    Args:
        chain: the models, best first.
        policy: how hard to try.
        budget: shared by all batches of the review, if there is a limit.
        sleep: waits that many seconds; tests pass their own.
    """

    def __init__(
        self,
        chain: Sequence[Model],
        policy: AttemptPolicy | None = None,
        *,
        budget: Budget | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._chain = tuple(chain)
        self._policy = policy or AttemptPolicy()
        self._budget = budget
        self._sleep = sleep
        self._closed: dict[str, ModelFault] = {}

    async def __call__(self, task: BatchTask, emit: Emit) -> BatchResult:
        """Run one batch to its end; it fails only by cancellation."""
        run = _Run(task, emit)
        left = task.request.chunks
        for index, model in enumerate(self._chain):
            left = await self._with_model(run, left, model, index)
            if not left:
                break
        for chunk in left:
            name, attempt = run.tried.get(chunk.id, (self._chain[-1].info.name, 0))
            found = any(drafted.draft.path == chunk.path for drafted in run.drafts)
            await run.say(
                ChunkOutcome(
                    chunk.id,
                    "partly" if found else "failed",
                    name,
                    attempt,
                    run.reasons[chunk.id],
                )
            )
        return BatchResult(tuple(run.drafts), tuple(run.outcomes), tuple(run.spent))

    async def _with_model(
        self, run: _Run, chunks: tuple[ChunkView, ...], model: Model, index: int
    ) -> tuple[ChunkView, ...]:
        """Try ``chunks`` on one model; those that it did not answer for come back."""
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        tries = _Tries(model, index, list(chunks))

        async def announce(state: RetryCallState) -> None:
            await run.say(tries.retrying(model.info.name, state.upcoming_sleep))

        retrying = AsyncRetrying(
            sleep=self._sleep,
            stop=stop_after_attempt(self._policy.max_attempts),
            wait=self._wait,
            retry=retry_if_exception(lambda error: self._worth_another_try(error, tries)),
            before_sleep=announce,
            reraise=True,
        )
        try:
            await retrying(self._attempt, run, tries)
        except ModelFault:
            following = self._chain[index + 1 :]
            if following:
                await run.say(tries.retrying(following[0].info.name, 0.0))
        return tuple(tries.left)

    async def _attempt(self, run: _Run, tries: _Tries) -> None:
        """One attempt at what is left, together or, when it is the last one, chunk by chunk."""
        tries.attempt += 1
        tries.apart = tries.apart or tries.attempt == self._policy.max_attempts
        left = tuple(tries.left)
        fault: ModelFault | None = None
        for group in [(chunk,) for chunk in left] if tries.apart else [left]:
            try:
                await self._ask(run, group, tries)
            except ModelFault as error:
                fault = tries.fault = error
                run.reasons.update((chunk.id, str(error)) for chunk in group)
                if error.fault is Fault.COULD_NOT_REVIEW:
                    tries.apart = True
                if error.fault in (Fault.AUTH, Fault.SPEND_LIMIT):
                    self._closed[tries.model.info.name] = error
            else:
                tries.left = [chunk for chunk in tries.left if chunk not in group]
        if fault:
            raise fault

    def _worth_another_try(self, error: BaseException, tries: _Tries) -> bool:
        if not isinstance(error, ModelFault):
            return False
        if error.fault is Fault.COULD_NOT_REVIEW:  # of several chunks, not knowing which
            return len(tries.left) > 1 and tries.attempt == 1
        return error.retryable and (error.retry_after or 0) <= self._policy.retry_after_cap_s

    def _wait(self, state: RetryCallState) -> float:
        from tenacity import wait_exponential_jitter

        policy = self._policy
        backoff = wait_exponential_jitter(
            multiplier=policy.backoff_initial_s, max=policy.backoff_max_s
        )
        return max(backoff(state), _fault_of(state).retry_after or 0.0)

    async def _ask(self, run: _Run, chunks: tuple[ChunkView, ...], tries: _Tries) -> None:
        """A request, and its continuations if the answer is cut at its limit."""
        model, attempt = tries.model, tries.attempt
        if model.info.name in self._closed:
            raise self._closed[model.info.name]
        run.tried.update((chunk.id, (model.info.name, attempt)) for chunk in chunks)
        await run.say(Asked(tuple(chunk.id for chunk in chunks), model.info.name, attempt))
        max_tokens = min(self._policy.max_tokens, model.info.max_output)
        request = run.task.request
        if chunks != request.chunks:
            request = replace(request, chunks=chunks)
        reason: str | None = None
        for part in range(1 + self._policy.max_continuations):
            name = f"{chunks[0].id}/{model.info.name}/{attempt}.{part}"
            answer = _Answer(name, model, attempt)
            if tries.index == 0 and request is run.task.request:
                answer.estimated = request.tokens
            await self._stream(run, answer, request, max_tokens)
            if _judge(answer) is Stop.COMPLETE:
                break
            if not answer.drafts:
                max_tokens = min(2 * max_tokens, model.info.max_output)
            request = replace(request, known=_known(run, chunks))
        else:
            reason = "The model's answer was cut at its length limit again and again."
        if model.info.provider == "offline" and tries.index > 0:
            reason = f"Only the offline rules saw it: {run.reasons[chunks[0].id]}"
        for chunk in chunks:
            await run.say(
                ChunkOutcome(
                    chunk.id, "partly" if reason else "reviewed", model.info.name, attempt, reason
                )
            )

    async def _stream(
        self, run: _Run, answer: _Answer, request: ModelRequest, max_tokens: int
    ) -> None:
        """Send one request and pass on what comes, until the answer ends or breaks."""
        info, reserved = answer.model.info, 0.0
        if self._budget:
            # A model that cannot be forced to call the tool may have to be asked once more.
            requests = 1 if info.forced_tools or not info.structured_output else 2
            max_tokens, reserved = await self._budget.reserve(
                info, request.tokens, max_tokens, requests=requests
            )
        try:
            async with aclosing(answer.model.stream(request, max_tokens=max_tokens)) as events:
                async for event in events:
                    await _take(run, answer, event)
        finally:
            usage = answer.used
            cost = cost_usd(info, usage)
            if self._budget:
                await self._budget.settle(reserved, cost or 0.0)
            await run.say(Spent(info.name, usage, cost, answer.estimated))
        if answer.stopped and answer.stopped.stop is Stop.REFUSED:
            reason = answer.stopped.detail or "The model declined to answer."
            await run.say(Recalled(answer.name, reason))
            raise ModelFault(reason, fault=Fault.REFUSED)


async def _take(run: _Run, answer: _Answer, event: ModelEvent) -> None:
    """One event of an answer."""
    match event:
        case ToolInput(text=text):
            answer.characters += len(text)
            try:
                answer.stream.feed(text)
            except ToolStreamError as error:
                raise ModelFault(
                    f"The model's report is broken: {error}", fault=Fault.UNUSABLE
                ) from None
            finally:  # what was complete counts, whatever came after it
                await _drain(run, answer)
        case InputRestarted():
            answer.gave_up |= _gives_up(answer.stream.close().outcome)
            answer.stream = ToolStream()
        case Thinking(text=text):
            answer.characters += len(text)
            await run.say(Working(answer.model.info.name, text))
        case UsageReport(usage=usage):
            answer.usage = usage
        case Stopped():
            answer.stopped = event
        case _:
            pass


async def _drain(run: _Run, answer: _Answer) -> None:
    """Validate and pass on the findings that are complete by now."""
    info = answer.model.info
    for item in answer.stream.drain():
        try:
            draft = own_draft(item) if info.provider == "offline" else parse_draft(item)
        except InvalidFinding as error:
            answer.malformed.append(str(error))
            continue
        answer.drafts += 1
        await run.say(Drafted(draft, info.name, answer.attempt, answer.name))


def _judge(answer: _Answer) -> Stop:
    """Whether an ended answer is complete or cut; anything else is a fault.

    Raises:
        ModelFault: there was no end, no report, a broken one, or one that gives up.
    """
    stopped = answer.stopped
    if stopped is None:
        raise ModelFault("The model's answer broke off.", fault=Fault.TRANSIENT)
    if stopped.stop is Stop.TRUNCATED:
        return Stop.TRUNCATED
    if stopped.stop is Stop.NO_REPORT:
        detail = stopped.detail or "The model answered without a report."
        raise ModelFault(detail, fault=Fault.UNUSABLE)
    report = answer.stream.close()
    if report.problem:  # incomplete, or items in it that are no findings
        raise ModelFault(f"The model's report is broken: {report.problem}", fault=Fault.UNUSABLE)
    if answer.malformed:
        raise ModelFault(
            f"{len(answer.malformed)} of the model's findings could not be read "
            f"({answer.malformed[0]}).",
            fault=Fault.UNUSABLE,
        )
    if answer.gave_up or _gives_up(report.outcome):
        raise ModelFault(COULD_NOT_REVIEW, fault=Fault.COULD_NOT_REVIEW)
    return Stop.COMPLETE


def _gives_up(outcome: str | None) -> bool:
    """Whether a report's own word is that it is not all; a missing word is forgiven."""
    return (outcome or "complete").lower() != "complete"


def _known(run: _Run, chunks: tuple[ChunkView, ...]) -> tuple[KnownFinding, ...]:
    """What was found so far in these chunks, for the request that asks for the rest."""
    paths = {chunk.path for chunk in chunks}
    return tuple(
        KnownFinding(drafted.draft.path, drafted.draft.line, drafted.draft.title)
        for drafted in run.drafts
        if drafted.draft.path in paths
    )


def _fault_of(state: RetryCallState) -> ModelFault:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, ModelFault):
        raise TypeError(f"tenacity retries ModelFault only, not {error!r}")
    return error

"""Run one batch over a chain of models: attempts, continuations, splits, fallback and budget.

Each model gets at most three attempts for a chunk, with exponential backoff. ``retry-after`` is
respected up to a maximum. A batch of several chunks that failed twice is split for the last
attempt, so that one bad chunk does not affect the others. A truncated response is continued at most
twice. Files with which a conversation was done before it failed are reviewed, unless the model
declines or was done with all of them without saying that it is complete. The chunks that remain
after the last model are ``failed``; chunks with findings are ``partly``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.prompt.request import KnownFinding
from reviewbot.core.safety.escape import show
from reviewbot.models.base import Checked, Fault, ModelFault, Stop
from reviewbot.models.batch import (
    BatchResult,
    ChunkOutcome,
    RequestSent,
    Retrying,
)
from reviewbot.models.batch_run import Answer, BatchRun
from reviewbot.models.budget import MIN_OUTPUT_TOKENS
from reviewbot.models.exchange import Exchange
from reviewbot.models.report_reader import after_attempts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenacity import RetryCallState

    from reviewbot.core.events.events import ChunkStatus
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.base import Model
    from reviewbot.models.batch import BatchTask, Emit
    from reviewbot.models.budget import Budget
    from reviewbot.models.dialogue import Lookups
    from reviewbot.models.exchange import TurnCheckpoints, WithDossier


FAILURES_TOGETHER: Final = 2
"""Number of failures of a batch before its chunks are requested one by one."""


@dataclass(frozen=True, slots=True)
class AttemptPolicy:
    """Limits of attempts and waits. Times are in seconds."""

    max_attempts: int = 3
    max_continuations: int = 2
    max_tokens: int = 32_000
    """Thinking counts toward it, and unused room costs nothing (Anthropic, "Rate limits")."""
    backoff_initial_s: float = 1.0
    backoff_max_s: float = 30.0
    retry_after_cap_s: float = 120.0

    def wait(self, state: RetryCallState) -> float:
        """Return the seconds before the next attempt."""
        from tenacity import wait_exponential_jitter

        backoff = wait_exponential_jitter(multiplier=self.backoff_initial_s, max=self.backoff_max_s)
        return max(backoff(state), _fault_of(state).retry_after or 0.0)

    def worth_another_try(self, error: BaseException) -> bool:
        """Return whether a request may succeed on the same model, soon enough."""
        if not isinstance(error, ModelFault) or not error.retryable:
            return False
        return (error.retry_after or 0) <= self.retry_after_cap_s


@dataclass(slots=True)
class _Tries:
    """State of one batch with one model, the ``index``-th of the chain."""

    model: Model
    index: int
    left: list[ChunkView]
    attempt: int = 0
    apart: bool = False
    fault: ModelFault | None = None
    given_up: list[ChunkView] = field(default_factory=list)
    """Chunks for which a retry on this model is useless."""

    def retrying(self, next_model: str, delay_s: float) -> Retrying:
        again = next_model == self.model.info.name
        chunks = self.left if again else [*self.left, *self.given_up]
        return Retrying(
            chunks=tuple(chunk.id for chunk in chunks),
            model=self.model.info.name,
            attempt=self.attempt,
            reason=str(self.fault),
            next_model=next_model,
            delay_s=delay_s,
            fault=self.fault.fault.value if self.fault else None,
        )


class Attempts:
    """Runner of batches over a chain of models; an instance is a ``RunBatch``.

    After an error of its key or account, a model is not used for the rest of the review.

    Args:
        chain: the models, best first.
        policy: limits of attempts and waits.
        budget: budget that all batches of the review share, if there is a limit.
        closed: unusable models with their errors; all chains of the review share this.
        lookups: what answers the look-ups of the review; None offers none.
        checkpoints: store of the turns of conversations.
        dossiers: function that returns requests to models that cannot look code up.
    """

    def __init__(
        self,
        chain: Sequence[Model],
        policy: AttemptPolicy | None = None,
        *,
        budget: Budget | None = None,
        closed: dict[Model, ModelFault] | None = None,
        lookups: Lookups | None = None,
        checkpoints: TurnCheckpoints | None = None,
        dossiers: WithDossier | None = None,
    ) -> None:
        self._chain = tuple(chain)
        self._policy = policy or AttemptPolicy()
        self._exchange = Exchange(budget, lookups, checkpoints, dossiers)
        self._closed = {} if closed is None else closed

    async def __call__(self, task: BatchTask, emit: Emit) -> BatchResult:
        """Run one batch to its end; it fails only by cancellation."""
        run = BatchRun(task, emit)
        left = task.request.chunks
        for index, model in enumerate(self._chain):
            left = await self._with_model(run, left, model, index)
            if not left:
                break
        for chunk in left:
            name, attempt = run.tried.get(chunk.id, (self._chain[-1].info.name, 0))
            fault = run.faults[chunk.id]
            status: ChunkStatus = "partly" if _known(run, (chunk,)) else "failed"
            await run.say(
                ChunkOutcome(chunk.id, status, name, attempt, str(fault), fault.fault.value)
            )
        return run.result()

    async def _with_model(
        self, run: BatchRun, chunks: tuple[ChunkView, ...], model: Model, index: int
    ) -> tuple[ChunkView, ...]:
        """Review ``chunks`` with one model; return the chunks that it did not review."""
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        tries = _Tries(model, index, list(chunks))

        async def announce(state: RetryCallState) -> None:
            await run.say(tries.retrying(model.info.name, state.upcoming_sleep))

        retrying = AsyncRetrying(
            sleep=asyncio.sleep,
            stop=stop_after_attempt(self._policy.max_attempts),
            wait=self._policy.wait,
            retry=retry_if_exception(lambda error: self._worth_another_try(error, tries)),
            before_sleep=announce,
            reraise=True,
        )
        try:
            await retrying(self._attempt, run, tries)
        except ModelFault:
            for chunk in tries.left:
                fault = run.faults[chunk.id]
                run.faults[chunk.id] = after_attempts(fault, model.info.name, tries.attempt)
            following = self._chain[index + 1 :]
            if following:
                await run.say(tries.retrying(following[0].info.name, 0.0))
        return (*tries.left, *tries.given_up)

    async def _attempt(self, run: BatchRun, tries: _Tries) -> None:
        """Make one attempt for the remaining chunks. A last attempt may be split by chunk."""
        tries.attempt += 1
        failed_twice = tries.attempt > FAILURES_TOGETHER
        tries.apart |= failed_twice and tries.attempt == self._policy.max_attempts
        left = tuple(tries.left)
        fault: ModelFault | None = None
        for group in [(chunk,) for chunk in left] if tries.apart else [left]:
            try:
                await self._ask(run, group, tries)
            except ModelFault as error:
                unclosed = [chunk for chunk in group if chunk in tries.left]
                if tries.apart and not error.retryable:  # no retry of this chunk on this model
                    tries.left = [chunk for chunk in tries.left if chunk not in group]
                    tries.given_up += unclosed
                if fault is None or error.retryable:
                    fault = tries.fault = error
                run.faults.update((chunk.id, error) for chunk in unclosed)
                if error.fault is Fault.COULD_NOT_REVIEW:
                    tries.apart = True
                if error.fault in (Fault.AUTH, Fault.SPEND_LIMIT):
                    self._closed[tries.model] = error
            else:
                tries.left = [chunk for chunk in tries.left if chunk not in group]
        if fault:
            raise fault

    def _worth_another_try(self, error: BaseException, tries: _Tries) -> bool:
        if not isinstance(error, ModelFault):
            return False
        if error.fault is Fault.COULD_NOT_REVIEW:  # one of several chunks, unknown which
            return len(tries.left) > 1 and tries.attempt == 1
        return self._policy.worth_another_try(error)

    async def _ask(self, run: BatchRun, chunks: tuple[ChunkView, ...], tries: _Tries) -> None:
        """Send a request, and continuations if the response is truncated."""
        model, attempt = tries.model, tries.attempt
        if model in self._closed:
            raise self._closed[model]
        run.tried.update((chunk.id, (model.info.name, attempt)) for chunk in chunks)
        await run.say(RequestSent(tuple(chunk.id for chunk in chunks), model.info.name, attempt))
        request = _narrowed(run.task.request, chunks)
        if known := _known(run, chunks):  # of an earlier attempt that failed later
            request = _continued(request, known)
        room = min(model.info.max_output, model.info.context - request.tokens)
        if room < MIN_OUTPUT_TOKENS:
            message = f"The request is too large for the context window of {model.info.name}."
            raise ModelFault(message, fault=Fault.REJECTED)
        max_tokens = min(self._policy.max_tokens, room)
        reason: str | None = None
        fault: str | None = None
        partly: dict[str, str] = {}
        checked: dict[str, Checked] = {}
        for part in range(1 + self._policy.max_continuations):
            name = f"{chunks[0].id}/{model.info.name}/{attempt}.{part}"
            is_planned = tries.index == 0 and request is run.task.request
            answer = Answer(
                name, model, attempt, chunks, estimated=request.tokens if is_planned else 0
            )
            try:
                stop = await self._exchange.run(run, answer, request, max_tokens)
            except ModelFault as error:
                if error.fault is not Fault.REFUSED:
                    await _close(run, answer, tries)
                raise
            partly |= answer.partly
            checked |= answer.checked
            if stop is Stop.COMPLETE:
                break
            if not answer.reading.drafts:
                max_tokens = min(2 * max_tokens, room)
            chunks = await _close(run, answer, tries)
            request = _continued(_narrowed(request, chunks), _known(run, chunks))
        else:
            reason = "The model's answer was truncated at its length limit repeatedly."
        if model.info.offline and tries.index > 0:
            failed = run.faults[chunks[0].id]
            reason, fault = f"Only the offline rules reviewed it: {failed}", failed.fault.value
        for chunk in chunks:
            why = reason or partly.get(chunk.id)
            status: ChunkStatus = "partly" if why else "reviewed"
            by = checked.get(chunk.id, Checked(chunk.id))
            if by.unread and not why:
                status, why = "unread", by.unread
            outcome = ChunkOutcome(chunk.id, status, model.info.name, attempt, why, fault)
            await run.say(replace(outcome, checks=by.checks))


async def _close(run: BatchRun, answer: Answer, tries: _Tries) -> tuple[ChunkView, ...]:
    """End the chunks of the files with which a failed answer was done; return the others."""
    done = set(map(show, answer.done))
    others = tuple(chunk for chunk in answer.chunks if show(chunk.path) not in done)
    if not others:  # such an answer should have said that it is complete
        return answer.chunks
    for chunk in answer.chunks:
        if chunk not in others:
            tries.left.remove(chunk)
            await run.say(
                ChunkOutcome(chunk.id, "reviewed", answer.model.info.name, answer.attempt)
            )
    return others


def _narrowed(request: ModelRequest, chunks: tuple[ChunkView, ...]) -> ModelRequest:
    """Return the request reduced to some of its chunks."""
    if chunks == request.chunks:
        return request
    left_out = sum(one.tokens for one in request.chunks) - sum(one.tokens for one in chunks)
    return replace(request, chunks=chunks, tokens=max(0, request.tokens - left_out))


def _continued(request: ModelRequest, known: tuple[KnownFinding, ...]) -> ModelRequest:
    """Return the request to continue a response. It lists known findings, which costs tokens."""
    added = sum(len(one.path) + len(one.title) for one in known) // 2 + 10 * len(known)
    before = sum(len(one.path) + len(one.title) for one in request.known) // 2
    return replace(request, known=known, tokens=request.tokens + max(0, added - before))


def _known(run: BatchRun, chunks: tuple[ChunkView, ...]) -> tuple[KnownFinding, ...]:
    """Return the findings of these chunks so far, for the request that continues a response."""
    return tuple(
        KnownFinding(drafted.draft.path, drafted.draft.line, drafted.draft.title)
        for drafted in run.drafts
        if any(one.id in drafted.chunks and one.path == drafted.draft.path for one in chunks)
    )


def _fault_of(state: RetryCallState) -> ModelFault:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, ModelFault):
        raise TypeError(f"tenacity retries ModelFault only, not {error!r}")
    return error

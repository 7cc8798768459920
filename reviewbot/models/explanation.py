"""Request an answer in words from one model after the other, and show it as it arrives."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from reviewbot.core.events.events import Usage
from reviewbot.core.prompt.explanation import shown_answer, shown_so_far
from reviewbot.core.prompt.question import redacted, render_question
from reviewbot.errors import ReviewbotError
from reviewbot.models.base import (
    Fault,
    ModelFault,
    Prefill,
    Stop,
    Stopped,
    Thinking,
    ToolInput,
    UsageReport,
)
from reviewbot.models.batch import (
    Answered,
    BatchResult,
    ChunkOutcome,
    Reading,
    RequestSent,
    Retrying,
    Spent,
    Working,
)
from reviewbot.models.catalog import cost_usd
from reviewbot.models.report_reader import CHARS_PER_TOKEN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Sequence

    from reviewbot.core.prompt.question import Inquiry
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.base import ModelEvent
    from reviewbot.models.batch import BatchTask, Emit
    from reviewbot.models.budget import Budget
    from reviewbot.models.catalog import ModelInfo

MAX_TOKENS: Final = 8_000
"""Maximum output tokens: a few paragraphs, and the thinking of the model before them."""
SHOWN_EVERY_S: Final = 1.0
"""Seconds between events of an unfinished answer. Each event has the whole text so far."""


@runtime_checkable
class WordsWriter(Protocol):
    """A model that can answer in plain words."""

    @property
    def info(self) -> ModelInfo:
        """Its name and prices."""
        ...

    def answer_words(
        self, system: str, user: str, *, max_tokens: int
    ) -> AsyncGenerator[ModelEvent, None]:
        """Stream one answer.

        Raises:
            ModelFault: the request failed.
        """
        ...


class Explainer:
    """Runner that answers a question; an instance is a ``RunBatch`` for a single batch.

    Args:
        writers: the models, best first.
        inquiry: the question.
        budget: budget of the answer, if there is a limit.
        link_hosts: hosts that links in the answer may point to.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        writers: Sequence[WordsWriter],
        inquiry: Inquiry,
        budget: Budget | None = None,
        *,
        link_hosts: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writers, self._inquiry, self._budget = tuple(writers), inquiry, budget
        self._link_hosts, self._clock = link_hosts, clock

    async def __call__(self, task: BatchTask, emit: Emit) -> BatchResult:
        """Request the answer from one model after the other; it fails only by cancellation."""
        chunks = tuple(chunk.id for chunk in task.request.chunks)
        spent: list[Spent] = []
        answer: Answered | None = None
        failed = ModelFault("There is no model to ask.", fault=Fault.REJECTED)
        name = "none"
        for writer, following in zip_longest(self._writers, self._writers[1:]):
            name = writer.info.name
            await emit(RequestSent(chunks, name, 1))
            try:
                answer = await self._ask(writer, task.request, emit, spent)
                break
            except ModelFault as fault:
                failed = fault
            if following is not None:
                then = following.info.name
                await emit(Retrying(chunks, name, 1, str(failed), then, 0.0))
        if answer is not None:
            await emit(answer)
            ends = tuple(ChunkOutcome(chunk, "reviewed", name, 1) for chunk in chunks)
        else:
            why = (str(failed), failed.fault.value)
            ends = tuple(ChunkOutcome(chunk, "failed", name, 1, *why) for chunk in chunks)
        for end in ends:
            await emit(end)
        return BatchResult((), ends, tuple(spent), answer)

    async def _ask(
        self, writer: WordsWriter, request: ModelRequest, emit: Emit, spent: list[Spent]
    ) -> Answered:
        """Return the answer of one model.

        Raises:
            ModelFault: the model did not answer.
        """
        writing = _Writing(writer.info.name, self._link_hosts, emit, self._clock)
        try:
            system, user = await asyncio.to_thread(self._prompt, request)
            await self._stream(writer, system, user, writing, spent)
            return await writing.whole()
        except ModelFault:
            await writing.take_back()
            raise
        except ReviewbotError as error:  # text that cannot be searched for secrets is not shown
            await writing.take_back()
            raise ModelFault(str(error), fault=Fault.REJECTED) from error

    def _prompt(self, request: ModelRequest) -> tuple[str, str]:
        return render_question(
            redacted(self._inquiry),
            chunks=request.chunks,
            manifest=request.manifest,
            instructions=request.instructions,
        )

    async def _stream(
        self, writer: WordsWriter, system: str, user: str, writing: _Writing, spent: list[Spent]
    ) -> None:
        """Send the request, and pass its events on."""
        info, reserved = writer.info, 0.0
        max_tokens = min(MAX_TOKENS, info.max_output)
        if self._budget:
            max_tokens, reserved = await self._budget.reserve(info, f"{system}\n{user}", max_tokens)
        try:
            asked = writer.answer_words(system, user, max_tokens=max_tokens)
            async with aclosing(asked) as events:
                async for event in events:
                    await writing.take(event)
        finally:
            usage = writing.used
            took = Spent(info.name, usage, cost_usd(info, usage))
            spent.append(took)
            if self._budget:
                await self._budget.settle(reserved, took.cost_usd or 0.0)
            await writing.emit(took)


class _Writing:
    """One unfinished answer."""

    def __init__(
        self, model: str, link_hosts: Collection[str], emit: Emit, clock: Callable[[], float]
    ) -> None:
        self._model, self._link_hosts, self.emit, self._clock = model, link_hosts, emit, clock
        self._written = self._shown = ""
        self._thought = 0
        self._looked_at = clock()
        self._usage = Usage()
        self._stopped: Stopped | None = None

    @property
    def used(self) -> Usage:
        """Its tokens. A server that is cut off has often named only the first output token."""
        if self._stopped is not None:
            return self._usage
        characters = self._thought + len(self._written)
        return replace(self._usage, output=max(self._usage.output, characters // CHARS_PER_TOKEN))

    async def take(self, event: ModelEvent) -> None:
        """Take the next event of the answer.

        Raises:
            ReviewbotError: the search for secrets failed.
        """
        match event:
            case ToolInput(text=piece):
                self._written += piece
                if self._clock() - self._looked_at >= SHOWN_EVERY_S:
                    await self._show()
            case Thinking(text=text):
                self._thought += len(text)
                await self.emit(Working(self._model))
            case Prefill(tokens=tokens):
                await self.emit(Reading(self._model, tokens))
            case UsageReport():
                self._usage = event.usage
            case Stopped():
                self._stopped = event
            case _:
                pass

    async def _show(self) -> None:
        shown = await asyncio.to_thread(shown_so_far, self._written, link_hosts=self._link_hosts)
        if shown != self._shown:
            self._shown = shown
            await self.emit(Answered(shown, self._model))
        self._looked_at = self._clock()

    async def take_back(self) -> None:
        """Withdraw the shown text, if any."""
        if self._shown:
            await self.emit(Answered("", self._model))

    async def whole(self) -> Answered:
        """Return the answer, once it has ended.

        Raises:
            ModelFault: the answer was interrupted or is empty, or the model declined.
            ReviewbotError: the search for secrets failed.
        """
        if self._stopped is None:
            raise ModelFault("The model's answer was interrupted.", fault=Fault.TRANSIENT)
        if self._stopped.stop is Stop.REFUSED:
            detail = self._stopped.detail or "The model declined to answer."
            raise ModelFault(detail, fault=Fault.REFUSED)
        text = await asyncio.to_thread(
            shown_answer,
            self._written,
            cut=self._stopped.stop is Stop.TRUNCATED,
            link_hosts=self._link_hosts,
        )
        if not text:
            raise ModelFault("The model's answer is empty.", fault=Fault.UNUSABLE)
        return Answered(text, self._model, complete=True)

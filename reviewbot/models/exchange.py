"""Get the answer to one request: by one response, or by the turns of a conversation.

A model that looks up code gets a conversation of at most :data:`MAX_TURNS` turns. All calls of a
turn are answered together. The budget holds enough for one more turn, in which the model reports,
and the last results before a limit tell the model to report.
"""

from __future__ import annotations

import hashlib
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.cache.seen_code import seen_dossier
from reviewbot.models.base import (
    ConversingModel,
    Fault,
    LookupsRefusedError,
    ModelFault,
    Stop,
)
from reviewbot.models.batch import AnswerRecalled, BatchResult, LookedUp, Spent
from reviewbot.models.catalog import cost_usd
from reviewbot.models.conversation import Conversation, Turn
from reviewbot.models.dialogue import NEVER_COMPLETE, Dialogue, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.base import ModelEvent
    from reviewbot.models.batch_run import Answer, BatchRun
    from reviewbot.models.budget import Budget
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.dialogue import Lookups

WithDossier: TypeAlias = "Callable[[ModelRequest, ModelInfo], Awaitable[ModelRequest]]"
"""Function that returns a request without look-ups, with code beside the change in their place."""
SaveTurn: TypeAlias = "Callable[[str, BatchResult], Awaitable[object]]"

TURN: Final = "/turn-"
"""Part of the names under which turns are stored."""
NAME_CHARS: Final = 24
"""Characters of the name of a conversation. A database bounds the names of what it stores."""
MAX_TURNS: Final = 8
"""Most turns of a conversation, the one for the report included."""


async def _save_nothing(_name: str, _result: BatchResult) -> None:
    pass


@dataclass(frozen=True, slots=True)
class TurnCheckpoints:
    """Store of the finished turns of conversations.

    Attributes:
        earlier: what earlier runs stored, by name.
        save: function that stores the conversation after a turn under a new name. The next turn is
            requested after it returns, so that no later run repeats the stored one.
    """

    earlier: Mapping[str, BatchResult] = field(default_factory=dict)
    save: SaveTurn = _save_nothing

    def last_of(self, name: str) -> Conversation:
        """Return the stored conversation of this name; an empty one if there is none."""
        stored = (self.earlier.get(f"{name}{TURN}{number}") for number in range(MAX_TURNS, 0, -1))
        found = (result.conversation for result in stored if result and result.conversation)
        return next(found, Conversation())

    async def keep(self, name: str, conversation: Conversation) -> None:
        """Store a conversation after its last turn."""
        number = len(conversation.turns)
        await self.save(f"{name}{TURN}{number}", BatchResult((), (), (), conversation=conversation))


class Exchange:
    """Sender of the requests of a review.

    Args:
        budget: budget of the review, if there is a limit.
        lookups: what answers look-ups; None offers none.
        checkpoints: store of the turns.
        dossiers: function that returns a request to a model that cannot look code up, in place of
            one with look-ups; None leaves the look-ups out.
    """

    def __init__(
        self,
        budget: Budget | None,
        lookups: Lookups | None = None,
        checkpoints: TurnCheckpoints | None = None,
        dossiers: WithDossier | None = None,
    ) -> None:
        self._budget, self._lookups, self._dossiers = budget, lookups, dossiers
        self._checkpoints = checkpoints or TurnCheckpoints()

    async def run(
        self, run: BatchRun, answer: Answer, request: ModelRequest, max_tokens: int
    ) -> Stop:
        """Get an answer, and pass its events on; return whether it is complete or truncated.

        Raises:
            ModelFault: there is no usable answer. What it reported stays.
        """
        model = answer.model
        lookups = self._lookups if request.lookups and model.info.looks_up else None
        if lookups is not None and isinstance(model, ConversingModel):
            talk = Dialogue(self._budget, lookups, model, request, max_tokens)
            try:
                return await self._converse(run, answer, talk)
            except LookupsRefusedError:
                pass
            finally:
                run.seen |= dict.fromkeys(talk.seen)
                run.looked_up = talk.conversation.results
                await talk.release()
        return await self._single(run, answer, request, max_tokens)

    async def _single(
        self, run: BatchRun, answer: Answer, request: ModelRequest, max_tokens: int
    ) -> Stop:
        info, reserved = answer.model.info, 0.0
        if request.lookups:
            planned = request.tokens
            request = await self._without_lookups(request, info)
            max_tokens = max(1, min(max_tokens, info.context - request.tokens))
            run.dossier = request.dossier
            if self._dossiers and not info.offline:
                run.seen[seen_dossier(request.dossier)] = None
            if answer.estimated:
                answer.estimated += request.tokens - planned
        if self._budget:
            # A model that cannot be forced to call the tool may need a second request.
            requests = 1 if info.forced_tools or not info.structured_output else 2
            max_tokens, reserved = await self._budget.reserve(
                info, text_of(request, info), max_tokens, requests=requests
            )
        events = answer.model.stream(request, max_tokens=max_tokens)
        await _received(run, answer, events, self._budget, reserved)
        stop = answer.reading.judge()
        await run.keep_files(answer, answer.chunks)
        return stop

    async def _without_lookups(self, request: ModelRequest, info: ModelInfo) -> ModelRequest:
        if self._dossiers is None:
            return replace(request, lookups=0)
        return await self._dossiers(request, info)

    async def _converse(self, run: BatchRun, first: Answer, talk: Dialogue) -> Stop:
        # Another prompt, or another part of the batch, is another conversation.
        text = f"{first.name}\0{text_of(talk.request, talk.model.info)}"
        name = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:NAME_CHARS]
        earlier = self._checkpoints.last_of(name)
        for number, turn in enumerate(earlier.turns, start=1):
            await _repeated(run, first.of_turn(number), turn)
            first.done.update(turn.done)
        await talk.begin(earlier)  # it may fail, and what was shown stays
        for number in range(len(earlier.turns) + 1, MAX_TURNS + 1):
            answer = first.of_turn(number)
            events = talk.model.converse(
                talk.request, talk.conversation, max_tokens=talk.max_tokens
            )
            try:
                await _received(run, answer, events, self._budget, talk.charged())
                stop = answer.reading.judge(answer.turn)
            finally:
                first.done |= answer.reading.done
            changes = await run.keep_files(answer, answer.chunks)
            if answer.turn is None or stop is not Stop.CONTINUING:
                return stop
            turn = Turn(
                answer.turn.content,
                drafts=tuple(answer.drafts),
                files=changes,
                done=tuple(sorted(answer.reading.done)),
            )
            if not turn.content:
                raise ModelFault("The model's answer is empty.", fault=Fault.UNUSABLE)
            results = await talk.results(run, answer.turn.calls)
            if number == MAX_TURNS:
                break
            await talk.go_on(turn, results, answer.turn.form, last=number == MAX_TURNS - 1)
            await self._checkpoints.keep(name, talk.conversation)
        # Another conversation would end in the same way.
        raise ModelFault(NEVER_COMPLETE, fault=Fault.COULD_NOT_REVIEW)


async def _repeated(run: BatchRun, answer: Answer, turn: Turn) -> None:
    """Emit what a stored turn has reported."""
    for draft in turn.drafts:
        await answer.draft(run, draft)
    for activity in turn.lookups:
        await run.say(LookedUp(answer.model.info.name, activity))
    run.files |= {change.path: change for change in turn.files}


async def _received(
    run: BatchRun,
    answer: Answer,
    stream: AsyncGenerator[ModelEvent, None],
    budget: Budget | None,
    reserved: float,
) -> None:
    """Pass the events of a response on, until it ends or breaks off; charge its usage.

    Raises:
        ModelFault: the response failed, or the model declined.
    """
    info = answer.model.info
    try:
        async with aclosing(stream) as events:
            async for event in events:
                await answer.pass_on(run, event)
    finally:
        usage = answer.reading.used
        cost = cost_usd(info, usage)
        if budget:
            await budget.settle(reserved, cost or 0.0)
        estimated = answer.estimated if answer.reading.requests == 1 else 0
        await run.say(Spent(info.name, usage, cost, estimated, answer.purpose))
    if (refusal := answer.reading.refusal) is not None:
        await run.say(AnswerRecalled(answer.name, refusal))
        raise ModelFault(refusal, fault=Fault.REFUSED)

"""What a model gets for each turn of a conversation: results, notes, and room for more turns.

All calls of a turn are answered together, in their order. The budget holds enough for one more turn
from the start, in which the model reports. The last results before a limit end with
:data:`ONLY_REPORT`, :data:`ONLY_CHECK` or :data:`ONLY_ANSWER`; look-ups that the model asks for
after it are not answered.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from reviewbot.core.cache.seen_code import NOT_COMPARABLE, SeenCode, seen_lookup
from reviewbot.core.prompt.lookup_tools import LOOKUP_TOOLS, LookupCall
from reviewbot.core.prompt.request import answer_tool, render
from reviewbot.models.base import Fault, ModelFault
from reviewbot.models.batch import LookedUp
from reviewbot.models.conversation import Conversation, ToolResult

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from reviewbot.core.prompt.lookup_tools import LookupResult
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.base import ConversingModel, ToolCall
    from reviewbot.models.batch_run import BatchRun
    from reviewbot.models.budget import Budget
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.conversation import Turn

TURN_TOKENS: Final = 8_000
"""Tokens of the context window that a turn needs."""
ONLY_REPORT: Final = (
    "No look-ups are left. Only report now: call report_findings with what is proved and not yet"
    " reported, and outcome complete."
)
ONLY_CHECK: Final = "No look-ups are left. Call check_findings now, with all answers."
ONLY_ANSWER: Final = "No look-ups are left. Call answer now."
LEFT: Final = "Look-ups left: {}."
"""End of the results before a turn that may look up."""
NEVER_COMPLETE: Final = "The model went on without completing its report."
MAX_REMINDERS: Final = 2
"""How often a model is told to report before its conversation ends."""
_RECORDED: Final = "Recorded. The last report says outcome complete."
_STILL_OPEN: Final = (
    "Recorded. Look-ups were open in this turn: end with outcome complete in a later turn, with"
    " what is new."
)
_CHECK_AGAIN: Final = (
    "Not recorded: look-ups were open in this turn. Call check_findings in a later turn, with all"
    " answers."
)
_ANSWER_AGAIN: Final = "Not recorded: look-ups were open in this turn. Call answer in a later turn."
_UNNAMED: Final = "a look-up"
"""Description of a look-up without one. The name of its tool is a model's text."""
_NOT_ANSWERED: Final = "Not answered: no look-ups are left."
_NO_ROOM: Final = "Not answered: there is no room left for the result."


class Lookups(Protocol):
    """The look-ups of one review: they are answered and counted, over all conversations."""

    @property
    def left(self) -> int:
        """Look-ups that may still be asked for."""
        ...

    def repeat(self, count: int) -> None:
        """Count look-ups that an earlier run of the review has answered."""
        ...

    def __call__(self, call: LookupCall) -> Coroutine[Any, Any, LookupResult]:
        """Count a look-up at once, and return the coroutine that answers it.

        It raises nothing: a failure is a result, too.
        """
        ...


class Dialogue:
    """One conversation: its history, and what its budget holds for the next turns.

    Args:
        budget: budget of the review, if there is a limit.
        lookups: what answers look-ups.
        model: the model.
        request: the request, with look-ups.
        max_tokens: desired maximum of output tokens of a turn.
    """

    def __init__(
        self,
        budget: Budget | None,
        lookups: Lookups,
        model: ConversingModel,
        request: ModelRequest,
        max_tokens: int,
    ) -> None:
        self._budget, self._lookups = budget, lookups
        self.model, self.request, self.max_tokens = model, request, max_tokens
        self.conversation = Conversation()
        self.seen: list[SeenCode] = []
        """Results of all look-ups, those that were not answered included."""
        self._wanted_tokens = max_tokens
        self._reserved = self._held = 0.0
        self._open = True
        self._only_report, self._still_open = ONLY_REPORT, _STILL_OPEN
        if request.check:
            self._only_report, self._still_open = ONLY_CHECK, _CHECK_AGAIN
        elif request.reply:
            self._only_report, self._still_open = ONLY_ANSWER, _ANSWER_AGAIN

    async def begin(self, conversation: Conversation) -> None:
        """Prepare the first turn, or the next one of a stored ``conversation``.

        Raises:
            ModelFault: the budget does not admit it.
        """
        if conversation.turns:
            self.seen.append(NOT_COMPARABLE)  # a turn keeps no input of its look-ups
            self._lookups.repeat(sum(len(turn.lookups) for turn in conversation.turns))
            self._open = conversation.turns[-1].note != self._only_report
            if await self._admits(conversation, turns=2 if self._open else 1, waits=True):
                return
        elif self._lookups.left:
            if await self._admits(conversation, turns=2, waits=True):
                return
            self.seen.append(NOT_COMPARABLE)  # with more budget, the model may look code up
        self._open = False
        opening = conversation if conversation.turns else Conversation(opening=self._only_report)
        await self._reserve(opening, turns=1, waits=True)

    async def results(self, run: BatchRun, calls: tuple[ToolCall, ...]) -> list[CallResult]:
        """Answer all calls of a turn, in their order."""
        looks_up = not all(call.reports for call in calls)
        asked: dict[int, LookupCall] = {}
        tasks: dict[int, asyncio.Task[LookupResult]] = {}
        async with asyncio.TaskGroup() as group:
            for place, call in enumerate(calls):
                if self._open and not call.reports and self._lookups.left > 0:
                    asked[place] = LookupCall(call.name, call.input)
                    tasks[place] = group.create_task(self._lookups(asked[place]))
        results = []
        for place, call in enumerate(calls):
            if call.reports:
                text = self._still_open if looks_up else _RECORDED
                results.append(CallResult(ToolResult(call.id, text)))
            elif (task := tasks.get(place)) is None:
                self.seen.append(NOT_COMPARABLE)
                results.append(CallResult(ToolResult(call.id, _NOT_ANSWERED, failed=True)))
            else:
                found = task.result()
                self.seen.append(seen_lookup(asked[place], found))
                activity = found.activity or _UNNAMED
                await run.say(LookedUp(self.model.info.name, activity))
                results.append(CallResult(ToolResult(call.id, found.text, found.failed), activity))
        return results

    async def go_on(
        self, turn: Turn, results: list[CallResult], form: tuple[str, ...], *, last: bool
    ) -> None:
        """Append a turn with its results, and reserve the next one.

        Without room for two more turns, the next one is the last. If even the results do not fit,
        they are left out.

        Raises:
            ModelFault: the budget does not admit the last turn, or the model was told to report
                often enough.
        """
        turn = replace(
            turn,
            results=tuple(result.sent for result in results),
            lookups=tuple(result.activity for result in results if result.activity),
        )
        self._open = self._open and not last and self._lookups.left > 0
        note = "" if turn.results else self._only_report
        if self._open and not note:
            going_on = replace(turn, note=LEFT.format(self._lookups.left))
            if await self._admits(self.conversation.with_turn(going_on, form), turns=2):
                return
            self.seen.append(NOT_COMPARABLE)  # with more budget, the model may look more code up
        self._open = False
        if sum(turn.note == self._only_report for turn in self.conversation.turns) == MAX_REMINDERS:
            raise ModelFault(NEVER_COMPLETE, fault=Fault.COULD_NOT_REVIEW)
        turn = replace(turn, note=self._only_report)
        if await self._admits(self.conversation.with_turn(turn, form), turns=1):
            return
        self.seen.append(NOT_COMPARABLE)  # the model never sees the results
        without = [
            replace(result.sent, text=_NO_ROOM, failed=True) if result.activity else result.sent
            for result in results
        ]
        turn = replace(turn, results=tuple(without))
        await self._reserve(self.conversation.with_turn(turn, form), turns=1)

    async def _admits(self, conversation: Conversation, *, turns: int, waits: bool = False) -> bool:
        try:
            await self._reserve(conversation, turns=turns, waits=waits)
        except ModelFault:
            return False
        return True

    async def _reserve(
        self, conversation: Conversation, *, turns: int, waits: bool = False
    ) -> None:
        """Continue with ``conversation``, of which ``turns`` more fit.

        Raises:
            ModelFault: the context window or the budget does not admit them.
        """
        info, text = self.model.info, conversation.text
        room = info.context - self.request.tokens - len(text) // 2
        if room < turns * TURN_TOKENS and (turns > 1 or conversation.turns):
            raise ModelFault(
                f"The conversation is too large for the context window of {info.name}.",
                fault=Fault.UNUSABLE,
            )
        max_tokens = min(self._wanted_tokens, max(room, 1))
        if self._budget:
            max_tokens, self._reserved = await self._budget.reserve(
                info,
                text_of(self.request, info) + text,
                max_tokens,
                requests=turns,
                held=self._held,
                waits=waits,
            )
            self._held = self._reserved * (turns - 1) / turns
        self.max_tokens, self.conversation = max_tokens, conversation

    def charged(self) -> float:
        """Return the dollars that are reserved for the turn that is sent now."""
        charged, self._reserved = self._reserved - self._held, self._held
        return charged

    async def release(self) -> None:
        """Release what the budget holds."""
        if self._budget:
            await self._budget.settle(self._reserved, 0.0)


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of a call; ``activity`` describes a look-up that was answered."""

    sent: ToolResult
    activity: str = ""


def text_of(request: ModelRequest, info: ModelInfo) -> str:
    """Return all text that ``request`` sends; empty for the offline rules."""
    if info.offline:
        return ""
    prompt = render(request, profile=info.prompt)
    tools = [answer_tool(request)]
    tools += LOOKUP_TOOLS if request.lookups else ()
    return json.dumps(tools) + prompt.system + prompt.shared + prompt.body

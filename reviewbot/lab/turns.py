"""The turns of one conversation with look-ups: their calls, results, sizes and costs. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.events.events import Usage
from reviewbot.core.render.wording import dollars
from reviewbot.core.wording import count
from reviewbot.models.catalog import cost_usd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.models.base import ToolCall
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.conversation import Conversation


NOT_ANSWERED: Final = "not answered"
"""Activity of a look-up that was asked for after the last one."""


@dataclass(slots=True)
class SentTurn:
    """A request of a conversation, and the answer to it.

    Attributes:
        conversation: the earlier turns, which the request repeats.
        prompt: all other text of the request, tools included.
        usage: tokens of the request and its answer.
        calls: the tool calls of the answer.
        reports: the JSON text of each report in the answer.
    """

    conversation: Conversation
    prompt: str
    usage: Usage = field(default_factory=Usage)
    calls: tuple[ToolCall, ...] = ()
    reports: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TurnLookup:
    """A look-up and the text of its result. ``failed`` is True for a refusal."""

    activity: str
    result: str
    failed: bool

    @property
    def short(self) -> str:
        """The size of the result in bytes, and its first line."""
        size = len(self.result.encode("utf-8", "surrogatepass"))
        first = self.result.partition("\n")[0].removeprefix("=== ")
        return f"{count(size, 'byte')}, {first}"


@dataclass(frozen=True, slots=True)
class TurnStep:
    """One turn.

    Attributes:
        number: its number, from 1.
        added: bytes of the request that no earlier one had.
        usage: tokens of the request and its answer.
        cost_usd: cost of the turn; None if prices are unknown.
        reported: a phrase about each report, such as ``2 findings, continuing``.
        lookups: the look-ups, in the order of the answer.
        left: look-ups that may still be asked for.
        note: text after the results: how many look-ups are left, or that the model must report.
    """

    number: int
    added: int
    usage: Usage
    cost_usd: float | None
    reported: tuple[str, ...]
    lookups: tuple[TurnLookup, ...]
    left: int
    note: str

    @property
    def figures(self) -> tuple[str, ...]:
        """The numbers of the turn as texts, in the order of :data:`COLUMNS`."""
        tokens = (self.usage.input + self.usage.cache_write, self.usage.cache_read)
        numbers = (self.number, self.added, *tokens, self.usage.output)
        return (*(f"{number:,}" for number in numbers), dollars(self.cost_usd), f"{self.left:,}")


COLUMNS: Final = (
    "turn",
    "new bytes",
    "new tokens",
    "from cache",
    "output",
    "price",
    "look-ups left",
)
"""Names of the numbers of a turn. Its price counts tokens of the cache at their own price."""


@dataclass(frozen=True, slots=True)
class TurnStudy:
    """A conversation.

    Attributes:
        source: sentence about the origin of the answers.
        model: name of the model.
        limit: most look-ups of the review.
        most: most turns of the conversation, the one for the report included.
        steps: the turns.
        cost_usd: cost of all turns; None if prices are unknown.
        uncached_usd: cost of all turns without a prompt cache; None if prices are unknown.
        outcome: sentence about the end of the review.
        complete: False if the model did not complete the review.
    """

    source: str
    model: str
    limit: int
    most: int
    steps: tuple[TurnStep, ...]
    cost_usd: float | None
    uncached_usd: float | None
    outcome: str
    complete: bool

    @property
    def lookups(self) -> int:
        """Look-ups that were answered or refused."""
        return self.limit - (self.steps[-1].left if self.steps else self.limit)

    @property
    def price(self) -> str:
        """The cost of all turns, and what they would cost without a prompt cache."""
        if self.uncached_usd is None:
            return dollars(self.cost_usd)
        return f"{dollars(self.cost_usd)}; {dollars(self.uncached_usd)} without a cache"


def study_turns(
    sent: Sequence[SentTurn],
    info: ModelInfo,
    *,
    source: str,
    limit: int,
    most: int,
    outcome: str,
    complete: bool = True,
) -> TurnStudy:
    """Return the study of a conversation.

    Args:
        sent: its requests, in order.
        info: the model.
        source: sentence about the origin of the answers.
        limit: most look-ups of the review.
        most: most turns of the conversation.
        outcome: sentence about the end of the review.
        complete: whether the review is complete.
    """
    steps: list[TurnStep] = []
    left, known = limit, 0
    for number, turn in enumerate(sent, start=1):
        answered = sent[number].conversation if number < len(sent) else None
        lookups, note = _results(turn, answered)
        left -= sum(lookup.activity != NOT_ANSWERED for lookup in lookups)
        size = len(f"{turn.prompt}{turn.conversation.text}".encode("utf-8", "surrogatepass"))
        steps.append(
            TurnStep(
                number=number,
                added=size - known,
                usage=turn.usage,
                cost_usd=cost_usd(info, turn.usage),
                reported=tuple(map(_reported, turn.reports)),
                lookups=lookups,
                left=left,
                note=note,
            )
        )
        known = size
    return TurnStudy(
        source=source,
        model=info.name,
        limit=limit,
        most=most,
        steps=tuple(steps),
        cost_usd=_total([step.cost_usd for step in steps]),
        uncached_usd=_total([cost_usd(info, _uncached(step.usage)) for step in steps]),
        outcome=outcome,
        complete=complete,
    )


def _results(turn: SentTurn, after: Conversation | None) -> tuple[tuple[TurnLookup, ...], str]:
    """Return the look-ups of a turn, and the note after its results, from the next request."""
    if after is None or not after.turns:
        return (), ""
    told = after.turns[-1]
    results = {result.id: result for result in told.results}
    activities = iter(told.lookups)  # look-ups are answered in their order until none is left
    lookups = [
        TurnLookup(next(activities, NOT_ANSWERED), results[call.id].text, results[call.id].failed)
        for call in turn.calls
        if not call.reports and call.id in results
    ]
    return tuple(lookups), told.note


def _reported(text: str) -> str:
    """Return a phrase about a report: its number of findings, and its outcome."""
    try:
        report: Any = json.loads(text)
    except (ValueError, RecursionError):
        report = None
    if not isinstance(report, dict):
        return "a report that cannot be read"
    findings, outcome = report.get("findings"), report.get("outcome")
    number = len(findings) if isinstance(findings, list) else 0
    return f"{count(number, 'finding')}, {outcome if isinstance(outcome, str) else 'no outcome'}"


def _uncached(usage: Usage) -> Usage:
    return Usage(usage.input + usage.cache_read + usage.cache_write, usage.output)


def _total(amounts: Sequence[float | None]) -> float | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None

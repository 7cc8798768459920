"""Asking for an answer in words: shown as it is written, from the first model that answers."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar

import pytest

from reviewbot.core.events.events import Usage
from reviewbot.errors import ReviewbotError
from reviewbot.models import explanation
from reviewbot.models.base import (
    Fault,
    ModelFault,
    Stop,
    Stopped,
    ToolInput,
)
from reviewbot.models.batch import (
    Answered,
    BatchResult,
    BatchTask,
    ChunkOutcome,
    Reading,
    RequestSent,
    Retrying,
    Spent,
    Working,
)
from reviewbot.models.budget import Budget
from reviewbot.models.explanation import MAX_TOKENS, Explainer, WordsWriter
from reviewbot.models.offline.model import OfflineModel
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, StatusError
from tests.in_process import parser
from tests.models.asking import MODEL, claude, request
from tests.prompt_requests import INQUIRY
from tests.support.explanations import HAIKU, USED, Clock, Words, down
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from reviewbot.models.base import ModelEvent
    from reviewbot.models.batch import BatchEvent
    from tests.fake_anthropic import Recorded, Reply

T = TypeVar("T")

TASK = BatchTask("b1", request(instructions="Money is Decimal."))


class Heard:
    """What a batch said."""

    def __init__(self) -> None:
        self.events: list[BatchEvent] = []

    async def __call__(self, event: BatchEvent) -> None:
        self.events.append(event)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def shown(self) -> list[tuple[str, bool]]:
        return [(one.text, one.complete) for one in self.of(Answered)]


async def explain(
    *writers: WordsWriter, budget: Budget | None = None, clock: Clock | None = None
) -> tuple[Heard, BatchResult]:
    heard = Heard()
    explainer = Explainer(
        writers, INQUIRY, budget, link_hosts=("github.com",), clock=clock or Clock()
    )
    return heard, await explainer(TASK, heard)


async def test_an_answer_is_shown_as_it_is_written_and_then_whole() -> None:
    heard, result = await explain(Words("Line 42 ", "multi", "plies\n\nNo", "ne."))
    assert heard.shown == [
        ("Line 42", False),
        ("Line 42 multiplies", False),
        ("Line 42 multiplies\n\nNone.", True),
    ]
    assert result.answer == Answered("Line 42 multiplies\n\nNone.", MODEL, complete=True)
    assert [type(event) for event in heard.events[-3:]] == [Spent, Answered, ChunkOutcome]
    assert result.outcomes == (ChunkOutcome("c1", "reviewed", MODEL, 1),)
    assert [spent.usage for spent in result.spent] == [USED]


async def test_an_answer_that_comes_fast_is_not_shown_word_by_word() -> None:
    heard, _ = await explain(Words(*["word "] * 500), clock=Clock(0.01))
    assert 2 <= len(heard.shown) < 20
    sizes = [len(text) for text, _ in heard.shown]
    assert sizes == sorted(sizes)


async def test_thoughts_are_no_answer() -> None:
    heard, _ = await explain(Words("So ", think=3))
    assert len(heard.of(Working)) == 3
    assert heard.shown == [("So", False), ("So", True)]


@in_virtual_time
async def test_a_slow_model_is_said_to_read_the_question_first() -> None:
    answer = Answer(call=False, preamble="No.")
    async with (
        FakeAnthropic(lambda _: answer, models={"qwen"}) as fake,
        claude(fake, "qwen") as model,
    ):
        heard, _ = await explain(model)
    [reading] = heard.of(Reading)
    assert reading.model == "qwen"
    assert 400 < reading.tokens < len(fake.requests[0].raw) / 2
    assert heard.shown == [("No.", True)]


async def test_the_model_gets_the_finding_the_hunk_the_thread_and_the_rules() -> None:
    words = Words("x")
    await explain(words)
    [(system, user, max_tokens)] = words.asked
    assert "You answer a question about one finding" in system
    for told in (
        'why not \\"ROUND_HALF_UP\\"?',
        "R42+|    due = order.net * rate",
        "reviewbot: ",
        '"Money is Decimal."',
    ):
        assert told in user
    assert max_tokens == MAX_TOKENS


async def test_what_a_model_wrote_before_it_failed_is_taken_back_and_the_next_is_asked() -> None:
    failing = Words("Because ", "it ", end=down())
    heard, result = await explain(failing, Words("No.", name=HAIKU))
    assert heard.shown == [
        ("Because", False),
        ("Because it", False),
        ("", False),
        ("No.", True),
    ]
    assert [event.model for event in heard.of(RequestSent)] == [MODEL, HAIKU]
    [retry] = heard.of(Retrying)
    assert (retry.reason, retry.next_model) == ("The server is overloaded.", HAIKU)
    assert [spent.model for spent in result.spent] == [MODEL, HAIKU]
    assert result.outcomes[0].model == HAIKU


@pytest.mark.parametrize(
    ("words", "fault", "reason"),
    [
        (Words("x ", end=down(Fault.SPEND_LIMIT)), "spend_limit", "The server is overloaded."),
        (Words("x ", end=Stopped(Stop.REFUSED)), "refused", "The model declined to answer."),
        (Words("x ", end=Stopped(Stop.REFUSED, "No (cyber).")), "refused", "No (cyber)."),
        (Words(end=Stopped(Stop.NO_REPORT)), "unusable", "The model's answer is empty."),
        (Words(" \n"), "unusable", "The model's answer is empty."),
    ],
)
async def test_a_model_that_does_not_answer_is_a_failure_with_its_reason(
    words: Words, fault: str, reason: str
) -> None:
    heard, result = await explain(words)
    assert result.answer is None
    assert result.outcomes == (ChunkOutcome("c1", "failed", MODEL, 1, reason, fault),)
    assert heard.events[-1] == result.outcomes[0]
    assert heard.shown[-1:] in ([("", False)], [])
    assert len(result.spent) == 1


async def test_a_stream_that_ends_without_an_end_broke_off() -> None:
    class Silent(Words):
        async def answer_words(
            self, system: str, user: str, *, max_tokens: int
        ) -> AsyncGenerator[ModelEvent, None]:
            del system, user, max_tokens
            yield ToolInput("some words")

    _, result = await explain(Silent())
    assert (result.outcomes[0].reason, result.outcomes[0].fault) == (
        "The model's answer was interrupted.",
        "transient",
    )
    assert result.spent[0].usage == Usage(output=len("some words") // 2)


async def test_an_answer_cut_at_its_limit_is_shown_and_says_so() -> None:
    _, result = await explain(Words("It is tru", end=Stopped(Stop.TRUNCATED)))
    assert result.answer is not None
    assert result.answer.text == "It is\n\n(cut off at its length limit)"


async def test_without_a_model_nobody_is_asked() -> None:
    heard, result = await explain()
    assert result.outcomes[0].reason == "There is no model to ask."
    assert heard.events == [*result.outcomes]
    assert not isinstance(OfflineModel(parser()), WordsWriter)


async def test_a_budget_is_kept_and_what_was_spent_is_booked() -> None:
    async def left(limit: float) -> tuple[Words, BatchResult, Budget]:
        words, budget = Words("x"), Budget(limit, lambda _info, text: len(text) // 4)
        return words, (await explain(words, budget=budget))[1], budget

    words, result, _ = await left(0.0001)
    assert words.asked == []
    assert result.outcomes[0].fault == "budget"
    assert "does not admit another request" in (result.outcomes[0].reason or "")
    assert result.spent == ()
    words, result, budget = await left(0.05)
    assert result.answer is not None
    assert words.asked[0][2] < MAX_TOKENS
    assert budget.spent_usd == result.spent[0].cost_usd


async def test_what_cannot_be_searched_for_secrets_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise ReviewbotError("The search for secrets failed.")

    monkeypatch.setattr(explanation, "shown_answer", broken)
    heard, result = await explain(Words("some words"))
    assert result.answer is None
    assert result.outcomes[0].reason == "The search for secrets failed."
    assert heard.shown[-1] == ("", False)


@in_virtual_time
async def test_a_cancelled_answer_ends_its_request_and_tells_what_it_took() -> None:
    asked = asyncio.Event()

    def hang(_: Recorded) -> Reply:
        asked.set()
        return Answer(call=False, preamble="never", before=[Hang()])

    heard = Heard()
    async with FakeAnthropic(hang) as fake, claude(fake) as model:
        asking = asyncio.ensure_future(Explainer([model], INQUIRY)(TASK, heard))
        await asked.wait()
        await asyncio.sleep(1)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.sleep(1)
        assert fake.requests[0].ended == "client closed"
    assert len(heard.of(Spent)) == 1


async def read(events: AsyncGenerator[ModelEvent, None]) -> Sequence[ModelEvent]:
    async with aclosing(events):
        return [event async for event in events]


@in_virtual_time
async def test_claude_answers_in_words_and_is_offered_no_tool() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(call=False, preamble="Because it is.", thinking="Hm.", delta_size=4))
        events = await read(model.answer_words("Rules.", "The finding.", max_tokens=500))
    text = "".join(event.text for event in events if isinstance(event, ToolInput))
    assert text == "Because it is."
    assert events[-1] == Stopped(Stop.COMPLETE)
    [asked] = fake.requests
    assert asked.tool is None
    assert asked.tool_choice is None
    assert not asked.structured
    assert (asked.system, asked.text, asked.max_tokens) == ("Rules.", "The finding.", 500)


@in_virtual_time
async def test_what_a_server_refuses_is_left_out_when_it_answers_in_words_too() -> None:
    refuses = {"thinking", "effort", "cache_control", "format"}
    async with (
        FakeAnthropic(refuses=refuses) as fake,
        claude(fake, overrides={"effort": "high"}) as model,
    ):
        fake.respond = lambda _: Answer(call=False, preamble="Yes.")
        events = await read(model.answer_words("Rules.", "The finding.", max_tokens=500))
    assert events[-1] == Stopped(Stop.COMPLETE)
    assert model.refused == ("cache_control", "output_config.effort", "thinking")


@in_virtual_time
async def test_a_server_that_is_down_is_a_fault() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(StatusError(529))
        with pytest.raises(ModelFault) as caught:
            await read(model.answer_words("Rules.", "The finding.", max_tokens=500))
    assert caught.value.fault is Fault.OVERLOADED

"""A question in place of a review: one answer, streamed, and nothing reviewed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.load import read_settings
from reviewbot.core.events.events import (
    ChunkFinished,
    ChunkRetrying,
    ChunkStarted,
    FindingRaised,
    ReviewAnswer,
    ReviewProgress,
    ReviewStarted,
    ReviewSummary,
)
from reviewbot.core.prompt.explanation import FindingQuestion
from reviewbot.core.prompt.question import PullQuestion
from reviewbot.errors import ConfigError, DiffError, ReviewbotError
from reviewbot.jobs.model_backoff import Checkpoints
from reviewbot.models.base import Fault, ModelFault
from reviewbot.models.batch import Answered, BatchResult, ChunkOutcome, Spent
from reviewbot.models.explanation import Explainer
from reviewbot.pipeline.explain import (
    NO_ROOM,
    OFFLINE_CANNOT,
    SHOWN_TOKENS,
    explainers,
    prepare_explanation,
)
from reviewbot.pipeline.job import Postponed, PriorRun, StopSignal
from reviewbot.pipeline.review import review
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.models.asking import MODEL
from tests.support.explanations import HAIKU, USED, Clock, Words, down
from tests.support.reviews import Seen, numbered, run

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.models.batch import BatchTask, Emit
    from reviewbot.models.explanation import WordsWriter
    from reviewbot.pipeline.job import Job
    from reviewbot.pipeline.prepare import Prepared

INQUIRY = FindingQuestion("RIGHT", 2, 2, "**error: It fails**", (), "Why?")
SECRET = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
DIFF = numbered("a.py").replace("line_3 = 3", f"line_3 = '{SECRET}'").encode()


def settings_of(folder: Path, **values: object) -> Settings:
    environment = {"REVIEWBOT_STATE_DIR": str(folder), "ANTHROPIC_API_KEY": "unused"}
    return read_settings(values, cwd=folder, env=environment)


@pytest.fixture
def prepared(tmp_path: Path) -> Prepared:
    return prepare_explanation(DIFF, settings_of(tmp_path), INQUIRY)


def explainer(*writers: WordsWriter) -> Explainer:
    return Explainer(writers, INQUIRY, link_hosts=("github.com",), clock=Clock())


async def ask(prepared: Prepared, *writers: WordsWriter, **options: Any) -> Seen:
    return await run(prepared.job, run_batch=explainer(*writers), **options)


async def test_a_question_is_answered_and_nothing_is_reviewed(prepared: Prepared) -> None:
    words = Words("Line 2 ", "is.")
    seen = await ask(prepared, words)
    [started] = seen.of(ReviewStarted)
    assert started.question == "Why?"
    assert [(file.path, file.model) for file in started.files] == [("a.py", MODEL)]
    assert seen.of(ReviewAnswer) == [
        ReviewAnswer("Line 2", MODEL),
        ReviewAnswer("Line 2 is.", MODEL, complete=True),
    ]
    assert not seen.of(FindingRaised)
    assert not seen.of(ReviewSummary)
    assert (seen.end.outcome, seen.end.reasons) == ("answered", ())
    assert seen.end.usage == USED
    assert seen.end.cost_usd
    assert SECRET not in words.asked[0][1]
    assert "[REDACTED:" in words.asked[0][1]


async def test_the_plan_is_one_request_however_long_the_hunk(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, chunk_tokens=2_000, batch_tokens=2_000, exclude=["*.py"])
    long = numbered("a.py", 900).encode()
    found = prepare_explanation(long, settings, INQUIRY)
    assert [len(batch.chunks) for batch in found.job.plan.batches] == [1]
    estimate = found.job.estimate
    assert (estimate.requests, len(estimate.by_model)) == (1, 1)
    assert estimate.input_tokens > 5_000
    assert estimate.cost_usd


async def test_models_that_answer_in_words_are_asked_in_their_order(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, model="offline", fallback_models=[MODEL, HAIKU])
    found = prepare_explanation(DIFF, settings, INQUIRY)
    assert found.job.models == (MODEL, HAIKU)
    assert [one.by_model[0].model for one in found.fallback_estimates] == [HAIKU]
    seen = await ask(found, Words("x ", end=down()), Words("Yes.", name=HAIKU))
    assert [event.model for event in seen.of(ChunkStarted)] == [MODEL, HAIKU]
    assert [event.next_model for event in seen.of(ChunkRetrying)] == [HAIKU]
    assert [one.text for one in seen.of(ReviewAnswer)] == ["x", "", "Yes."]
    assert seen.end.outcome == "answered"


def test_the_offline_rules_cannot_answer(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare_explanation(DIFF, settings_of(tmp_path, model="offline"), INQUIRY)
    assert OFFLINE_CANNOT in str(caught.value)


@pytest.mark.parametrize("diff", [b"", numbered("a.py").encode() + numbered("b.py").encode()])
def test_a_question_is_about_the_lines_of_one_file(tmp_path: Path, diff: bytes) -> None:
    with pytest.raises(DiffError, match="one file"):
        prepare_explanation(diff, settings_of(tmp_path), INQUIRY)


# --- About a pull request


def test_a_question_about_a_pull_request_shows_the_files_that_fit(tmp_path: Path) -> None:
    long = numbered("long.py", 9_000)
    lock = numbered("package-lock.json")
    diff = (long + numbered("a.py") + lock + numbered("b.py")).encode()
    asked = PullQuestion("Title", "", question="Why?")
    found = prepare_explanation(diff, settings_of(tmp_path), asked)
    reasons = {one.path: one.reason for one in found.job.plan.files}
    assert (reasons["a.py"], reasons["b.py"], reasons["long.py"]) == (None, None, NO_ROOM)
    assert reasons["package-lock.json"]
    [batch] = found.job.plan.batches
    assert len(batch.chunks) == 2
    assert found.job.question == "Why?"
    assert 0 < found.job.estimate.input_tokens < SHOWN_TOKENS


def test_a_file_that_no_search_for_secrets_can_read_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: FileDiff) -> object:
        if file.path == "b.py":
            raise ReviewbotError("It has too many matches.")
        return None

    monkeypatch.setattr("reviewbot.pipeline.explain.redact_file", refuse)
    diff = (numbered("a.py") + numbered("b.py")).encode()
    asked = PullQuestion("Title", "", question="Why?")
    found = prepare_explanation(diff, settings_of(tmp_path), asked)
    assert [one.reason for one in found.job.plan.files] == [None, "It has too many matches."]
    with pytest.raises(DiffError, match="no changed line that a model could read"):
        prepare_explanation(numbered("b.py").encode(), settings_of(tmp_path), asked)


async def test_a_model_that_fails_leaves_the_question_unanswered(prepared: Prepared) -> None:
    fault = ModelFault("The key is wrong.", fault=Fault.AUTH)
    seen = await ask(prepared, Words("so ", "it ", end=fault))
    assert (seen.end.outcome, seen.end.reasons) == ("incomplete", ("The key is wrong.",))
    assert seen.of(ReviewAnswer)[-1] == ReviewAnswer("", MODEL)
    [end] = seen.of(ChunkFinished)
    assert (end.status, end.reason) == ("failed", "The key is wrong.")


async def test_thinking_is_told_as_progress(prepared: Prepared) -> None:
    seen = await ask(prepared, Words("x", think=2))
    assert f"{MODEL} is thinking" in [one.activity for one in seen.of(ReviewProgress)]


async def test_a_question_that_is_stopped_has_no_answer(prepared: Prepared) -> None:
    stop = StopSignal()

    async def hang(_task: BatchTask, emit: Emit) -> BatchResult:
        await emit(Answered("Half of", MODEL))
        stop.stop("cancelled")
        await asyncio.Event().wait()
        raise AssertionError

    seen = await run(prepared.job, run_batch=hang, stop=stop)
    assert seen.end.outcome == "cancelled"
    assert seen.of(ReviewAnswer) == [ReviewAnswer("Half of", MODEL)]


def finished(job: Job) -> BatchResult:
    """What a run that came to the answer has stored."""
    [batch] = job.plan.batches
    ends = tuple(ChunkOutcome(chunk, "reviewed", MODEL, 1) for chunk in batch.chunks)
    spent = (Spent(MODEL, USED, 0.01),)
    return BatchResult((), ends, spent, Answered("Because.", MODEL, complete=True))


@pytest.mark.parametrize("told", [False, True])
async def test_an_answer_that_is_stored_is_not_paid_for_again(
    prepared: Prepared, told: bool
) -> None:
    words = Words("Never.")
    earlier = PriorRun(finished={"b1": finished(prepared.job)}, answered=told)
    seen = Seen()
    seen.events += [
        event async for event in review(prepared.job, explainer(words), earlier=earlier)
    ]
    assert words.asked == []
    assert [one.text for one in seen.of(ReviewAnswer)] == ([] if told else ["Because."])
    assert (seen.end.outcome, seen.end.cost_usd) == ("answered", 0.01)


async def test_the_answer_is_kept_before_anybody_sees_it_whole(prepared: Prepared) -> None:
    kept: list[str] = []
    seen: list[ReviewAnswer] = []

    def save(batch: str, result: BatchResult) -> None:
        assert not [one for one in seen if one.complete]
        assert result.answer is not None
        kept.append(batch)

    steps = Checkpoints(
        explainer(Words("It ", "is.")),
        save_result=save,
        save_spent=lambda _batch, _spent: None,
        may_wait=True,
    )
    async for event in review(prepared.job, steps):
        seen += [event] if isinstance(event, ReviewAnswer) else []
    assert kept == ["b1"]
    assert [(one.text, one.complete) for one in seen] == [("It", False), ("It is.", True)]


async def test_a_model_that_is_down_makes_the_question_wait(
    prepared: Prepared, caplog: pytest.LogCaptureFixture
) -> None:
    fault = ModelFault("The server is overloaded.", fault=Fault.TRANSIENT, request_id="req_1")
    steps = Checkpoints(
        explainer(Words(end=fault)),
        save_result=lambda _batch, _result: pytest.fail("nothing is done"),
        save_spent=lambda _batch, _spent: None,
        may_wait=True,
    )
    with pytest.raises(Postponed, match="The model service was not available"):
        await run(prepared.job, run_batch=steps)
    assert caplog.messages == ["a batch failed: transient (request req_1)"]


async def test_the_models_of_the_settings_answer(tmp_path: Path) -> None:
    async with FakeAnthropic() as fake:
        fake.enqueue(Answer(call=False, preamble="Because of line 2."))
        environment = {
            "REVIEWBOT_STATE_DIR": str(tmp_path),
            "ANTHROPIC_API_KEY": fake.key,
            "ANTHROPIC_BASE_URL": fake.base_url,
        }
        settings = read_settings({"budget_usd": 1.0}, cwd=tmp_path, env=environment)
        asked = replace(INQUIRY, question="")
        prepared = prepare_explanation(DIFF, settings, asked)
        async with explainers(prepared, settings, asked) as able:
            seen = await run(prepared.job, run_batch=able.run_batch)
    assert seen.of(ReviewStarted)[0].question == "Explain this finding."
    assert seen.of(ReviewAnswer)[-1].text == "Because of line 2."
    assert seen.end.outcome == "answered"

"""Run the review that the lab takes apart: with a recorded answer, offline, or with a model."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import OFFLINE, ModelChoice
from reviewbot.lab.review import study_review
from reviewbot.lab.stream import Frame, Recording, model_events, parse_recording
from reviewbot.lab.subject import DEMO
from reviewbot.lab.temperature import study_temperature
from reviewbot.models.anthropic.answer import AnswerReader, event_of
from reviewbot.models.anthropic.messages_api import load_sdk
from reviewbot.models.base import ModelFault, Stop, Stopped, ToolInput
from reviewbot.models.batch import Drafted, RequestSent
from reviewbot.models.catalog import lookup
from reviewbot.pipeline.model_clients import claude_of
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.run import RunDescription, run_review

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from reviewbot.config.settings import Settings
    from reviewbot.core.events.events import Event
    from reviewbot.core.findings.draft import Draft
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.lab.live_view import LiveView
    from reviewbot.lab.review import ReviewStudy
    from reviewbot.lab.subject import Subject
    from reviewbot.lab.temperature import TemperatureStudy
    from reviewbot.models.anthropic.claude import Claude
    from reviewbot.models.anthropic.deadlines import Frame as WireFrame
    from reviewbot.models.base import Model, ModelEvent
    from reviewbot.models.batch import BatchEvent, BatchResult, BatchTask, Emit, RunBatch
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.pipeline.prepare import Prepared

TEMPERATURES: Final = (0.0, 0.5, 1.0)
ANSWERS: Final = 3
"""Answers at each temperature."""
WORDS: Final = 40
"""Maximum output tokens of an answer."""
SYSTEM: Final = "You answer in one short sentence."
QUESTION: Final = "Why may a loop over a dictionary fail when the loop changes the dictionary?"


def demo_recording() -> Recording:
    """Return the recorded answer about the diff of the package."""
    return parse_recording((DEMO / "stream.jsonl").read_text("utf-8"))


class ReplayedModel:
    """Model that repeats the recorded answer, and the recorded verdicts about it."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    @property
    def info(self) -> ModelInfo:
        """Capabilities of the recorded model."""
        return lookup(self._recording.model)

    async def stream(
        self,
        request: ModelRequest,
        *,
        max_tokens: int,  # noqa: ARG002 - the protocol's; a recording has no limit
    ) -> AsyncGenerator[ModelEvent, None]:
        """Yield the recorded events at once; for a request about findings, the recorded answers."""
        if request.check is not None:
            yield ToolInput((DEMO / "verdicts.json").read_text("utf-8"))
            yield Stopped(Stop.COMPLETE)
            return
        for _, event in model_events(self._recording.frames):
            yield event

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


async def replay_demo(subject: Subject) -> ReviewStudy:
    """Return the study of the recorded review. ``subject`` must be the diff of the package."""
    recording = demo_recording()
    settings = replace(subject.settings, summary=False, verify=True)  # it has verdicts
    prepared = prepare(subject.data, settings)
    events, drafts = await _run(prepared, settings, ReplayedModel(recording))
    return study_review(events, drafts, source=recording.source, recording=recording)


async def review_offline(subject: Subject) -> ReviewStudy:
    """Return the study of a review by the offline rules."""
    settings = replace(subject.settings, model=ModelChoice(OFFLINE), verify_model=None)
    events, drafts = await _run(prepare(subject.data, settings), settings)
    source = (
        "The offline rules reviewed this diff. They get no prompt and their findings no verdict."
    )
    return study_review(events, drafts, source=source)


class _Recorder:
    """Recorder of the first complete answer: its frames, timed from the request of its attempt.

    Args:
        view: shows the text of the answer while it arrives.
    """

    def __init__(self, view: LiveView | None) -> None:
        self.frames: list[Frame] = []
        self._begun = time.monotonic()
        self._ended = False
        self._view, self._reader = view, AnswerReader(as_text=False, clean=str)

    def sent(self) -> None:
        """Begin anew, as a request goes out; an attempt before it has failed."""
        if not self._ended:
            self._begun = time.monotonic()
            self.frames.clear()
            self._reader = AnswerReader(as_text=False, clean=str)
            if self._view:
                self._view.begin()

    def take(self, frame: WireFrame) -> None:
        """Record a frame, unless the first answer has ended."""
        if not self._ended:
            at = time.monotonic() - self._begun
            self.frames.append(Frame(at, frame.event or "", frame.data))
            happened = event_of(frame.event, frame.data)  # some servers name only the data
            self._ended = happened is not None and happened[0] == "message_stop"
            if self._view and happened is not None and happened[0] != "error":
                with suppress(ModelFault):  # the model reports it
                    for event in self._reader.take(*happened):
                        if isinstance(event, ToolInput):
                            self._view.take(event.text)
            if self._view and self._ended:
                self._view.end()


async def review_live(subject: Subject, view: LiveView | None = None) -> ReviewStudy:
    """Return the study of a review by the model of the subject, which costs money.

    It sends one request at a time, so that the frames are those of one answer.

    Args:
        subject: the diff.
        view: shows the first answer while it arrives.

    Raises:
        ConfigError: the model has no key.
    """
    settings, recorder = replace(subject.settings, summary=False), _Recorder(view)
    model = claude_of(settings.model, settings, on_frame=recorder.take)
    await asyncio.to_thread(load_sdk)  # it takes seconds, which are not the model's
    prepared = replace(subject.prepared, job=replace(subject.prepared.job, jobs=1))
    events, drafts = await _run(prepared, settings, model, on_sent=recorder.sent)
    source = f"{settings.model.name} reviewed this diff just now."
    recording = None
    if recorder.frames:
        recording = Recording(settings.model.name, source, tuple(recorder.frames))
    return study_review(events, drafts, source=source, recording=recording)


async def count_live(subject: Subject) -> int:
    """Return the input tokens of the first request, as the endpoint counts them.

    Raises:
        ConfigError: the model has no key.
        ModelFault: the endpoint does not count.
    """
    model = claude_of(subject.settings.model, subject.settings)
    async with aclosing(model):
        return await model.count_tokens(subject.requests[0])


async def sample_live(subject: Subject) -> TemperatureStudy:
    """Return the study of temperature with answers of the model, if it gets a temperature.

    Raises:
        ConfigError: the model has no key.
        ModelFault: a request failed.
    """
    study, info = study_temperature(), subject.info
    if not info.gets_temperature:
        problem = f"{info.name} was not asked, since it gets no temperature."
        return replace(study, problem=problem)
    answers = []
    for temperature in TEMPERATURES:
        facts = {**subject.settings.models.get(info.name, {}), "temperature": temperature}
        models = {**subject.settings.models, info.name: facts}
        model = claude_of(subject.settings.model, replace(subject.settings, models=models))
        async with aclosing(model):
            texts = tuple([await _words(model) for _ in range(ANSWERS)])
            if model.refused:
                problem = f"The endpoint refused: {', '.join(model.refused)}."
                return replace(study, problem=problem)
        answers.append((f"Temperature {temperature:g}", texts))
    return replace(study, answers=tuple(answers))


async def _words(model: Claude) -> str:
    """Return an answer in words on one line."""
    text = ""
    async with aclosing(model.answer_words(SYSTEM, QUESTION, max_tokens=WORDS)) as events:
        async for event in events:
            if isinstance(event, ToolInput):
                text += event.text
    return " ".join(text.split())


async def _run(
    prepared: Prepared,
    settings: Settings,
    model: Model | None = None,
    *,
    on_sent: Callable[[], None] = lambda: None,
) -> tuple[list[Event], list[Draft]]:
    """Return all events of a review, and its findings as the model, rules and linters wrote them.

    Args:
        prepared: the job.
        settings: its settings.
        model: client of every model but the offline rules; None takes the usual ones.
        on_sent: called when a request is sent.
    """
    drafts: list[Draft] = []

    def tapped(run_batch: RunBatch) -> RunBatch:
        async def run(task: BatchTask, emit: Emit) -> BatchResult:
            async def tap(event: BatchEvent) -> None:
                match event:
                    case Drafted():
                        drafts.append(event.draft)
                    case RequestSent():
                        on_sent()
                    case _:
                        pass
                await emit(event)

            return await run_batch(task, tap)

        return run

    run = RunDescription(
        prepared=prepared,
        settings=settings,
        client_of=lambda choice: None if choice.name == OFFLINE else model,
        wait_for_linters=True,
        wrap_batches=tapped,
    )
    async with aclosing(run_review(run)) as events:
        return [event async for event in events], drafts

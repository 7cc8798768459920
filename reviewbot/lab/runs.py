"""Run the review that the lab takes apart: with a recorded answer, offline, or with a model."""

from __future__ import annotations

import json
import time
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import OFFLINE, ModelChoice
from reviewbot.core.events.events import Usage
from reviewbot.lab.review import study_review
from reviewbot.lab.stream import Frame, Recording, model_events, parse_recording
from reviewbot.lab.subject import DEMO
from reviewbot.lab.temperature import study_temperature
from reviewbot.models.anthropic.claude import JsonAnswer
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.base import ToolInput
from reviewbot.models.batch import Drafted
from reviewbot.models.catalog import lookup
from reviewbot.models.offline.model import OfflineModel
from reviewbot.models.verifier import Verifier, VerifierModel
from reviewbot.pipeline.patterns import policy_of
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.quotable_code import QuotableCode
from reviewbot.pipeline.review import review
from reviewbot.pipeline.running_code import running_code
from reviewbot.pipeline.workers import budget_of, claude_of, own_pool

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from reviewbot.config.settings import Settings
    from reviewbot.core.events.events import Event
    from reviewbot.core.findings.draft import Draft
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.lab.review import ReviewStudy
    from reviewbot.lab.subject import Subject
    from reviewbot.lab.temperature import TemperatureStudy
    from reviewbot.models.anthropic.claude import Claude
    from reviewbot.models.anthropic.deadlines import Frame as WireFrame
    from reviewbot.models.base import Model, ModelEvent
    from reviewbot.models.batch import BatchEvent, BatchResult, BatchTask, Emit
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.offline.parser import Parser
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
        request: ModelRequest,  # noqa: ARG002 - the protocol's; a recording reads no request
        *,
        max_tokens: int,  # noqa: ARG002 - as above
    ) -> AsyncGenerator[ModelEvent, None]:
        """Yield the recorded events at once."""
        for _, event in model_events(self._recording.frames):
            yield event

    async def answer_after(
        self,
        request: ModelRequest,  # noqa: ARG002 - as above
        block: str,  # noqa: ARG002 - as above
        *,
        max_tokens: int,  # noqa: ARG002 - as above
    ) -> JsonAnswer:
        """Return the recorded verdicts."""
        verdicts = (DEMO / "verdicts.json").read_text("utf-8")
        return JsonAnswer(json.loads(verdicts), Usage())

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


async def replay_demo(subject: Subject) -> ReviewStudy:
    """Return the study of the recorded review. ``subject`` must be the diff of the package."""
    recording = demo_recording()
    prepared = prepare(subject.data, subject.settings)
    model = ReplayedModel(recording)
    events, drafts = await _run(prepared, subject.settings, lambda _: model)
    return study_review(events, drafts, source=recording.source, recording=recording)


async def review_offline(subject: Subject) -> ReviewStudy:
    """Return the study of a review by the offline rules."""
    settings = replace(subject.settings, model=ModelChoice(OFFLINE), verify_model=None)
    events, drafts = await _run(prepare(subject.data, settings), settings, OfflineModel)
    source = (
        "The offline rules reviewed this diff. They get no prompt and their findings no verdict."
    )
    return study_review(events, drafts, source=source)


async def review_live(subject: Subject) -> ReviewStudy:
    """Return the study of a review by the model of the subject, which costs money.

    Raises:
        ConfigError: the model has no key.
    """
    settings, frames = subject.settings, list[Frame]()
    begun, ended = time.monotonic(), False

    def take(frame: WireFrame) -> None:
        nonlocal ended
        if not ended:  # the answers after the first are not recorded
            frames.append(Frame(time.monotonic() - begun, frame.event or "", frame.data))
            ended = frame.event == "message_stop"

    model = claude_of(settings.model, settings, on_frame=take)
    events, drafts = await _run(subject.prepared, settings, lambda _: model)
    source = f"{settings.model.name} reviewed this diff just now."
    recording = Recording(settings.model.name, source, tuple(frames)) if frames else None
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
    """Return the study of temperature with answers of the model, if it accepts a temperature.

    Raises:
        ConfigError: the model has no key.
        ModelFault: a request failed.
    """
    study, info = study_temperature(), subject.info
    if not info.sampling:
        problem = f"{info.name} was not asked: its endpoint accepts no temperature."
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
    prepared: Prepared, settings: Settings, model_of: Callable[[Parser], Model]
) -> tuple[list[Event], list[Draft]]:
    """Return all events of a review by one model, and its findings as the model wrote them."""
    drafts: list[Draft] = []
    policy = AttemptPolicy(
        max_attempts=settings.max_attempts, retry_after_cap_s=settings.retry_after_cap_s
    )
    budget = budget_of(settings, 0.0)
    async with own_pool() as pool:
        parser = pool.for_tenant("local")
        model = model_of(parser)
        attempts = Attempts((model,), policy, budget=budget)

        async def run_batch(task: BatchTask, emit: Emit) -> BatchResult:
            async def tap(event: BatchEvent) -> None:
                if isinstance(event, Drafted):
                    drafts.append(event.draft)
                await emit(event)

            return await attempts(task, tap)

        verify = None
        if prepared.job.verified and isinstance(model, VerifierModel):
            verifier = model
            code = QuotableCode(prepared.job.files, policy_of(settings, ""))
            find = running_code(parser, code)
            verify = Verifier(lambda _: verifier, policy, find, budget=budget)
        reviewed = review(prepared.job, run_batch, verify=verify, keeps_syntax=parser.keeps_syntax)
        async with aclosing(model), aclosing(reviewed) as events:
            return [event async for event in events], drafts

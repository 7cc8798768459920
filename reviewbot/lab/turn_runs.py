"""Run the conversation that the lab takes apart: played by a script, or with a model."""

from __future__ import annotations

import asyncio
import json
import math
import tomllib
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reviewbot.code.given_files import GivenFiles
from reviewbot.config.settings import DEFAULT_MODEL, OFFLINE, ModelChoice
from reviewbot.core.events.events import Usage
from reviewbot.core.events.report import fold
from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.render.wording import outcome
from reviewbot.lab.subject import DEMO, demo_subject
from reviewbot.lab.tokens import count_pieces
from reviewbot.lab.turns import SentTurn, study_turns
from reviewbot.models.anthropic.messages_api import load_sdk
from reviewbot.models.base import (
    InputRestarted,
    Stop,
    Stopped,
    ToolCall,
    ToolInput,
    TurnContent,
    UsageReport,
)
from reviewbot.models.dialogue import text_of
from reviewbot.models.exchange import MAX_TURNS
from reviewbot.pipeline.lookups import review_lookups
from reviewbot.pipeline.model_clients import claude_of
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.run import RunDescription, run_review

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.lab.subject import Subject
    from reviewbot.lab.turns import TurnStudy
    from reviewbot.models.base import ConversingModel, ModelEvent
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.conversation import Conversation

REPORT: Final = str(REPORT_TOOL["name"])
LOOKUPS: Final = 4
"""Look-ups of the settings, so that the conversation reaches its limit within a screen."""
SCRIPT: Final = (
    "A script plays the model on the demo, in a small repository of the package: its calls are"
    " written by hand, its tokens are estimated, and the results are real."
)


def demo_repository() -> dict[str, bytes]:
    """Return the files of the repository of the demo, by path."""
    files: dict[str, str] = tomllib.loads((DEMO / "repository.toml").read_text("utf-8"))
    return {path: text.encode() for path, text in files.items()}


class ScriptedModel:
    """Model that makes the calls of the script, one turn after the other.

    Its usage is estimated: a turn reads what is known of its request from the cache, and writes the
    rest to it.

    Args:
        info: the model whose tokens are estimated.
    """

    def __init__(self, info: ModelInfo) -> None:
        self.info = info
        self._turns: list[list[dict[str, Any]]] = json.loads(
            (DEMO / "turns.json").read_text("utf-8")
        )
        self._cached = 0

    async def stream(
        self,
        request: ModelRequest,  # noqa: ARG002 - the protocol's; the script only converses
        *,
        max_tokens: int,  # noqa: ARG002 - as above
    ) -> AsyncGenerator[ModelEvent, None]:
        """Yield the end of an answer without a report."""
        yield Stopped(Stop.NO_REPORT)

    async def converse(
        self,
        request: ModelRequest,
        conversation: Conversation,
        *,
        max_tokens: int,  # noqa: ARG002 - the protocol's; a script has its length
    ) -> AsyncGenerator[ModelEvent, None]:
        """Yield the events of the next turn."""
        number = len(conversation.turns)
        calls = [
            ToolCall(f"{number}-{place}", call["name"], call["input"], call["name"] == REPORT)
            for place, call in enumerate(self._turns[number])
        ]
        blocks = [
            {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}
            for call in calls
        ]
        content = json.dumps(blocks)
        for call in calls:
            if call.reports:
                yield ToolInput(json.dumps(call.input))
        size = self._tokens(text_of(request, self.info)) + self._tokens(conversation.text)
        written, read, self._cached = size - self._cached, self._cached, size
        yield UsageReport(Usage(0, self._tokens(content), read, written))
        yield TurnContent(content, tuple(calls))
        yield Stopped(Stop.COMPLETE)

    def _tokens(self, text: str) -> int:
        return math.ceil(count_pieces(text) * self.info.token_factor)

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


class TurnRecorder:
    """Model that passes everything on to another one, and records its last conversation.

    A retry and a second request begin a conversation of their own.
    """

    def __init__(self, model: ConversingModel) -> None:
        self._model = model
        self.sent: list[SentTurn] = []

    @property
    def info(self) -> ModelInfo:
        """Capabilities of the other model."""
        return self._model.info

    def stream(self, request: ModelRequest, *, max_tokens: int) -> AsyncGenerator[ModelEvent, None]:
        """Stream one response of the other model, which is not recorded."""
        return self._model.stream(request, max_tokens=max_tokens)

    async def converse(
        self, request: ModelRequest, conversation: Conversation, *, max_tokens: int
    ) -> AsyncGenerator[ModelEvent, None]:
        """Yield and record the next turn of the other model."""
        if not conversation.turns:
            self.sent.clear()
        turn = SentTurn(conversation, text_of(request, self.info))
        self.sent.append(turn)
        report = ""
        model = self._model.converse(request, conversation, max_tokens=max_tokens)
        async with aclosing(model) as events:
            async for event in events:
                match event:
                    case ToolInput():
                        report += event.text
                    case InputRestarted():
                        turn.reports.append(report)
                        report = ""
                    case UsageReport():
                        turn.usage = event.usage
                    case TurnContent():
                        turn.calls = event.calls
                        turn.reports += [report] if report else []
                    case _:
                        pass
                yield event

    async def aclose(self) -> None:
        """Close the other model."""
        await self._model.aclose()


async def study_script(subject: Subject) -> TurnStudy:
    """Return the study of the script. ``subject`` must be the diff of the package."""
    if subject.info.looks_up:
        return await _studied(subject, ScriptedModel(subject.info), SCRIPT)
    other = demo_subject(replace(subject.settings, model=ModelChoice(DEFAULT_MODEL)))
    source = (
        f"{subject.info.name} cannot look up code, so the numbers are those of {DEFAULT_MODEL}."
    )
    return await _studied(other, ScriptedModel(other.info), f"{source} {SCRIPT}")


async def study_live(subject: Subject) -> TurnStudy:
    """Return the study of a review of the demo by the model of the subject, which costs money.

    A model that cannot look up code is not asked. ``subject`` must be the diff of the package.

    Raises:
        ConfigError: the model has no key.
    """
    info, model = subject.info, subject.settings.model
    if not info.looks_up:
        return await study_script(subject)
    await asyncio.to_thread(load_sdk)  # it takes seconds, which are not the model's
    source = f"{info.name} reviewed the demo just now, in a small repository of the package."
    return await _studied(subject, claude_of(model, subject.settings), source)


async def _studied(subject: Subject, model: ConversingModel, source: str) -> TurnStudy:
    recorder = TurnRecorder(model)
    budget = None if isinstance(model, ScriptedModel) else subject.settings.budget_usd
    settings = replace(
        subject.settings, summary=False, verify=False, lookups=LOOKUPS, budget_usd=budget
    )
    prepared = prepare(subject.data, settings)
    run = RunDescription(
        prepared=prepared,
        settings=settings,
        code=GivenFiles(demo_repository()),
        client_of=lambda choice: None if choice.name == OFFLINE else recorder,
        wait_for_linters=True,
    )
    async with aclosing(run_review(run)) as events:
        report = fold([event async for event in events])
    return study_turns(
        recorder.sent,
        recorder.info,
        source=source,
        limit=review_lookups(prepared, settings),
        most=MAX_TURNS,
        outcome=" ".join(("The review, rules included:", outcome(report), *report.reasons)),
        complete=report.complete,
    )

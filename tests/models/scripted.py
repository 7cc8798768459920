"""A model that answers from a script, for tests of what stands above models."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from reviewbot.core.events.events import Usage
from reviewbot.core.findings.draft import Draft, draft_schema, own_draft
from reviewbot.models.base import (
    Answering,
    Fault,
    InputRestarted,
    ModelFault,
    Stop,
    Stopped,
    Thinking,
    ToolInput,
    UsageReport,
)
from reviewbot.models.catalog import ModelInfo, lookup

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.base import ModelEvent


def item(line: int = 1, /, **changes: Any) -> dict[str, Any]:
    """One finding as a model writes it; its words are of its own for each line."""
    letter = "abcdefghijklmnopqrstuvwxyz"[line % 26]
    return {
        "path": "a.py",
        "quote": f"line_{line} = {line}",
        "side": "RIGHT",
        "line": line,
        "end_line": line,
        "scenario": letter * 9,
        "category": "bug",
        "severity": "warning",
        "confidence": 0.9,
        "title": letter * 7,
        "message": "It fails.",
        "suggestion": None,
    } | changes


@dataclass
class Say:
    """An answer: text in pieces, an end or a fault, what it cost, and what it waits for."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] | None = None
    """None: a line for each file of the request, unless the answer is cut."""
    outcome: str | None = "complete"
    stop: Stop | None = Stop.COMPLETE
    fault: ModelFault | None = None
    text: str | None = None
    cut: int | None = None
    restart: str = ""
    """A whole other report that the answer begins with."""
    think: int = 0
    usage: Usage = field(default_factory=lambda: Usage(input=100, output=10))
    wait_s: float = 0.0
    detail: str = ""

    @property
    def json(self) -> str:
        if self.text is not None:
            return self.text
        report: dict[str, Any] = {"findings": self.findings}
        if self.files:
            report["files"] = self.files
        if self.outcome:
            report["outcome"] = self.outcome
        return json.dumps(report)[: self.cut]


def checked(item: dict[str, Any]) -> Draft:
    """The draft that one of our own rules wrote, held to the full schema."""
    Draft202012Validator(draft_schema()).validate(item)
    return own_draft(item)


class Scripted:
    """Answers one request after another from ``script``; keeps what it was asked."""

    def __init__(
        self,
        *script: Say | Callable[[ModelRequest], Say],
        name: str = "claude-sonnet-5-5",
        info: ModelInfo | None = None,
    ) -> None:
        self._script = list(script)
        self._info = info or lookup(name)
        self.requests: list[ModelRequest] = []
        self.max_tokens: list[int] = []
        self.open = 0

    @property
    def info(self) -> ModelInfo:
        return self._info

    async def aclose(self) -> None:
        """Nothing to close."""

    async def stream(
        self, request: ModelRequest, *, max_tokens: int
    ) -> AsyncGenerator[ModelEvent, None]:
        self.requests.append(request)
        self.max_tokens.append(max_tokens)
        if not self._script:
            raise ModelFault("The script is over.", fault=Fault.REJECTED)
        say = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if not isinstance(say, Say):
            say = say(request)
        if say.files is None and say.cut is None:
            paths = dict.fromkeys(chunk.path for chunk in request.chunks)
            files = [{"path": path, "change": f"Changes {path}"} for path in paths]
            say = replace(say, files=files)
        self.open += 1
        try:
            await asyncio.sleep(say.wait_s)
            yield Answering()
            for _ in range(say.think):
                yield Thinking("hm")
            if say.restart:
                yield ToolInput(say.restart)
                yield InputRestarted()
            text = say.json
            for start in range(0, len(text), 7):
                yield ToolInput(text[start : start + 7])
            yield UsageReport(say.usage)
            if say.fault:
                raise say.fault
            if say.stop:
                yield Stopped(say.stop, say.detail)
        finally:
            self.open -= 1

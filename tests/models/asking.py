"""A review request, and the answer to it as these tests look at it."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reviewbot.core.diff.parse import DiffLine
from reviewbot.core.events.events import Usage
from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk
from reviewbot.core.prompt.request import ManifestEntry, ModelRequest
from reviewbot.models.anthropic.claude import Claude, ModelTimeouts
from reviewbot.models.base import (
    InputRestarted,
    ModelEvent,
    ModelFault,
    Stopped,
    ToolInput,
    UsageReport,
)
from reviewbot.models.catalog import lookup
from tests.fake_anthropic import Answer, finding

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.fake_anthropic import FakeAnthropic

MODEL = "claude-sonnet-5-5"
SHOWN = ("app.py",)
"""The files that :func:`request` shows."""


def request(path: str = "app.py", instructions: str = "") -> ModelRequest:
    lines = (
        DiffLine("context", 41, 41, "def charge(order):"),
        DiffLine("added", None, 42, "    due = order.net * rate"),
    )
    hunk = ShownHunk(41, 41, "", lines, (True, True))
    chunk = ChunkView("c1", path, None, "modified", 1, 1, (hunk,))
    manifest = (ManifestEntry("app.py", "modified", 1, 0, shown=True),)
    return ModelRequest((chunk,), manifest, instructions=instructions)


@dataclass(slots=True)
class Seen:
    """All events of one answer, and the fault that ended it, if one did."""

    events: list[ModelEvent] = field(default_factory=list)
    fault: ModelFault | None = None

    @property
    def report(self) -> str:
        """The report's text, from where it last began."""
        text = ""
        for event in self.events:
            if isinstance(event, InputRestarted):
                text = ""
            elif isinstance(event, ToolInput):
                text += event.text
        return text

    @property
    def stopped(self) -> Stopped | None:
        ends = [event for event in self.events if isinstance(event, Stopped)]
        assert ends == self.events[-1:] or not ends, "Stopped is the last event, and only one"
        return ends[0] if ends else None

    @property
    def usage(self) -> Usage:
        reports = [event.usage for event in self.events if isinstance(event, UsageReport)]
        return reports[-1] if reports else Usage()

    def count(self, kind: type[ModelEvent]) -> int:
        return sum(isinstance(event, kind) for event in self.events)


@asynccontextmanager
async def claude(
    fake: FakeAnthropic,
    name: str = MODEL,
    *,
    overrides: dict[str, object] | None = None,
    timeouts: ModelTimeouts | None = None,
    key: str | None = None,
) -> AsyncGenerator[Claude, None]:
    info = lookup(name, {name: overrides or {}})
    model = Claude(
        info,
        api_key=fake.key if key is None else key,
        base_url=fake.base_url,
        timeouts=timeouts,
    )
    async with aclosing(model):
        yield model


async def ask(model: Claude, asked: ModelRequest | None = None, *, max_tokens: int = 4000) -> Seen:
    seen = Seen()
    try:
        async with aclosing(model.stream(asked or request(), max_tokens=max_tokens)) as events:
            async for event in events:
                seen.events.append(event)
    except ModelFault as fault:
        seen.fault = fault
    return seen


REPORT = Answer(findings=[finding(title="Größe ≠ 0"), finding(line=7, end_line=9)])

"""Models that explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.events.events import Usage
from reviewbot.models.base import (
    Answering,
    Fault,
    ModelFault,
    Stop,
    Stopped,
    Thinking,
    ToolInput,
    UsageReport,
)
from reviewbot.models.catalog import lookup
from tests.models.asking import MODEL

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.models.base import ModelEvent
    from reviewbot.models.catalog import ModelInfo


USED = Usage(input=900, output=30)


HAIKU = "claude-haiku-5-5"


class Clock:
    """A second passes with each look at it."""

    def __init__(self, step: float = 1.0) -> None:
        self.now, self.step = 0.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


class Words:
    """Writes ``pieces``; then it ends with ``end``, or breaks off."""

    def __init__(
        self,
        *pieces: str,
        end: Stopped | ModelFault | None = None,
        name: str = MODEL,
        think: int = 0,
    ) -> None:
        self._pieces, self._end, self._think = pieces, end or Stopped(Stop.COMPLETE), think
        self.info: ModelInfo = lookup(name)
        self.asked: list[tuple[str, str, int]] = []

    async def answer_words(
        self, system: str, user: str, *, max_tokens: int
    ) -> AsyncGenerator[ModelEvent, None]:
        self.asked.append((system, user, max_tokens))
        yield Answering()
        for _ in range(self._think):
            yield Thinking("hm")
        for piece in self._pieces:
            yield ToolInput(piece)
        yield UsageReport(USED)
        if isinstance(self._end, ModelFault):
            raise self._end
        yield self._end


def down(fault: Fault = Fault.TRANSIENT) -> ModelFault:
    return ModelFault("The server is overloaded.", fault=fault)

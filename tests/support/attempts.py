"""Batches, run by attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.plan.chunk_view import ChunkView
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.models.attempts import AttemptPolicy, Attempts
from reviewbot.models.base import Fault, ModelFault
from reviewbot.models.batch import BatchEvent, BatchResult, BatchTask, Drafted, Retrying

if TYPE_CHECKING:
    from reviewbot.models.base import Model
    from reviewbot.models.budget import Budget
    from reviewbot.models.catalog import ModelInfo


def chunk(name: str, path: str = "a.py") -> ChunkView:
    return ChunkView(name, path, path, "modified", 1, 1, ())


def task(*names: str) -> BatchTask:
    chunks = tuple(chunk(name, f"{name}.py") for name in names or ("c1",))
    return BatchTask("b1", ModelRequest(chunks, (), tokens=1000))


def by_task(info: ModelInfo, prompt: str) -> int:
    """The tokens that ``task`` states, whatever the prompt; none for the offline rules."""
    return 1000 if prompt and not info.offline else 0


class Run:
    """Runs one batch and keeps its events."""

    def __init__(self) -> None:
        self.events: list[BatchEvent] = []

    async def emit(self, event: BatchEvent) -> None:
        self.events.append(event)

    async def of(
        self,
        *chain: Model,
        chunks: tuple[str, ...] = ("c1",),
        budget: Budget | None = None,
        policy: AttemptPolicy | None = None,
    ) -> BatchResult:
        return await Attempts(chain, policy, budget=budget)(task(*chunks), self.emit)

    @property
    def retries(self) -> list[Retrying]:
        return [event for event in self.events if isinstance(event, Retrying)]

    @property
    def lines(self) -> list[int]:
        return [event.draft.line for event in self.events if isinstance(event, Drafted)]


def ends(result: BatchResult) -> list[tuple[str, str, int, str | None]]:
    return [(one.chunk, one.status, one.attempt, one.reason) for one in result.outcomes]


def overloaded(retry_after: float | None = None) -> ModelFault:
    return ModelFault("Overloaded.", fault=Fault.OVERLOADED, retry_after=retry_after)

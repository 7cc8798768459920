"""Reviews that run in the process of a test, and what they made known."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events.events import (
    Estimate,
    Event,
    FindingRaised,
    FindingWithdrawn,
    ReviewFinished,
    ReviewStarted,
)
from reviewbot.core.events.records import record
from reviewbot.core.plan.policy import Policy, exclusion
from reviewbot.models.attempts import Attempts
from reviewbot.models.tokens import TokenCounter
from reviewbot.pipeline.job import Job
from reviewbot.pipeline.review import review
from tests.event_schema import assert_valid_event
from tests.in_process import parser
from tests.support.chunk_plans import plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.base import Model
    from reviewbot.models.batch import BatchResult, BatchTask, Emit, RunBatch
    from tests.models.scripted import Say


def added(path: str, *lines: str) -> str:
    body = "".join(f"+{line}\n" for line in lines)
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\nindex 0000000..1111111\n"
        f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}"
    )


def numbered(path: str, count: int = 3) -> str:
    """A new file whose n-th line is ``line_n = n``, as ``scripted.item`` quotes it."""
    return added(path, *(f"line_{number} = {number}" for number in range(1, count + 1)))


def job(diff: str, *, apart: bool = True, **changes: Any) -> Job:
    """A job for ``diff``; ``apart``: every chunk is a batch of its own."""
    files = parse_diff(diff.encode("utf-8", "surrogateescape"))
    planned = plan(
        files,
        skip=lambda file: exclusion(file, Policy()),
        count=TokenCounter(1.6),
        budget=changes.pop("budget", 12_000),
        max_batch_chunks=1 if apart else 10,
    )
    values: dict[str, Any] = {"models": ("m",), "estimate": Estimate(1, 1, 1, 0.0)} | changes
    return Job(files, planned, **values)


@dataclass
class Seen:
    """The events of a review, sorted for asking."""

    events: list[Event] = field(default_factory=list)

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def findings(self) -> list[Finding]:
        return [event.finding for event in self.of(FindingRaised)]

    @property
    def titles(self) -> list[str]:
        return [one.title for one in self.findings]

    @property
    def standing(self) -> set[str]:
        ids: set[str] = set()
        for event in self.events:
            if isinstance(event, FindingRaised):
                ids.add(event.finding.id)
            elif isinstance(event, FindingWithdrawn):
                ids.discard(event.id)
        return ids

    @property
    def end(self) -> ReviewFinished:
        [end] = self.of(ReviewFinished)
        assert self.events[-1] is end
        assert isinstance(end, ReviewFinished)
        return end


async def run(one: Job, *chain: Model, run_batch: RunBatch | None = None, **options: Any) -> Seen:
    seen = Seen()
    options.setdefault("keeps_syntax", parser().keeps_syntax)
    events = review(one, run_batch or Attempts(chain), **options)
    async with aclosing(events):
        async for event in events:
            seen.events.append(event)
            assert_valid_event(
                record(event, seq=len(seen.events), review_id="r", at="2026-01-01T00:00:00Z")
            )
    assert isinstance(seen.events[0], ReviewStarted)
    assert isinstance(seen.events[-1], ReviewFinished)
    return seen


@dataclass
class Checkpoints:
    """Runs batches as a durable engine does: keeps each result, and dies on command."""

    inner: RunBatch
    results: dict[str, BatchResult] = field(default_factory=dict)
    paid: list[str] = field(default_factory=list)

    async def __call__(self, task: BatchTask, emit: Emit) -> BatchResult:
        self.paid.append(task.id)
        result = await self.inner(task, emit)
        self.results[task.id] = result
        return result


def by_path(**answers: Say) -> Callable[[ModelRequest], Say]:
    """Answers by the first file of the request; the key is its stem."""
    return lambda request: answers[request.chunks[0].path.removesuffix(".py")]

"""State of one batch while its models answer: drafts, outcomes, usage, and each answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from reviewbot.core.findings.draft import Draft
from reviewbot.core.findings.file_changes import checked_changes
from reviewbot.models.base import Checked, PartlyRead, Prefill, TurnContent
from reviewbot.models.batch import (
    AnswerRecalled,
    BatchResult,
    ChunkOutcome,
    Drafted,
    LookedUp,
    Reading,
    Spent,
    Working,
)
from reviewbot.models.report_reader import ReportReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.cache.seen_code import SeenCode
    from reviewbot.core.findings.file_changes import FileChange
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.base import Model, ModelEvent, ModelFault
    from reviewbot.models.batch import BatchEvent, BatchTask, Emit, Purpose
    from reviewbot.models.report_reader import ResponseReader


@dataclass(slots=True)
class BatchRun:
    """State of one batch."""

    task: BatchTask
    emit: Emit
    drafts: list[Drafted] = field(default_factory=list)
    outcomes: list[ChunkOutcome] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)
    faults: dict[str, ModelFault] = field(default_factory=dict)
    """The last failure of each chunk."""
    tried: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Model and attempt of the last request for each chunk."""
    files: dict[str, FileChange] = field(default_factory=dict)
    """What changed, by path; the last usable answer decides."""
    lookups: list[LookedUp] = field(default_factory=list)
    seen: dict[SeenCode, None] = field(default_factory=dict)
    """Code outside of the diff that the models saw, in this order."""
    looked_up: tuple[str, ...] = ()
    """Results of the look-ups of the last conversation."""
    dossier: tuple[ChunkView, ...] = ()
    """Code beside the changes that the last single request showed."""

    async def keep_files(
        self, answer: Answer, chunks: tuple[ChunkView, ...]
    ) -> tuple[FileChange, ...]:
        """Keep what an answer says about the files of its request; return it."""
        if not answer.reading.files:
            return ()
        paths = [chunk.path for chunk in chunks]
        changes = tuple(await asyncio.to_thread(checked_changes, answer.reading.files, paths))
        self.files |= {change.path: change for change in changes}
        return changes

    def result(self) -> BatchResult:
        """Return the result of the batch."""
        return BatchResult(
            tuple(self.drafts),
            tuple(self.outcomes),
            tuple(self.spent),
            files=tuple(self.files.values()),
            lookups=tuple(self.lookups),
            seen=tuple(self.seen),
        )

    async def say(self, event: BatchEvent) -> None:
        """Keep an event for the result, and emit it."""
        match event:
            case Drafted():
                self.drafts.append(event)
            case AnswerRecalled(answer=answer):
                self.drafts = [draft for draft in self.drafts if draft.answer != answer]
            case ChunkOutcome():
                self.outcomes.append(event)
            case Spent():
                self.spent.append(event)
            case LookedUp():
                self.lookups.append(event)
            case _:
                pass
        await self.emit(event)


class Answer:
    """One request to ``model``, and its response.

    Args:
        name: identifies the response in its drafts.
        model: the model.
        attempt: number of the attempt.
        chunks: the chunks of the request.
        estimated: tokens of the input by the plan; 0 without an estimate.
        purpose: what the request is for.
        new_reading: makes the reader of the response of each turn; None reads reports.
    """

    def __init__(
        self,
        name: str,
        model: Model,
        attempt: int,
        chunks: tuple[ChunkView, ...],
        *,
        estimated: int = 0,
        purpose: Purpose = "review",
        new_reading: Callable[[], ResponseReader] | None = None,
    ) -> None:
        self.name, self.model, self.attempt, self.chunks = name, model, attempt, chunks
        self.estimated, self.purpose = estimated, purpose
        self._new_reading = new_reading or partial(ReportReader, own=model.info.offline)
        self.reading = self._new_reading()
        self.partly: dict[str, str] = {}
        """The chunks that were not read whole, and why."""
        self.checked: dict[str, Checked] = {}
        self.turn: TurnContent | None = None
        """The content of a turn with look-ups, once it has ended."""
        self.drafts: list[Draft] = []
        self.done: set[str] = set()
        """Paths in the ended reports of all turns, as the model wrote them."""

    def of_turn(self, number: int) -> Answer:
        """Return the answer of a turn: each has a name, so that a refusal recalls its findings."""
        if number == 1:
            return self
        return Answer(
            f"{self.name}.{number}",
            self.model,
            self.attempt,
            self.chunks,
            purpose=self.purpose,
            new_reading=self._new_reading,
        )

    async def pass_on(self, run: BatchRun, event: ModelEvent) -> None:
        """Emit the batch events of one model event."""
        if isinstance(event, PartlyRead):
            self.partly[event.chunk] = event.reason
        if isinstance(event, Checked):
            self.checked[event.chunk] = event
        if isinstance(event, TurnContent):
            self.turn = event
        model = self.model.info.name
        if isinstance(event, Prefill):
            await run.say(Reading(model, event.tokens))
        for said in self.reading.take(event):
            if isinstance(said, Draft):
                await self.draft(run, said)
            else:
                await run.say(Working(model))

    async def draft(self, run: BatchRun, draft: Draft) -> None:
        """Emit a draft of this answer."""
        self.drafts.append(draft)
        ids = tuple(chunk.id for chunk in self.chunks)
        await run.say(Drafted(draft, self.model.info.name, self.attempt, self.name, ids))

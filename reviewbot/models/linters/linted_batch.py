"""One batch while rules, linters and a model work on it: results and outcomes of its chunks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.tally import OFFLINE
from reviewbot.models.batch import ChunkOutcome, Drafted
from reviewbot.models.linters.hits import is_test_path
from reviewbot.models.linters.overlap import BETTER, is_alike

if TYPE_CHECKING:
    from reviewbot.core.findings.draft import Draft
    from reviewbot.models.batch import BatchEvent, Emit
    from reviewbot.models.linters.linters import Linted

ONLY_HUNKS: Final = "Only hunks of this file are known, and linters need the whole file."


@dataclass(slots=True)
class LintedBatch:
    """The results of rules and linters for one batch, by chunk, and the outcomes of its chunks."""

    paths: dict[str, str]
    emit: Emit
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    """The linters of each chunk."""
    linted: dict[str, Linted] = field(default_factory=dict)
    """Results of the chunks whose linters have ended."""
    outcomes: dict[str, ChunkOutcome] = field(default_factory=dict)
    drafts: list[Drafted] = field(default_factory=list)
    waiting: list[Drafted] = field(default_factory=list)
    """Drafts of the rules in :data:`ALIKE`, which are emitted if the own rules are silent."""
    reported: dict[str, list[Drafted]] = field(default_factory=dict)
    """Results for the request to a model."""
    own_drafts: set[Draft] = field(default_factory=set)
    """Drafts of the own rules that ran beside a model."""

    async def add(self, drafted: Drafted) -> None:
        """Emit a result of a linter, or of an own rule beside a model."""
        self.drafts.append(drafted)
        await self.emit(drafted)

    async def pass_on(self, event: BatchEvent) -> None:
        """Emit an event of the runner of the models.

        A finding of an own rule, and the outcome of a chunk, wait for the linters of the chunk. An
        outcome does not delay later events.
        """
        match event:
            case Drafted() if event.draft.rule is not None:
                await asyncio.wait([self.tasks[chunk] for chunk in event.chunks])
                if not self.is_covered(event):
                    await self.emit(event)
            case ChunkOutcome():
                self.outcomes[event.chunk] = event
                if event.chunk in self.linted:
                    await self.emit(linted_outcome(event, self.linted[event.chunk]))
            case _:
                await self.emit(event)

    async def end_linters(self, chunk: str, linted: Linted) -> None:
        """Store the results for a chunk, and emit its outcome if it is known."""
        self.linted[chunk] = linted
        if chunk in self.outcomes:
            await self.emit(linted_outcome(self.outcomes[chunk], linted))

    def is_covered(self, drafted: Drafted) -> bool:
        """Return whether the finding of an own rule is reported or decided otherwise.

        It is if the own rules ran beside the model that failed, or by a linter.
        """
        draft = drafted.draft
        if draft.rule is None:
            return False
        if draft in self.own_drafts:
            return True
        linted = [
            self.linted[name] for name in drafted.chunks if self.paths.get(name) == draft.path
        ]
        if any(is_better(draft, chunk) for chunk in linted):
            return True
        self.waiting = [waiting for waiting in self.waiting if not is_alike(waiting.draft, draft)]
        return False


def is_better(draft: Draft, linted: Linted) -> bool:
    """Return whether a linter that read the chunk finds the fault of an own rule better."""
    return draft.rule in BETTER and bool(linted.ran) and not is_test_path(draft.path)


def linted_outcome(outcome: ChunkOutcome, linted: Linted) -> ChunkOutcome:
    """Return the end of a chunk with what the linters add to it."""
    checks = tuple(dict.fromkeys((*outcome.checks, *linted.own_checks, *linted.ran)))
    is_reported = outcome.model == OFFLINE or linted.problem != ONLY_HUNKS
    outcome = replace(outcome, checks=checks, unlinted=linted.problem if is_reported else None)
    if linted.ran and outcome.status == "unread":
        outcome = replace(outcome, status="reviewed", reason=None)
    if linted.failed and outcome.model == OFFLINE and outcome.status in ("reviewed", "unread"):
        outcome = replace(outcome, status="partly", reason=linted.problem)
    return outcome

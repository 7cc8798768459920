"""Verification in a review: which findings wait for a verdict, and what a verdict changes."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.events import FindingRaised
from reviewbot.core.findings.verdicts import WITHDRAWING, unverified
from reviewbot.models.batch import VERIFICATION, VerifyTask

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from reviewbot.core.events.events import FindingVerified, FindingWithdrawn
    from reviewbot.core.events.ledger import Ledger
    from reviewbot.core.events.tally import Tally
    from reviewbot.core.findings.draft import Draft
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.findings.verdicts import Verdict
    from reviewbot.core.plan.chunks import Batch
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.batch import Drafted, Emit, Verify
    from reviewbot.pipeline.job import Job, PriorRun

UNPROVEN_CONFIDENCE: Final = 0.5
"""Confidence of a finding with a step that rests on code which is not shown (docs/prompt.md)."""


class Verification:
    """Verification of the findings of one review.

    Args:
        verify: function that asks the verifier; None verifies nothing.
        job: the review. Its new findings are verified only if ``job.verified`` is True.
        ledger: the open findings.
        tally: the counts of the review.
        earlier: state that earlier runs of the review left.
    """

    def __init__(
        self,
        verify: Verify | None,
        job: Job,
        ledger: Ledger,
        tally: Tally,
        earlier: PriorRun,
    ) -> None:
        self._verify, self._job, self._finished = verify, job, earlier.finished
        self._ledger, self._tally = ledger, tally
        self._refuted = earlier.refuted
        self._hidden: dict[str, FindingRaised] = {}
        self._drafts: dict[str, Draft] = {}
        for one in earlier.shown:
            if one.verification not in ("none", "pending"):
                tally.decide([one.verification])

    def begun(self, finding: Finding) -> Finding:
        """Return the finding, as pending if it will be verified.

        Errors are verified, and findings with an unproven step. Findings of secrets, rules, linters
        and other tools are not verified, nor are those that the filters hold back.
        """
        is_verified = self._verify is not None and self._job.verified
        if not is_verified or not finding.is_from_model or finding.placement.held:
            return finding
        if finding.severity != "error" and finding.confidence > UNPROVEN_CONFIDENCE:
            return finding
        return replace(finding, verification="pending")

    def raised(
        self, batch: Batch, drafted: Drafted, events: Iterable[FindingRaised | FindingWithdrawn]
    ) -> Iterator[FindingRaised | FindingVerified | FindingWithdrawn]:
        """Yield the events of a draft, and the verdict that an earlier review stored about it.

        A finding that an earlier run raised and a verdict withdrew is not raised again: its stored
        verdict follows.
        """
        is_replayed = self._name(batch) in self._finished
        for event in events:
            if not isinstance(event, FindingRaised) or event.finding.verification != "pending":
                yield event
                continue
            name = event.finding.id
            self._drafts[name] = drafted.draft
            if is_replayed and name in self._refuted:
                self._hidden[name] = event
            else:
                yield event
            if drafted.verdict is not None:
                yield from self._decided([replace(drafted.verdict, id=name)])

    def waiting(self, batch: Batch) -> tuple[Finding, ...]:
        """Return the findings of a batch to verify now."""
        if self._verify is None or self._name(batch) in self._finished:
            return ()
        return tuple(self._ledger.pending(batch.chunks))

    async def of_batch(
        self, batch: Batch, request: ModelRequest, emit: Emit
    ) -> list[FindingRaised | FindingVerified | FindingWithdrawn]:
        """Return the verdicts about the pending findings of a batch.

        The model requests of the batch must be done. ``emit`` receives the usage and look-ups.
        """
        findings = self.waiting(batch)
        result = self._finished.get(self._name(batch))
        if result is not None:
            for spent in result.spent:
                await emit(spent)
            for lookup in result.lookups:
                await emit(lookup)
        elif self._verify is not None and findings:
            drafts = {one.id: self._drafts[one.id] for one in findings if one.id in self._drafts}
            task = VerifyTask(
                id=self._name(batch),
                batch=batch.id,
                request=request,
                findings=findings,
                drafts=drafts,
                added=self._added,
            )
            result = await self._verify(task, emit)
        return list(self._decided(result.verdicts)) if result else []

    def ended(self) -> list[FindingRaised | FindingVerified | FindingWithdrawn]:
        """Return verdicts about the findings whose verification did not end."""
        findings = self._ledger.pending([chunk.id for chunk in self._job.plan.chunks])
        return list(self._decided(unverified(findings, "The review ended before the verdict.")))

    def _decided(
        self, verdicts: Iterable[Verdict]
    ) -> Iterator[FindingRaised | FindingVerified | FindingWithdrawn]:
        for verdict in verdicts:
            hidden = self._hidden.pop(verdict.id, None)
            events = self._ledger.decide(verdict)
            if events:
                self._tally.decide([verdict.verdict])
            if hidden is not None and verdict.verdict in WITHDRAWING:
                continue  # an earlier run raised and withdrew it
            if hidden is not None:
                yield hidden
            yield from events

    @cached_property
    def _added(self) -> dict[str, Collection[int]]:
        """The numbers of the lines that the change adds, by path.

        All lines of a file count as added if the diff does not have all of the file's changes.
        """
        job = self._job
        added: dict[str, set[int]] = {}
        for file in job.files:
            added.setdefault(file.path, set()).update(
                line.new_no
                for hunk in file.hunks
                for line in hunk.lines
                if line.kind == "added" and line.new_no is not None
            )
        partly = [one.path for one in job.plan.beside] + (list(added) if job.is_part else [])
        return {**added, **dict.fromkeys(partly, range(1, sys.maxsize))}

    @staticmethod
    def _name(batch: Batch) -> str:
        return f"{batch.id}{VERIFICATION}"

"""Ask whether open findings of earlier reviews are fixed, by requests of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events.events import FindingVerified, FindingWithdrawn
from reviewbot.core.findings.finding import Placement
from reviewbot.core.plan.chunk_view import whole_view
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.models.batch import VERIFICATION, VerifyTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.events.ledger import Ledger
    from reviewbot.core.events.tally import Tally
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.findings.prior import FollowUp
    from reviewbot.core.findings.verdicts import Verdict
    from reviewbot.models.batch import BatchEvent, BatchResult, Emit, Verify
    from reviewbot.pipeline.job import Job, PriorRun

FOLLOW_UP: Final = "earlier"
"""Beginning of the name of a request, in the place of that of a batch."""


class OpenFindings:
    """The open findings of earlier reviews that a review asks about.

    The questions follow the batches, because a finding that this review reports again is open.

    Args:
        verify: function that asks the verifier; None asks nothing.
        job: the review.
        ledger: the open findings of the review.
        tally: the counts of the review.
        earlier: state that earlier runs of the review left.
    """

    def __init__(
        self, verify: Verify | None, job: Job, ledger: Ledger, tally: Tally, earlier: PriorRun
    ) -> None:
        self._verify, self._job, self._ledger, self._tally = verify, job, ledger, tally
        self._finished, self._followed = earlier.finished, earlier.followed
        self._names = [f"{FOLLOW_UP}-{number}" for number in range(1, len(job.follow_ups) + 1)]

    @property
    def waiting(self) -> int:
        """Number of findings to ask about now."""
        follow_ups = zip(self._names, self._job.follow_ups, strict=True)
        is_asked = self._verify is not None
        return sum(
            len(self._findings(follow_up))
            for name, follow_up in follow_ups
            if is_asked and f"{name}{VERIFICATION}" not in self._finished
        )

    async def verdicts(self, emit: Emit) -> list[FindingVerified | FindingWithdrawn]:
        """Return the verdicts that were not published. A stored answer is not requested again.

        ``emit`` receives the usage and look-ups.
        """
        verdicts: list[Verdict] = []
        for name, follow_up in zip(self._names, self._job.follow_ups, strict=True):
            result = await self._result(name, follow_up, emit)
            verdicts += result.verdicts if result else ()
        verdicts = [verdict for verdict in verdicts if verdict.id not in self._ledger]
        self._tally.decide(verdict.verdict for verdict in verdicts)
        return [_event(verdict) for verdict in verdicts if verdict.id not in self._followed]

    async def _result(self, name: str, follow_up: FollowUp, emit: Emit) -> BatchResult | None:
        result = self._finished.get(f"{name}{VERIFICATION}")
        if result is not None:
            events: tuple[BatchEvent, ...] = (*result.spent, *result.lookups)
            for event in events:
                await emit(event)
            return result
        findings = self._findings(follow_up)
        if self._verify is None or not findings:
            return None
        return await self._verify(await asyncio.to_thread(_task, name, follow_up, findings), emit)

    def _findings(self, follow_up: FollowUp) -> tuple[Finding, ...]:
        model = self._job.follow_up_model
        priors = (prior for prior in follow_up.findings if prior.id not in self._ledger)
        return tuple(prior.as_finding(model) for prior in priors)


def _task(name: str, follow_up: FollowUp, findings: Sequence[Finding]) -> VerifyTask:
    files = parse_diff(follow_up.diff.encode("utf-8", "surrogateescape"))
    views = (whole_view(file, f"{name}-{number}") for number, file in enumerate(files, 1))
    return VerifyTask(
        id=f"{name}{VERIFICATION}",
        batch=name,
        request=ModelRequest(chunks=tuple(views), manifest=()),
        findings=tuple(findings),
        drafts={},
        added={
            file.path: frozenset(
                line.new_no
                for hunk in file.hunks
                for line in hunk.iter_lines()
                if line.kind == "added" and line.new_no is not None
            )
            for file in files
        },
        is_follow_up=True,
    )


def _event(verdict: Verdict) -> FindingVerified | FindingWithdrawn:
    """Return the event of a verdict: a finding that is still open is ``supported``."""
    if verdict.verdict == "fixed":
        return FindingWithdrawn(verdict.id, verdict.reason, verdict.evidence, "fixed")
    answer: Literal["supported", "cannot_tell", "unverified"] = "supported"
    if verdict.verdict == "cannot_tell" or verdict.verdict == "unverified":  # noqa: PLR1714 - mypy
        answer = verdict.verdict
    placement = Placement("inline")
    return FindingVerified(verdict.id, answer, verdict.reason, verdict.evidence, placement)

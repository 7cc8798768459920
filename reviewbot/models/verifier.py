"""Ask a model to disprove the findings of a batch, and check its verdicts.

Verification never fails a review: findings that could not be verified are ``unverified``, and count
as if there were no verification.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, runtime_checkable

from reviewbot.core.events.events import Usage
from reviewbot.core.findings.finding import rank
from reviewbot.core.findings.verdicts import Judge, KnownCode, parse_verdicts, unverified
from reviewbot.core.prompt.verification import MOST_FINDINGS, render_verification
from reviewbot.models.base import Fault, ModelFault
from reviewbot.models.batch import BatchResult, Spent
from reviewbot.models.budget import MIN_OUTPUT_TOKENS
from reviewbot.models.catalog import cost_usd
from reviewbot.models.dialogue import text_of

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.findings.verdicts import RawVerdict
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.attempts import AttemptPolicy
    from reviewbot.models.batch import VerifyTask
    from reviewbot.models.budget import Budget
    from reviewbot.models.catalog import ModelInfo

log = logging.getLogger(__name__)

MAX_TOKENS: Final = 16_000
"""Maximum output tokens of a request: the thinking of the model, and a line for each finding."""
ATTEMPTS: Final = 2
"""Maximum number of requests for the same findings."""

CodePart: TypeAlias = Sequence[tuple[int, str]]
"""Consecutive lines of a file: number and text."""
FindCode: TypeAlias = Callable[[str, Sequence[CodePart]], Awaitable[Collection[int] | None]]
"""Function from a path and the shown parts of the file to the numbers of the lines that are running
code; None if no parser knows the language."""
FindEvidence: TypeAlias = Callable[[Sequence["Finding"]], Awaitable[Sequence["ChunkView"]]]
"""Function that returns more code about findings, redacted."""


@runtime_checkable
class VerifierModel(Protocol):
    """A model that can answer one more block after a review."""

    @property
    def info(self) -> ModelInfo:
        """Its name and prices."""
        ...

    async def answer_after(
        self,
        request: ModelRequest,
        block: str,
        *,
        max_tokens: int,
        used: Callable[[Usage], None],
    ) -> dict[str, Any]:
        """Return the JSON object that answers ``block`` after the prompt of ``request``.

        ``used`` is called with the usage so far, perhaps several times.

        Raises:
            ModelFault: there is no JSON object.
        """
        ...


async def no_evidence(_findings: Sequence[Finding]) -> tuple[ChunkView, ...]:
    """Return no code beyond the diff."""
    return ()


class Verifier:
    """Verifier of findings; an instance is a :data:`reviewbot.models.batch.Verify`.

    Args:
        model_of: returns the model that verifies the findings of a model, by its name; None if
            there is none.
        policy: limits of attempts and waits.
        running_code: finds the lines of running code.
        evidence: finds more code about findings.
        budget: budget that the review shares, if there is a limit.
    """

    def __init__(
        self,
        model_of: Callable[[str], VerifierModel | None],
        policy: AttemptPolicy,
        running_code: FindCode,
        *,
        evidence: FindEvidence = no_evidence,
        budget: Budget | None = None,
    ) -> None:
        self._model_of, self._policy, self._budget = model_of, policy, budget
        self._running_code, self._evidence = running_code, evidence

    async def __call__(self, task: VerifyTask, book: Callable[[Spent], None]) -> BatchResult:
        """Return the verdicts about the findings of ``task``; fails only by cancellation.

        Of more than :data:`.MOST_FINDINGS` findings, the worst are verified.
        """
        worst = tuple(sorted(task.findings, key=rank)[:MOST_FINDINGS])
        rest = [one for one in task.findings if one not in worst]
        spent: list[Spent] = []

        def charge(one: Spent) -> None:
            spent.append(one)
            book(one)

        try:
            evidence = await self._evidence_of(worst)
            judge = Judge(await self._known(task, evidence))
            block = render_verification(worst, evidence, priors=task.priors)
            raw = await self._ask(task.request, worst, block, charge)
            verdicts = await asyncio.to_thread(judge.verdicts, worst, raw)
        except ModelFault as fault:
            verdicts = unverified(worst, f"Verification failed: {fault}")
        except Exception as error:
            log.exception("the verification of a batch failed")
            reason = f"Verification failed: {type(error).__name__} in reviewbot."
            verdicts = unverified(worst, reason)
        verdicts += unverified(rest, f"Only the {MOST_FINDINGS} worst findings were verified.")
        return BatchResult((), (), tuple(spent), verdicts=verdicts)

    async def _evidence_of(self, findings: Sequence[Finding]) -> Sequence[ChunkView]:
        """Return the evidence; none if it could not be read, for the findings count more."""
        try:
            return await self._evidence(findings)
        except Exception as error:  # noqa: BLE001 - of git, of GitHub, or of a file
            log.warning("no evidence for a verification: %s", type(error).__name__)
            return ()

    async def _known(self, task: VerifyTask, evidence: Sequence[ChunkView]) -> KnownCode:
        views = (*task.request.chunks, *task.request.uses, *evidence)
        parts: dict[str, list[CodePart]] = {}
        for view in views:
            for hunk in view.hunks:
                lines = [(number, line.text) for line in hunk.lines if (number := line.new_no)]
                parts.setdefault(view.path, []).append(lines)
        running = {path: await self._running_code(path, some) for path, some in parts.items()}
        return KnownCode(
            views,
            {path: numbers for path, numbers in running.items() if numbers is not None},
            task.added,
            task.priors,
        )

    async def _ask(
        self,
        request: ModelRequest,
        group: Sequence[Finding],
        block: str,
        book: Callable[[Spent], None],
    ) -> dict[int, RawVerdict]:
        """Return the verdicts of the model.

        Raises:
            ModelFault: there are none.
        """
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        model = self._model_of(group[0].model)
        if model is None:
            raise ModelFault("no model is set that can verify", fault=Fault.REJECTED)
        retrying = AsyncRetrying(
            sleep=asyncio.sleep,
            stop=stop_after_attempt(min(ATTEMPTS, self._policy.max_attempts)),
            wait=self._policy.wait,
            retry=retry_if_exception(self._policy.worth_another_try),
            reraise=True,
        )

        async def once() -> dict[int, RawVerdict]:
            answer = await self._send(model, request, block, book)
            try:
                return parse_verdicts(answer, len(group))
            except ValueError as error:
                reason = f"the model's answer is not usable: {error}"
                raise ModelFault(reason, fault=Fault.UNUSABLE) from None

        return await retrying(once)

    async def _send(
        self, model: VerifierModel, request: ModelRequest, block: str, book: Callable[[Spent], None]
    ) -> dict[str, Any]:
        """Send one request within the budget.

        Raises:
            ModelFault: the request failed.
        """
        info, used, reserved = model.info, [Usage()], 0.0
        room = min(info.max_output, info.context - request.tokens - len(block) // 2)
        if room < MIN_OUTPUT_TOKENS:
            raise ModelFault(
                f"the request is too large for the context window of {info.name}",
                fault=Fault.REJECTED,
            )
        max_tokens = min(MAX_TOKENS, room)
        try:
            if self._budget:
                text = text_of(request, info) + block
                max_tokens, reserved = await self._budget.reserve(info, text, max_tokens)
            return await model.answer_after(request, block, max_tokens=max_tokens, used=used.append)
        finally:
            spent = Spent(info.name, used[-1], cost_usd(info, used[-1]), purpose="verification")
            if self._budget:
                await self._budget.settle(reserved, spent.cost_usd or 0.0)
            book(spent)

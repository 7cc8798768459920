"""Ask a model to check findings, and check its answers against the code.

The model gets a conversation of its own, with look-ups of its own, by the same machinery as a
review (:mod:`reviewbot.models.exchange`). Verification never fails a review: findings that could
not be verified are ``unverified``, and count as if there were no verification.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.findings.check_tool import ANSWERS, FOLLOW_UP_ANSWERS
from reviewbot.core.findings.finding import rank
from reviewbot.core.findings.verdicts import FAILED, Judge, KnownCode, unverified
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.core.prompt.shown_results import shown_in_results
from reviewbot.core.prompt.verification import MOST_FINDINGS, FindingsToCheck
from reviewbot.models.base import Fault, ModelFault
from reviewbot.models.batch import BatchResult, BatchTask, LookedUp, Reading, Spent, Working
from reviewbot.models.batch_run import Answer, BatchRun
from reviewbot.models.budget import MIN_OUTPUT_TOKENS
from reviewbot.models.dialogue import text_of
from reviewbot.models.report_reader import CheckReader

if TYPE_CHECKING:
    from reviewbot.core.findings.check_tool import Answer as VerifierAnswer
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.findings.verdicts import RawVerdict, RunningLines, Verdict
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.models.attempts import AttemptPolicy
    from reviewbot.models.base import Model
    from reviewbot.models.batch import BatchEvent, Emit, Purpose, VerifyTask
    from reviewbot.models.exchange import Exchange
    from reviewbot.models.report_reader import CallReader

log = logging.getLogger(__name__)

MAX_TOKENS: Final = 16_000
"""Maximum output tokens of a turn: the thinking of the model, and an answer about each finding."""
ATTEMPTS: Final = 2
"""Maximum number of conversations about the same findings."""

CodePart: TypeAlias = Sequence[tuple[int, str]]
"""Consecutive lines of a file: number and text."""
FindCode: TypeAlias = Callable[[str, Sequence[CodePart], bool], Awaitable[Collection[int] | None]]
"""Function from a path, the shown parts of the file, and whether it is the old version, to the
numbers of the lines that are running code; None if no parser knows the language."""


class Verifier:
    """Verifier of findings; an instance is a :data:`reviewbot.models.batch.Verify`.

    Args:
        model_of: returns the model that verifies the findings of a model, by its name; None if
            there is none.
        policy: limits of attempts and waits.
        running_code: finds the lines of running code.
        exchange: sends the requests. Its look-ups are those of the verifier.
        lookups: the maximum number of look-ups of the review; 0 offers none.
        link_hosts: hosts to which a rewritten message may link.
    """

    def __init__(
        self,
        model_of: Callable[[str], Model | None],
        policy: AttemptPolicy,
        running_code: FindCode,
        exchange: Exchange,
        *,
        lookups: int = 0,
        link_hosts: Sequence[str] = (),
    ) -> None:
        self._model_of, self._policy, self._running_code = model_of, policy, running_code
        self._exchange, self._lookups, self._link_hosts = exchange, lookups, tuple(link_hosts)

    async def __call__(self, task: VerifyTask, emit: Emit) -> BatchResult:
        """Return the verdicts about the findings of ``task``; fails only by cancellation.

        Of more than :data:`.MOST_FINDINGS` new findings, the worst are verified.
        """
        rest = [] if task.is_follow_up else sorted(task.findings, key=rank)[MOST_FINDINGS:]
        findings = tuple(finding for finding in task.findings if finding not in rest)

        async def pass_on(event: BatchEvent) -> None:
            if isinstance(event, Spent | LookedUp | Working | Reading):
                await emit(event)

        request = _request(task, findings, self._lookups)
        run = BatchRun(BatchTask(task.id, request), pass_on)
        try:
            verdicts = await self._verdicts(task, run, findings)
        except ModelFault as fault:
            verdicts = unverified(findings, f"{FAILED}{fault}")
        except Exception as error:
            log.exception("the verification of a batch failed")
            reason = f"{FAILED}{type(error).__name__} in reviewbot."
            verdicts = unverified(findings, reason)
        verdicts += unverified(rest, f"Only the {MOST_FINDINGS} worst findings were verified.")
        return replace(run.result(), verdicts=verdicts)

    async def _verdicts(
        self, task: VerifyTask, run: BatchRun, findings: tuple[Finding, ...]
    ) -> tuple[Verdict, ...]:
        """Return the checked answers of the model.

        Raises:
            ModelFault: there are none.
        """
        answers = FOLLOW_UP_ANSWERS if task.is_follow_up else ANSWERS
        raw = await self._ask(run, findings, answers)
        request = run.task.request
        shown = (*request.chunks, *request.uses, *run.dossier, *shown_in_results(run.looked_up))
        code = KnownCode(shown, task.added)
        judge = await asyncio.to_thread(Judge, code, self._link_hosts)
        paths = judge.withdrawing_paths(raw.values())
        # The old lines of a follow-up are not those of the base, and close nothing.
        sides = (False,) if task.is_follow_up else (False, True)
        running = await running_lines(self._running_code, paths, shown, sides)
        return await asyncio.to_thread(judge.verdicts, findings, raw, running)

    async def _ask(
        self, run: BatchRun, findings: Sequence[Finding], allowed: Sequence[VerifierAnswer]
    ) -> dict[int, RawVerdict]:
        """Return the answers of the model, of which ``allowed`` count.

        Raises:
            ModelFault: there are none.
        """
        model = self._model_of(findings[0].model)
        if model is None:
            raise ModelFault("no model is set that can verify", fault=Fault.REJECTED)
        answers: dict[int, RawVerdict] = {}
        reading = partial(CheckReader, answers, len(findings), allowed)
        await ask(self._exchange, self._policy, model, run, reading, purpose="verification")
        return answers


async def ask(
    exchange: Exchange,
    policy: AttemptPolicy,
    model: Model,
    run: BatchRun,
    new_reading: Callable[[], CallReader],
    *,
    purpose: Purpose,
) -> None:
    """Send the request of ``run`` to a model; repeat it once if that may help.

    Raises:
        ModelFault: there is no usable answer.
    """
    from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

    info, request = model.info, run.task.request
    tokens = len(text_of(request, info)) // 2
    request = replace(request, tokens=tokens)
    max_tokens = min(MAX_TOKENS, info.max_output, info.context - tokens)
    if max_tokens < MIN_OUTPUT_TOKENS:
        raise ModelFault(
            f"the request is too large for the context window of {info.name}",
            fault=Fault.REJECTED,
        )
    retrying = AsyncRetrying(
        sleep=asyncio.sleep,
        stop=stop_after_attempt(min(ATTEMPTS, policy.max_attempts)),
        wait=policy.wait,
        retry=retry_if_exception(policy.worth_another_try),
        reraise=True,
    )
    async for attempt in retrying:
        with attempt:
            number = attempt.retry_state.attempt_number
            answer = Answer(
                f"{run.task.id}/{info.name}/{number}",
                model,
                number,
                request.chunks,
                purpose=purpose,
                new_reading=new_reading,
            )
            await exchange.run(run, answer, request, max_tokens)


async def running_lines(
    find_code: FindCode,
    paths: Collection[str],
    views: Sequence[ChunkView],
    sides: Sequence[bool] = (False, True),
) -> RunningLines:
    """Return the lines of running code of some files, as far as ``views`` show them.

    ``sides`` says for each wanted version of a file whether it is the old one.
    """
    running: dict[tuple[str, bool], Collection[int] | None] = {}
    for path in paths:
        for is_old in sides:
            parts = [
                [
                    (number, line.text)
                    for line in hunk.lines
                    if (number := line.old_no if is_old else line.new_no)
                ]
                for view in views
                if view.path == path
                for hunk in view.hunks
            ]
            running[path, is_old] = await find_code(path, parts, is_old)
    return running


def _request(task: VerifyTask, findings: tuple[Finding, ...], lookups: int) -> ModelRequest:
    """Return the request about findings, with the hunks of their files.

    A follow-up shows all hunks of its task, for findings rest on code in other files.
    """
    paths, chunks = {finding.path for finding in findings}, {finding.chunk for finding in findings}
    return ModelRequest(
        chunks=tuple(
            replace(view, instructions=())
            for view in task.request.chunks
            if task.is_follow_up or view.path in paths or view.id in chunks
        ),
        manifest=(),
        uses=task.request.uses,
        lookups=lookups,
        check=FindingsToCheck(findings, task.is_follow_up),
    )

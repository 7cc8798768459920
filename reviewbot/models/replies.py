"""Look at the code again after a reply to a finding, and check what the model says.

Two requests: the answer, which sees the thread, and for a withdrawal the verification
(:mod:`reviewbot.models.verifier`), which sees the finding and the quoted code, never the thread. A
finding is withdrawn only if the quotes of both are running code. If anything fails, it stands.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.events import ReplyDecision
from reviewbot.core.findings.answer_tool import RawAnswer, parse_answer
from reviewbot.core.findings.finding import RestsOn
from reviewbot.core.findings.verdicts import Judge, KnownCode, RawVerdict
from reviewbot.core.prompt.reply import REPLY_LOOKUPS, redacted_reply
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.core.prompt.shown_results import shown_in_results
from reviewbot.core.safety.escape import cut
from reviewbot.core.safety.shown_text import shown_markdown
from reviewbot.errors import ReviewbotError
from reviewbot.models.base import Fault, ModelFault
from reviewbot.models.batch import (
    Answered,
    BatchResult,
    BatchTask,
    ChunkOutcome,
    RequestSent,
    Retrying,
    VerifyTask,
)
from reviewbot.models.batch_run import BatchRun
from reviewbot.models.report_reader import CallReader
from reviewbot.models.verifier import ask, running_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.events.events import ChunkStatus
    from reviewbot.core.findings.check_tool import Answer
    from reviewbot.core.findings.finding import Evidence, Finding
    from reviewbot.core.findings.verdicts import Verdict
    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.prompt.reply import FindingReply
    from reviewbot.models.attempts import AttemptPolicy
    from reviewbot.models.base import Model
    from reviewbot.models.batch import Emit, Verify
    from reviewbot.models.exchange import Exchange
    from reviewbot.models.verifier import FindCode

TEXT_CHARS: Final = 700
"""Maximum characters of the text of an answer: three sentences."""
NOT_CONFIRMED: Final = "I looked again, and could not confirm this from the code: {}."
_NO_LINE: Final = "no whole line of running code that I can quote contradicts the finding"
_SECOND: Final = "a second check, which does not see this thread, {}"
_SECOND_SAYS: Final = {
    "supported": "traces the finding to this line",
    "partly": "finds it true in part, by this line",
    "not_introduced": "finds it true, although it is not new",
    "cannot_tell": "could not tell",
    "unverified": "did not end",
}


class ReplyAnswerer:
    """Runner that answers a reply; an instance is a ``RunBatch`` for a single batch.

    Args:
        models: the models, best first.
        reply: the reply.
        exchange: sends the request of the answer. Its look-ups are those of the answer.
        find_code: finds the lines of running code.
        verify: checks a withdrawal, in requests of its own.
        policy: limits of attempts and waits.
        lookups: the maximum number of look-ups; 0 offers none.
        link_hosts: hosts that links in the answer may point to.
    """

    def __init__(
        self,
        models: Sequence[Model],
        reply: FindingReply,
        exchange: Exchange,
        find_code: FindCode,
        *,
        verify: Verify,
        policy: AttemptPolicy,
        lookups: int = 0,
        link_hosts: Sequence[str] = (),
    ) -> None:
        self._models, self._reply, self._policy = tuple(models), reply, policy
        self._exchange, self._find_code, self._verify = exchange, find_code, verify
        self._lookups, self._link_hosts = min(lookups, REPLY_LOOKUPS), tuple(link_hosts)

    async def __call__(self, task: BatchTask, emit: Emit) -> BatchResult:
        """Return the answer of the first model that gives one; fails only by cancellation."""
        chunks = tuple(chunk.id for chunk in task.request.chunks)
        views = tuple(replace(view, instructions=()) for view in task.request.chunks)
        request = ModelRequest(views, (), lookups=self._lookups)
        run = BatchRun(BatchTask(task.id, request), emit)
        answer: Answered | None = None
        failed = ModelFault("There is no model to ask.", fault=Fault.REJECTED)
        name = "none"
        for model, following in zip_longest(self._models, self._models[1:]):
            name = model.info.name
            await run.say(RequestSent(chunks, name, 1))
            try:
                answer = await self._answer(model, run)
                break
            except ModelFault as fault:
                failed = fault
            except ReviewbotError as error:  # text that cannot be searched for secrets
                failed = ModelFault(str(error), fault=Fault.REJECTED)
            if following is not None:
                then = following.info.name
                await run.say(Retrying(chunks, name, 1, str(failed), then, 0.0))
        if answer is not None:
            await run.say(answer)
        status: ChunkStatus = "reviewed" if answer else "failed"
        why = () if answer else (str(failed), failed.fault.value)
        for chunk in chunks:
            await run.say(ChunkOutcome(chunk, status, name, 1, *why))
        return replace(run.result(), answer=answer)

    async def _answer(self, model: Model, run: BatchRun) -> Answered:
        """Return the checked answer of a model.

        Raises:
            ModelFault: the model did not answer.
            ReviewbotError: the search for secrets failed.
        """
        reply = await asyncio.to_thread(redacted_reply, self._reply)
        request = replace(run.task.request, reply=reply)
        run.task = replace(run.task, request=request)
        found: list[RawAnswer] = []
        reading = partial(CallReader, lambda value: found.append(parse_answer(value)))
        await ask(self._exchange, self._policy, model, run, reading, purpose="review")
        raw = found[-1]
        [first, *_] = request.chunks
        finding = reply.as_finding(path=first.path, chunk=first.id, model=model.info.name)
        decision, text = await self._decided(raw, finding, run)
        shown = await asyncio.to_thread(self._shown, text)
        return Answered(shown, model.info.name, complete=True, reply=decision)

    def _shown(self, text: str) -> str:
        shown = shown_markdown(cut(text.strip(), TEXT_CHARS), link_hosts=self._link_hosts)
        if not shown:
            raise ModelFault("The model's answer is empty.", fault=Fault.UNUSABLE)
        return shown

    async def _decided(
        self, raw: RawAnswer, finding: Finding, run: BatchRun
    ) -> tuple[ReplyDecision, str]:
        """Return the decision that the code bears out, and the text of the answer."""
        if raw.decision == "missing":
            return ReplyDecision("missing"), raw.text
        looked_up = tuple(shown_in_results(run.looked_up))
        verdict = await self._judged(raw, finding, (*run.task.request.chunks, *looked_up))
        evidence = verdict.evidence
        if raw.decision == "stands":
            is_quoted = verdict.verdict == "supported"
            return ReplyDecision("stands", evidence if is_quoted else None), raw.text
        if verdict.verdict != "wrong" or evidence is None:
            return ReplyDecision("stands", evidence), NOT_CONFIRMED.format(_NO_LINE)
        second = await self._checked(finding, evidence, looked_up, run)
        if second.verdict == "wrong" and second.evidence is not None:
            return ReplyDecision("withdrawn", evidence), raw.text
        says = _SECOND_SAYS.get(second.verdict, _SECOND_SAYS["cannot_tell"])
        reason = NOT_CONFIRMED.format(_SECOND.format(says))
        return ReplyDecision("stands", second.evidence or evidence), reason

    async def _judged(
        self, raw: RawAnswer, finding: Finding, views: Sequence[ChunkView]
    ) -> Verdict:
        """Return the verdict that the quote of an answer bears out."""
        answer: Answer = "wrong" if raw.decision == "withdraw" else "supported"
        written = RawVerdict(answer, raw.path, raw.line, raw.quote)
        judge = await asyncio.to_thread(Judge, KnownCode(views, _added(views)))
        paths = judge.withdrawing_paths([written])
        running = await running_lines(self._find_code, paths, views)
        [verdict] = await asyncio.to_thread(judge.verdicts, (finding,), {1: written}, running)
        return verdict

    async def _checked(
        self,
        finding: Finding,
        evidence: Evidence,
        looked_up: Sequence[ChunkView],
        run: BatchRun,
    ) -> Verdict:
        """Return the verdict of the second request, which sees the quoted code, not the thread."""
        last = evidence.line + evidence.quote.count("\n")
        quoted = RestsOn(
            evidence.path,
            evidence.line,
            last,
            evidence.quote,
            base=evidence.base,
            is_shown=True,
        )
        request = ModelRequest(
            run.task.request.chunks,
            (),
            uses=tuple(view for view in looked_up if view.path == evidence.path),
        )
        task = VerifyTask(
            id=f"{run.task.id}/check",
            batch=run.task.id,
            request=request,
            findings=(replace(finding, rests_on=(quoted,)),),
            drafts={},
            added=_added(run.task.request.chunks),
        )
        result = await self._verify(task, run.say)
        return result.verdicts[0]


def _added(views: Iterable[ChunkView]) -> dict[str, set[int]]:
    """Return the numbers of the lines that the change adds, as far as ``views`` show it."""
    added: dict[str, set[int]] = {}
    for view in views:
        numbers = added.setdefault(view.path, set())
        for hunk in view.hunks:
            numbers.update(
                line.new_no for line in hunk.lines if line.kind == "added" and line.new_no
            )
    return added

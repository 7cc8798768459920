"""Convert the events of one answer to drafts or verdicts, and judge it at its end. Does no I/O."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.events import Usage
from reviewbot.core.findings.draft import Draft, InvalidFinding, own_draft, parse_draft
from reviewbot.core.findings.toolstream import ToolStream, ToolStreamError
from reviewbot.core.findings.verdicts import parse_verdicts
from reviewbot.models.base import (
    EMPTY,
    PROSE,
    Fault,
    InputRestarted,
    ModelFault,
    Stop,
    Stopped,
    Thinking,
    ToolInput,
    UsageReport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reviewbot.core.findings.check_tool import Answer
    from reviewbot.core.findings.toolstream import StreamResult
    from reviewbot.core.findings.verdicts import RawVerdict
    from reviewbot.models.base import ModelEvent, TurnContent

CHARS_PER_TOKEN: Final = 2
"""Conservative estimate for the output of a model if the server reported no usage."""

NOT_COMPLETE: Final = "The model's report does not say that it is complete."
COULD_NOT_REVIEW: Final = "The model said that it could not review all of it."


class ResponseReader:
    """Reader of the usage and of the end of one response."""

    def __init__(self) -> None:
        self._stopped: Stopped | None = None
        self._usage = Usage()
        self._characters = 0
        self.requests = 1
        """Number of requests for the response."""
        self.drafts = 0
        self.files: list[tuple[str, str]] = []
        """Path and change of each file that the reports describe, not checked."""
        self.done: set[str] = set()
        """Paths in the reports that have ended well, as the model wrote them."""

    @property
    def used(self) -> Usage:
        """Its tokens. A server that is cut off has often named only the first output token."""
        if self._stopped is not None:
            return self._usage
        written = self._characters // CHARS_PER_TOKEN
        return replace(self._usage, output=max(self._usage.output, written))

    @property
    def refusal(self) -> str | None:
        """Reason why the model declined, or None. Text before a refusal must not be used."""
        if self._stopped is None or self._stopped.stop is not Stop.REFUSED:
            return None
        return self._stopped.detail or "The model declined to answer."

    def take(self, event: ModelEvent) -> Iterator[Draft | Thinking]:
        """Yield the drafts that the next event completes, or its thought.

        Raises:
            ModelFault: the report is invalid; complete drafts are yielded first.
        """
        match event:
            case ToolInput(text=text):
                self._characters += len(text)
                yield from self._feed(text)
            case InputRestarted():
                self._restart()
            case Thinking(text=text):
                self._characters += len(text)
                yield event
            case UsageReport():
                self._usage, self.requests = event.usage, event.requests
            case Stopped():
                self._stopped = event
            case _:
                pass

    def judge(self, turn: TurnContent | None = None) -> Stop:
        """Return whether the ended response is complete, truncated or one turn of several.

        ``turn`` is the content of a turn with look-ups.

        Raises:
            ModelFault: the response is not usable.
        """
        raise NotImplementedError

    def _feed(self, text: str) -> Iterator[Draft]:
        raise NotImplementedError

    def _restart(self) -> None:
        raise NotImplementedError

    def _end(self) -> Stopped:
        """Return how the response ended.

        Raises:
            ModelFault: it did not end.
        """
        if self._stopped is None:
            raise ModelFault("The model's answer was interrupted.", fault=Fault.TRANSIENT)
        return self._stopped


class CallReader(ResponseReader):
    """Reader of one response that is a call of a tool.

    Args:
        take: receives the decoded input of the call; raises ValueError if it is not usable.
    """

    def __init__(self, take: Callable[[object], None]) -> None:
        super().__init__()
        self._take = take
        self._text = ""

    def _feed(self, text: str) -> Iterator[Draft]:
        self._text += text
        yield from ()

    def _restart(self) -> None:
        self._text = ""  # the model answered twice, and the last answer counts

    def judge(self, turn: TurnContent | None = None) -> Stop:
        """Return whether the answer is complete, or the turn looks code up.

        Answers in a turn with look-ups do not count, as the model has not seen the results.

        Raises:
            ModelFault: the response was interrupted, or has no valid answer.
        """
        stopped = self._end()
        called = turn is not None and any(call.reports for call in turn.calls)
        if turn is not None and (turn.looks_up or not called):
            return Stop.CONTINUING
        if stopped.stop is not Stop.COMPLETE:
            detail = stopped.detail or "The model answered without a call."
            raise ModelFault(detail, fault=Fault.UNUSABLE)
        try:
            self._take(json.loads(self._text or "{}"))
        except (ValueError, RecursionError) as error:
            problem = "it is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
            message = f"The model's answer is not usable: {problem}."
            raise ModelFault(message, fault=Fault.UNUSABLE) from None
        return Stop.COMPLETE


class CheckReader(CallReader):
    """Reader of one response about findings.

    Args:
        answers: receives the answers by the number of their finding.
        count: number of the findings.
        allowed: the answers that count.
    """

    def __init__(
        self, answers: dict[int, RawVerdict], count: int, allowed: Sequence[Answer]
    ) -> None:
        super().__init__(lambda value: answers.update(parse_verdicts(value, count, allowed)))


class ReportReader(ResponseReader):
    """Reader of one report of findings.

    Args:
        own: whether our own rules write the response, which is then not validated.
    """

    def __init__(self, *, own: bool) -> None:
        super().__init__()
        self._own = own
        self._stream = ToolStream()
        self._malformed: list[str] = []
        self._begins = ""
        """First character of the report, which a report opens with a brace."""
        self._outcomes: list[str] = []
        """Outcomes of the ended reports; empty for a report without one."""
        self._broken: str | None = None
        """Problem of an earlier report in the same response."""

    @property
    def used(self) -> Usage:
        """Its tokens; our own rules use none."""
        return self._usage if self._own else super().used

    def _restart(self) -> None:
        earlier = self._stream.close()
        self.files += earlier.files
        self._outcomes.append((earlier.outcome or "").lower())
        self._broken = self._broken or earlier.problem
        self._note_done(earlier)
        self._stream = ToolStream()

    def _feed(self, text: str) -> Iterator[Draft]:
        self._begins = self._begins or text.lstrip()[:1]
        broken: ToolStreamError | None = None
        try:
            self._stream.feed(text)
        except ToolStreamError as error:
            broken = error
        for item in self._stream.drain():
            try:
                draft = own_draft(item) if self._own else parse_draft(item)
            except InvalidFinding as error:
                self._malformed.append(str(error))
            else:
                self.drafts += 1
                yield draft
        if broken:
            raise self._broken_report(str(broken))

    def _note_done(self, report: StreamResult) -> None:
        """Note the files of a report, unless part of it is missing or was not reviewed."""
        ends_well = report.outcome in ("continuing", "complete")
        if ends_well and not (self._broken or self._malformed):
            self.done |= {path for path, _ in report.files}

    def _broken_report(self, problem: str) -> ModelFault:
        kind = f"broken JSON ({problem})" if self._begins in ("{", "[") else PROSE
        return ModelFault(
            f"The model's report is broken: {problem}",
            fault=Fault.UNUSABLE,
            answered=kind if self._begins else EMPTY,
        )

    def judge(self, turn: TurnContent | None = None) -> Stop:
        """Return whether the ended response is complete or truncated; raise otherwise.

        A response is complete only if its report says so. ``turn`` is the content of a turn with
        look-ups: unless it is complete and looks nothing up, the conversation is continuing.

        Raises:
            ModelFault: the end or the report is missing, the report is invalid or does not say
                that it is complete, or the model reports that it could not review.
        """
        stopped = self._end()
        if turn is not None and not (self._begins or any(call.reports for call in turn.calls)):
            return Stop.CONTINUING
        if stopped.stop is Stop.NO_REPORT:
            detail = stopped.detail or "The model answered without a report."
            raise ModelFault(detail, fault=Fault.UNUSABLE, answered=stopped.answered)
        report = self._stream.close()
        self.files += report.files
        cut = stopped.stop is Stop.TRUNCATED
        # A truncated report may be incomplete, but its content must be valid, because the
        # continuation is requested for the rest only.
        problem = self._broken or ("; ".join(report.strays) if cut else report.problem)
        if problem:
            raise self._broken_report(problem)
        if self._malformed:
            raise ModelFault(
                f"{len(self._malformed)} of the model's findings could not be read "
                f"({self._malformed[0]}).",
                fault=Fault.UNUSABLE,
                answered="findings of another form",
            )
        self._outcomes.append((report.outcome or "").lower())
        if not {*self._outcomes} <= {"complete", "continuing", ""}:
            raise ModelFault(COULD_NOT_REVIEW, fault=Fault.COULD_NOT_REVIEW)
        if cut:
            return Stop.TRUNCATED
        self._note_done(report)
        is_complete = self._outcomes[-1] == "complete"
        if turn is not None:
            return Stop.COMPLETE if is_complete and not turn.looks_up else Stop.CONTINUING
        if not is_complete:
            raise ModelFault(NOT_COMPLETE, fault=Fault.UNUSABLE, answered="an unfinished report")
        return Stop.COMPLETE


def after_attempts(fault: ModelFault, model: str, attempt: int) -> ModelFault:
    """Return the last failure of ``model``, as a sentence on the model if it is too weak."""
    if fault.answered is None:
        return fault
    return ModelFault(
        f"{model} does not follow the report format: in attempt {attempt} it answered with"
        f" {fault.answered}; use a larger model, or a server that forces tools.",
        fault=fault.fault,
    )

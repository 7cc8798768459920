"""Interface of models: a protocol, the events of one response, and the errors."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, runtime_checkable

from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from reviewbot.core.events.events import Usage
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.models.conversation import Conversation


@dataclass(frozen=True, slots=True)
class Answering:
    """The server began to answer: its cache now has the shared prefix."""


@dataclass(frozen=True, slots=True)
class Prefill:
    """A slow server was sent a request, and now reads about ``tokens`` tokens in silence."""

    tokens: int


@dataclass(frozen=True, slots=True)
class Thinking:
    """The model is at work but wrote no answer yet; ``text`` is a thought or empty."""

    text: str = ""


@dataclass(frozen=True, slots=True)
class ToolInput:
    """The next piece of the JSON text of the report (``{"findings": [...], "outcome": ...}``).

    For a request for plain words, the next piece of the text.
    """

    text: str


@dataclass(frozen=True, slots=True)
class PartlyRead:
    """A chunk of the request was not read whole, for a reason that is a sentence."""

    chunk: str
    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What read a chunk without a model.

    ``checks`` are phrases such as ``6 rules for Go``. ``unread`` is a sentence if nothing read a
    source file.
    """

    chunk: str
    checks: tuple[str, ...] = ()
    unread: str | None = None


@dataclass(frozen=True, slots=True)
class InputRestarted:
    """The report starts again from its first character: the model wrote a second one.

    Complete findings are kept, and so is an error of the first report.
    """


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Tokens of this answer so far; each report replaces the one before.

    ``requests`` is the number of requests: a model that wrote no report gets a second one.
    """

    usage: Usage
    requests: int = 1


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool, with the ``input`` that the model wrote.

    ``reports`` is True for a report, whose text comes as :class:`ToolInput`.
    """

    id: str
    name: str
    input: Mapping[str, Any]
    reports: bool = False


@dataclass(frozen=True, slots=True)
class TurnContent:
    """What the model wrote in a turn of a conversation, to be sent back to it unchanged.

    ``content`` is the JSON array of its blocks in the form of the provider, and ``form`` names the
    features of the request, which stay the same for the conversation.
    """

    content: str
    calls: tuple[ToolCall, ...]
    form: tuple[str, ...] = ()

    @property
    def looks_up(self) -> bool:
        """True if the model asks for a look-up."""
        return not all(call.reports for call in self.calls)


class Stop(StrEnum):
    """Reason why the response ended. The stream ends after it; a stream without it is an error."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    """max_tokens or the context window: complete findings count, the others are missing."""
    REFUSED = "refused"
    """The model declined. Text before the refusal must not be used."""
    NO_REPORT = "no_report"
    """The response ended properly but without a report: unusable, never "clean"."""
    CONTINUING = "continuing"
    """A turn ended that is not the last one: the model looks something up, or says so."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """The last event of an answer. ``answered`` is the kind of an answer without a report."""

    stop: Stop
    detail: str = ""
    answered: str | None = None


ModelEvent: TypeAlias = (
    Answering
    | Prefill
    | Thinking
    | ToolInput
    | PartlyRead
    | Checked
    | InputRestarted
    | UsageReport
    | TurnContent
    | Stopped
)


PROSE: Final = "prose"
EMPTY: Final = "an empty answer"
OTHER_TOOL: Final = "a call of another tool"
"""Kinds of answers without a report, for messages."""


class Fault(StrEnum):
    """Kinds of failure, by what to do about them."""

    TRANSIENT = "transient"
    """5xx, an interrupted connection, silence: worth a retry on the same model."""
    OVERLOADED = "overloaded"
    """Overload (HTTP 529): as ``TRANSIENT``, with a cause of its own."""
    RATE_LIMITED = "rate_limited"
    """Worth a retry after ``retry_after``."""
    UNUSABLE = "unusable"
    """The answer was no report (broken JSON, wrong shape): worth a retry."""
    COULD_NOT_REVIEW = "could_not_review"
    """The model reported this itself: worth a retry in smaller pieces, or another model."""
    REFUSED = "refused"
    """The model declined: the next model may not."""
    REJECTED = "rejected"
    """A 4xx that a retry would get again."""
    SPEND_LIMIT = "spend_limit"
    """The limit of the account: a retry on this model is useless."""
    AUTH = "auth"
    """Key missing, wrong or without permission."""
    BUDGET = "budget"
    """Our own --budget-usd does not admit the request."""


PASSING: Final = (Fault.TRANSIENT, Fault.OVERLOADED, Fault.RATE_LIMITED)
"""Failures that end by themselves."""


class ModelFault(ReviewbotError):
    """A request that failed, before or during its answer.

    Args:
        message: one sentence without secrets, for the coverage.
        fault: the kind of error.
        retry_after: seconds to wait that the server requested, if any.
        request_id: the server's id of the request, for support.
        answered: kind of the answer, such as ``prose``, if it does not have the form of a report.
    """

    def __init__(
        self,
        message: str,
        *,
        fault: Fault,
        retry_after: float | None = None,
        request_id: str | None = None,
        answered: str | None = None,
    ) -> None:
        super().__init__(message)
        self.fault, self.retry_after, self.request_id = fault, retry_after, request_id
        self.answered = answered

    def __str__(self) -> str:
        text = super().__str__()
        return f"{text} (request {self.request_id})" if self.request_id else text

    @property
    def retryable(self) -> bool:
        """True if a retry on the same model may succeed."""
        return self.fault in (*PASSING, Fault.UNUSABLE)


class LookupsRefusedError(ReviewbotError):
    """The server of a model refuses requests that offer look-ups."""


class Model(Protocol):
    """Interface of a model, or of the rules, that writes findings."""

    @property
    def info(self) -> ModelInfo:
        """Its name, capabilities and prices."""
        ...

    def stream(self, request: ModelRequest, *, max_tokens: int) -> AsyncGenerator[ModelEvent, None]:
        """Stream one response. Closing the generator ends the request at once.

        Raises:
            ModelFault: the request failed; earlier events stay valid.
        """
        ...

    async def aclose(self) -> None:
        """Release resources, such as connections."""
        ...


@runtime_checkable
class ConversingModel(Model, Protocol):
    """Interface of a model that may look up code over several turns."""

    def converse(
        self, request: ModelRequest, conversation: Conversation, *, max_tokens: int
    ) -> AsyncGenerator[ModelEvent, None]:
        """Stream the next turn of a conversation.

        :class:`TurnContent` precedes the end.

        Raises:
            LookupsRefusedError: the server does not offer look-ups; no event came before.
            ModelFault: the request failed; earlier events stay valid.
        """
        ...

"""The seam between the review and whoever runs a batch: its task, its events, its result.

The review is given a :data:`RunBatch`. ``models.attempts`` is one; a durable engine wraps it,
stores the :class:`BatchResult` (JSON by :func:`result_to_json`) and hands it back after a crash.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from reviewbot.core.decode import decoder
from reviewbot.core.events.events import ChunkStatus, Usage  # noqa: TC001 - likewise
from reviewbot.core.findings.draft import Draft  # noqa: TC001 - the decoder looks these up

if TYPE_CHECKING:
    from reviewbot.core.prompt.request import ModelRequest


@dataclass(frozen=True, slots=True)
class BatchTask:
    """What to ask, and under which name."""

    id: str
    request: ModelRequest


@dataclass(frozen=True, slots=True)
class RequestSent:
    """A request for these chunks goes out."""

    chunks: tuple[str, ...]
    model: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Drafted:
    """A complete finding of the answer named ``answer``, to a request for ``chunks``.

    ``cached``: the answer was given to an earlier review.
    """

    draft: Draft
    model: str
    attempt: int
    answer: str
    chunks: tuple[str, ...]
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What is written so far of an answer in words, safe to show; it replaces what came before.

    The ``complete`` one is the answer; an empty one takes back what was shown.
    """

    text: str
    model: str
    complete: bool = False


@dataclass(frozen=True, slots=True)
class AnswerRecalled:
    """The model declined in the middle of ``answer``: its drafts must not be used."""

    answer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Retrying:
    """The answer for these chunks was of no use; what comes next."""

    chunks: tuple[str, ...]
    model: str
    attempt: int
    reason: str
    next_model: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class Working:
    """The model is at work but has nothing to show yet."""

    model: str


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of one request, once it ended, however it ended. ``cost_usd`` is None if unpriced.

    It is emitted while a cancelled request is torn down, so whoever takes it must not wait.
    ``estimated`` is the input as the plan estimated it for this model, 0 where it made none.
    """

    model: str
    usage: Usage
    cost_usd: float | None
    estimated: int = 0


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """The last word on one chunk. ``reason`` is a sentence unless ``reviewed``.

    ``fault`` is the kind of the failure behind it (``models.base.Fault``): whether it may pass.
    ``cached``: all of it was reviewed before; nobody was asked, and ``attempt`` is 0.
    """

    chunk: str
    status: ChunkStatus
    model: str
    attempt: int
    reason: str | None = None
    fault: str | None = None
    cached: bool = False


BatchEvent: TypeAlias = (
    RequestSent | Drafted | Answered | AnswerRecalled | Retrying | Working | Spent | ChunkOutcome
)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """All that is left of a batch once it is done; recalled drafts are not in it.

    ``answer`` is there if it answered a question and reviewed nothing.
    """

    drafts: tuple[Drafted, ...]
    outcomes: tuple[ChunkOutcome, ...]
    spent: tuple[Spent, ...]
    answer: Answered | None = None


Emit: TypeAlias = Callable[[BatchEvent], Awaitable[None]]
RunBatch: TypeAlias = Callable[[BatchTask, Emit], Awaitable[BatchResult]]


def result_to_json(result: BatchResult) -> dict[str, Any]:
    """``result`` as plain JSON values."""
    return asdict(result)


def result_from_json(value: dict[str, Any]) -> BatchResult:
    """Return the inverse of :func:`result_to_json`.

    Raises:
        ValueError: it is none; the text names the field.
    """
    return cast("BatchResult", decoder(BatchResult)(value, "result"))

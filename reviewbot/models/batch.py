"""Interface between the review and a runner of batches: task, events and result.

The review gets a :data:`RunBatch`. ``models.attempts`` provides one. A durable engine wraps the
runner, stores the :class:`BatchResult` (JSON by :func:`result_to_json`) and returns the result
after a crash.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, cast

from reviewbot.core.cache.seen_code import SeenCode  # noqa: TC001 - the decoder looks these up
from reviewbot.core.decode import decoder
from reviewbot.core.events.events import (  # noqa: TC001 - the decoder looks these up
    ChunkStatus,
    ReplyDecision,
    Usage,
)
from reviewbot.core.findings.draft import Draft  # noqa: TC001 - the decoder looks these up
from reviewbot.core.findings.file_changes import FileChange  # noqa: TC001 - the decoder uses it
from reviewbot.core.findings.verdicts import Verdict  # noqa: TC001 - the decoder uses it
from reviewbot.models.conversation import Conversation  # noqa: TC001 - the decoder uses it

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.prompt.request import ModelRequest

Purpose = Literal["review", "verification", "summary"]
VERIFICATION: Final = "/verify"
"""End of the name of the result of a :class:`VerifyTask`."""


@dataclass(frozen=True, slots=True)
class BatchTask:
    """Request of a batch, and the name of the batch."""

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

    ``cached`` is True if the answer belongs to an earlier review, which may have a ``verdict``.
    """

    draft: Draft
    model: str
    attempt: int
    answer: str
    chunks: tuple[str, ...]
    cached: bool = False
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """Answer to a question so far, safe to show. Each event replaces the previous answer.

    A ``complete`` event has the final answer. An empty text withdraws the shown text. ``reply`` is
    set in the answer to a reply to a finding.
    """

    text: str
    model: str
    complete: bool = False
    reply: ReplyDecision | None = None


@dataclass(frozen=True, slots=True)
class AnswerRecalled:
    """The model declined in the middle of ``answer``: its drafts must not be used."""

    answer: str
    reason: str


@dataclass(frozen=True, slots=True)
class Retrying:
    """The answer for these chunks was not usable, and what comes next."""

    chunks: tuple[str, ...]
    model: str
    attempt: int
    reason: str
    next_model: str
    delay_s: float
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Working:
    """The model is at work but has nothing to show yet."""

    model: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A slow model reads a request of about ``tokens`` tokens, which may take minutes."""

    model: str
    tokens: int


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A look-up of a model was answered.

    ``activity`` says what was read, such as ``reading src/settings.ts 300-420``.
    """

    model: str
    activity: str


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens of one request after any kind of end. ``cost_usd`` is None without known prices.

    The event is also emitted during the cancellation of a request, so receivers must not wait.
    ``estimated`` is the plan's estimate of the input for this model; 0 without an estimate.
    ``purpose`` is what the request was for.
    """

    model: str
    usage: Usage
    cost_usd: float | None
    estimated: int = 0
    purpose: Purpose = "review"


@dataclass(frozen=True, slots=True)
class ChunkOutcome:
    """Final status of one chunk. ``reason`` is a sentence unless ``reviewed``.

    ``fault`` is the kind of error (``models.base.Fault``), which decides about retries and about
    the text for authors. If the offline rules took over, it is that of the model before them.
    ``cached`` is True if the whole chunk came from the cache, without a request; ``attempt`` is
    then 0.
    ``checks`` are the rules and linters that read the chunk, such as ``6 rules for Go``.
    ``unlinted`` is a sentence why a linter did not read it.
    """

    chunk: str
    status: ChunkStatus
    model: str
    attempt: int
    reason: str | None = None
    fault: str | None = None
    cached: bool = False
    checks: tuple[str, ...] = ()
    unlinted: str | None = None


BatchEvent: TypeAlias = (
    RequestSent
    | Drafted
    | Answered
    | AnswerRecalled
    | Retrying
    | Working
    | Reading
    | LookedUp
    | Spent
    | ChunkOutcome
)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """Result of a finished batch, without recalled drafts.

    ``answer`` is set if the batch answered a question instead of a review. ``verdicts`` are those
    of a :class:`VerifyTask`, which has its own result. ``files`` are the lines of the model on what
    changed. ``lookups`` are the look-ups of the batch, refused ones included. ``seen`` is the code
    outside of the diff that the models saw. ``conversation`` is set in the checkpoint of a turn.
    """

    drafts: tuple[Drafted, ...]
    outcomes: tuple[ChunkOutcome, ...]
    spent: tuple[Spent, ...]
    answer: Answered | None = None
    verdicts: tuple[Verdict, ...] = ()
    files: tuple[FileChange, ...] = ()
    lookups: tuple[LookedUp, ...] = ()
    seen: tuple[SeenCode, ...] = ()
    conversation: Conversation | None = None


@dataclass(frozen=True, slots=True)
class VerifyTask:
    """Task to check the findings of a batch, or findings of earlier reviews (``is_follow_up``).

    ``id`` is the name of its result, ``batch`` and ``request`` are those of the batch. ``drafts``
    has the draft of each finding by its id. ``added`` has the numbers of the lines that the whole
    change adds, by path; in a follow-up, of those that were added since the last review.
    """

    id: str
    batch: str
    request: ModelRequest
    findings: tuple[Finding, ...]
    drafts: Mapping[str, Draft]
    added: Mapping[str, Collection[int]]
    is_follow_up: bool = False


Emit: TypeAlias = Callable[[BatchEvent], Awaitable[None]]
RunBatch: TypeAlias = Callable[[BatchTask, Emit], Awaitable[BatchResult]]
Verify: TypeAlias = Callable[[VerifyTask, Emit], Awaitable[BatchResult]]
"""Function that returns a verdict for each finding of a task, and emits its usage and look-ups. A
failure is a verdict, too: ``unverified``."""


def result_to_json(result: BatchResult) -> dict[str, Any]:
    """Return ``result`` as plain JSON values."""
    return asdict(result)


def result_from_json(value: dict[str, Any]) -> BatchResult:
    """Return the inverse of :func:`result_to_json`.

    Raises:
        ValueError: the value is not a result; the message names the field.
    """
    return cast("BatchResult", decoder(BatchResult)(value, "result"))

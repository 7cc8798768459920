"""Events of a review: a closed union. Pure.

The order is: one ``review.started``, then everything else in any order that makes sense, then
exactly one ``review.finished``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal, TypeAlias

from reviewbot.core.findings.finding import (
    RENAMED_ANSWERS,
    Evidence,
    Finding,
    Placement,
)

Outcome = Literal[
    "clean", "shallow", "findings", "answered", "incomplete", "superseded", "cancelled"
]
CoverageStatus = Literal["reviewed", "partly", "unread", "skipped", "failed"]
ChunkStatus = Literal["reviewed", "partly", "unread", "skipped", "failed"]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more model requests. ``input`` excludes cache reads and writes."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """Status of one file. ``reason`` is a sentence; None if this run ``reviewed`` the file.

    ``unread`` is a source file that no model, no rule and no linter read, or a file that the policy
    leaves unread (``by_policy``). What rules and linters find in the latter does not count.
    ``checks`` are the rules and linters that read the file, such as ``6 rules for Go`` or ``ruff``.
    ``fault`` is the kind of the model failure that ``reason`` describes (``models.base.Fault``), if
    it is one.
    """

    path: str
    status: CoverageStatus
    reason: str | None = None
    checks: tuple[str, ...] = ()
    fault: str | None = None
    by_policy: bool = False


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file of the diff as planned; ``chunks`` is empty for a skipped file.

    ``model`` is the first model, ``routed_by`` the setting that chose it, such as ``routes[0]`` or
    ``model``. ``unread`` is the sentence why the policy leaves the file unread, or None. An unread
    or skipped file has neither ``model`` nor ``routed_by``.
    """

    path: str
    status: str
    added: int
    removed: int
    chunks: tuple[str, ...] = ()
    model: str | None = None
    routed_by: str | None = None
    unread: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """A chunk as planned: part ``part`` of ``parts`` of its file (1-based), in batch ``batch``.

    ``model`` is the first model; empty in streams of versions without this field.
    """

    id: str
    path: str
    part: int
    parts: int
    batch: str
    tokens: int
    model: str = ""


@dataclass(frozen=True, slots=True)
class ModelEstimate:
    """Expected usage of one model, if no model fails."""

    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """Expected cost before the review starts. ``cost_usd`` is None without known prices.

    ``verification`` is the additional usage by model if every request has findings to verify.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    by_model: tuple[ModelEstimate, ...] = ()
    verification: tuple[ModelEstimate, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelShare:
    """Share of one model in a review: chunks that it completed, and its open findings.

    ``cost_usd`` is None if the model has no known price.
    """

    model: str
    chunks: int
    findings: int
    usage: Usage
    cost_usd: float | None


@dataclass(frozen=True, slots=True)
class VerificationTally:
    """Verdicts of a review by kind, and the usage of the requests for them.

    ``fixed`` and ``open`` count those about findings of earlier reviews. ``cost_usd`` is None if a
    used model has no known price.
    """

    supported: int = 0
    partly: int = 0
    not_introduced: int = 0
    wrong: int = field(default=0, metadata={"formerly": "refuted"})
    cannot_tell: int = field(default=0, metadata={"formerly": "unproven"})
    unverified: int = 0
    usage: Usage = field(default_factory=Usage)
    cost_usd: float | None = 0.0
    fixed: int = 0
    open: int = 0


@dataclass(frozen=True, slots=True)
class LookupTally:
    """Look-ups of models in a review, refused ones included.

    ``activities`` say what was read or searched, in order, each once.
    """

    count: int
    activities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RulesOnly:
    """Why rules and linters alone read a change that a model should read. ``reason`` is a sentence.

    Such a review is never ``clean``. If ``is_incomplete``, it is incomplete: the configuration of
    the base is invalid. Then its findings are only listed.
    """

    reason: str
    is_incomplete: bool = False


@dataclass(frozen=True, slots=True)
class ReviewStarted:
    """The plan, before the first model call.

    ``beside`` is the status of files that are not in the diff, and so not among ``files``.
    ``question`` is a question about the diff, which is then not reviewed; None for a review.
    ``rules_only`` is None if models review as the settings say.
    """

    type: ClassVar[Literal["review.started"]] = "review.started"
    models: tuple[str, ...]
    files: tuple[PlannedFile, ...]
    chunks: tuple[PlannedChunk, ...]
    batches: int
    estimate: Estimate
    notices: tuple[str, ...] = ()
    version: str = ""
    prompt_version: str | None = None
    beside: tuple[FileCoverage, ...] = ()
    question: str | None = None
    rules_only: RulesOnly | None = None


@dataclass(frozen=True, slots=True)
class FileSkipped:
    """A file that policy leaves out; it does not make the review incomplete."""

    type: ClassVar[Literal["file.skipped"]] = "file.skipped"
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ChunkStarted:
    """A request for this chunk went out."""

    type: ClassVar[Literal["chunk.started"]] = "chunk.started"
    chunk: str
    path: str
    batch: str
    model: str
    attempt: int


@dataclass(frozen=True, slots=True)
class FindingRaised:
    """A finding, the moment its closing brace arrived and it was validated and placed."""

    type: ClassVar[Literal["finding"]] = "finding"
    finding: Finding


@dataclass(frozen=True, slots=True)
class FindingVerified:
    """The verdict about a pending finding, and its placement.

    ``reason`` is a sentence. ``evidence`` is the code that decided, if there is any. The texts of a
    finding that is ``partly`` true came just before, as a :class:`FindingRaised`. If ``id`` is no
    finding of this review, the verdict is about a finding of an earlier review, which stays open.
    """

    type: ClassVar[Literal["finding.verified"]] = "finding.verified"
    id: str
    verdict: Literal["supported", "partly", "cannot_tell", "unverified"] = field(
        metadata=RENAMED_ANSWERS
    )
    reason: str
    evidence: Evidence | None
    placement: Placement


@dataclass(frozen=True, slots=True)
class FindingWithdrawn:
    """An earlier finding was withdrawn.

    If the verifier withdrew it, ``verdict`` says why and ``evidence`` is the code that decided.
    Streams of earlier versions have only the evidence. A finding that is ``fixed`` was reported by
    an earlier review, and ``evidence`` is the code that fixes it.
    """

    type: ClassVar[Literal["finding.withdrawn"]] = "finding.withdrawn"
    id: str
    reason: str
    evidence: Evidence | None = None
    verdict: Literal["wrong", "not_introduced", "fixed"] | None = None


@dataclass(frozen=True, slots=True)
class ChunkRetrying:
    """The answer for this chunk was not usable: the next step, and the wait in seconds.

    ``fault`` is as in :class:`FileCoverage`; None in streams of earlier versions.
    """

    type: ClassVar[Literal["chunk.retrying"]] = "chunk.retrying"
    chunk: str
    path: str
    model: str
    attempt: int
    reason: str
    next_model: str
    delay_s: float
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class ChunkFinished:
    """Final status of a chunk. ``reason`` is a sentence unless ``reviewed``.

    ``cached`` is True if the whole chunk came from the cache, without a request. ``fault`` is as in
    :class:`FileCoverage`.
    """

    type: ClassVar[Literal["chunk.finished"]] = "chunk.finished"
    chunk: str
    path: str
    status: ChunkStatus
    model: str
    attempt: int
    reason: str | None = None
    cached: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """Progress of the review. ``activity`` describes the current step while no event arrives.

    ``batch`` is the id of the batch that the activity belongs to; None if it belongs to none.
    """

    type: ClassVar[Literal["review.progress"]] = "review.progress"
    files_done: int
    files_total: int
    chunks_done: int
    chunks_total: int
    findings: int
    usage: Usage
    cost_usd: float | None
    activity: str | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class WalkthroughEntry:
    """Short description of one changed file."""

    path: str
    summary: str


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something that the purpose of a change asks for, as a model reads it.

    ``path`` is a changed file that shows it; None if the model found none.
    """

    what: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class ReviewSummary:
    """Summary and walkthrough. ``source`` is ``computed`` when no model wrote them.

    ``reason`` is a sentence if a model failed to write them. ``asked_for`` is what title,
    description and issues ask for; empty without a description and issues.
    """

    type: ClassVar[Literal["review.summary"]] = "review.summary"
    what: str
    files: tuple[WalkthroughEntry, ...] = ()
    look_at: tuple[str, ...] = ()
    claim_mismatch: str | None = None
    source: Literal["model", "computed"] = "computed"
    reason: str | None = None
    asked_for: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyDecision:
    """Checked decision about the finding of a reply, and the code that decided it, if any.

    Only ``withdrawn`` changes the finding: the quote was checked, and a second request agreed.
    """

    decision: Literal["withdrawn", "stands", "missing"]
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class ReviewAnswer:
    """Answer to the question so far, as Markdown. Each event replaces the previous answer.

    A ``complete`` event has the final answer. An empty text withdraws the shown text. ``reply`` is
    set in the answer to a reply to a finding.
    """

    type: ClassVar[Literal["review.answer"]] = "review.answer"
    text: str
    model: str
    complete: bool = False
    reply: ReplyDecision | None = None


@dataclass(frozen=True, slots=True)
class ReviewFinished:
    """The last event, exactly once. Times are seconds, ``cost_usd`` is the total cost.

    ``depth`` has sentences about the files that no model read, and those that a linter could not
    read; empty if there are none. ``reasons`` are those for the outcome, and for an optional check
    that failed. ``verification`` is None if no finding was verified, and ``lookups`` if no model
    looked anything up.
    """

    type: ClassVar[Literal["review.finished"]] = "review.finished"
    outcome: Outcome
    coverage: tuple[FileCoverage, ...]
    usage: Usage
    cost_usd: float | None
    duration_s: float
    time_to_first_finding_s: float | None
    findings: dict[str, int] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    by_model: tuple[ModelShare, ...] = ()
    depth: str = ""
    verification: VerificationTally | None = None
    lookups: LookupTally | None = None


Event: TypeAlias = (
    ReviewStarted
    | FileSkipped
    | ChunkStarted
    | FindingRaised
    | FindingVerified
    | FindingWithdrawn
    | ChunkRetrying
    | ChunkFinished
    | ReviewProgress
    | ReviewSummary
    | ReviewAnswer
    | ReviewFinished
)

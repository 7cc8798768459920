"""Turn a request into a review: plan it, check its limits, store it with its first events."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reviewbot.config.settings import OFFLINE
from reviewbot.core.events.events import Usage
from reviewbot.core.plan.stored import plan_to_json
from reviewbot.core.prompt import question
from reviewbot.core.prompt.request import TITLE_LIMIT
from reviewbot.core.prompt.summary import DESCRIPTION_LIMIT, ISSUE_LIMIT
from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import ConfigError, ReviewbotError
from reviewbot.jobs.options import ReviewOptions, issues_to_json, settings_for
from reviewbot.jobs.truncation import middle_to_leave_out
from reviewbot.models.catalog import cost_usd, lookup
from reviewbot.pipeline.estimate import VERIFICATION_OUTPUT, VERIFICATION_PROMPT, output_tokens
from reviewbot.pipeline.explain import prepare_explanation
from reviewbot.pipeline.job import opening, started
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.run_context import NO_CONTEXT, RunContext, context_to_json
from reviewbot.store import budgets, reviews, turns
from reviewbot.store.eventlog import insert_events, stored
from reviewbot.store.keys import Limits
from reviewbot.store.reviews import NewReview

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sqlalchemy as sa

    from reviewbot.config.settings import Settings
    from reviewbot.core.events.events import Event, FileCoverage, ReviewStarted
    from reviewbot.core.plan.chunks import Batch
    from reviewbot.core.prompt.purpose import ClosingIssue
    from reviewbot.core.prompt.question import Inquiry
    from reviewbot.pipeline.job import Job
    from reviewbot.pipeline.prepare import Prepared


VERIFIED_SHARE: Final = 0.5
"""Share of the batches for which a verification is reserved. The estimate counts one for each
batch; by measurement, fewer than half of the batches have findings to verify."""

Also: TypeAlias = "Callable[[sa.Connection, str], object]"
"""Function that stores more in the transaction of a review, given the id of the review."""


class IdempotencyConflictError(ReviewbotError):
    """An idempotency key that was used for another request."""


class DuplicateRequestError(Exception):
    """An idempotency key for which a review was stored in the meantime."""


class TooManyTokensError(ReviewbotError):
    """The diff takes more tokens than one request may use.

    ``tokens`` is what the review would use, and ``minimum`` what the smallest review with the same
    models would use, output included. ``limit`` is the most tokens of one request.
    """

    def __init__(self, message: str, *, tokens: int, limit: int, minimum: int) -> None:
        self.tokens, self.limit, self.minimum = tokens, limit, minimum
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """A requested review. Create it in a thread: the diff may be long.

    Attributes:
        tenant: id of the tenant that owns the review.
        beside: coverage of changed files that are not in ``diff``.
        whole_files: a diff that shows some files of ``diff`` in full, for linters.
        context: knowledge of the repository and of earlier reviews. It is stored with the review: a
            run after a crash must not read the base again.
        issues: issues that the change closes; like the description, for the summary alone.
        whole: whether ``diff`` is the whole diff that ``title`` and ``description`` describe.
        inquiry: question about ``diff``; the question is answered, and nothing is reviewed.
        digest: digest of everything that determines the review.
    """

    tenant: str
    diff: bytes
    options: ReviewOptions = field(default_factory=lambda: ReviewOptions({}))
    title: str = ""
    description: str = ""
    subject: str | None = None
    idempotency_key: str | None = None
    attributes: str = ""
    notices: tuple[str, ...] = ()
    beside: tuple[FileCoverage, ...] = ()
    whole_files: bytes = field(default=b"", repr=False)
    context: RunContext = NO_CONTEXT
    whole: bool = True
    inquiry: Inquiry | None = None
    limits: Limits = field(default_factory=Limits)
    issues: tuple[ClosingIssue, ...] = ()
    digest: str = field(init=False)

    @property
    def stored_settings(self) -> dict[str, Any]:
        """The settings of the request and its context, as JSON."""
        return {**self.options.settings, **context_to_json(self.context)}

    def __post_init__(self) -> None:
        parts = (
            json.dumps(self.stored_settings, sort_keys=True),
            self.options.truncate,
            str(self.options.cache),
            self.title,
            self.description,
            self.subject or "",
            self.attributes,
            json.dumps([asdict(file) for file in self.beside]),
            *([] if self.inquiry is None else [json.dumps(question.to_json(self.inquiry))]),
            *([json.dumps(issues_to_json(self.issues))] if self.issues else []),
        )
        found = hashlib.sha256(self.diff)
        for part in parts:
            found.update(b"\0" + part.encode("utf-8", "surrogatepass"))
        if self.whole_files:
            found.update(b"\0" + self.whole_files)
        object.__setattr__(self, "digest", found.hexdigest())


@dataclass(frozen=True, slots=True)
class Admitted:
    """A review that can be stored, with its first events."""

    new: NewReview
    limits: Limits
    opening: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The plan of a review that was not requested yet, and its budget.

    ``budget_usd`` is the most dollars that the review may cost; None without a limit.
    """

    plan: ReviewStarted
    budget_usd: float | None


def expect(request: ReviewRequest, load: Callable[[Mapping[str, object]], Settings]) -> Expected:
    """Plan the requested review as :func:`admit` does, and store nothing. Call in a thread.

    Raises:
        DiffError: the diff cannot be read.
        ConfigError: an option is invalid, or a model has no price and the key a limit in dollars.
        TooManyTokensError: the review would use more tokens than one request may.
    """
    settings = settings_for(load, request.options.settings)
    prepared = _prepared(request, settings)
    _left_out(request, prepared.job, _most(prepared, settings, request))
    return Expected(started(prepared.job), settings.budget_usd)


def admit(request: ReviewRequest, load: Callable[[Mapping[str, object]], Settings]) -> Admitted:
    """Plan the requested review. Call in a thread: planning uses the processor.

    ``load`` returns the settings for the options of the request.

    Raises:
        DiffError: the diff cannot be read.
        ConfigError: an option is invalid, or a model has no price and the key a limit in dollars.
        TooManyTokensError: the review would use more tokens than one request may.
    """
    settings = settings_for(load, request.options.settings)
    prepared = _prepared(request, settings)
    job = prepared.job
    most = _most(prepared, settings, request)
    left_out = _left_out(request, job, most)
    share = _tokens_left(most, job, left_out) / most.tokens if most.tokens else 0.0
    new = NewReview(
        id=_new_id(),
        tenant=request.tenant,
        diff=reviews.packed(request.diff),
        whole_files=reviews.packed(request.whole_files) if request.whole_files else None,
        plan=json.dumps(plan_to_json(job.plan)),
        options=json.dumps(
            {
                **request.stored_settings,
                "cache": request.options.cache,
                "truncate": request.options.truncate,
                "whole": request.whole,
                **issues_to_json(request.issues),
            }
        ),
        request_hash=request.digest,
        title=redact_text(request.title),  # lists and pages show it
        description=request.description,
        attributes=request.attributes,
        subject=request.subject,
        idempotency_key=request.idempotency_key,
        left_out=left_out,
        inquiry=request.inquiry,
        held_tokens=round(most.tokens * share),
        held_usd=most.usd * share,
    )
    return Admitted(new, request.limits, tuple(opening(job)))


def _prepared(request: ReviewRequest, settings: Settings) -> Prepared:
    if request.inquiry is not None:
        return prepare_explanation(request.diff, settings, request.inquiry)
    return prepare(
        request.diff,
        settings,
        attributes=request.attributes,
        notices=request.notices,
        beside=request.beside,
        context=request.context,
    )


def store(connection: sa.Connection, admitted: Admitted, also: Also | None) -> list[str]:
    """Store a review and its first events, and request a stop of older reviews of its subject.

    ``also`` stores more.

    Returns:
        The ids of the open older reviews.

    Raises:
        DuplicateRequestError: the same request was stored just before.
        OverLimitError: the tenant's budget is too small, or the tenant has too many open reviews.
    """
    new, limits = admitted.new, admitted.limits
    key = new.idempotency_key
    if key is not None and reviews.by_idempotency_key(connection, new.tenant, key):
        raise DuplicateRequestError(key)
    day = budgets.hold(connection, new.tenant, limits, tokens=new.held_tokens, usd=new.held_usd)
    at = reviews.now_ms()
    events = [
        stored(event, seq=seq, review_id=new.id, at=at)
        for seq, event in enumerate(admitted.opening, start=1)
    ]
    reviews.insert(connection, replace(new, held_day=day), at, last_seq=len(events))
    insert_events(connection, new.id, events)
    if also is not None:
        also(connection, new.id)
    if new.subject is None:
        return []
    # All other reviews are older: reviews of a tenant are stored sequentially.
    older = turns.open_of(connection, new.tenant, new.subject)
    older.remove(new.id)
    return turns.ask_to_stop(connection, older, "superseded")


@dataclass(frozen=True, slots=True)
class _Most:
    """Most tokens and dollars of a review, whichever of its models respond."""

    tokens: int
    usd: float


def _most(prepared: Prepared, settings: Settings, request: ReviewRequest) -> _Most:
    """Return the tokens and dollars to reserve for a review; offline rules cost nothing.

    Raises:
        ConfigError: a model has no known price, and the key has a limit in dollars.
    """
    claims = _claim_tokens(request)
    most = _Most(0, 0.0)
    for estimate in (prepared.job.estimate, *prepared.fallback_estimates):
        tokens, usd = 0, 0.0
        for one, part in (
            *((one, 1.0) for one in estimate.by_model),
            *((one, VERIFIED_SHARE) for one in estimate.verification),
        ):
            if one.model == OFFLINE:
                continue
            if one.cost_usd is None and request.limits.usd_per_day is not None:
                raise ConfigError(
                    f"{one.model} has no known price, and there is a limit in dollars a day;"
                    " name a model with a price",
                    key="model",
                )
            tokens += round(part * (one.input_tokens + one.output_tokens))
            usd += part * (one.cost_usd or 0.0)
        if tokens and settings.summary:
            writer = lookup(settings.model.name, settings.models)
            tokens += claims
            usd += cost_usd(writer, Usage(input=claims)) or 0.0
        most = _Most(max(most.tokens, tokens), max(most.usd, usd))
    return most


def _claim_tokens(request: ReviewRequest) -> int:
    """Return the tokens of the purpose in the summary's prompt, at two bytes each."""
    shown = [request.title[:TITLE_LIMIT], request.description[:DESCRIPTION_LIMIT]]
    for issue in request.issues:
        shown += (issue.title[:TITLE_LIMIT], issue.body[:ISSUE_LIMIT])
    return sum(len(text.encode("utf-8", "replace")) for text in shown) // 2


def _left_out(request: ReviewRequest, job: Job, most: _Most) -> tuple[str, ...]:
    """Return the batches to leave out if the review needs too many tokens for one request.

    Raises:
        TooManyTokensError: the review needs too many tokens, and its middle must not be left out or
            nothing would remain.
    """
    limit = request.limits.tokens_per_request
    if limit is None or most.tokens <= limit:
        return ()
    other_tokens = _tokens_left(most, job, tuple(batch.id for batch in job.plan.batches))
    if request.options.truncate == "middle":
        found = middle_to_leave_out(job.plan, room=limit - other_tokens, cost=partial(_cost, job))
        if found is not None:
            return found
    minimum = other_tokens + min(
        _cost(job, replace(batch, tokens=0))
        for batch in job.plan.batches
        if job.model_of(batch) != OFFLINE
    )
    raise TooManyTokensError(
        f"this diff takes about {most.tokens:,} tokens, the expected output included, and one"
        f" request may take {limit:,} (the smallest review takes about {minimum:,});"
        " send it in parts, or leave files out with exclude",
        tokens=most.tokens,
        limit=limit,
        minimum=minimum,
    )


def _cost(job: Job, batch: Batch) -> int:
    """Return the expected tokens of a batch, including the response and the verification."""
    if job.model_of(batch) == OFFLINE:
        return 0
    prompt = job.request_tokens(batch)
    verification = prompt + VERIFICATION_PROMPT + VERIFICATION_OUTPUT if job.verified else 0
    return prompt + output_tokens(batch.tokens) + round(VERIFIED_SHARE * verification)


def _tokens_left(most: _Most, job: Job, left_out: tuple[str, ...]) -> int:
    """Return the most tokens of a review without the batches ``left_out``."""
    saved = sum(_cost(job, batch) for batch in job.plan.batches if batch.id in left_out)
    return max(0, most.tokens - saved)


def _new_id() -> str:
    """Return a UUID of version 7 without dashes: ids sort by time (RFC 9562, section 5.7)."""
    number = (reviews.now_ms() << 80) | secrets.randbits(80)
    number = number & ~(0xF << 76) | (7 << 76)
    number = number & ~(0x3 << 62) | (2 << 62)
    return f"{number:032x}"

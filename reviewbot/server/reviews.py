"""The calls of ``/v1``: requests in, reviews and their streams out."""

from __future__ import annotations

import asyncio
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import JSONResponse, Response

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import fold
from reviewbot.core.render import markdown
from reviewbot.core.render.redacted_diff import redact_diff
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.jobs.options import stored_options
from reviewbot.pipeline.rule_texts import render_sarif
from reviewbot.pipeline.run_context import context_from_json
from reviewbot.server.documents import (
    diff_document,
    entry_document,
    estimate_document,
    models_document,
    review_document,
)
from reviewbot.server.in_flight import InFlight
from reviewbot.server.problems import CLOSE, Problem
from reviewbot.server.requests import idempotency_key, read_request
from reviewbot.server.shared_results import SharedResults
from reviewbot.server.streams import event_stream
from reviewbot.store import reviews
from reviewbot.store.checkpoints import entry_of, last_progress
from reviewbot.store.eventlog import records_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import sqlalchemy as sa
    from starlette.requests import Request

    from reviewbot.core.events.events import ReviewProgress
    from reviewbot.core.events.report import Report
    from reviewbot.jobs.service import ReviewService
    from reviewbot.server.access import Access, Principal
    from reviewbot.store.reviews import ReviewInput, ReviewRow

EVENT_STREAM: Final = "text/event-stream"
PAGE_LIMIT: Final = 100
BODIES_IN_FLIGHT: Final = 10
"""Maximum number of bodies of the largest size in flight for all keys together; half of that for
one key."""
_ID: Final = re.compile(r"[0-9a-f]{32}")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")


class ReviewApi:
    """Handlers of the routes.

    Args:
        service: the review service.
        access: the authenticator of callers.
        body_limit: most bytes of a request body, after decompression.
    """

    def __init__(self, service: ReviewService, access: Access, *, body_limit: int) -> None:
        self._diffs = SharedResults()
        self._service, self._access, self._body_limit = service, access, body_limit
        most = BODIES_IN_FLIGHT * body_limit
        self._in_flight = InFlight(most, most // 2)
        self._estimating: set[str] = set()

    async def create(self, request: Request) -> Response:
        """Answer ``POST /v1/reviews``."""
        caller = await self._access.caller(request, counted=True)
        streamed = _accepts_stream(request)
        with self._in_flight.reserve(caller.tenant) as reserve:
            row, replayed, cancels = await self._begun(request, caller, reserve)
        headers = _created(row, replayed=replayed)
        if streamed:
            return self._stream(row.id, 0, headers, cancels=cancels and not replayed)
        return JSONResponse(await self._document(row), status_code=201, headers=headers)

    async def _begun(
        self, request: Request, caller: Principal, reserve: Callable[[int], None]
    ) -> tuple[ReviewRow, bool, bool]:
        """Return the stored review, whether it is replayed, and its ``cancel_on_disconnect``.

        The body is freed when this call ends.
        """
        asked = await read_request(request, caller, reserve, limit=self._body_limit)
        row, replayed = await self._service.create(asked)
        return row, replayed, asked.options.cancel_on_disconnect

    async def estimate(self, request: Request) -> Response:
        """Answer ``POST /v1/estimates``, one at a time for each tenant.

        The page sends it without a click, so it does not count as a request for a review.
        """
        caller = await self._access.caller(request)
        if caller.tenant in self._estimating:
            wait = {"Retry-After": "1", **CLOSE}
            raise Problem(429, "another estimate is still running; wait for it", headers=wait)
        self._estimating.add(caller.tenant)
        try:
            with self._in_flight.reserve(caller.tenant) as reserve:
                review = await read_request(request, caller, reserve, limit=self._body_limit)
                expected = await self._service.expect(review)
        finally:
            self._estimating.discard(caller.tenant)
        return JSONResponse(estimate_document(expected))

    async def models(self, request: Request) -> Response:
        """Answer ``GET /v1/models``."""
        await self._access.caller(request)
        return JSONResponse(models_document(await self._service.models()))

    async def latest(self, request: Request) -> Response:
        """Answer ``GET /v1/reviews``."""
        caller = await self._access.caller(request)
        limit = _number(request.query_params.get("limit", "20"), "limit", at_least=1)
        before = request.query_params.get("before")
        if before is not None and not _ID.fullmatch(before):
            raise Problem(400, "before must be the id of a review", parameter="before")
        limit = min(limit, PAGE_LIMIT)

        def read(connection: sa.Connection) -> tuple[list[dict[str, Any]], bool]:
            rows = reviews.recent(connection, caller.tenant, limit=limit + 1, before=before)
            return [_entry(connection, row) for row in rows[:limit]], len(rows) > limit

        entries, more = await self._service.database.read(read)
        return JSONResponse({"reviews": entries, "next": entries[-1]["id"] if more else None})

    async def show(self, request: Request) -> Response:
        """Answer ``GET /v1/reviews/{id}``."""
        return JSONResponse(await self._document(await self._find(request)))

    async def events(self, request: Request) -> Response:
        """Answer ``GET /v1/reviews/{id}/events``."""
        row = await self._find(request)
        if not _accepts_stream(request, missing=True):
            raise Problem(406, "this call answers with text/event-stream only")
        after = _number(request.query_params.get("after", "0"), "after")
        if (last := request.headers.get("last-event-id")) is not None:
            after = _number(last, "Last-Event-ID")
        after = min(after, row.last_seq)
        if row.state == "finished" and after == row.last_seq:
            # 204 stops an EventSource that reconnects after the end (WHATWG HTML, 9.2.3).
            return Response(status_code=204)
        return self._stream(row.id, after, {}, cancels=False)

    async def rerun(self, request: Request) -> Response:
        """Answer ``POST /v1/reviews/{id}/rerun``."""
        caller = await self._access.caller(request, counted=True)
        row = await self._find(request, caller)
        key = idempotency_key(request)
        with self._in_flight.reserve(caller.tenant) as reserve:
            work = await self._service.database.read(partial(reviews.work_of, review_id=row.id))
            reserve(len(work.diff))
            asked = await asyncio.to_thread(_repeated, row, work, caller, key)
            new, replayed = await self._service.create(asked)
        return JSONResponse(
            await self._document(new), status_code=201, headers=_created(new, replayed=replayed)
        )

    async def cancel(self, request: Request) -> Response:
        """Answer ``DELETE /v1/reviews/{id}``."""
        row = await self._find(request)
        await self._service.stop(row.id)
        return Response(status_code=204)

    async def diff(self, request: Request) -> Response:
        """Answer ``GET /v1/reviews/{id}/diff``."""
        row = await self._find(request)
        data = await self._service.database.read(partial(reviews.diff_of, review_id=row.id))
        is_json = "application/json" in request.headers.get("accept", "")
        render, kind = (_diff_json, "application/json") if is_json else (redact_diff, "text/x-diff")
        shown = await self._diffs.get((row.id, kind), partial(render, data))
        return Response(shown, media_type=kind)

    async def sarif(self, request: Request) -> Response:
        """Answer ``GET /v1/reviews/{id}/sarif``."""
        text = await asyncio.to_thread(render_sarif, await self._finished(request))
        return Response(text, media_type="application/sarif+json")

    async def markdown(self, request: Request) -> Response:
        """Answer ``GET /v1/reviews/{id}/markdown``."""
        text = await asyncio.to_thread(markdown.render, await self._finished(request))
        return Response(text, media_type="text/markdown")

    async def _finished(self, request: Request) -> Report:
        """Return the report of the review of the path; raise 409 if it is not finished."""
        row = await self._find(request)
        if row.state != "finished":
            raise Problem(409, "the review is not finished yet; follow its events", state=row.state)
        return await self._service.database.read(partial(_report, review_id=row.id))

    async def _find(self, request: Request, caller: Principal | None = None) -> ReviewRow:
        """Return the review of the path; raise 404 if the caller has no such review."""
        caller = caller or await self._access.caller(request)
        review_id = request.path_params["id"]
        row = None
        if _ID.fullmatch(review_id):
            row = await self._service.find(review_id, caller.tenant)
        if row is None:
            raise Problem(404, "there is no such review, or it belongs to another key")
        return row

    async def _document(self, row: ReviewRow) -> dict[str, Any]:
        def read(connection: sa.Connection) -> tuple[ReviewRow, Report, ReviewProgress]:
            found = reviews.find(connection, row.id)  # in the same snapshot as its events
            return found or row, _report(connection, row.id), last_progress(connection, row.id)

        return review_document(*await self._service.database.read(read))

    def _stream(
        self, review_id: str, after: int, headers: Mapping[str, str], *, cancels: bool
    ) -> Response:
        async def gone() -> None:
            if cancels:
                await self._service.stop(review_id)

        hub = self._service.hub
        events = hub.follow(review_id, after)
        return event_stream(events, headers=headers, gone=gone, closing=hub.closing)


def _repeated(
    row: ReviewRow, work: ReviewInput, caller: Principal, key: str | None
) -> ReviewRequest:
    """Return the request of a stored review again.

    A review for GitHub has more to repeat, but belongs to no caller.
    """
    return ReviewRequest(
        tenant=caller.tenant,
        diff=work.diff,
        options=stored_options(work.options),
        context=context_from_json(work.options),
        title=row.title,
        description=work.description,
        subject=row.subject,
        idempotency_key=key,
        limits=caller.limits,
    )


def _created(row: ReviewRow, *, replayed: bool) -> dict[str, str]:
    """Return the headers of a response with a new review."""
    location = {"Location": f"/v1/reviews/{row.id}"}
    return location | ({"Idempotent-Replayed": "true"} if replayed else {})


def _report(connection: sa.Connection, review_id: str) -> Report:
    return fold(map(from_record, records_of(connection, review_id)))


def _entry(connection: sa.Connection, row: ReviewRow) -> dict[str, Any]:
    """Return a review as an entry of a list.

    The result of a finished review is stored with it, since it may have many events.
    """
    shown = entry_of(connection, row.id) if row.entry is None else json.loads(row.entry)
    return entry_document(row, **shown)


def _diff_json(data: bytes) -> bytes:
    document = diff_document(parse_diff(data))
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()


def _number(text: str, name: str, *, at_least: int = 0) -> int:
    if not _NUMBER.fullmatch(text) or int(text) < at_least:
        raise Problem(400, f"{name} must be a whole number, {at_least} or more", parameter=name)
    return int(text)


def _accepts_stream(request: Request, *, missing: bool = False) -> bool:
    """Return whether the client accepts the event stream.

    Args:
        request: the request with the ``Accept`` header.
        missing: whether a wildcard or a missing header accepts the stream.
    """
    accept = request.headers.get("accept", "*/*").lower()
    if EVENT_STREAM in accept:
        return True
    return missing and any(one in accept for one in ("*/*", "text/*"))

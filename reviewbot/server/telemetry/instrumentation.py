"""Collect the metrics, traces and log fields of one application."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import secrets
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, ParamSpec

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from reviewbot.jobs.run_dependencies import Hooks
from reviewbot.server.streams import ENDED
from reviewbot.server.telemetry.logs import bound
from reviewbot.server.telemetry.metrics import OTHER, Metrics
from reviewbot.server.telemetry.review_metrics import Counting
from reviewbot.server.telemetry.traces import Traces
from reviewbot.store.database import StoreError, StoreHooks
from reviewbot.store.load import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reviewbot.core.events.events import Event
    from reviewbot.jobs.run_dependencies import ToldEnd
    from reviewbot.jobs.service import ReviewService
    from reviewbot.models.batch import BatchEvent, BatchTask
    from reviewbot.server.access import Access
    from reviewbot.store.reviews import ReviewRow

P = ParamSpec("P")

METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
NO_ROUTE: Final = "none"
"""Route label of a request that was refused before routing."""
STATE_TIMEOUT_S: Final = 2.0
"""Seconds that a scrape waits for the database."""
# A value that looks like a key is not accepted as an id, since logs would repeat it.
_REQUEST_ID: Final = re.compile(r"(?!rb_|sk-)[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REVIEW: Final = re.compile(r"/v1/reviews/([0-9a-f]{32})")
_REVIEW_ID: Final = re.compile(r"[0-9a-f]{32}")

log = logging.getLogger(__name__)
requests_log = logging.getLogger("reviewbot.requests")


class Telemetry:
    """Telemetry of one application.

    Give :attr:`hooks` to the service, and the instance to ``make_app``.

    Args:
        metrics: the metrics to update; new metrics by default.
        traces: the traces that record spans; no spans by default.
    """

    def __init__(self, metrics: Metrics | None = None, traces: Traces | None = None) -> None:
        self.metrics = metrics or Metrics()
        self.traces = traces or Traces()
        self._counting = Counting(self.metrics)
        self._scrapers: set[bytes] = set()
        self.hooks = Hooks(
            event=_quiet(self._event),
            spent=_quiet(self._counting.spent),
            run=self._run,
            ended=_quiet(self._ended),
            batch=self._batch,
            fate=_quiet(self._counting.fate),
        )

    def watch(self, service: ReviewService) -> None:
        """Measure the streams, the cache and the database of ``service``."""
        metrics = self.metrics
        metrics.open_streams.set_function(lambda: service.hub.readers)
        metrics.watch_cache(service.runner.kit.cache_use)

        def committed(writes: int, failed: int, seconds: float) -> None:
            metrics.commits.observe(seconds)
            metrics.group.observe(writes)
            metrics.failures.inc(failed)

        service.database.hooks = StoreHooks(
            committed=_quiet(committed), stored=_quiet(metrics.stored.observe)
        )

    async def close(self) -> None:
        """Send the remaining spans."""
        await asyncio.to_thread(self.traces.close)

    def _event(self, row: ReviewRow, event: Event) -> None:
        self._counting.event(row, event)
        self.traces.event(event)

    @contextmanager
    def _run(self, row: ReviewRow) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(bound(review_id=row.id, run=row.runs))
            stack.enter_context(self.traces.run(row))
            _quiet(self._counting.began)(row)
            yield

    def _ended(self, row: ReviewRow, end: ToldEnd) -> None:
        self._counting.ended(row, end)
        self.traces.ended(end)

    @contextmanager
    def _batch(self, row: ReviewRow, task: BatchTask) -> Iterator[Callable[[BatchEvent], None]]:
        count = _quiet(self._counting.batch(row))
        with bound(batch=task.id), self.traces.batch(row, task) as note:
            quiet_note = _quiet(note)

            def observe(event: BatchEvent) -> None:
                count(event)
                quiet_note(event)

            yield observe

    async def scrape(self, request: Request, service: ReviewService, access: Access) -> Response:
        """Answer ``GET /metrics``.

        A key with the scope ``metrics`` is needed if the API needs keys. While the database is
        unavailable, a scraper that was admitted before is admitted without a lookup, because its
        metrics matter most then.

        Raises:
            Problem: 401 without a key, where a key is needed; 403 with a key of another scope.
            StoreError: the key cannot be looked up, and was not seen before.
        """
        digest = hashlib.sha256(request.headers.get("authorization", "").encode()).digest()
        try:
            async with asyncio.timeout(STATE_TIMEOUT_S):
                await access.caller(request, scope="metrics")
        except (StoreError, TimeoutError) as error:
            if digest not in self._scrapers:
                raise StoreError("could not look up the key") from error
        else:
            self._scrapers = {*list(self._scrapers)[-9:], digest}
        state = None
        try:
            async with asyncio.timeout(STATE_TIMEOUT_S):
                state = await service.database.read(load)
        except (StoreError, TimeoutError):
            pass  # the metrics report it
        body, kind = self.metrics.exposition(request.headers.get("accept", ""), state)
        return Response(body, headers={"Content-Type": kind, "Cache-Control": "no-store"})


def _quiet(hook: Callable[P, object]) -> Callable[P, None]:
    """Return ``hook`` with its errors logged only, so that telemetry cannot end a review."""

    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            hook(*args, **kwargs)
        except Exception:
            log.exception("telemetry hook failed")

    return guarded


class ObservedMiddleware:
    """Middleware that counts, times, logs and traces each request, and gives each request an id.

    Wrap the whole application. Pure ASGI: each message is passed on at once.
    """

    def __init__(self, app: ASGIApp, observed: Telemetry) -> None:
        self._app, self._observed = app, observed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and observe its response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = _Seen(scope, self._observed.metrics)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.begins(message)
            elif message["type"] == "http.response.body" and not message.get("more_body", False):
                seen.complete = True
            await send(message)

        traced = self._observed.traces.request(seen.method, seen.headers, seen.request_id)
        with bound(request_id=seen.request_id), traced as span:
            try:
                await self._app(scope, receive, watched)
            except Exception:
                # Starlette responds, logs through our handler, and raises again. The HTTP server
                # would log the error once more, and close a connection that is still in use.
                if not seen.complete:
                    raise
                if seen.status != 500:
                    log.exception("a request failed after its response")
            finally:
                seen.ends()
                if span is not None and seen.status is not None:
                    span.answered(seen.method, seen.route, seen.status, seen.review_id)


class _Seen:
    """Observations of one request and its response."""

    def __init__(self, scope: Scope, metrics: Metrics) -> None:
        self._scope, self._metrics = scope, metrics
        self._begun = time.monotonic()
        self.headers = Headers(scope=scope)
        self.method = scope["method"] if scope["method"] in METHODS else OTHER
        given = self.headers.get("x-request-id", "")
        self.request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        self.status: int | None = None
        self.streams = False
        self.complete = False
        self.review_id: str | None = None

    @property
    def route(self) -> str:
        """Template of the matched route; ``/`` for the files of the page."""
        route = self._scope.get("route")
        return NO_ROUTE if route is None else (getattr(route, "path", "") or "/")

    def begins(self, message: Message) -> None:
        """Record the status and the review of a response, and add the request id."""
        self.status = int(message["status"])
        message.setdefault("headers", [])
        headers = MutableHeaders(scope=message)
        headers["X-Request-Id"] = self.request_id
        self.streams = headers.get("content-type", "").startswith("text/event-stream")
        found = _REVIEW.fullmatch(headers.get("location", ""))
        named = str(self._scope.get("path_params", {}).get("id", ""))
        if found:
            self.review_id = found[1]
        elif _REVIEW_ID.fullmatch(named):
            self.review_id = named
        self._metrics.http.labels(self.route, self.method, str(self.status)).inc()

    def ends(self) -> None:
        """Count, time and log the finished request."""
        seconds = time.monotonic() - self._begun
        fields: dict[str, object] = {
            "method": self.method,
            "route": self.route,
            "status": self.status,
            "duration_s": round(seconds, 4),
            "review_id": self.review_id,
        }
        if self.streams:
            end = "complete" if self.complete else "left"
            fields["stream"] = end = self._scope.get(ENDED, end)
            self._metrics.streams.labels(end).inc()
        elif self.status is not None:
            self._metrics.http_duration.labels(self.route, self.method).observe(seconds)
        requests_log.info("%s %s", self.method, self.route, extra=fields)

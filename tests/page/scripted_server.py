"""A server that plays reviews as it is told, on a free port: what the page is tested against.

Tests decide when an event goes out, when a connection is lost and what is answered next.
`python -m tests.page.scripted_server` shows the recorded streams in a browser.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from reviewbot.core.diff.parse import parse_diff
from reviewbot.server.documents import diff_document
from tests.event_schema import assert_valid_event
from tests.record_streams import WITH_SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from types import TracebackType

    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

Json = dict[str, Any]

ROOT: Final = Path(__file__).parent.parent.parent
PAGE: Final = ROOT / "reviewbot" / "server" / "page"
STREAMS: Final = ROOT / "fixtures" / "streams"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types reviewbot-worker"
)
"""What the page must live with."""


MODELS: Final[Json] = {
    "default": "claude-sonnet-5-5",
    "others": [],
    "offline_reason": None,
    "budget_usd": None,
    "models": [
        {"name": "claude-sonnet-5-5", "offline": False, "prices": {"input": 3.0, "output": 15.0}},
        {"name": "claude-haiku-5-5", "offline": False, "prices": {"input": 1.0, "output": 5.0}},
        {"name": "offline", "offline": True, "prices": {"input": 0.0, "output": 0.0}},
    ],
}
"""What ``/v1/models`` answers unless a test says otherwise."""

ESTIMATE: Final[Json] = {
    "models": ["claude-sonnet-5-5"],
    "files": 4,
    "requests": 2,
    "input_tokens": 12_400,
    "output_tokens": 2_100,
    "cost_usd": 0.0432,
    "verification_usd": 0.0,
    "budget_usd": None,
}
"""What ``/v1/estimates`` answers unless a test says otherwise."""

_VERDICT: Final = ("id", "verdict", "reason", "evidence", "placement")


def recorded(name: str) -> list[Json]:
    """The events of a recorded stream."""
    lines = (STREAMS / f"{name}.ndjson").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def parsed_diff(data: bytes) -> Json:
    """A diff as the API has it when JSON is asked for."""
    return diff_document(parse_diff(data))


@dataclass
class Review:
    """A review that is played: its events, and how many of them may be sent."""

    id: str
    events: list[Json]
    diff: Json | None = None
    title: str | None = None
    released: int = 0
    state: Json = field(default_factory=dict)
    """What ``GET`` of it says otherwise than it would."""

    @property
    def sent(self) -> list[Json]:
        return self.events[: self.released]

    @property
    def finished(self) -> Json | None:
        last = self.sent[-1] if self.sent else None
        return last if last and last["type"] == "review.finished" else None

    def document(self) -> Json:
        end = self.finished
        started = next((one for one in self.sent if one["type"] == "review.started"), None)
        found: dict[str, Json] = {}
        verdicts: dict[str, Json] = {}
        for event in self.sent:
            if event["type"] == "finding":
                found[event["finding"]["id"]] = event["finding"]
            elif event["type"] == "finding.verified":
                verdict = {"verification": event["verdict"], "placement": event["placement"]}
                found[event["id"]] = {**found[event["id"]], **verdict}
                verdicts[event["id"]] = {key: event[key] for key in _VERDICT}
            elif event["type"] == "finding.withdrawn":
                found.pop(event["id"], None)
                verdicts.pop(event["id"], None)
        counts = {"error": 0, "warning": 0, "note": 0}
        for finding in found.values():
            if not finding["placement"]["held"]:
                counts[finding["severity"]] += 1
        return {
            "id": self.id,
            "state": "finished" if end else "running",
            "outcome": end["outcome"] if end else None,
            "title": self.title,
            "subject": None,
            "created_at": "2026-11-25T10:00:00.000Z",
            "started_at": started["at"] if started else None,
            "finished_at": end["at"] if end else None,
            "next_try_at": None,
            "queue_position": None,
            "last_seq": self.released,
            "models": started["models"] if started else [],
            "notices": started["notices"] if started else [],
            "findings": list(found.values()),
            "verdicts": list(verdicts.values()),
            "verification": end["verification"] if end else None,
            "coverage": end["coverage"] if end else [],
            "summary": None,
            "counts": counts,
            "usage": end["usage"] if end else {},
            "cost_usd": end["cost_usd"] if end else 0.0,
            "reasons": end["reasons"] if end else [],
            **self.state,
        }

    def entry(self) -> Json:
        whole = self.document()
        names = ("id", "state", "outcome", "title", "subject", "created_at", "finished_at")
        files = next((len(one["files"]) for one in self.sent if one["type"] == "review.started"), 0)
        return {
            **{name: whole[name] for name in (*names, "counts", "cost_usd")},
            "files": files,
        }


@dataclass(frozen=True)
class Call:
    """A request that came in."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Refusal:
    """An answer instead of the usual one."""

    status: int
    detail: str = "No."
    headers: Mapping[str, str] = field(default_factory=dict)
    members: Mapping[str, object] = field(default_factory=dict)

    def response(self) -> Response:
        problem = {
            "type": "about:blank",
            "title": "Refused",
            "status": self.status,
            "detail": self.detail,
        }
        return Response(
            json.dumps({**problem, **self.members}),
            self.status,
            {"Content-Type": "application/problem+json", **self.headers},
        )


def _json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    # ASCII, since a path can hold bytes that are not UTF-8.
    return Response(json.dumps(value), status, headers, media_type="application/json")


class _Lost(Exception):
    """Ends a stream without its end."""


class ScriptedServer:
    """Serves the page and the reviews it is given, for the time of ``with``."""

    def __init__(self) -> None:
        self.reviews: dict[str, Review] = {}
        self.calls: list[Call] = []
        self.key: str | None = None
        self.next_review: Review | None = None
        self.models: Json = MODELS
        self.estimate: Json = ESTIMATE
        self.statistics: dict[int, Json] = {}
        """The answers of ``/v1/statistics`` by the number of days."""
        self._refusals: dict[tuple[str, str], list[Refusal]] = defaultdict(list)
        self._cuts = 0
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Condition()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.url = ""

    # --- What tests do

    def add(
        self, review_id: str, events: Iterable[Json], *, released: int | None = None, **rest: Any
    ) -> Review:
        """A review, of which ``released`` events are sent at once; all by default."""
        listed = list(events)
        for event in listed:
            event["review_id"] = review_id
        review = Review(
            review_id, listed, released=len(listed) if released is None else released, **rest
        )
        self.reviews[review_id] = review
        return review

    def release(self, review: Review, upto: int | None = None) -> None:
        """Sends the events up to a number; all by default."""

        def change() -> None:
            review.released = len(review.events) if upto is None else upto

        self._change(change)

    def extend(self, review: Review, *events: Json) -> None:
        """Adds events at the end, numbered, and sends all."""

        added = []
        for seq, event in enumerate(events, start=len(review.events) + 1):
            at = f"2026-11-25T10:{seq // 60:02}:{seq % 60:02}.000Z"
            added.append({**event, "seq": seq, "review_id": review.id, "at": at})
            assert_valid_event(added[-1])

        def change() -> None:
            review.events.extend(added)
            review.released = len(review.events)

        self._change(change)

    def cut(self) -> None:
        """Every open stream ends as if the connection was lost."""

        def change() -> None:
            self._cuts += 1

        self._change(change)

    def refuse(self, method: str, path: str, *refusals: Refusal) -> None:
        """The next calls are answered with these, one after the other."""
        self._refusals[method, path].extend(refusals)

    def called(self, method: str, path: str) -> list[Call]:
        return [call for call in self.calls if (call.method, call.path) == (method, path)]

    # --- The server

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20), "the server did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cut()
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        app = Starlette(
            routes=[
                Route("/v1/reviews", self._create, methods=["POST"]),
                Route("/v1/reviews", self._latest, methods=["GET"]),
                Route("/v1/reviews/{id}", self._show, methods=["GET"]),
                Route("/v1/reviews/{id}", self._cancel, methods=["DELETE"]),
                Route("/v1/reviews/{id}/events", self._events, methods=["GET"]),
                Route("/v1/reviews/{id}/diff", self._diff, methods=["GET"]),
                Route("/v1/reviews/{id}/sarif", self._exported, methods=["GET"]),
                Route("/v1/reviews/{id}/markdown", self._exported, methods=["GET"]),
                Route("/v1/reviews/{id}/rerun", self._create, methods=["POST"]),
                Route("/v1/models", self._models, methods=["GET"]),
                Route("/v1/estimates", self._estimate, methods=["POST"]),
                Route("/v1/statistics", self._statistics, methods=["GET"]),
                Mount("/", _Page()),
            ]
        )
        config = uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            log_level="critical",
            lifespan="off",
            timeout_graceful_shutdown=1,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            # Whoever connects from now on waits for the server.
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            self._ready.set()
            await self._server.serve(sockets=[listening])

    def _change(self, change: Callable[[], None]) -> None:
        async def run() -> None:
            async with self._changed:
                change()
                self._changed.notify_all()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    async def _refusal(self, request: Request) -> Response | None:
        call = Call(
            request.method,
            request.url.path,
            request.url.query,
            dict(request.headers),
            await request.body(),
        )
        self.calls.append(call)
        waiting = self._refusals[call.method, call.path]
        if waiting:
            return waiting.pop(0).response()
        if self.key is not None and call.headers.get("authorization") != f"Bearer {self.key}":
            said = "This key is not known." if "authorization" in call.headers else "Send a key."
            return Refusal(401, said, {"WWW-Authenticate": "Bearer"}).response()
        if (name := request.path_params.get("id")) is not None and name not in self.reviews:
            return Refusal(404, "There is no such review.").response()
        return None

    async def _create(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        review = self.next_review
        assert review is not None, "the test did not say what to play"
        self.reviews[review.id] = review
        headers = {"Location": f"/v1/reviews/{review.id}"}
        return _json(review.document(), 201, headers)

    async def _latest(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        ids = sorted(self.reviews, reverse=True)
        before = request.query_params.get("before")
        rest = [one for one in ids if before is None or one < before]
        shown = rest[: int(request.query_params.get("limit", "20"))]
        return _json(
            {
                "reviews": [self.reviews[one].entry() for one in shown],
                "next": shown[-1] if len(rest) > len(shown) else None,
            }
        )

    async def _models(self, request: Request) -> Response:
        return await self._refusal(request) or _json(self.models)

    async def _estimate(self, request: Request) -> Response:
        return await self._refusal(request) or _json(self.estimate)

    async def _statistics(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        return _json(self.statistics[int(request.query_params["days"])])

    async def _show(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        return _json(self.reviews[request.path_params["id"]].document())

    async def _cancel(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        review = self.reviews[request.path_params["id"]]
        async with self._changed:
            review.events = [*review.sent, cancelled(review)]
            review.released = len(review.events)
            self._changed.notify_all()
        return _json(review.document())

    async def _diff(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        review = self.reviews[request.path_params["id"]]
        if review.diff is None:
            return Refusal(404, "The diff is not kept.").response()
        return _json(review.diff)

    async def _exported(self, request: Request) -> Response:
        return await self._refusal(request) or Response(f"as {request.url.path[-5:]}")

    async def _events(self, request: Request) -> Response:
        if refusal := await self._refusal(request):
            return refusal
        review = self.reviews[request.path_params["id"]]
        after = int(request.headers.get("last-event-id", "0"))
        if review.finished and after >= len(review.events):
            return Response(status_code=204)
        return StreamingResponse(self._play(review, after), media_type="text/event-stream")

    async def _play(self, review: Review, after: int) -> AsyncIterator[str]:
        cuts = self._cuts
        yield ": hello\n\n"
        while True:
            while after < review.released:
                event = review.events[after]
                after += 1
                yield f"event: {event['type']}\nid: {event['seq']}\ndata: {json.dumps(event)}\n\n"
            if review.finished:
                return
            async with self._changed:
                while after >= review.released and cuts == self._cuts:
                    await self._changed.wait()
            if cuts != self._cuts:
                raise _Lost


def cancelled(review: Review) -> Json:
    """The end of a review that was cancelled where it stands."""
    started: Json = next(
        (one for one in review.sent if one["type"] == "review.started"), {"files": []}
    )
    return {
        "type": "review.finished",
        "seq": len(review.sent) + 1,
        "review_id": review.id,
        "at": "2026-11-25T10:01:00.000Z",
        "outcome": "cancelled",
        "coverage": [
            {
                "path": file["path"],
                "status": "failed",
                "reason": "The review was cancelled.",
                "checks": [],
                "fault": None,
                "by_policy": False,
            }
            for file in started["files"]
        ],
        "usage": {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0},
        "cost_usd": 0.0,
        "duration_s": 1.0,
        "time_to_first_finding_s": None,
        "findings": {},
        "reasons": ["Someone cancelled it."],
        "by_model": [],
        "depth": "",
        "verification": None,
        "lookups": None,
    }


class _Page:
    """The folder of the page, under the policy. ``/reviews`` is a file of another name."""

    def __init__(self) -> None:
        self._files = StaticFiles(directory=PAGE, html=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (b"content-security-policy", POLICY.encode()),
                    (b"cache-control", b"no-cache"),
                    (b"x-content-type-options", b"nosniff"),
                ]
                message = {**message, "headers": [*message["headers"], *headers]}
            await send(message)

        if scope["path"] == "/reviews":
            scope = {**scope, "path": "/reviews.html"}
        await self._files(scope, receive, with_policy)


def show_recorded() -> ScriptedServer:
    """A server with the recorded streams, each with a diff that fits it."""
    server = ScriptedServer()
    demo = parsed_diff((ROOT / "fixtures" / "demo.diff").read_bytes())
    for path in sorted(STREAMS.glob("*.ndjson")):
        name = path.stem
        diff = demo if name.startswith("recorded") else None
        if name == "verified":
            diff = parsed_diff(WITH_SECRET.encode())
        server.add(name, recorded(name), diff=diff, title=name.replace("-", " ").capitalize())
    return server


if __name__ == "__main__":
    with show_recorded() as shown:
        print(shown.url, flush=True)  # noqa: T201 - who starts it wants to know
        threading.Event().wait()

"""The application: its routes, its lifespan, and the files of the page."""

from __future__ import annotations

import asyncio
import logging
import mimetypes
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from reviewbot import __version__
from reviewbot.errors import ConfigError
from reviewbot.server.access import Access, BudgetMiddleware
from reviewbot.server.faults import HANDLERS
from reviewbot.server.github.webhook import webhook_routes
from reviewbot.server.http.guard import Guard, GuardMiddleware
from reviewbot.server.openapi import openapi_json
from reviewbot.server.reviews import ReviewApi
from reviewbot.server.routes import OnlyRoute
from reviewbot.server.statistics import StatisticsApi
from reviewbot.server.streams import InTimeMiddleware
from reviewbot.server.telemetry.instrumentation import ObservedMiddleware, Telemetry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reviewbot.jobs.service import ReviewService
    from reviewbot.server.github.integration import GitHubSide

BODY_LIMIT: Final = 10_000_000

log = logging.getLogger(__name__)

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; font-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types reviewbot-worker"
)
"""Policy of the page (W3C, "Content Security Policy Level 3"): load from this server only."""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Settings of the HTTP side.

    Args:
        need_key: whether every call of the API needs a key.
        guard: the hosts and sites that are allowed.
        body_limit: most bytes of a request body, after decompression.
    """

    need_key: bool
    guard: Guard
    body_limit: int = BODY_LIMIT


def make_app(
    service: ReviewService,
    config: ServerConfig,
    observed: Telemetry | None = None,
    *,
    github: GitHubSide | None = None,
) -> ASGIApp:
    """Return the whole application, which starts and ends ``service``.

    Args:
        service: the review service.
        config: settings of the HTTP side.
        observed: telemetry whose hooks the service has; None reports nothing about reviews.
        github: the App, or its set-up; None refuses deliveries.
    """
    observed = observed or Telemetry()
    observed.watch(service)
    access = Access(service.database, need_key=config.need_key)
    calls = ReviewApi(service, access, body_limit=config.body_limit)
    statistics = StatisticsApi(service, access)

    async def healthy(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(_request: Request) -> Response:
        if not service.ready:
            return JSONResponse({"ready": False}, status_code=503, headers={"Retry-After": "5"})
        await service.database.read(lambda connection: connection.exec_driver_sql("SELECT 1"))
        return JSONResponse({"ready": True, "version": __version__})

    async def described(_request: Request) -> Response:
        text = await asyncio.to_thread(openapi_json, need_key=config.need_key)
        headers = {"Cache-Control": "max-age=300"}
        return Response(text, media_type="application/json", headers=headers)

    async def metrics(request: Request) -> Response:
        return await observed.scrape(request, service, access)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(service)
                if github is not None:
                    await stack.enter_async_context(github)
                yield
        except ConfigError as error:  # logged here: the HTTP server's message would be withheld
            log.error("%s", error)  # noqa: TRY400 - the sentence says all
            raise
        except Exception:
            log.exception("the server failed to start or to shut down")
            raise
        finally:
            await observed.close()

    app = Starlette(
        routes=[
            _route("/v1/reviews", GET=calls.latest, POST=calls.create),
            _route("/v1/reviews/{id}", DELETE=calls.cancel, GET=calls.show),
            Route("/v1/reviews/{id}/events", calls.events, methods=["GET"]),
            Route("/v1/reviews/{id}/diff", calls.diff, methods=["GET"]),
            Route("/v1/reviews/{id}/sarif", calls.sarif, methods=["GET"]),
            Route("/v1/reviews/{id}/markdown", calls.markdown, methods=["GET"]),
            Route("/v1/reviews/{id}/rerun", calls.rerun, methods=["POST"]),
            OnlyRoute("/v1/estimates", calls.estimate, methods=["POST"]),
            Route("/v1/models", calls.models, methods=["GET"]),
            Route("/v1/statistics", statistics.show, methods=["GET"]),
            Route("/healthz", healthy),
            Route("/readyz", ready),
            Route("/metrics", metrics),
            Route("/openapi.json", described),
            *(github.routes if github else webhook_routes(lambda: None)),
            # No mount: a mount takes every method, and would respond instead of the routes above.
            Route("/reviews", _Page("reviews.html"), methods=["GET"]),
            Route("/{path:path}", _Page(), methods=["GET"]),
        ],
        exception_handlers=HANDLERS,
        middleware=[Middleware(InTimeMiddleware)],
        lifespan=lifespan,
    )
    budgeted = BudgetMiddleware(app, service.database)
    return ObservedMiddleware(GuardMiddleware(budgeted, config.guard), observed)


def _route(path: str, **calls: Callable[[Request], Awaitable[Response]]) -> Route:
    """Return one route with several methods, so that 405 lists all of them."""

    async def call(request: Request) -> Response:
        return await calls["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, call, methods=[*calls])


class _Page:
    """The files of the page, each with its content security policy.

    Their media types are set here: a machine may have others, and browsers do not guess.

    ``name`` is the file to send for every path; None sends the file of the path.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        mimetypes.add_type("text/javascript", ".js")
        mimetypes.add_type("image/svg+xml", ".svg")
        self._files = StaticFiles(directory=str(files("reviewbot.server") / "page"), html=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = PAGE_POLICY
                headers["Cache-Control"] = "no-cache"
            await send(message)

        if self._name is not None:
            scope = {**scope, "path": f"{scope.get('root_path', '')}/{self._name}"}
        await self._files(scope, receive, with_policy)

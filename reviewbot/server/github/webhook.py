"""``POST /webhooks/github``: verify the signature of a delivery of GitHub and store the delivery.

A delivery needs no key. Its signature is verified before anything else of the delivery is read. A
delivery is acknowledged once it is stored (docs.github.com, "Validating webhook deliveries" and
"Best practices for using webhooks").
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from reviewbot.github.app.manifest import WEBHOOK_PATH
from reviewbot.github.webhook.parse import is_signed
from reviewbot.server.bodies import Large, read_body
from reviewbot.server.faults import AGAIN_S
from reviewbot.server.in_flight import InFlight
from reviewbot.server.problems import CLOSE, Problem
from reviewbot.server.routes import OnlyRoute

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.routing import Route

    from reviewbot.config.settings import SecretText
    from reviewbot.github.app.inbox import Inbox

BODY_LIMIT: Final = 25 << 20
"""Maximum bytes of a payload; GitHub sends no larger ones."""
PATIENCE_S: Final = 10.0
"""Seconds that GitHub waits for the response to a delivery."""
STORED_IN_S: Final = 8.0
"""Seconds that the database may take, so that the response can still report a failure."""
LARGE: Final = 1 << 20
"""Bytes up to which a body is read from any sender at any time; most payloads have some 20 KB."""
IN_FLIGHT: Final = 64 << 20
"""Maximum bytes of smaller bodies in memory at the same time: some 3,000 of the usual 20 KB."""
LARGE_AT_ONCE: Final = 4
"""Maximum number of larger bodies in memory at the same time: a sender is known only at the end of
a body."""

_EVENT: Final = re.compile(r"[a-z0-9_]{1,50}")
_DELIVERY: Final = re.compile(r"[A-Za-z0-9-]{1,64}")


def webhook_routes(current: Callable[[], tuple[Inbox, Sequence[SecretText]] | None]) -> list[Route]:
    """Return the route of the webhook.

    Args:
        current: function that returns the inbox and the secrets of the webhook; None while there
            is no App. There are two secrets while the secret is being changed.
    """
    return [OnlyRoute(WEBHOOK_PATH, _Webhook(current).receive, methods=["POST"])]


class _Webhook:
    def __init__(self, current: Callable[[], tuple[Inbox, Sequence[SecretText]] | None]) -> None:
        self._current = current
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._in_flight = InFlight(IN_FLIGHT, IN_FLIGHT)

    async def receive(self, request: Request) -> Response:
        """Verify and store a delivery."""
        inbox, secrets = self._taker()
        signature = _signature(request)
        _check_encoding(request)
        async with AsyncExitStack() as stack:
            reserve = stack.enter_context(self._in_flight.reserve("GitHub"))
            body = await read_body(
                request,
                reserve=reserve,
                limit=BODY_LIMIT,
                large=Large(LARGE, partial(self._room, stack)),
                min_rate=BODY_LIMIT / PATIENCE_S,
                timeout_s=PATIENCE_S,
            )
            if not await _is_believed(body, signature, secrets):
                raise _unsigned()
            event, delivery = _event_and_delivery(request)
            await _stored(inbox, delivery, event, body)
        return Response(status_code=202)

    async def _room(self, stack: AsyncExitStack) -> None:
        """Wait for a slot for a large body, as long as GitHub waits for the response."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await stack.enter_async_context(self._large)
        except TimeoutError:
            raise Problem(
                503,
                "Too many large deliveries arrived at once; redeliver this one later.",
                headers={"Retry-After": AGAIN_S, **CLOSE},
            ) from None

    def _taker(self) -> tuple[Inbox, tuple[str, ...]]:
        """Return the inbox and its usable secrets; without a secret every delivery is refused."""
        inbox, secrets = self._current() or (None, ())
        usable = tuple(filter(None, (secret.reveal() for secret in secrets)))
        if inbox is None or not usable:
            # Not 503: scanners try this path everywhere, and must not make a server without a
            # webhook look broken. For GitHub, any status but 2xx is a failed delivery.
            raise Problem(
                403,
                "This server accepts no deliveries from GitHub: it needs a GitHub App and the"
                " secret of its webhook in REVIEWBOT_GITHUB_WEBHOOK_SECRET.",
                headers=CLOSE,
            )
        return inbox, usable


async def _is_believed(body: bytes, signature: str, secrets: tuple[str, ...]) -> bool:
    if len(body) < LARGE:
        return is_signed(body, signature, secrets)
    return await asyncio.to_thread(is_signed, body, signature, secrets)


async def _stored(inbox: Inbox, delivery: str, event: str, body: bytes) -> None:
    try:
        async with asyncio.timeout(STORED_IN_S):
            await inbox.take(delivery, event, body)
    except TimeoutError:
        raise Problem(
            503,
            "The database does not answer in time; redeliver this one later.",
            headers={"Retry-After": AGAIN_S},
        ) from None


def _signature(request: Request) -> str:
    values = request.headers.getlist("x-hub-signature-256")
    if len(values) != 1:
        raise _unsigned(closes=True)
    return values[0]


def _unsigned(*, closes: bool = False) -> Problem:
    """Return the same 401 for each cause (RFC 9110, section 15.5.2, requires a challenge)."""
    headers = {"WWW-Authenticate": 'X-Hub-Signature-256 realm="reviewbot"'}
    return Problem(
        401,
        "This delivery is not signed with the webhook secret of this server.",
        headers={**headers, **CLOSE} if closes else headers,
    )


def _check_encoding(request: Request) -> None:
    """Refuse a compressed delivery: GitHub signs the bytes as sent, and never compresses them."""
    encoding = ",".join(request.headers.getlist("content-encoding")).strip().lower()
    if encoding not in ("", "identity"):
        raise Problem(
            415,
            "A delivery must not be compressed; send it without a Content-Encoding.",
            headers={"Accept-Encoding": "identity", **CLOSE},
        )


def _event_and_delivery(request: Request) -> tuple[str, str]:
    """Return the event and the id of a delivery from its headers, which are not signed.

    Raises:
        Problem: 400 or 415 for a request that GitHub does not send, or only with other settings.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(
            415,
            "Set the content type of the webhook to application/json.",
            headers={"Accept": "application/json"},
        )
    event = request.headers.get("x-github-event", "")
    delivery = request.headers.get("x-github-delivery", "")
    if not _EVENT.fullmatch(event):
        raise Problem(400, "X-GitHub-Event names the event, such as pull_request.")
    if not _DELIVERY.fullmatch(delivery):
        raise Problem(400, "X-GitHub-Delivery is the id of the delivery, such as a UUID.")
    return event, delivery

"""Authentication with API keys, the request limit per minute, and the budget headers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders

from reviewbot.server.problems import CLOSE, Problem
from reviewbot.store import budgets, keys
from reviewbot.store.database import StoreError
from reviewbot.store.keys import LOCAL, Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    import sqlalchemy as sa
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reviewbot.store.database import Database
    from reviewbot.store.keys import Key

UNLIMITED: Final = "unlimited"
CALLER: Final = "reviewbot.caller"
"""Key in the ASGI scope that holds the :class:`Principal` of the request."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Sender of a request: the tenant that reviews belong to, and its limits."""

    tenant: str
    limits: Limits


class Access:
    """Authenticator of callers.

    Args:
        database: the database that stores the keys.
        need_key: whether each call needs a key; otherwise calls without a key share one tenant.
    """

    def __init__(self, database: Database, *, need_key: bool) -> None:
        self._database, self._need_key = database, need_key
        self._local = Principal(LOCAL, Limits())
        self._notes: dict[str, asyncio.Task[None]] = {}

    async def caller(
        self, request: Request, *, scope: keys.Scope = "reviews", counted: bool = False
    ) -> Principal:
        """Return the sender of ``request``.

        Args:
            request: any request.
            scope: the scope that a key needs.
            counted: whether the request counts towards the limit per minute.

        Raises:
            Problem: 401 without a known key (RFC 6750, section 3), where a key is needed; 403 with
                a key of another scope.
            OverLimitError: the tenant sent too many requests in this minute.
        """
        header = request.headers.get("authorization")
        key = None
        if header is not None or self._need_key:
            key = await self._key(header or "")
        caller = Principal(key.id, key.limits) if key else self._local
        request.scope[CALLER] = caller
        if key and key.scope != scope:
            raise _wrong_scope(scope)
        if counted and caller.limits.requests_per_minute is not None:
            await self._database.write(
                partial(budgets.count_request, tenant=caller.tenant, limits=caller.limits),
                tenant=caller.tenant,
            )
        return caller

    async def _key(self, header: str) -> Key:
        scheme, _, secret = header.partition(" ")
        secret = secret.strip()
        if scheme.lower() != "bearer" or not secret:
            raise _unauthorized("send a key: Authorization: Bearer rb_...", "")
        key = await self._database.read(partial(keys.known, secret=secret))
        if key is None:
            raise _unauthorized("this key is not known, or was revoked", 'error="invalid_token"')
        if keys.due(key) and key.id not in self._notes:
            self._notes[key.id] = asyncio.create_task(self._note(key))
        return key

    async def _note(self, key: Key) -> None:
        """Record that a key is in use, without a call waiting for the write."""
        try:
            with suppress(StoreError):  # the database logged it; the next call retries
                await self._database.write(partial(keys.used, key_id=key.id))
        finally:
            del self._notes[key.id]


def _unauthorized(detail: str, parameter: str) -> Problem:
    challenge = f'Bearer realm="reviewbot"{", " if parameter else ""}{parameter}'
    return Problem(401, detail, headers={"WWW-Authenticate": challenge, **CLOSE})


def _wrong_scope(needed: keys.Scope) -> Problem:
    """Return 403 with the command that creates a suitable key (RFC 6750, section 3.1)."""
    detail = "This key is for /metrics only; make one for reviews with: reviewbot keys add NAME"
    if needed == "metrics":
        detail = (
            "This key is for reviews only; make one for /metrics with:"
            " reviewbot keys add NAME --scope metrics"
        )
    challenge = f'Bearer realm="reviewbot", error="insufficient_scope", scope="{needed}"'
    return Problem(403, detail, headers={"WWW-Authenticate": challenge, **CLOSE})


class BudgetMiddleware:
    """Middleware that adds the budget headers to each response for an authenticated caller.

    The headers are ``X-Tokens-Used``, ``-Remaining`` and ``-Reset``. Reserved tokens count as
    used in ``-Remaining``. Responses to a caller are not stored by caches.
    """

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self._app, self._database = app, database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def send_with_budget(message: Message) -> None:
            caller = scope.get(CALLER)
            if message["type"] == "http.response.start" and caller is not None:
                headers = MutableHeaders(scope=message)
                headers.setdefault("Cache-Control", "no-store")
                with suppress(StoreError):  # the database logged it
                    headers.update(await self._database.read(partial(_budget, caller=caller)))
            await send(message)

        await self._app(scope, receive, send_with_budget)


def _budget(connection: sa.Connection, caller: Principal) -> Mapping[str, str]:
    used = budgets.used_today(connection, caller.tenant)
    limit = caller.limits.tokens_per_day
    left = UNLIMITED
    if limit is not None:
        left = str(max(0, limit - used.tokens - used.held_tokens))
    return {
        "X-Tokens-Used": str(used.tokens),
        "X-Tokens-Remaining": left,
        "X-Tokens-Reset": str(used.reset_s),
    }

"""Send the requests of one account, within rate limits, with safe retries.

A request that GitHub refused because of a limit or an expired token is retried. A request that
GitHub may have completed is retried only if the request is idempotent. A POST is not, and raises
:class:`~reviewbot.github.client.errors.UncertainWriteError`.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from reviewbot.github.client import limits
from reviewbot.github.client.errors import (
    IncompleteListError,
    UnavailableError,
    UncertainWriteError,
    refusal,
)
from reviewbot.github.client.exchange import GRAPHQL, Answer, NoResponse, Request, read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from concurrent.futures import Executor

    from reviewbot.config.settings import SecretText
    from reviewbot.github.client.auth import Identity
    from reviewbot.github.client.clock import GitHubClock
    from reviewbot.github.client.errors import GitHubError
    from reviewbot.github.client.etags import Etags
    from reviewbot.github.client.exchange import Parameters
    from reviewbot.github.client.rate_limit import RateLimiter

log = logging.getLogger(__name__)

PER_PAGE: Final = 100
TRIES: Final = 4
PAUSES_S: Final = (1.0, 3.0, 9.0)
"""Between the tries, if GitHub does not ask for more."""
LONGEST_PAUSE_S: Final = 60.0
REFUSED_S: Final = 1.0
"""Seconds before a 403 is retried once. A new permission, or a lagging replica of GitHub, would
otherwise cost a check run until the next push."""

_DENIED: Final = ("FORBIDDEN", "INSUFFICIENT_SCOPES", "NOT_FOUND")
"""Types of errors with which GraphQL refuses what an installation may not do, or cannot see."""
UNREADABLE: Final = (LookupError, TypeError, ValueError, AttributeError)
"""Errors raised for a response without GitHub's fields, such as the response of a proxy."""

T = TypeVar("T")
Record: TypeAlias = "Mapping[str, Any]"
"""A JSON object of GitHub."""


@dataclass(frozen=True, slots=True)
class ClientContext:
    """Resources that all accounts share: threads, transport, clock and cached responses."""

    send: Callable[[str, SecretText | None, Request], Answer | NoResponse]
    threads: Executor
    clock: GitHubClock
    etags: Etags


class AccountClient:
    """Sender of requests for one account.

    ``account`` is an internal name, the key of its connections and cached responses.
    """

    def __init__(
        self, account: str, identity: Identity, limiter: RateLimiter, line: ClientContext
    ) -> None:
        self._account, self._identity, self._limiter, self._line = account, identity, limiter, line

    async def one(self, request: Request, make: Callable[[Record], T]) -> T:
        """Return ``make`` of the JSON object in the response to ``request``.

        Raises:
            GitHubError: GitHub refuses or does not respond, or the response is not GitHub's.
        """
        answer = await self.answer(request)
        try:
            return make(answer.data)
        except UNREADABLE as error:
            reason = _unreadable(request, error)
        raise _unsettled(request, reason)

    @asynccontextmanager
    async def slot(self, request: Request) -> AsyncIterator[None]:
        """Hold a slot of the rate limiter for ``request``, which another program sends.

        Raises:
            RateLimitedError: the wait for it would be too long.
        """
        release = await self._limiter.acquire(request)
        try:
            yield
        finally:
            release()

    async def answer(self, request: Request) -> Answer:
        """Return the successful response to ``request``. An unchanged GET costs no rate limit.

        Raises:
            GitHubError: GitHub refuses or does not respond.
        """
        known = None
        if request.verb == "GET":
            known = self._line.etags.known(self._account, request)
        if known is not None and known.size > request.max_bytes:
            known = None
        etag = known.headers["etag"] if known else None
        answer = await self._settled(replace(request, etag=etag) if etag else request)
        if answer.status == 304 and known is not None:
            return known
        if answer.is_page and (answer.status < 300 or answer.status == 404):
            # A web page must not be taken for the content of a file.
            raise _unsettled(
                request,
                f"the answer to {request.what} is a web page, not a response of GitHub's API:"
                " check the proxy and GITHUB_API_URL",
            )
        if not 200 <= answer.status < 300:
            raise refusal(request, answer)
        if request.verb == "GET":
            self._line.etags.keep(self._account, request, answer)
        return answer

    async def every(
        self,
        path: str,
        make: Callable[[Record], T],
        parameters: Parameters | None = None,
        *,
        within: str = "",
        most: int,
    ) -> tuple[T, ...]:
        """Return all entries of a list. Request page after page.

        ``within`` is the key of the list if the response is an object. ``parameters`` is the query
        of the first page.

        Raises:
            IncompleteListError: the list has more than ``most`` entries.
            GitHubError: GitHub refuses a page.
        """
        following: str | None = path
        asked: Parameters = {**(parameters or {}), "per_page": PER_PAGE}
        found: list[T] = []
        seen = set()
        while following is not None:
            if len(found) > most or following in seen:
                raise IncompleteListError(f"GET {path} has more than {most:,} entries")
            seen.add(following)
            entries, following = await self.page(read(following, asked), make, within)
            found += entries
            asked = {}
        return tuple(found)

    async def page(
        self, request: Request, make: Callable[[Record], T], within: str = ""
    ) -> tuple[list[T], str | None]:
        """Return the entries of one page, and the address of the next page. See :meth:`every`.

        Raises:
            GitHubError: GitHub refuses or does not respond, or the response is not GitHub's.
        """
        answer = await self.answer(request)
        try:
            entries = [make(one) for one in (answer.data[within] if within else answer.data)]
        except UNREADABLE as error:
            reason = _unreadable(request, error)
        else:
            if answer.next_page is None and len(entries) >= PER_PAGE:
                # Its ETag may stay the same when another page comes after it.
                self._line.etags.forget(self._account, request)
            return entries, answer.next_page
        raise UnavailableError(reason)

    async def graphql(
        self,
        text: str,
        variables: Record,
        *,
        writes: bool = False,
        optional: tuple[str, ...] = (),
    ) -> Record | None:
        """Return the data of a GraphQL response; None without permission, or if it is gone.

        The operation must be idempotent, because the request may be repeated. ``optional`` is the
        path of a field that GitHub may refuse: the field, or a part of it, is null then.

        Raises:
            GitHubError: GitHub refuses for another reason, or does not respond.
        """
        body = {"query": text, "variables": variables}
        request = Request(verb="POST", path=GRAPHQL, body=body, writes=writes)
        answer = await self.answer(request)
        if optional:
            answer = answer.without_errors_in(optional)
        if answer.error_has("type", *_DENIED):
            return None
        if answer.errors:
            raise refusal(request, answer)
        data = answer.data.get("data") if isinstance(answer.data, dict) else None
        if not isinstance(data, dict):
            raise UnavailableError("GitHub's GraphQL answered without data")
        return data

    async def _settled(self, request: Request) -> Answer:
        """Return a response that is not a temporary error. It may still be a refusal."""
        began = asyncio.get_running_loop().time()
        tries = 0
        replaced = refused = False
        while True:
            token, answer = await self._once(request)
            if isinstance(answer, Answer):
                wait = self._wait_of(request, answer)
                if wait is not None:
                    self._limiter.refuse(request, began)
                    log.warning("GitHub limits the %s; waiting %d s", self._account, wait)
                    continue
                if answer.status == 401 and not replaced and self._identity.renewed(token):
                    replaced = True
                    continue
                if answer.status == 403 and not refused:
                    refused = True
                    await asyncio.sleep(REFUSED_S)
                    continue
                if answer.status < 500:
                    return answer
                reason, sent = f"it answered {answer.status}", True
                pause = limits.retry_after(answer.headers) or 0.0
            else:
                reason, sent, pause = answer.reason, answer.sent, 0.0
            if sent and not request.repeatable:
                raise UncertainWriteError(f"GitHub may have completed {request.what}: {reason}")
            tries += 1
            if tries == TRIES:
                raise UnavailableError(f"GitHub did not complete {request.what}: {reason}")
            await asyncio.sleep(max(PAUSES_S[tries - 1], min(pause, LONGEST_PAUSE_S)))

    async def _once(self, request: Request) -> tuple[SecretText | None, Answer | NoResponse]:
        """Make one attempt when the rate limiter allows it. Return its token and the response."""
        release = await self._limiter.acquire(request)
        try:
            token = await self._identity.token()
            sending = asyncio.get_running_loop().run_in_executor(
                self._line.threads, self._line.send, self._account, token, request
            )
        except BaseException:
            release()
            raise
        # A cancelled caller must not let another write begin while this one is being sent.
        sending.add_done_callback(partial(_ended, release))
        answer = await asyncio.shield(sending)
        if isinstance(answer, Answer):
            self._line.clock.sync(answer.headers)
        return token, answer

    def _wait_of(self, request: Request, answer: Answer) -> float | None:
        """Return the seconds to wait for the rate limit that refused the request; None if none did.

        Such a limit closes the rate limiter.
        """
        now = self._line.clock.now()
        limit = limits.refused_by(answer, graphql=request.graphql, now=now)
        if limit is not None:
            return self._limiter.close(limit)
        self._limiter.served()
        last = limits.used_up(answer.headers, graphql=request.graphql, now=now)
        if last is not None:
            self._limiter.close(last)
        return None


def _ended(release: Callable[[], None], sending: asyncio.Future[Answer | NoResponse]) -> None:
    if not sending.cancelled():
        sending.exception()  # a caller that still waits receives the exception
    release()


def _unsettled(request: Request, reason: str) -> GitHubError:
    """Return the error of a failed request. A write that is not repeatable may be completed."""
    return UnavailableError(reason) if request.repeatable else UncertainWriteError(reason)


def _unreadable(request: Request, error: Exception) -> str:
    return f"the answer to {request.what} has an unexpected form ({type(error).__name__})"

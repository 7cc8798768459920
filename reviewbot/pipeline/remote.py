"""Client for reviews on a server: send the diff, and receive the events.

The stream is resumed after the last received event. So a lost connection or a restart of the server
only delays the review.
"""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import httpx2 as httpx

from reviewbot.config.model_choice import SecretText, is_web_address
from reviewbot.config.variables import SERVER_KEY
from reviewbot.core.events.events import ReviewFinished
from reviewbot.core.events.records import from_record
from reviewbot.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from reviewbot.core.events.events import Event
    from reviewbot.pipeline.job import StopSignal

SILENCE_S: Final = 60.0
"""Seconds without data after which a connection counts as lost; a server pings every 15 s."""
CONNECT_S: Final = 10.0
PAUSES_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 15.0, 15.0)
"""Backoff in seconds between attempts to reconnect; after the last attempt the review fails."""
_REVIEW: Final = re.compile(r"/v1/reviews/[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class RemoteRequest:
    """A review request to a server. ``options`` are the options of its API."""

    diff: bytes
    title: str = ""
    description: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


class _Broken(Exception):
    """The connection failed, not the request: a retry may succeed."""


class RemoteServer:
    """A server that reviews.

    Args:
        url: address of the server, such as ``http://localhost:8000``.
        key: API key of the server; None without a key.

    Raises:
        ConfigError: the address is invalid, or the key would be sent unencrypted.
    """

    def __init__(self, url: str, key: SecretText | None = None) -> None:
        if not is_web_address(url):
            raise ConfigError(
                "must be an http or https address, such as http://localhost:8000", source="--server"
            )
        parts = urlsplit(url)
        if (
            key
            and parts.scheme == "http"
            and parts.hostname not in ("localhost", "127.0.0.1", "::1")
        ):
            raise ConfigError(
                f"the key in {SERVER_KEY} would be sent unencrypted; use an https address",
                source="--server",
            )
        self._url, self._key = url.rstrip("/"), key

    async def review(self, request: RemoteRequest, stop: StopSignal) -> AsyncGenerator[Event, None]:
        """Run ``request`` on the server; yield events as :func:`reviewbot.pipeline.review.review`.

        ``stop`` cancels the review on the server; its last event still follows.

        Raises:
            ConfigError: the server refuses the key.
            SourceError: the server cannot be reached, or refuses the request.
        """
        headers = {"User-Agent": "reviewbot", "Accept": "text/event-stream"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key.reveal()}"
        timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_S)
        async with httpx.AsyncClient(
            base_url=self._url, headers=headers, timeout=timeout, follow_redirects=False
        ) as client:
            stream = _EventStream(client, request)
            cancelling = asyncio.create_task(stream.cancel_at(stop))
            try:
                async for event in stream.events():
                    yield event
            finally:
                cancelling.cancel()
                with suppress(asyncio.CancelledError):
                    await cancelling


class _EventStream:
    """The event stream of one review, over as many connections as needed."""

    def __init__(self, client: httpx.AsyncClient, request: RemoteRequest) -> None:
        self._client, self._request = client, request
        self._key = uuid.uuid4().hex  # a failed attempt may have started the review
        self._location: str | None = None
        self._seq = 0
        self._begun = asyncio.Event()

    async def events(self) -> AsyncIterator[Event]:
        pauses = iter(PAUSES_S)
        while True:
            try:
                async for record in self._connection():
                    pauses = iter(PAUSES_S)
                    if record["seq"] <= self._seq:
                        continue
                    self._seq = record["seq"]
                    event = from_record(record)
                    yield event
                    if isinstance(event, ReviewFinished):
                        return
                reason = "it ended the stream early"
            except (_Broken, httpx.TransportError) as error:
                reason = str(error) or type(error).__name__
            except ValueError as error:
                raise SourceError(
                    f"{self._client.base_url} sent an invalid event: {error}"
                ) from None
            pause = next(pauses, None)
            if pause is None:
                raise SourceError(f"cannot reach {self._client.base_url}: {reason}")
            await asyncio.sleep(pause)

    async def _connection(self) -> AsyncIterator[dict[str, Any]]:
        """Yield the records of one connection: of the request, or of the resumed stream."""
        async with self._asked() as answer:
            if answer.status_code == 204:
                raise SourceError("the server has no more events of this review")
            if answer.status_code != 200:
                await answer.aread()
                raise _refused(answer)
            if self._location is None:
                self._location = self._path_of_review(answer)
            self._begun.set()
            async for record in _records(answer):
                yield record

    def _path_of_review(self, answer: httpx.Response) -> str:
        """Return the path of the review from the ``Location`` header.

        Only a path on this server is accepted: the key goes with every request, and httpx would
        send the key to the address of another server.

        Raises:
            SourceError: the header does not contain such a path.
        """
        path: str = answer.headers.get("Location", "")
        if not _REVIEW.fullmatch(path):
            raise SourceError(
                f"{self._client.base_url} did not return the address of the review; is it a"
                " reviewbot server?"
            )
        return path

    def _asked(self) -> Any:  # noqa: ANN401 - httpx's context manager of a response
        if self._location is not None:
            headers = {"Last-Event-ID": str(self._seq)}
            return self._client.stream("GET", f"{self._location}/events", headers=headers)
        asked = self._request
        # Bytes that are not UTF-8 cannot be written in JSON; findings show the same replacements.
        body = {
            "diff": asked.diff.decode("utf-8", "replace"),
            "title": asked.title[:500],
            "description": asked.description[:20_000],
            "options": dict(asked.options),
        }
        return self._client.stream(
            "POST", "/v1/reviews", json=body, headers={"Idempotency-Key": self._key}
        )

    async def cancel_at(self, stop: StopSignal) -> None:
        """Cancel the review once ``stop`` is called."""
        await stop.wait()
        await self._begun.wait()
        for pause in (0.0, 0.5, 1.0):
            await asyncio.sleep(pause)
            with suppress(httpx.TransportError):
                await self._client.delete(str(self._location), headers={"Accept": "*/*"})
                return


async def _records(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """Yield the data of server-sent events (WHATWG HTML, "Parsing an event stream")."""
    async for line in answer.aiter_lines():
        if line.startswith("data:"):
            record = json.loads(line.removeprefix("data:"))
            if not isinstance(record, dict) or type(record.get("seq")) is not int:
                raise ValueError("a record without a number")
            yield record


def _refused(answer: httpx.Response) -> Exception:
    """Return the error for a response that is not a stream."""
    try:
        detail = str(json.loads(answer.content)["detail"])[:500]
    except (ValueError, KeyError, TypeError):
        detail = f"it answered {answer.status_code}"
    detail = "".join(char if char.isprintable() else "?" for char in detail)
    if answer.status_code in (401, 403):
        return ConfigError(f"{detail} (set {SERVER_KEY})", source="--server")
    if answer.status_code in (502, 503, 504):
        return _Broken(detail)
    return SourceError(f"the server refused: {detail}")

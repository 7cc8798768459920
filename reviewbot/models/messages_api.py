"""One server of the Anthropic Messages API: one client, one streamed response at a time per call.

``messages.create(stream=True)`` is read as raw events: the SDK's own helpers hide pings, take a
cut stream for a whole one and parse tool input in quadratic time.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack, aclosing, suppress
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlsplit

from reviewbot.errors import ConfigError
from reviewbot.models.answer import AnswerReader, ErrorEvent, event_of
from reviewbot.models.base import Fault, ModelFault
from reviewbot.models.deadlines import Timeouts, Waiting
from reviewbot.models.faults import Faults

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from anthropic import APIStatusError, AsyncAnthropic

    from reviewbot.models.base import ModelEvent
    from reviewbot.models.deadlines import Frame

ANTHROPIC_URL: Final = "https://api.anthropic.com"
_NO_KEY: Final = "none"
"""Sent where there is no key: local servers ask for none, but the SDK insists on a header."""
_DRAIN_S: Final = 0.5


class BadRequest(Exception):
    """The server refuses the request as it is; ``complaint`` is its text, unbounded and unclean.

    ``fault`` is what to raise if nothing can be done about it.
    """

    def __init__(self, complaint: str, fault: ModelFault) -> None:
        super().__init__(str(fault))
        self.complaint, self.fault = complaint, fault


class MessagesApi:
    """A client of one server.

    Args:
        api_key: None or empty for servers that ask for none.
        base_url: of the server; None is Anthropic's own. The environment is never asked.
        timeouts: when to give up.

    Raises:
        ConfigError: the key or the address cannot be used.
    """

    def __init__(self, api_key: str | None, base_url: str | None, timeouts: Timeouts) -> None:
        self._key, self._url, self._timeouts = api_key or "", base_url or ANTHROPIC_URL, timeouts
        if not re.fullmatch(r"[!-~]*", self._key):
            raise ConfigError("the API key holds characters that no key has", key="api_key")
        self._faults = Faults(_server(self._url), self._key)
        self._client: AsyncAnthropic | None = None
        self._opening = asyncio.Lock()

    async def aclose(self) -> None:
        """Close all connections; a later request would open new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def stream(
        self, body: dict[str, Any], *, as_text: bool, piecewise: bool
    ) -> AsyncGenerator[ModelEvent, None]:
        """One request and its response; the last event is ``Stopped``.

        Args:
            body: arguments for ``messages.create``.
            as_text: the report comes as text and not as a tool call.
            piecewise: it comes as it is written, not when it is whole.

        Raises:
            BadRequest: the server refuses the request's form.
            ModelFault: anything else went wrong.
        """
        client = await self._opened()
        import anthropic
        import httpx2

        waiting = Waiting(self._timeouts, self._faults.server, piecewise=piecewise)
        headers: dict[str, str] = {}
        try:
            async with AsyncExitStack() as stack:
                sending = client.messages.with_streaming_response.create(**body, stream=True)
                response = await waiting.response(stack.enter_async_context(sending))
                headers.update(response.http_response.headers)
                self._check_streams(headers)
                frames = cast(
                    "AsyncGenerator[Frame, None]",
                    anthropic.AsyncStream.raw_events(response.http_response),
                )
                await stack.enter_async_context(aclosing(frames))
                reader = AnswerReader(as_text=as_text, clean=self._faults.clean)
                events = await stack.enter_async_context(
                    aclosing(self._read(reader, frames, waiting))
                )
                async for event in events:
                    yield event
        except ErrorEvent as error:
            raise self._faults.of_event(error.data, headers) from None
        except anthropic.APIStatusError as error:
            raise self._of_status(error) from None
        except (anthropic.APIError, httpx2.HTTPError, httpx2.StreamError) as error:
            raise self._faults.of_transport(error, headers) from None
        except UnicodeDecodeError:
            raise ModelFault(
                "the server's stream is not UTF-8",
                fault=Fault.UNUSABLE,
                request_id=self._faults.request_id(headers),
            ) from None
        except ModelFault as fault:
            fault.request_id = fault.request_id or self._faults.request_id(headers)
            raise

    async def _read(
        self, reader: AnswerReader, frames: AsyncGenerator[Frame, None], waiting: Waiting
    ) -> AsyncGenerator[ModelEvent, None]:
        while not reader.ended:
            frame = await waiting.frame(frames)
            if frame is None:
                raise ModelFault(
                    f"{self._faults.server} ended its answer in the middle", fault=Fault.TRANSIENT
                )
            happened = event_of(frame.event, frame.data)
            if happened is None:
                continue
            waiting.heard()
            for event in reader.take(*happened):
                yield event
            if reader.wrote:
                waiting.report_begins()
        await _drain(frames)
        yield reader.stopped()

    def _of_status(self, error: APIStatusError) -> Exception:
        headers = dict(error.response.headers)
        text = error.response.text
        fault = self._faults.of_status(error.status_code, error.body, headers, text)
        if error.status_code in (400, 422) and fault.fault is Fault.REJECTED:
            return BadRequest(text, fault)
        return fault

    def _check_streams(self, headers: dict[str, str]) -> None:
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in ("application/json", "text/html"):
            raise ModelFault(
                f"{self._faults.server} does not answer as a stream of events but as {kind}; "
                "check the base URL",
                fault=Fault.REJECTED,
            )

    async def _opened(self) -> AsyncAnthropic:
        async with self._opening:
            if self._client is None:
                # The SDK takes about a second to import; the loop goes on meanwhile.
                self._client = await asyncio.to_thread(
                    _open_client, self._key or _NO_KEY, self._url, self._timeouts.connect_s
                )
            return self._client


async def _drain(frames: AsyncGenerator[Frame, None]) -> None:
    """Read to the end of the body, which keeps the connection usable; but not for long.

    The message has ended: whatever happens now does not concern it.
    """
    import httpx2

    with suppress(TimeoutError, httpx2.HTTPError, UnicodeDecodeError):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in frames:
                pass


def _open_client(key: str, url: str, connect_s: float) -> AsyncAnthropic:
    import anthropic
    import httpx2

    client = anthropic.AsyncAnthropic(
        api_key=key,
        base_url=url,
        max_retries=0,
        open_telemetry=False,
        # Silence is watched by deadlines of our own: pings would reset these.
        timeout=httpx2.Timeout(None, connect=connect_s),
    )
    # ANTHROPIC_CUSTOM_HEADERS is meant for one server; a fallback chain may ask several.
    client._custom_headers = {}  # noqa: SLF001 -- the SDK reads that variable come what may
    _ = client.messages.with_streaming_response  # imports the rest of it
    return client


def _server(url: str) -> str:
    """Host and port of ``url``, without what may be secret in it."""
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError("the base URL must be http:// or https:// with a host", key="base_url")
    return f"{host}:{port}" if port else host

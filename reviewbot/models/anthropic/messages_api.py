"""Client of one server of the Anthropic Messages API.

``messages.create(stream=True)`` is read as raw events (:mod:`reviewbot.models.anthropic.bodies`).
The SDK's own helpers hide pings, accept an incomplete stream as complete, and parse tool input and
split events in quadratic time.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing, asynccontextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.errors import ConfigError
from reviewbot.models.anthropic.answer import AnswerReader, ErrorEvent, event_of
from reviewbot.models.anthropic.deadlines import ModelTimeouts, ResponseDeadline
from reviewbot.models.anthropic.errors import Faults
from reviewbot.models.base import Fault, ModelFault

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    import httpx2
    from anthropic import APIStatusError, AsyncAnthropic

    from reviewbot.models.anthropic.deadlines import Frame
    from reviewbot.models.base import ModelEvent

T = TypeVar("T")

ANTHROPIC_URL: Final = "https://api.anthropic.com"
_NO_KEY: Final = "none"
"""Placeholder for servers without authentication, because the SDK requires a header."""
_DRAIN_S: Final = 0.5
_COUNTED: Final = ("model", "system", "messages", "tools", "tool_choice", "thinking")
"""Arguments of a request that affect its number of input tokens."""


class BadRequest(Exception):
    """The server refuses the request; ``complaint`` is its text, neither bounded nor sanitized.

    ``fault`` is the error to raise if no retry is possible.
    """

    def __init__(self, complaint: str, fault: ModelFault) -> None:
        super().__init__(str(fault))
        self.complaint, self.fault = complaint, fault


class MessagesApi:
    """A client of one server.

    Args:
        api_key: the API key; None or empty for servers without authentication.
        base_url: URL of the server; None for Anthropic's. Environment variables are not read.
        timeouts: time limits of a request.
        on_frame: function that sees each event of a response, pings included.

    Raises:
        ConfigError: the key or the address is invalid.
    """

    def __init__(
        self,
        api_key: str | None,
        base_url: str | None,
        timeouts: ModelTimeouts,
        *,
        on_frame: Callable[[Frame], None] | None = None,
    ) -> None:
        self._key, self._url, self._timeouts = api_key or "", base_url or ANTHROPIC_URL, timeouts
        self._on_frame = on_frame
        if not re.fullmatch(r"[!-~]*", self._key):
            raise ConfigError("the API key has invalid characters", key="api_key")
        self._faults = Faults(_server(self._url), self._key)
        self._client: AsyncAnthropic | None = None
        self._opening = asyncio.Lock()

    async def aclose(self) -> None:
        """Close all connections; a later request would open new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def stream(
        self,
        body: dict[str, Any],
        *,
        as_text: bool,
        piecewise: bool,
        prefill_s: float = 0.0,
        lookups: bool = False,
        tool: str = REPORT_TOOL["name"],
    ) -> AsyncGenerator[ModelEvent, None]:
        """Send one request and stream its response. The last event is ``Stopped``.

        Args:
            body: arguments for ``messages.create``.
            as_text: whether the report is text instead of a tool call.
            piecewise: whether the report arrives in pieces, not as a whole.
            prefill_s: seconds in which a slow server reads the request.
            lookups: whether the request offers look-ups.
            tool: name of the tool of the response.

        Raises:
            BadRequest: the server refuses the form of the request.
            ModelFault: the request failed for another reason.
        """
        client = await self._opened()
        waiting = ResponseDeadline(
            self._timeouts, self._faults.server, piecewise=piecewise, prefill_s=prefill_s
        )
        headers: dict[str, str] = {}
        try:
            async with self._response(client, body, waiting) as response:
                headers.update(response.headers)
                self._check_streams(headers)
                reader = AnswerReader(
                    as_text=as_text, clean=self._faults.clean, lookups=lookups, tool=tool
                )
                async with (
                    aclosing(self._frames(response)) as frames,
                    aclosing(self._read(reader, frames, waiting)) as events,
                ):
                    async for event in events:
                        yield event
        except ErrorEvent as error:
            raise self._faults.of_event(error.data, headers) from None
        except ModelFault as fault:
            fault.request_id = fault.request_id or self._faults.request_id(headers)
            raise

    async def count(self, body: dict[str, Any]) -> int:
        """Return the input tokens of a request, as the server counts them.

        ``body`` has the arguments for ``messages.create``.

        Raises:
            ModelFault: the server does not count, or the request failed.
        """
        client = await self._opened()
        kept = {name: body[name] for name in _COUNTED if name in body}
        waiting = ResponseDeadline(self._timeouts, self._faults.server, piecewise=False)
        try:
            counted = await waiting.wait(self._sent(client.messages.count_tokens(**kept)))
        except BadRequest as refusal:
            raise refusal.fault from None
        tokens: object = counted.input_tokens  # as the server wrote it, not validated
        if not isinstance(tokens, int) or tokens < 1:
            raise ModelFault(f"{self._faults.server} counts no tokens", fault=Fault.UNUSABLE)
        return tokens

    @asynccontextmanager
    async def _response(
        self, client: AsyncAnthropic, body: dict[str, Any], waiting: ResponseDeadline
    ) -> AsyncIterator[httpx2.Response]:
        """Open the response, and yield it before its body is read."""
        sending = client.messages.with_streaming_response.create(**body, stream=True)
        response = await waiting.wait(self._sent(sending.__aenter__()))
        try:
            yield response.http_response
        finally:
            # The answer was read, or failed with its own reason.
            with suppress(Exception):
                await response.close()

    async def _sent(self, sending: Awaitable[T]) -> T:
        """Return the SDK's response to a request. Convert all its exceptions to our errors."""
        import anthropic

        try:
            return await sending
        except anthropic.APIStatusError as error:
            raise self._of_status(error) from None
        except Exception as error:  # noqa: BLE001 -- a library's, and of any kind
            raise self._faults.of_sending(error) from None

    async def _frames(self, response: httpx2.Response) -> AsyncGenerator[Frame, None]:
        """Yield the events of a body. Convert all exceptions to :class:`ModelFault`."""
        from reviewbot.models.anthropic.bodies import events_of

        try:
            async with aclosing(events_of(response)) as events:
                async for event in events:
                    if self._on_frame is not None:
                        self._on_frame(event)
                    yield event
        except ModelFault:
            raise
        except UnicodeDecodeError:
            raise ModelFault("the server's stream is not UTF-8", fault=Fault.UNUSABLE) from None
        except Exception as error:  # noqa: BLE001 -- a library's, and of any kind
            raise self._faults.of_transport(error, response.headers) from None

    async def _read(
        self, reader: AnswerReader, frames: AsyncGenerator[Frame, None], waiting: ResponseDeadline
    ) -> AsyncGenerator[ModelEvent, None]:
        while not reader.ended:
            frame = await waiting.wait(anext(frames, None))
            if frame is None:
                raise ModelFault(
                    f"{self._faults.server} ended its answer in the middle", fault=Fault.TRANSIENT
                )
            happened = event_of(frame.event, frame.data)
            if happened is None:
                continue
            waiting.restart_silence()
            for event in reader.take(*happened):
                yield event
            if reader.wrote:
                waiting.report_begins()
        await _drain(frames)
        if (turn := reader.turn()) is not None:
            yield turn
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
                f"{self._faults.server} answers with {kind} instead of a stream of events; check"
                " the base URL",
                fault=Fault.REJECTED,
            )

    async def _opened(self) -> AsyncAnthropic:
        async with self._opening:
            if self._client is None:
                # The SDK takes about a second to import; a thread keeps the event loop free.
                self._client = await asyncio.to_thread(
                    _open_client, self._key or _NO_KEY, self._url, self._timeouts.connect_s
                )
            return self._client


async def _drain(frames: AsyncGenerator[Frame, None]) -> None:
    """Read to the end of the body, within a time limit, so that the connection stays usable.

    The message has ended, so errors are ignored.
    """
    with suppress(TimeoutError, ModelFault):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in frames:
                pass


def load_sdk() -> None:
    """Import all of the SDK that a request needs. Takes seconds the first time."""
    _open_client("none", "http://127.0.0.1", 1.0)  # it is dropped before it connects


def _open_client(key: str, url: str, connect_s: float) -> AsyncAnthropic:
    import anthropic
    import httpx2

    from reviewbot.models.anthropic.bodies import bound
    from reviewbot.models.anthropic.recorded import TRANSPORT

    # Our own deadlines detect silence: pings would reset these.
    timeout = httpx2.Timeout(None, connect=connect_s)
    recorded = TRANSPORT.get()
    # The SDK chooses its own transport unless one is given, even None.
    chosen: dict[str, Any] = {} if recorded is None else {"transport": recorded}
    client = anthropic.AsyncAnthropic(
        api_key=key,
        base_url=url,
        max_retries=0,
        open_telemetry=False,
        timeout=timeout,
        http_client=anthropic.DefaultAsyncHttpxClient(
            timeout=timeout,
            headers={"accept-encoding": "identity"},
            # A prompt goes only to the chosen server.
            follow_redirects=False,
            event_hooks={"response": [bound]},
            **chosen,
        ),
    )
    # ANTHROPIC_CUSTOM_HEADERS is meant for one server; a fallback chain may ask several.
    client._custom_headers = {}  # noqa: SLF001 -- the SDK reads that variable come what may
    _ = client.messages.with_streaming_response  # imports the rest of it
    return client


def _server(url: str) -> str:
    """Return host and port of ``url``, without parts that may be secret."""
    try:
        return _host_and_port(url)
    except ValueError:
        raise ConfigError(
            "the base URL must be http:// or https:// with a host, perhaps a port and a path,"
            " but no user name, query or spaces",
            key="base_url",
        ) from None


def _host_and_port(url: str) -> str:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if ":" in host:
        host = f"[{ip_address(host)}]"
    elif not re.fullmatch(rb"[A-Za-z0-9._-]+", host.encode("idna")):
        raise ValueError(host)
    # urlsplit silently drops some control characters.
    plain = url.isprintable() and not re.search(r"[ ?#\\]", url) and "@" not in parts.netloc
    if not plain or parts.scheme not in ("http", "https") or port == 0:
        raise ValueError(url)
    return f"{host}:{port}" if port else host

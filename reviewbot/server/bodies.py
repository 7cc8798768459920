"""The body of a request: bounded in bytes and in time, and inflated.

A sender is a stranger: it may send without end, hardly at all, or a little that inflates to very
much. What goes wrong is a :class:`~reviewbot.server.problems.Problem` with one sentence.
"""

from __future__ import annotations

import asyncio
import zlib
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from starlette.requests import ClientDisconnect
from zstandard import ZstdDecompressor, ZstdError

from reviewbot.server.problems import CLOSE, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from starlette.datastructures import Headers
    from starlette.requests import Request

ENCODINGS: Final = ("gzip", "zstd")
"""The content codings that are spoken, besides none."""
TIMEOUT_S: Final = 10.0
MIN_RATE: Final = 16_384.0
MAX_WINDOW: Final = 8 << 20
"""Bytes that a zstd decoder has to remember: the bound of RFC 9659, section 3."""
MAX_PARTS: Final = 10_000
"""Members of a gzip body, frames of a zstd body. bgzip makes a member of each 64 KiB."""

_GZIP_SLICE: Final = 64 << 10
_GZIP_STEP: Final = 256 << 10
# A zstd block of four bytes can stand for 128 KiB (RFC 8878, section 3.1.1.2), and the library has
# no bound of its own for what one step makes: 32 such blocks are 4 MiB.
_ZSTD_SLICE: Final = 128


class Large(NamedTuple):
    """Treatment of bodies whose sender is not known yet.

    Up to ``size`` bytes are reserved as they come, so that an announcement alone takes no room.
    A larger body waits for ``room`` instead.
    """

    size: int
    room: Callable[[], Awaitable[object]]


async def read_body(
    request: Request,
    *,
    reserve: Callable[[int], object],
    limit: int,
    large: Large | None = None,
    min_rate: float = MIN_RATE,
    timeout_s: float = TIMEOUT_S,
) -> bytes:
    """Return the body as it was before any ``Content-Encoding``.

    Only waiting for the sender counts as time. Nothing is asked for before the headers are seen to
    be fine, so ``Expect: 100-continue`` (RFC 9110, section 10.1.1) saves a client from sending in
    vain.

    Args:
        request: its body must not have been read yet.
        reserve: replaces the bytes that are reserved for the body. Before the first byte these are
            the announced ones, or ``limit`` if none are announced or the body is compressed.
        limit: bytes, inflated; compressed bytes may be a little more, as the format costs some.
        large: for senders that are not known yet.
        min_rate: bytes a second that a sender has to reach on average, after ``timeout_s``.
        timeout_s: seconds without a byte after which the sender is given up.

    Raises:
        Problem: from ``reserve``; 400 for what cannot be inflated, 408 for a sender that is too
            slow (RFC 9110, section 15.5.9), 413 for too many bytes (15.5.14), 415 for another or
            more than one encoding (15.5.16). Where bytes may be left unread it ends the connection.
        ClientDisconnect: the sender went away. :mod:`~reviewbot.server.problems` takes it.
    """
    encoding = _encoding(request.headers)
    most = limit if encoding is None else limit + limit // 16 + 1024
    declared = _declared(request.headers)
    if declared > most:
        raise _too_large(limit, headers=CLOSE)
    if large is None:
        reserve(declared if encoding is None and declared >= 0 else limit)
    body = bytearray()
    try:
        fits = await _receive(
            body,
            request,
            most,
            reserve=reserve,
            large=large,
            min_rate=min_rate,
            timeout_s=timeout_s,
        )
    except BaseException:
        body.clear()  # the traceback keeps it until the response is sent
        raise
    if not fits:
        raise _too_large(limit, headers=CLOSE)
    whole = await asyncio.to_thread(_inflate, body, encoding, limit) if encoding else bytes(body)
    if large is None:
        reserve(len(whole))
    return whole


async def _receive(
    body: bytearray,
    request: Request,
    most: int,
    *,
    reserve: Callable[[int], object],
    large: Large | None,
    min_rate: float,
    timeout_s: float,
) -> bool:
    """Append the body as it is sent. If it is larger than ``most``, drop it and return False."""
    clock = asyncio.get_running_loop().time
    waited = 0.0
    more = True
    while more:
        patience = timeout_s + min(0.0, len(body) / min_rate - waited)
        started = clock()
        try:
            async with asyncio.timeout(patience):
                message = await request.receive()
        except TimeoutError:
            seconds = waited + clock() - started
            detail = f"The body came too slowly: {len(body)} bytes in {seconds:.0f} s."
            raise Problem(408, detail, headers=CLOSE) from None
        if message["type"] != "http.request":
            raise ClientDisconnect
        waited += clock() - started
        body += message.get("body", b"")
        more = message.get("more_body", False)
        del message  # or it would stay in memory while the next one is awaited
        if len(body) > most:
            body.clear()
            return False
        if large:
            reserve(min(len(body), large.size))
            if len(body) > large.size:
                await large.room()
                large = None
    return True


def _declared(headers: Headers) -> int:
    """Return the ``Content-Length``, or -1. One that makes no sense is for the server to refuse."""
    digits = headers.get("content-length", "").lstrip("0")
    # A number of more than 4300 digits is refused by `int`; one of more than 18 is too large here.
    return int(digits[:19]) if digits.isascii() and digits.isdecimal() else -1


def _encoding(headers: Headers) -> str | None:
    """Return the one encoding of the body (RFC 9110, section 8.4), if it has one.

    ``x-gzip`` is gzip (8.4.1.3), and ``identity`` is none (12.5.3).
    """
    values = ",".join(headers.getlist("content-encoding")).lower().split(",")
    names = [name for value in values if (name := value.strip()) not in ("", "identity")]
    if len(names) > 1:
        raise _unsupported("The body has more than one Content-Encoding; send it with one")
    if not names:
        return None
    name = "gzip" if names[0] == "x-gzip" else names[0]
    if name not in ENCODINGS:
        raise _unsupported(f"The Content-Encoding {name} is not spoken here; send another")
    return name


def _unsupported(fault: str) -> Problem:
    """With the ``Accept-Encoding`` that RFC 9110, section 12.5.3, wants with this status."""
    headers = {"Accept-Encoding": ", ".join(ENCODINGS), **CLOSE}
    return Problem(415, f"{fault} of {' and '.join(ENCODINGS)}, or none.", headers=headers)


def _too_large(limit: int, *, headers: Mapping[str, str] | None = None) -> Problem:
    detail = f"The body is larger than the {limit:,} bytes that this server takes, inflated too."
    return Problem(413, detail, headers=headers, limit=limit)


class _BodyStream(Protocol):
    """What the decompressors of zlib and of zstandard have in common."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...


class _Member:
    """A member of a gzip body (RFC 1952, section 2.2)."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # 16: a gzip header, no other
        self.stream: _BodyStream = self._stream

    def inflate(self, piece: memoryview) -> Iterator[bytes]:
        left: memoryview | bytes = piece
        while True:
            yield self._stream.decompress(left, _GZIP_STEP)
            left = self._stream.unconsumed_tail
            # Output that waits with no byte left comes with the next: its checksum is behind it.
            if not left:
                return


class _Frame:
    """A frame of a zstd body (RFC 8878, section 3), one that can be skipped included."""

    def __init__(self, decompressor: ZstdDecompressor) -> None:
        self._stream = decompressor.decompressobj()
        self.stream: _BodyStream = self._stream

    def inflate(self, piece: memoryview) -> Iterator[bytes]:
        yield self._stream.decompress(piece)


def _inflate(packed: bytearray, encoding: str, limit: int) -> bytes:
    """Inflates in steps, so that no more than ``limit`` and a step are ever held."""
    body = bytearray()
    try:
        for step in _steps(packed, encoding):
            body += step
            if len(body) > limit:
                raise _too_large(limit)
    except (zlib.error, ZstdError):
        detail = f"The body is not {encoding}, or was damaged on its way."
        if encoding == "zstd":
            detail = (
                "The body is not zstd, was damaged on its way, or needs a dictionary or a window"
                f" of more than {MAX_WINDOW >> 20} MiB."
            )
        raise Problem(400, detail) from None
    return bytes(body)


def _steps(packed: bytearray, encoding: str) -> Iterator[bytes]:
    """What ``packed`` stands for: its members or frames, one after the other and nothing else."""
    start: Callable[[], _Member | _Frame] = _Member
    size = _GZIP_SLICE
    if encoding == "zstd":
        # Frames share a decompressor: each begins it anew.
        start = partial(_Frame, ZstdDecompressor(max_window_size=MAX_WINDOW))
        size = _ZSTD_SLICE
    view, position = memoryview(packed), 0
    part, parts = start(), 1
    while True:
        piece = view[position : position + size]
        yield from part.inflate(piece)
        position += len(piece) - len(part.stream.unused_data)
        if position == len(view):
            break
        if part.stream.eof:
            part, parts = start(), parts + 1
        if parts > MAX_PARTS:
            raise Problem(400, f"The body has more than {MAX_PARTS:,} {encoding} parts; send one.")
    if not part.stream.eof:
        raise Problem(400, f"The body ends in the middle of its {encoding} data.")

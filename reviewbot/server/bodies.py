"""Read the body of a request: bounded in bytes and in time, and decompressed.

An unknown sender may send endlessly, very slowly, or a small body that inflates to a very large
one. Each failure is a :class:`~reviewbot.server.problems.Problem` with one sentence.
"""

from __future__ import annotations

import asyncio
import zlib
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.requests import ClientDisconnect
from zstandard import ZstdDecompressor, ZstdError

from reviewbot.server.problems import CLOSE, Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from starlette.datastructures import Headers
    from starlette.requests import Request

ENCODINGS: Final = ("gzip", "zstd")
"""Supported content codings, besides no coding."""
TIMEOUT_S: Final = 10.0
MIN_RATE: Final = 16_384.0
MAX_WINDOW: Final = 8 << 20
"""Maximum bytes in the window of a zstd decoder: the bound of RFC 9659, section 3."""
MAX_PARTS: Final = 10_000
"""Maximum number of members of a gzip body or frames of a zstd body. bgzip writes a member per 64
KiB."""

_GZIP_SLICE: Final = 64 << 10
_GZIP_STEP: Final = 256 << 10
# A zstd block of four bytes can expand to 128 KiB (RFC 8878, section 3.1.1.2), and the library does
# not bound the output of one step: 32 such blocks are 4 MiB.
_ZSTD_SLICE: Final = 128


class Large(NamedTuple):
    """Treatment of bodies whose sender is not known yet.

    Up to ``size`` bytes are reserved as they arrive, so an announced size alone reserves nothing.
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

    Only the time that the sender takes counts. No byte is requested before the headers are
    accepted, so ``Expect: 100-continue`` (RFC 9110, section 10.1.1) saves a client from sending a
    body that is refused.

    Args:
        request: its body must not have been read yet.
        reserve: function that replaces the bytes reserved for the body. Before the first byte, the
            announced size is reserved, or ``limit`` if no size is announced or the body is
            compressed.
        limit: most bytes after decompression; the compressed body may be slightly larger, because
            of the overhead of the format.
        large: treatment of senders that are not known yet; None for known senders.
        min_rate: bytes per second that a sender has to reach on average, after ``timeout_s``.
        timeout_s: most seconds to wait for the next bytes.

    Raises:
        Problem: from ``reserve``; 400 for a body that cannot be decompressed, 408 for a sender that
            is too slow (RFC 9110, section 15.5.9), 413 for too many bytes (15.5.14), 415 for an
            unsupported encoding or several encodings (15.5.16). Where bytes may be left unread,
            the problem ends the connection.
        ClientDisconnect: the sender went away. :mod:`~reviewbot.server.problems` handles it.
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
    """Append the sent bytes to ``body``; drop all and return False if there are too many."""
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
    """Return the ``Content-Length``, or -1. The HTTP server refuses an invalid header."""
    digits = headers.get("content-length", "").lstrip("0")
    # `int` refuses more than 4300 digits; a number of more than 18 digits is too large here.
    return int(digits[:19]) if digits.isascii() and digits.isdecimal() else -1


def _encoding(headers: Headers) -> str | None:
    """Return the only encoding of the body (RFC 9110, section 8.4); None without an encoding.

    ``x-gzip`` is gzip (8.4.1.3), and ``identity`` is no encoding (12.5.3).
    """
    values = ",".join(headers.getlist("content-encoding")).lower().split(",")
    names = [name for value in values if (name := value.strip()) not in ("", "identity")]
    if len(names) > 1:
        raise _unsupported("The body has more than one Content-Encoding; send it with one")
    if not names:
        return None
    name = "gzip" if names[0] == "x-gzip" else names[0]
    if name not in ENCODINGS:
        raise _unsupported(f"The Content-Encoding {name} is not supported; send another")
    return name


def _unsupported(fault: str) -> Problem:
    """Return 415 with the ``Accept-Encoding`` that RFC 9110, section 12.5.3, requires."""
    headers = {"Accept-Encoding": ", ".join(ENCODINGS), **CLOSE}
    return Problem(415, f"{fault} of {' and '.join(ENCODINGS)}, or none.", headers=headers)


def _too_large(limit: int, *, headers: Mapping[str, str] | None = None) -> Problem:
    detail = (
        f"The body is larger than the limit of {limit:,} bytes, which holds for the inflated body"
        " too."
    )
    return Problem(413, detail, headers=headers, limit=limit)


class _Member:
    """A member of a gzip body (RFC 1952, section 2.2)."""

    def __init__(self) -> None:
        self.stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)  # 16: a gzip header only

    def inflate(self, piece: memoryview) -> Iterator[bytes]:
        left: memoryview | bytes = piece
        while True:
            yield self.stream.decompress(left, _GZIP_STEP)
            left = self.stream.unconsumed_tail
            # Output that is pending without input comes with the next piece: a checksum follows.
            if not left:
                return


class _Frame:
    """A frame of a zstd body (RFC 8878, section 3), or a skippable frame."""

    def __init__(self, decompressor: ZstdDecompressor) -> None:
        self.stream = decompressor.decompressobj()

    def inflate(self, piece: memoryview) -> Iterator[bytes]:
        yield self.stream.decompress(piece)


def _inflate(packed: bytearray, encoding: str, limit: int) -> bytes:
    """Decompress in steps, so that at most ``limit`` bytes and one step are in memory."""
    body = bytearray()
    try:
        for step in _steps(packed, encoding):
            body += step
            if len(body) > limit:
                raise _too_large(limit)
    except (zlib.error, ZstdError):
        detail = f"The body is not {encoding}, or was damaged in transit."
        if encoding == "zstd":
            detail = (
                "The body is not zstd, was damaged in transit, or needs a dictionary or a window"
                f" of more than {MAX_WINDOW >> 20} MiB."
            )
        raise Problem(400, detail) from None
    return bytes(body)


def _steps(packed: bytearray, encoding: str) -> Iterator[bytes]:
    """Yield the decompressed bytes of ``packed``, which must be members or frames only."""
    start: Callable[[], _Member | _Frame] = _Member
    size = _GZIP_SLICE
    if encoding == "zstd":
        # Frames share a decompressor: each frame resets it.
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

"""Bodies: whatever a sender does, the same bytes or a problem, in bounded memory and time."""

from __future__ import annotations

import asyncio
import gzip
import logging
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from reviewbot.server.bodies import MAX_PARTS, MAX_WINDOW, read_body
from reviewbot.server.problems import EXCEPTION_HANDLERS, Problem
from tests.server import connected, serving
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Message

LIMIT = 200_000


def unbounded(_size: int) -> None:
    """Reserve any number of bytes."""


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def zstd_streamed(data: bytes) -> bytes:
    compressor = zstandard.ZstdCompressor().compressobj()  # a frame that does not tell its size
    return compressor.compress(data) + compressor.flush()


PACKERS: dict[str, list[Callable[[bytes], bytes]]] = {
    "": [bytes],
    "identity": [bytes],
    "gzip": [gzip.compress, lambda data: gzip.compress(data, 0)],
    "X-GZip, identity": [gzip.compress],
    "zstd": [zstd, zstd_streamed],
}
INFLATED = [(name, pack) for name in ("gzip", "zstd") for pack in PACKERS[name]]


def read(
    pieces: Sequence[bytes],
    *encodings: str,
    limit: int = LIMIT,
    length: int | None = None,
    reserve: Callable[[int], object] = unbounded,
) -> bytes:
    """Reads a body that comes in these pieces."""
    headers = [(b"content-encoding", encoding.encode()) for encoding in encodings if encoding]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    left = list(pieces)

    async def receive() -> Message:
        piece = left.pop(0) if left else b""
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    return asyncio.run(read_body(request, reserve=reserve, limit=limit))


def problem_of(*arguments: Any, **options: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        read(*arguments, **options)
    return caught.value


def refusal(packed: bytes, encoding: str, *, limit: int = LIMIT) -> int:
    return problem_of([packed], encoding, limit=limit).status


@st.composite
def encoded(draw: st.DrawFn, smallest: int = 0, largest: int = 3_000) -> Any:
    """An encoding, what is meant, and the pieces that it comes in."""
    encoding = draw(st.sampled_from(sorted(PACKERS)))
    sizes = st.integers(smallest, largest)
    texts = st.one_of(
        st.binary(min_size=smallest, max_size=largest), sizes.map(bytes), sizes.map(b"ab".__mul__)
    )
    parts = draw(st.lists(texts, min_size=1, max_size=3))
    packed = b"".join(draw(st.sampled_from(PACKERS[encoding]))(part) for part in parts)
    cuts = sorted(draw(st.lists(st.integers(0, len(packed)), max_size=5)))
    ends = zip([0, *cuts], [*cuts, len(packed)], strict=True)
    return encoding, b"".join(parts), [packed[start:end] for start, end in ends]


# --- The bytes


@given(encoded())
def test_the_same_bytes_come_out_however_they_were_packed_and_sent(case: Any) -> None:
    encoding, meant, pieces = case
    assert read(pieces, encoding) == meant


@given(encoded())
def test_a_body_of_just_the_limit_is_taken(case: Any) -> None:
    encoding, meant, pieces = case
    assert read(pieces, encoding, limit=len(meant)) == meant


@given(encoded(smallest=1))
def test_a_body_above_the_limit_is_too_large_however_it_was_packed_and_sent(case: Any) -> None:
    encoding, meant, pieces = case
    problem = problem_of(pieces, encoding, limit=len(meant) - 1)
    assert (problem.status, problem.members["limit"]) == (413, len(meant) - 1)


@pytest.mark.parametrize(("encoding", "pack"), INFLATED)
@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("size", [128 << 10, 256 << 10, 512 << 10, 1 << 20])
def test_nothing_is_lost_where_a_step_of_inflating_ends(
    encoding: str, pack: Callable[[bytes], bytes], size: int, more: int
) -> None:
    data = bytes(size + more)
    assert read([pack(data)], encoding, limit=len(data)) == data


@given(
    encoding=st.sampled_from(["gzip", "zstd"]), data=st.binary(max_size=300), keep=st.floats(0, 1)
)
def test_a_stream_that_is_cut_anywhere_is_refused(encoding: str, data: bytes, keep: float) -> None:
    packed = PACKERS[encoding][0](data)
    assert refusal(packed[: int(keep * (len(packed) - 1))], encoding) == 400


@given(
    encoding=st.sampled_from(["gzip", "zstd"]),
    data=st.binary(max_size=300),
    more=st.binary(min_size=1, max_size=20).filter(lambda more: more[:1] not in b"\x1f\x28\x50"),
)
def test_what_comes_after_the_end_is_refused(encoding: str, data: bytes, more: bytes) -> None:
    assert refusal(PACKERS[encoding][0](data) + more, encoding) == 400


@given(encoding=st.sampled_from(["gzip", "zstd"]), data=st.binary(max_size=200))
def test_bytes_that_are_nothing_of_the_kind_are_a_problem_and_no_accident(
    encoding: str, data: bytes
) -> None:
    assert refusal(data, encoding) == 400


@given(data=st.binary(max_size=100), at=st.floats(0, 1), bit=st.integers(0, 7))
def test_a_gzip_body_that_was_damaged_is_refused_or_was_not_harmed(
    data: bytes, at: float, bit: int
) -> None:
    packed = bytearray(gzip.compress(data))
    packed[int(at * (len(packed) - 1))] ^= 1 << bit
    try:
        assert read([bytes(packed)], "gzip") == data
    except Problem as problem:
        assert problem.status == 400


@pytest.mark.parametrize("raw", [zlib.compress(b"a"), zlib.compress(b"a", wbits=-15)])
def test_gzip_means_gzip_and_no_other_form_of_deflate(raw: bytes) -> None:
    assert refusal(raw, "gzip") == 400


# --- Encodings


@pytest.mark.parametrize(
    "encodings", [("br",), ("deflate",), ("gzip, gzip",), ("gzip", "zstd"), ("x-zstd",), ("*",)]
)
def test_another_encoding_or_several_are_refused_with_those_that_are_spoken(
    encodings: tuple[str, ...],
) -> None:
    problem = problem_of([b"x"], *encodings)
    assert problem.status == 415
    assert problem.headers == {"Accept-Encoding": "gzip, zstd", "Connection": "close"}


def test_zstd_frames_that_are_to_be_skipped_are_skipped() -> None:
    skipped = b"\x50\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"abc"
    assert read([skipped + zstd(b"one") + skipped + zstd(b"two") + skipped], "zstd") == b"onetwo"


def test_a_zstd_window_is_bounded_as_rfc_9659_has_it() -> None:
    def with_window(bits: int) -> bytes:
        parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=bits)
        compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
        return compressor.compress(b"abc") + compressor.flush()

    assert read([with_window(MAX_WINDOW.bit_length() - 1)], "zstd") == b"abc"
    for bits in (24, 27, 31):
        problem = problem_of([with_window(bits)], "zstd")
        assert problem.status == 400
        assert "window of more than 8 MiB" in problem.detail


def test_a_zstd_frame_that_needs_a_dictionary_is_refused() -> None:
    samples: list[Any] = [
        f"diff --git a/{number}.py b/{number}.py".encode() * 5 for number in range(500)
    ]
    dictionary = zstandard.train_dictionary(1_000, samples)
    packed = zstandard.ZstdCompressor(dict_data=dictionary).compress(samples[0])
    assert refusal(packed, "zstd") == 400


# --- Bombs


def gzip_bomb() -> bytes:
    compressor = zlib.compressobj(9, wbits=31)
    return b"".join([*(compressor.compress(bytes(1 << 20)) for _ in range(50)), compressor.flush()])


def zstd_bomb() -> bytes:
    """A frame that says of 128 KiB, again and again, that it is all the same byte (RFC 8878)."""
    block = (1 << 1 | 131072 << 3).to_bytes(3, "little") + b"x"
    return b"\x28\xb5\x2f\xfd\x00\x58" + block * 10_000


@pytest.mark.parametrize(("encoding", "bomb"), [("gzip", gzip_bomb), ("zstd", zstd_bomb)])
def test_a_bomb_is_refused_before_it_takes_memory(encoding: str, bomb: Callable[[], bytes]) -> None:
    packed = bomb()
    tracemalloc.start()
    try:
        assert refusal(packed, encoding, limit=1_000_000) == 413
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("encoding", "pack"), INFLATED)
def test_a_body_of_countless_empty_parts_is_refused(
    encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    assert read([pack(b"") * MAX_PARTS], encoding, limit=1_000_000) == b""
    assert refusal(pack(b"") * (MAX_PARTS + 1), encoding, limit=1_000_000) == 400


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_inflating_does_not_hold_up_the_loop(encoding: str) -> None:
    packed = PACKERS[encoding][0](bytes(40_000_000))

    async def receive() -> Message:
        return {"type": "http.request", "body": packed}

    async def story() -> int:
        headers = [(b"content-encoding", encoding.encode())]
        request = Request({"type": "http", "headers": headers}, receive)
        reading = asyncio.ensure_future(read_body(request, reserve=unbounded, limit=40_000_000))
        turns = 0
        while not reading.done():
            turns += 1
            await asyncio.sleep(0)
        assert len(await reading) == 40_000_000
        return turns

    assert asyncio.run(story()) > 20


# --- Length and encoding as the headers have them


def test_a_length_above_the_limit_is_refused_before_anything_is_read() -> None:
    for length in (LIMIT + 1, 10**30):
        problem = problem_of([], length=length)
        assert (problem.status, problem.headers) == (413, {"Connection": "close"})


def test_a_length_that_is_wrong_does_not_open_the_limit() -> None:
    assert problem_of([bytes(LIMIT), b"x"], length=5).status == 413
    assert read([b"abc"], length=0) == b"abc"


def test_packed_bytes_are_bounded_too() -> None:
    assert refusal(bytes(2 * LIMIT), "gzip") == 413


@pytest.mark.parametrize(
    ("encodings", "length", "reserved"),
    [
        ((), 300, [300, 300]),
        ((), None, [LIMIT, 300]),
        (("gzip",), 30, [LIMIT, 300]),
        (("zstd",), None, [LIMIT, 300]),
    ],
)
def test_first_the_announced_bytes_are_reserved_and_then_those_that_came(
    encodings: tuple[str, ...], length: int | None, reserved: list[int]
) -> None:
    seen: list[int] = []
    packed = PACKERS["".join(encodings)][0](bytes(300))
    assert read([packed], *encodings, length=length, reserve=seen.append) == bytes(300)
    assert seen == reserved


# --- On the wire


def echoing(limit: int = LIMIT, seen: list[Any] | None = None, **options: Any) -> Starlette:
    """Answers with the length of the body; ``seen`` gets what was raised, and when."""

    async def endpoint(request: Request) -> Response:
        clock = asyncio.get_running_loop().time
        started = clock()
        try:
            body = await read_body(request, reserve=unbounded, limit=limit, **options)
        except Exception as error:
            if seen is not None:
                seen.append((type(error), clock() - started))
            raise
        return Response(f"{len(body)} bytes")

    routes = [Route("/", endpoint, methods=["POST"])]
    return Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)


def head(*lines: str) -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


CHUNKED = head("Transfer-Encoding: chunked")


@in_virtual_time
async def test_chunks_without_end_are_refused_while_they_come() -> None:
    async with serving(echoing()) as port, connected(port) as client:
        await client.send(CHUNKED, *[b"1000\r\n%b\r\n" % bytes(0x1000)] * 60)
        answer = await client.answer()
        assert answer.status == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert await client.ended()


@in_virtual_time
async def test_chunks_of_a_compressed_body_are_read_as_one() -> None:
    packed = zstd(b"abc" * 1_000)
    async with serving(echoing()) as port, connected(port) as client:
        await client.send(head("Transfer-Encoding: chunked", "Content-Encoding: zstd"))
        await client.send(*[b"1\r\n%c\r\n" % byte for byte in packed], b"0\r\n\r\n")
        assert (await client.answer()).body == b"3000 bytes"


@in_virtual_time
async def test_a_client_that_asks_before_it_sends_is_told_to_go_on() -> None:
    async with serving(echoing()) as port, connected(port) as client:
        await client.send(head("Expect: 100-continue", "Content-Length: 5"))
        assert (await client.answer()).status == 100
        await client.send(b"hello")
        assert (await client.answer()).body == b"5 bytes"


@pytest.mark.parametrize(
    ("line", "status"),
    [(f"Content-Length: {LIMIT + 1}", 413), ("Content-Length: 5\r\nContent-Encoding: br", 415)],
)
@in_virtual_time
async def test_a_client_that_asks_before_it_sends_is_told_not_to(line: str, status: int) -> None:
    async with serving(echoing()) as port, connected(port) as client:
        await client.send(head("Expect: 100-continue", line))
        assert (await client.answer()).status == status  # and no 100 before it
        assert await client.ended()


@in_virtual_time
async def test_a_client_that_sends_too_much_before_it_reads_sees_why() -> None:
    async with serving(echoing()) as port, connected(port) as client:
        await client.send(head("Content-Length: 20000000"), *[bytes(1_000_000)] * 20)
        assert (await client.answer()).json()["limit"] == LIMIT


@in_virtual_time
async def test_the_connection_goes_on_after_a_body_that_was_read_whole_and_refused() -> None:
    async with serving(echoing()) as port, connected(port) as client:
        for _ in range(2):
            await client.send(head("Content-Encoding: gzip", "Content-Length: 3"), b"xyz")
            assert (await client.answer()).status == 400


@pytest.mark.parametrize("sent", [b"", b"hell"])
@in_virtual_time
async def test_a_sender_that_stops_is_given_up(sent: bytes) -> None:
    seen: list[Any] = []
    async with serving(echoing(seen=seen, timeout_s=7)) as port, connected(port) as client:
        await client.send(head("Content-Length: 5"), sent)
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert answer.json()["detail"] == f"The body came too slowly: {len(sent)} bytes in 7 s."
        assert await client.ended()
    ((kind, after),) = seen
    assert kind is Problem
    assert after == pytest.approx(7, abs=0.01)


@in_virtual_time
async def test_a_sender_that_was_fast_and_then_stops_is_not_waited_for_longer() -> None:
    seen: list[Any] = []
    app = echoing(seen=seen, timeout_s=7, min_rate=100)
    async with serving(app) as port, connected(port) as client:
        await client.send(head("Content-Length: 20000"), bytes(10_000))
        assert (await client.answer()).status == 408
    ((_, after),) = seen
    assert after == pytest.approx(7, abs=0.01)


@in_virtual_time
async def test_a_sender_that_dribbles_is_given_up() -> None:
    seen: list[Any] = []
    app = echoing(seen=seen, timeout_s=10, min_rate=100)
    async with serving(app) as port, connected(port) as client:
        await client.send(head("Content-Length: 1000"))
        answer = asyncio.ensure_future(client.answer())
        while not answer.done():
            await client.send(b"x")
            await asyncio.wait([answer], timeout=3)  # never silent for long
        assert (await answer).status == 408
    ((_, after),) = seen
    assert after == pytest.approx(10, abs=0.1)


@in_virtual_time
async def test_a_sender_that_keeps_the_rate_has_all_the_time_it_needs() -> None:
    async with serving(echoing(timeout_s=10, min_rate=100)) as port, connected(port) as client:
        await client.send(head("Content-Length: 10000"))
        for _ in range(100):
            await asyncio.sleep(1)
            await client.send(bytes(100))
        assert (await client.answer()).body == b"10000 bytes"


@in_virtual_time
async def test_a_client_that_goes_away_in_the_middle_is_no_accident(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[Any] = []
    async with serving(echoing(seen=seen)) as port:
        for start in (head("Content-Length: 5"), CHUNKED + b"5\r\n"):
            async with connected(port) as client:
                await client.send(start, b"hel")
        await asyncio.sleep(1)  # in virtual time: until there is nothing more to do
        async with connected(port) as client:
            await client.send(head("Content-Length: 5"), b"hello")
            assert (await client.answer()).status == 200
    assert [kind for kind, _ in seen] == [ClientDisconnect] * 2
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]

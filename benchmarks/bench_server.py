"""Measure the server: delay of findings, concurrent reviews of a node, and memory.

The model server is that of ``bench_review``: each finding contains the time at which its last byte
was written. Server, model and readers are separate processes on the same cores. ``--postgres``
starts a Postgres and a second node.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from benchmarks.bench_review import FINDINGS, diff
from tests.support.store_keys import KEY_TEXT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

TOKENS_PER_S = 50
STARTS_PER_S = 10
CHARS_PER_TOKEN = 4
DELTA = 12
STAMP = re.compile(rb'"title":"(\d+)"')
READY = re.compile(rb"at (http://\S+)")
ROOT = Path(__file__).parent.parent


@contextmanager
def model(tokens_per_s: float) -> Iterator[int]:
    """Start the model server, and yield its port."""
    pace = DELTA / CHARS_PER_TOKEN / tokens_per_s
    env = {**os.environ, "BENCH_PACE_S": str(pace), "BENCH_DELTA": str(DELTA)}
    command = [sys.executable, "-m", "benchmarks.bench_review", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, cwd=ROOT) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@contextmanager
def node(folder: str, port: int, *arguments: str) -> Iterator[tuple[str, int]]:
    """Start a server, and yield its URL and process id."""
    env = {
        **os.environ,
        "REVIEWBOT_STATE_DIR": folder,
        "REVIEWBOT_STORE_KEY": KEY_TEXT,
        "ANTHROPIC_API_KEY": "unused",
        "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}",
    }
    config = Path(folder, "config.yml")
    config.write_text("summary: false\n", "utf-8")
    command = [sys.executable, "-m", "reviewbot", "serve", "--port", "0", "--config", str(config)]
    with (
        Path(folder, "log").open("ab") as log,
        subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=log, env=env, cwd=ROOT
        ) as process,
    ):
        assert process.stdout
        try:
            found = READY.search(process.stdout.readline())
            assert found, Path(folder, "log").read_text("utf-8")
            yield found[1].decode(), process.pid
        finally:
            process.kill()


async def call(url: str, head: str, body: bytes = b"") -> tuple[bytes, bytes]:
    """Return head and body of the answer to one HTTP request on a new connection."""
    reader, writer = await opened(url, head, body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", answer)
    found = await reader.readexactly(int(length[1])) if length else b""
    writer.close()
    return answer, found


async def opened(
    url: str, head: str, body: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a connection on which a request was sent."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**22)
    lines = f"{head} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n"
    lines += f"Content-Type: text/x-diff\r\nContent-Length: {len(body)}\r\n"
    if "/events" in head:
        lines += "Accept: text/event-stream\r\n"
    writer.write(lines.encode() + b"\r\n" + body)
    await writer.drain()
    return reader, writer


async def started(url: str, data: bytes, query: str = "") -> str:
    """Start a review and return its path."""
    answer, _ = await call(url, f"POST /v1/reviews{query}", data)
    found = re.search(rb"(?i)location: (\S+)", answer)
    assert found, answer
    return found[1].decode()


async def lags(url: str, path: str) -> list[float]:
    """Return the delay of each finding in ms, from the model's byte to this socket."""
    reader, writer = await opened(url, f"GET {path}/events")
    found: list[float] = []
    while line := await reader.readline():
        if line.startswith(b"data: ") and (stamp := STAMP.search(line)):
            found.append(time.monotonic_ns() / 1e6 - int(stamp[1]) / 1e3)
        if b'"type":"review.finished"' in line:
            assert b'"outcome":"findings"' in line, line
            break
    writer.close()
    return found


def spread(values: list[float]) -> str:
    """Return the median and the 99th percentile."""
    ordered = sorted(values)
    return f"p50 {statistics.median(ordered):>7.2f}  p99 {ordered[int(len(ordered) * 0.99)]:>7.2f}"


async def event_lag(url: str, other: str | None) -> None:
    """Measure 1, 20 and 200 subscribers of one review."""
    print(f"a finding, from the model's byte to the subscriber's socket, ms ({FINDINGS} findings)")
    await lags(url, await started(url, diff(1), "?cache=false"))  # warm
    for where, at in (("same node", url), ("other node", other)):
        if at is None:
            continue
        for count in (1, 20, 200):
            path = await started(url, diff(1), "?title=lag&cache=false")
            found = await asyncio.gather(*(lags(at, path) for _ in range(count)))
            every = [one for each in found for one in each]
            print(f"{where:>12}, {count:>3} subscribers  {spread(every)}")


async def reviews_at_once(url: str) -> None:
    """Measure more and more reviews at 50 tokens a second each, until the delay grows."""
    each = f"each at {TOKENS_PER_S} tokens/s, {STARTS_PER_S} begun a second"
    print(f"reviews at once, {each}; lag in ms")
    for count in (10, 25, 50, 75, 100):
        found = await asyncio.gather(*(followed(url, count, one) for one in range(count)))
        print(f"{count:>12}  {spread([one for each in found for one in each])}", flush=True)


async def followed(url: str, count: int, one: int) -> list[float]:
    """Return the lags of a new review, followed from when it is there; so many begin a second."""
    await asyncio.sleep(one / STARTS_PER_S)
    return await lags(url, await started(url, diff(1), f"?title={count}-{one}&cache=false"))


async def posts(url: str, count: int = 200) -> None:
    """Measure the time from a POST to its 201: planned, stored, queued."""
    data = (ROOT / "fixtures" / "demo.diff").read_bytes()
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        path = await started(url, data, "?model=offline")
        took.append((time.perf_counter() - begun) * 1000)
        await count_events(f"{url}{path}/events", f"{path}/events")  # to the end of the review
    print(f"POST of the demo to 201, ms: {spread(took)}")


async def replays(url: str, bare: str) -> None:
    """Measure events per second for a reader of a finished review, and for plain sse-starlette."""
    path = await started(url, diff(8), "?title=replay&cache=false")
    await lags(url, path)
    rates = []
    for address in (f"{url}{path}/events", bare):
        parts = urlsplit(address)
        best = 0.0
        for _ in range(5):
            begun = time.perf_counter()
            many = [count_events(address, parts.path) for _ in range(20)]
            total = sum(await asyncio.gather(*many))
            best = max(best, total / (time.perf_counter() - begun))
        rates.append(best)
    ours, theirs = rates
    print(
        f"replay, 20 readers at once: {ours:,.0f} events/s, bare sse-starlette {theirs:,.0f}:"
        f" {ours / theirs:.2f}x"
    )


async def count_events(url: str, path: str) -> int:
    """Return the number of events of a stream."""
    reader, writer = await opened(url, f"GET {path}" + ("" if "/events" in path else "?/events"))
    data = await reader.read(-1)
    writer.close()
    return data.count(b"\ndata: ")


def bare_endpoint(port: int) -> None:
    """Serve 400 events of the size of ours with sse-starlette alone."""
    import uvicorn
    from sse_starlette import EventSourceResponse, ServerSentEvent
    from starlette.applications import Starlette
    from starlette.routing import Route

    text = json.dumps({"type": "finding", "text": "x" * 700})

    async def events(_request: Request) -> Response:
        async def body() -> AsyncIterator[ServerSentEvent]:
            for number in range(400):
                yield ServerSentEvent(text, event="finding", id=str(number))

        return EventSourceResponse(body())

    uvicorn.run(Starlette(routes=[Route("/", events)]), port=port, log_level="error")


@contextmanager
def bare() -> Iterator[str]:
    """Start the plain endpoint, and yield its URL."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.bench_server", "--bare", str(port)]
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.kill()


def resident(pid: int) -> int:
    """Return the memory of a process in bytes."""
    (line,) = (
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS")
    )
    return int(line.split()[1]) * 1024


async def open_streams(url: str, pid: int, count: int = 400) -> None:
    """Measure the memory of additional idle streams."""
    path = await started(url, diff(1), "?title=open&cache=false")
    sizes, writers = [], []
    for _ in range(3):
        for _ in range(count):
            reader, writer = await opened(url, f"GET {path}/events")
            await reader.readuntil(b"event: review.started")
            writers.append((reader, writer))
        sizes.append(resident(pid))
    grown = (sizes[-1] - sizes[0]) / (2 * count)
    print(
        f"memory: {sizes[0] / 2**20:.0f} MiB with {count} open streams,"
        f" {grown / 1024:.1f} KiB for each one more"
    )
    for _, writer in writers:
        writer.close()


def start_up(port: int) -> None:
    """Measure the time from the start of a server to its first answer."""
    took = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            with node(folder, port) as (url, _):
                asyncio.run(call(url, "GET /healthz"))
                took.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    python = time.perf_counter() - begun
    print(f"start-up: {min(took):.2f} s, {min(took) / python:.0f}x bare Python")


def measure(url: str, pid: int, other: str | None) -> None:
    """Run all measurements of one server."""
    print(f"memory of an idle server: {resident(pid) / 2**20:.0f} MiB")
    asyncio.run(open_streams(url, pid))
    asyncio.run(event_lag(url, other))
    asyncio.run(posts(url))
    asyncio.run(reviews_at_once(url))
    with bare() as address:
        asyncio.run(replays(url, address))


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="two nodes on a Postgres")
    parser.add_argument("--bare", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        bare_endpoint(options.bare)
        return
    with ExitStack() as stack:
        port = stack.enter_context(model(TOKENS_PER_S))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        start_up(port)
        arguments = ["--reviews-at-once", "200", "--reviews-per-key", "200"]
        other = None
        if options.postgres:
            from tests.server.databases import postgres_url

            arguments += ["--database", postgres_url()]
        url, pid = stack.enter_context(node(folder, port, *arguments))
        if options.postgres:
            second = stack.enter_context(tempfile.TemporaryDirectory())
            other, _ = stack.enter_context(node(second, port, *arguments))
        measure(url, pid, other)


if __name__ == "__main__":
    main()

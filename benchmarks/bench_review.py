"""Measure the delay of findings in the pipeline: ``python -m benchmarks.bench_review``.

A server in a separate process streams answers as the Anthropic API does, at a steady pace. Each
finding contains the time at which its last byte was written, so the time to its event can be
measured. All processes of a machine share the monotonic clock. The server also adds up the seconds
of its answers, for comparison with the whole review, and with the whole command.
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
import time
from contextlib import aclosing, suppress
from itertools import product
from tempfile import TemporaryDirectory
from typing import NamedTuple

DELTA = int(os.environ.get("BENCH_DELTA", "32"))
PACE_S = float(os.environ.get("BENCH_PACE_S", "0.02"))
"""Seconds between deltas of ``DELTA`` characters: by default about 400 tokens a second."""
FINDINGS = 20
FILES = 8


def frame(event: str, **data: object) -> bytes:
    """Return one server-sent event."""
    return f"event: {event}\ndata: {json.dumps({'type': event, **data})}\n\n".encode()


def delta(text: str) -> bytes:
    """Return the next piece of the tool's input."""
    piece = {"type": "input_json_delta", "partial_json": text}
    return frame("content_block_delta", index=0, delta=piece)


def finding(number: int, path: str) -> dict[str, object]:
    """Return a finding on line ``number``. ``title`` will hold the time.

    In ``s*.py``, the finding suggests code.
    """
    letter = chr(97 + number % 26)
    return {
        "path": "PATH",
        "quote": f"line_{number} = {number}",
        "side": "RIGHT",
        "line": number,
        "end_line": number,
        "scenario": f"When {letter * 8} happens, {letter * 9} is wrong.",
        "category": "bug",
        "severity": "warning",
        "confidence": 0.9,
        "message": "Say what to know and what to do, in a sentence or two of ordinary length.",
        "suggestion": f"line_{number} = 0" if path.startswith("s") else None,
        "title": "AT",
    }


async def answer(writer: asyncio.StreamWriter, paths: list[str]) -> None:
    """Send one paced answer with the findings of each path."""
    usage = {"input_tokens": 3000, "output_tokens": 1}
    message: dict[str, object] = {
        "id": "msg",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    block = {"type": "tool_use", "id": "toolu", "name": "report_findings", "input": {}}
    writer.write(frame("message_start", message=message))
    writer.write(frame("content_block_start", index=0, content_block=block))
    writer.write(delta('{"findings": ['))
    for index, (path, number) in enumerate(product(paths, range(1, FINDINGS + 1))):
        text = (", " if index else "") + json.dumps(finding(number, path) | {"path": path})
        head = text[: text.rindex('"AT"')]
        for start in range(0, len(head), DELTA):
            writer.write(delta(head[start : start + DELTA]))
            await writer.drain()
            await asyncio.sleep(PACE_S)
        writer.write(delta(f'"{time.monotonic_ns() // 1000}"}}'))
        await writer.drain()
        await asyncio.sleep(PACE_S)
    writer.write(delta('], "outcome": "complete"}'))
    writer.write(frame("content_block_stop", index=0))
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    writer.write(frame("message_delta", delta=end, usage={"output_tokens": 900}))
    writer.write(frame("message_stop"))
    await writer.drain()


async def serve() -> None:
    """Answer requests until killed; a GET of /took returns the seconds spent in answers."""
    took = 0.0

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal took
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                return
            begun = time.perf_counter()
            if head.startswith(b"GET"):
                body = str(took).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
                continue
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            request = json.loads(await reader.readexactly(length))
            text = request["messages"][-1]["content"][-1]["text"]
            paths = re.findall('^=== file "([^"]*)"', text, re.MULTILINE)
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
            )
            with suppress(ConnectionError):  # the server is stopped in the middle of an answer
                await answer(writer, paths)
            writer.close()
            took += time.perf_counter() - begun
            return

    server = await asyncio.start_server(client, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def diff(files: int, name: str = "f") -> bytes:
    """Return new files whose n-th line is ``line_n = n``."""
    parts = []
    for number in range(files):
        rows = [f"+line_{line} = {line}\n" for line in range(1, FINDINGS + 1)]
        rows += [f"+# padding {line} {'x' * 60}\n" for line in range(260)]
        parts.append(
            f"diff --git a/{name}{number}.py b/{name}{number}.py\nnew file mode 100644\n"
            f"--- /dev/null\n+++ b/{name}{number}.py\n@@ -0,0 +1,{len(rows)} @@\n{''.join(rows)}"
        )
    return "".join(parts).encode()


async def took_so_far(port: int) -> float:
    """Return the seconds that the server spent in answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /took HTTP/1.1\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
    writer.close()
    return float(body)


class Measured(NamedTuple):
    """A review: the delay of each finding in ms, and times in seconds.

    ``server`` is the time of the server in its answers, ``first`` that to the first finding.
    """

    lags: list[float]
    whole: float
    server: float
    first: float


async def measure(
    port: int, files: int, jobs: int, name: str = "f", batch_tokens: int | None = 2_000
) -> Measured:
    """Review new files; by default, each takes a request of its own."""
    from reviewbot.config.settings import load_settings
    from reviewbot.core.events.events import FindingRaised, ReviewFinished
    from reviewbot.pipeline.prepare import prepare
    from reviewbot.pipeline.review import review
    from reviewbot.pipeline.workers import workers

    env = {"ANTHROPIC_API_KEY": "unused", "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}"}
    flags = {"jobs": jobs, "summary": False, "batch_tokens": batch_tokens}
    settings = load_settings(flags=flags, env=env)
    before = await took_so_far(port)
    whole = first = 0.0
    begun = time.perf_counter()
    prepared = prepare(diff(files, name), settings)
    lags: list[float] = []
    async with (
        workers(prepared, settings) as work,
        aclosing(review(prepared.job, work.run_batch, keeps_syntax=work.keeps_syntax)) as events,
    ):
        async for event in events:
            if isinstance(event, FindingRaised):
                assert event.finding.placement.kind == "inline", event
                first = first or time.perf_counter() - begun
                lags.append(time.monotonic_ns() / 1e6 - int(event.finding.title) / 1e3)
            if isinstance(event, ReviewFinished):
                assert event.outcome == "findings", event
                whole = time.perf_counter() - begun
    assert len(lags) == files * FINDINGS, len(lags)
    return Measured(lags, whole, await took_so_far(port) - before, first)


def whole_command(port: int) -> tuple[float, float, float]:
    """Return the seconds of a command, of its end after ``review.finished``, and of the server."""
    with TemporaryDirectory() as folder:
        env = {"ANTHROPIC_API_KEY": "unused", "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}"}
        env |= {"REVIEWBOT_STATE_DIR": folder}
        before = asyncio.run(took_so_far(port))
        begun = time.perf_counter()
        command = (sys.executable, "-m", "reviewbot", "review", "-", "--jobs", "1")
        with subprocess.Popen(
            (*command, "--format", "ndjson", "--no-summary", "--no-verify"),
            env=os.environ | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(diff(2))
            process.stdin.close()
            finished = 0.0
            for line in process.stdout:
                if b'"review.finished"' in line:
                    finished = time.perf_counter()
        ended = time.perf_counter()
        assert finished, "the review did not finish"
        return ended - begun, ended - finished, asyncio.run(took_so_far(port)) - before


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    if parser.parse_args().serve:
        asyncio.run(serve())
        return
    import anthropic  # noqa: F401 - a second of import, which bench_startup is about

    command = [sys.executable, "-m", "benchmarks.bench_review", "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        port = int(server.stdout.readline())
        try:
            asyncio.run(measure(port, 1, 1))  # warm
            print("from the byte that closes a finding to its event, ms")
            for files, jobs, name in ((1, 1, "f"), (FILES, 8, "f"), (1, 1, "s")):
                lags = asyncio.run(measure(port, files, jobs, name)).lags
                cuts = statistics.quantiles(lags, n=100, method="inclusive")
                what = f"{files} answers at once" + ", with suggestions" * (name == "s")
                print(
                    f"  {what}: p50 {statistics.median(lags):.2f}  "
                    f"p99 {cuts[98]:.2f}  max {max(lags):.2f}  ({len(lags)} findings)"
                )
            print("whole review beside the answers of the server alone")
            _, whole, alone, _ = asyncio.run(measure(port, 3, 1))
            print(
                f"  3 answers one after the other: {whole:.2f} s beside {alone:.2f} s: "
                f"+{100 * (whole / alone - 1):.1f} %"
            )
            print(f"first finding of a change of {FILES} files, s, three runs")
            for tokens in (2_000, 12_000, 80_000):
                runs = (asyncio.run(measure(port, FILES, 8, batch_tokens=tokens)) for _ in range(3))
                firsts = "  ".join(f"{run.first:.2f}" for run in runs)
                print(f"  at most {tokens:,} tokens a request: {firsts}")
            print("whole command beside its answer; the goal is 1.1 times")
            for _ in range(3):
                whole, end, alone = whole_command(port)
                print(
                    f"  {whole:.2f} s beside {alone:.2f} s: {whole / alone:.2f} times;"
                    f" ends {end:.2f} s after review.finished"
                )
        finally:
            server.kill()


if __name__ == "__main__":
    main()

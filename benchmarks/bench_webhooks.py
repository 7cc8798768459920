"""Measure the time to the 202 of a webhook delivery, alone and with 200 at once.

Each delivery opens a pull request of one installation. The reviews run at the same time, with the
GitHub and the model of the tests in separate processes. For comparison, the same number of
``GET /healthz`` is measured, which does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from unittest.mock import patch
from urllib.parse import urlsplit

from benchmarks.bench_review import diff
from benchmarks.bench_server import ROOT, TOKENS_PER_S, lags, model, node, spread, started

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ALONE: Final = 20
AT_ONCE: Final = 200
REVIEWS: Final = 25
LIMIT_MS: Final = 1000
WARM_S: Final = 5
"""Seconds after its start in which a server imports what reviews need."""


@dataclass(frozen=True)
class Request:
    """An HTTP request, prepared before it is timed."""

    head: str
    body: bytes = b""

    @classmethod
    def of(cls, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Self:
        """Close the connection after it."""
        lines = {**headers, "connection": "close", "content-length": str(len(body))}
        return cls("\r\n".join([f"{method} {path} HTTP/1.1", *map(": ".join, lines.items())]), body)

    async def send(self, url: str) -> float:
        """Send it on a connection of its own: milliseconds to the status, which is a success."""
        place = urlsplit(url)
        begun = time.perf_counter()
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        writer.write(f"{self.head}\r\nhost: {place.netloc}\r\n\r\n".encode() + self.body)
        status = await reader.readline()
        took = (time.perf_counter() - begun) * 1000
        assert status.startswith(b"HTTP/1.1 2"), status
        writer.close()
        return took


HEALTH: Final = Request.of("GET", "/healthz", {})


async def all_at_once(url: str, requests: Iterable[Request]) -> list[float]:
    """Return the seconds of each request, all started together."""
    return list(await asyncio.gather(*(one.send(url) for one in requests)))


async def burst(label: str, url: str, deliveries: list[Request]) -> bool:
    """Send all at once, and print the times; return whether all were in time."""
    health = await all_at_once(url, [HEALTH] * len(deliveries))
    found = await all_at_once(url, deliveries)
    verdict = "within" if max(found) < LIMIT_MS else "NOT within"
    print(
        f"{len(deliveries)} at once, {label}: {spread(found)}  max {max(found):.0f} ms,"
        f" {verdict} a second; {max(found) / max(health):.1f}x GET /healthz",
        flush=True,
    )
    return max(found) < LIMIT_MS


async def measure(url: str, deliveries: list[Request]) -> bool:
    """Measure requests one by one, all at once, and all at once under load."""
    await asyncio.sleep(WARM_S)
    alone = [await one.send(url) for one in deliveries[:ALONE]]
    print(f"one after the other: {spread(alone)} ms")
    idle = await burst("nothing else to do", url, deliveries[ALONE : ALONE + AT_ONCE])
    others = [asyncio.create_task(review(url, number)) for number in range(REVIEWS)]
    await asyncio.sleep(3)
    assert not any(one.done() for one in others)
    label = f"while {REVIEWS} reviews stream and those before are worked off"
    loaded = await burst(label, url, deliveries[ALONE + AT_ONCE :])
    for one in others:
        one.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    return idle and loaded


async def review(url: str, number: int) -> None:
    """Follow a review of somebody else to its end."""
    await lags(url, await started(url, diff(1), f"?title={number}&cache=false"))


@contextmanager
def github() -> Iterator[tuple[dict[str, str], list[Request]]]:
    """Start the tests' GitHub; yield the environment of a server, and deliveries to send to it."""
    command = [sys.executable, "-m", "benchmarks.bench_webhooks", "--github"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout
        try:
            told = json.loads(process.stdout.readline())
            requests = [
                Request.of("POST", "/webhooks/github", headers, base64.b64decode(body))
                for headers, body in told["deliveries"]
            ]
            yield told["environment"], requests
        finally:
            process.kill()


async def be_github() -> None:
    """Print the address on standard output, and serve until the end."""
    from tests.fake_github import FakeGitHub

    async with FakeGitHub() as fake:
        repository = fake.repository("octo/hello", {"app.py": "x = 0\n"})
        fake.install(repository)
        for number in range(1, ALONE + 2 * AT_ONCE + 1):
            repository.open_pull({"app.py": f"x = {number}\n"}, branch=f"b{number}")
        opened = [
            (one.headers(), base64.b64encode(one.body).decode())
            for one in fake.postman.waiting
            if one.app is fake.app and one.event == "pull_request"
        ]
        environment = {
            "REVIEWBOT_GITHUB_APP_ID": str(fake.app.id),
            "REVIEWBOT_GITHUB_PRIVATE_KEY": fake.app.private_key,
            "REVIEWBOT_GITHUB_WEBHOOK_SECRET": fake.app.webhook_secret,
            "GITHUB_API_URL": fake.url,
        }
        print(json.dumps({"environment": environment, "deliveries": opened}), flush=True)
        await asyncio.Event().wait()


def main() -> int:
    """Parse the arguments, measure, print; 1 if a delivery was not acknowledged in time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="on a Postgres")
    parser.add_argument("--github", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.github:
        asyncio.run(be_github())
        return 0
    arguments = ["--reviews-at-once", str(REVIEWS), "--reviews-per-key", str(REVIEWS)]
    if options.postgres:
        from tests.server.databases import postgres_url

        arguments += ["--database", postgres_url()]
    with ExitStack() as stack:
        port = stack.enter_context(model(TOKENS_PER_S))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        environment, deliveries = stack.enter_context(github())
        stack.enter_context(patch.dict(os.environ, environment))
        url, _ = stack.enter_context(node(folder, port, *arguments))
        return 0 if asyncio.run(measure(url, deliveries)) else 1


if __name__ == "__main__":
    sys.exit(main())

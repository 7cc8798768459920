"""Real ``reviewbot serve`` processes, and what clients of them see."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2 as httpx

from tests.event_schema import assert_valid_event
from tests.fake_anthropic import Answer, Hang
from tests.models.scripted import item
from tests.server.described import assert_described
from tests.support.forks import may_fork, start_fork
from tests.support.reviews import numbered
from tests.support.store_keys import KEY_TEXT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_anthropic.requests import Recorded
    from tests.support.forks import Fork

ROOT: Final = Path(__file__).parents[2]
DEMO: Final = (ROOT / "fixtures" / "demo.diff").read_bytes()
START_S: Final = 90.0


@dataclass
class Node:
    """A server process.

    ``settings`` is the text of its configuration file; ``environment`` adds to a clean one.
    """

    folder: Path
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of each request, such as a key."""
    cold: bool = False
    """Start it as ``python -m reviewbot``, for tests of the start. Others fork a loaded process."""
    linters: bool = False
    """Run linters. A process that is not forked always does."""
    code: Mapping[str, str] = field(default_factory=dict)
    """Texts by path that every review looks up. Only a fork can."""
    process: asyncio.subprocess.Process | Fork | None = None

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def command(self) -> tuple[list[str], dict[str, str]]:
        """Return its command and its whole environment; its configuration file is written."""
        config = self.folder / "config.yml"
        config.write_text(self.settings, "utf-8")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "REVIEWBOT_STATE_DIR": str(self.folder),
            "PYTHONPATH": str(ROOT),
            **self.environment,
        }
        if any("postgresql://" in one for one in (*self.arguments, *environment.values())):
            environment.setdefault("REVIEWBOT_STORE_KEY", KEY_TEXT)
        serve = [sys.executable, "-m", "reviewbot", "serve", "--port", "0"]
        return [*serve, "--config", str(config), *self.arguments], environment

    async def start(self) -> None:
        """Start it, and wait until it says where it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command, environment = self.command()
        with (self.folder / "log").open("ab") as log:
            if self.cold or not may_fork(environment):
                assert not self.code
                self.process = await asyncio.create_subprocess_exec(
                    *command,
                    env=environment,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    cwd=self.folder,
                )
            else:
                self.process = await start_fork(
                    command[3:],
                    environment=environment,
                    folder=self.folder,
                    log=log,
                    linters=self.linters,
                    code=self.code,
                )
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), START_S)
        if b" at http" not in line:
            await self.process.wait()
            self.process = None
            raise AssertionError(f"it did not start: {line!r}\n{self.log}")
        self.url = line.split(b" at ")[1].split()[0].decode()

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """End it as a deploy does; its exit code."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        if self.process.returncode is None:
            self.process.send_signal(number)
        code = await asyncio.wait_for(self.process.wait(), START_S)
        self.process = None
        return code

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=self.url,
            timeout=30,
            headers={**self.headers, **headers},
            trust_env=False,
            event_hooks={"response": [assert_described]},
        )


@asynccontextmanager
async def node(
    folder: Path,
    *arguments: str,
    fake: FakeAnthropic | None = None,
    settings: str = "",
    cold: bool = False,
    **environment: str,
) -> AsyncIterator[Node]:
    """A started node; Claude is ``fake``, and without it the offline rules review."""
    if fake is not None:
        environment = {
            "ANTHROPIC_API_KEY": fake.key,
            "ANTHROPIC_BASE_URL": fake.base_url,
        } | environment
    one = Node(folder, arguments, environment, settings, cold=cold)
    await one.start()
    try:
        yield one
    finally:
        await one.kill()


async def post(one: Node, diff: bytes = DEMO, **query: str) -> str:
    """Start a review; its id."""
    async with one.client() as client:
        answer = await client.post(
            "/v1/reviews", content=diff, params=query, headers={"Content-Type": "text/x-diff"}
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


async def get(one: Node, review_id: str) -> dict[str, Any]:
    """The review as the API shows it."""
    async with one.client() as client:
        answer = await client.get(f"/v1/reviews/{review_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def parsed(text: str) -> list[dict[str, Any]]:
    """The records of server-sent events, each checked against what its lines say."""
    records = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "data" in lines:
            one = json.loads(lines["data"])
            assert (lines["event"], lines["id"]) == (one["type"], str(one["seq"]))
            records.append(one)
    return records


async def follow(
    one: Node,
    review_id: str,
    after: int = 0,
    *,
    until: str | None = None,
    secret: str | None = None,
) -> list[dict[str, Any]]:
    """The events after ``after``: to the end of the stream, or to the first of type ``until``."""
    found: list[dict[str, Any]] = []
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
    if secret is not None:
        headers["Authorization"] = f"Bearer {secret}"
    async with (
        one.client() as client,
        client.stream("GET", f"/v1/reviews/{review_id}/events", headers=headers) as answer,
    ):
        if answer.status_code == 204:
            return []
        assert answer.status_code == 200
        text = ""
        async for piece in answer.aiter_text():
            text += piece
            *whole, text = text.split("\n\n")
            found += parsed("\n\n".join(whole) + "\n\n")
            if until and any(event["type"] == until for event in found):
                break
    return found


async def read_until_it_breaks(server: Node, review_id: str, seen: list[dict[str, Any]]) -> None:
    """Add what a subscriber gets who comes back with its last id, while the server is there."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(len(seen))}
    text = ""
    try:
        async with (
            server.client() as client,
            client.stream("GET", f"/v1/reviews/{review_id}/events", headers=headers) as response,
        ):
            async for piece in response.aiter_text():
                text += piece
                *whole, text = text.split("\n\n")
                seen += parsed("\n\n".join(whole) + "\n\n")
    except httpx.HTTPError:
        pass


async def until(condition: Callable[[], bool]) -> None:
    """Return once ``condition`` holds, which something outside of this process brings about."""
    while not condition():  # noqa: ASYNC110 - nothing here could set an event
        await asyncio.sleep(0.01)


async def until_state(one: Node, review_id: str, *states: str) -> dict[str, Any]:
    """The review once it is in one of ``states``."""
    async with asyncio.timeout(START_S):
        while True:
            found = await get(one, review_id)
            if found["state"] in states:
                return found
            await asyncio.sleep(0.02)


def assert_whole(records: list[dict[str, Any]]) -> None:
    """A complete stream: numbered without a gap, no finding told twice, one end."""
    assert [one["seq"] for one in records] == list(range(1, len(records) + 1))
    for one in records:
        assert_valid_event(one)
    kinds = [one["type"] for one in records]
    assert kinds.count("review.started") == kinds.count("review.finished") == 1
    assert kinds[0] == "review.started"
    assert kinds[-1] == "review.finished"
    standing: set[str] = set()
    for one in records:
        if one["type"] == "finding":
            assert one["finding"]["id"] not in standing, "a finding was shown twice"
            standing.add(one["finding"]["id"])
        elif one["type"] == "finding.withdrawn":
            standing.remove(one["id"])
    ended = [one["chunk"] for one in records if one["type"] == "chunk.finished"]
    assert len(ended) == len(set(ended)), "the end of a chunk was told twice"


APART: Final = "batch_tokens: 2000\nchunk_tokens: 12000\nsummary: false\njobs: 2\n"
"""Settings under which each file of :func:`long_diff` is a batch of its own."""


def long_diff(files: int) -> bytes:
    """A diff of that many files, ``file_0.py`` and so on."""
    return "".join(numbered(f"file_{number}.py", 160) for number in range(files)).encode()


def file_of(request: Recorded) -> str:
    """The file of :func:`long_diff` that a request asks about."""
    (name,) = re.findall(r'^=== file "(file_\d+\.py)"', request.text, re.MULTILINE)
    return str(name)


def findings_for(path: str) -> list[dict[str, Any]]:
    """Three findings in a file of :func:`long_diff`, of their own words."""
    return [
        item(line, path=path, title=f"{path} {line}", scenario=f"line {line} of {path} breaks")
        for line in (1, 40, 160)
    ]


def endless_answer(request: Recorded) -> Answer:
    """The findings of a file, in an answer that never ends."""
    return Answer(
        findings_for(file_of(request)),
        delta_size=None,
        message_stop=False,
        cut_at=sys.maxsize,
        cut=Hang(),
    )

"""A review by a server on this terminal: whole whatever the line does, and cancelled when asked."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import SecretText
from reviewbot.config.variables import SERVER_KEY
from reviewbot.errors import ConfigError, SourceError
from reviewbot.pipeline import remote
from reviewbot.pipeline.job import StopSignal
from reviewbot.pipeline.remote import RemoteRequest, RemoteServer
from reviewbot.store import keys
from reviewbot.store.database import open_database
from reviewbot.store.keys import Limits
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.server.nodes import (
    APART,
    DEMO,
    ROOT,
    Node,
    file_of,
    findings_for,
    long_diff,
    node,
    until,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from reviewbot.core.events.events import Event


@asynccontextmanager
async def bad_line(one: Node, cuts: list[int]) -> AsyncIterator[str]:
    """An address at which ``one`` is reached; each connection is cut after so many bytes."""
    host, _, port = one.url.removeprefix("http://").partition(":")
    tasks: set[asyncio.Task[None]] = set()

    async def pump(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None
    ) -> None:
        while data := await reader.read(256):
            if left is not None:
                data, left = data[:left], left - len(data)
            writer.write(data)
            await writer.drain()
            if left is not None and left <= 0:
                break
        writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(host, int(port))
        left = cuts.pop(0) if cuts else None
        both = [
            asyncio.create_task(pump(reader, back, None)),
            asyncio.create_task(pump(there, writer, left)),
        ]
        tasks.update(both)
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        await asyncio.gather(*both, return_exceptions=True)
        back.transport.abort()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def reviewed(url: str, diff: bytes = DEMO, **options: Any) -> list[Event]:
    request = RemoteRequest(diff, options=options)
    async with aclosing(RemoteServer(url).review(request, StopSignal())) as events:
        return [event async for event in events]


def told(events: list[Event]) -> list[str]:
    """What came, but for how often it was said how far the review is."""
    return [event.type for event in events if event.type != "review.progress"]


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES_S", (0.05,) * 400)


@pytest.mark.slow
@pytest.mark.usefixtures("no_pauses")
async def test_a_line_that_breaks_again_and_again_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    async with node(tmp_path) as one:
        whole = told(await reviewed(one.url))
        # Within the head, within the first event, within later ones; each with progress.
        async with bad_line(one, [40, 900, 2500, 1800, 3000]) as url:
            assert told(await reviewed(url)) == whole
        async with one.client() as client:
            assert len((await client.get("/v1/reviews")).json()["reviews"]) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("no_pauses")
async def test_a_server_that_restarts_is_a_pause(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(
            lambda request: Answer(findings_for(file_of(request)), delta_size=40, pace=0.02)
        ) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        seen: list[Event] = []

        async def read(url: str) -> None:
            events = RemoteServer(url).review(RemoteRequest(long_diff(2)), StopSignal())
            async with aclosing(events):
                async for event in events:
                    seen.append(event)  # noqa: PERF401 - it is looked at meanwhile

        port = one.url.rpartition(":")[2]
        one.arguments = (*one.arguments, "--port", port)
        reading = asyncio.create_task(read(one.url))
        await until(lambda: any(event.type == "finding" for event in seen))
        await one.kill()
        await one.start()
        await reading
        assert [event.type for event in seen].count("finding") == 6
        assert seen[-1].type == "review.finished"


@pytest.mark.slow
async def test_stopping_cancels_on_the_server_and_still_tells_the_end(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        stop = StopSignal()
        seen: list[Event] = []
        async with aclosing(
            RemoteServer(one.url).review(RemoteRequest(long_diff(1)), stop)
        ) as events:
            async for event in events:
                seen.append(event)
                if event.type == "chunk.started":
                    stop.stop("cancelled")
        assert seen[-1].type == "review.finished"
        assert seen[-1].outcome == "cancelled"
        await until(lambda: all(request.ended for request in fake.requests))


async def test_what_the_server_refuses_is_a_sentence(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        with pytest.raises(SourceError, match="no diff in this input"):
            await reviewed(one.url, b"hello")
        with pytest.raises(SourceError, match=r"options\.colour"):
            await reviewed(one.url, colour="blue")


async def test_a_server_that_is_not_there_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PAUSES_S", (0.0,) * 3)
    with pytest.raises(SourceError, match=r"cannot reach http://127\.0\.0\.1:1"):
        await reviewed("http://127.0.0.1:1")


@asynccontextmanager
async def answering(*lines: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers all alike, with an empty stream; and the requests that it gets."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        head = ["HTTP/1.1 200 OK", "Content-Type: text/event-stream", "Connection: close", *lines]
        writer.write("\r\n".join([*head, "", ""]).encode())
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


@pytest.mark.parametrize(
    "path",
    [
        "{other}/v1/reviews/0199c3a2f4d57e0b9a6e3d1c5b7f2a48",
        "//{host}/v1/reviews/0199c3a2f4d57e0b9a6e3d1c5b7f2a48",
        "/v1/reviews/0199c3a2f4d57e0b9a6e3d1c5b7f2a48@{host}",
        "/v1/reviews/../../other",
        "/v1/reviews/0199c3a2f4d57e0b9a6e3d1c5b7f2a48/",
        "",
    ],
)
async def test_a_review_is_at_the_server_that_was_asked_and_the_key_goes_nowhere_else(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PAUSES_S", (0.0,) * 3)
    async with answering() as (other, elsewhere):
        location = path.format(other=other, host=other.removeprefix("http://"))
        lines = [f"Location: {location}"] if location else []
        async with answering(*lines) as (url, asked):
            events = RemoteServer(url, SecretText("rb_secret")).review(
                RemoteRequest(DEMO), StopSignal()
            )
            with pytest.raises(SourceError, match="did not return the address of the review"):
                await anext(events)
            assert len(asked) == 1
        assert elsewhere == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("localhost:8000", "http or https address"),
        ("http://user:pw@host", "http or https address"),
        ("http://reviews.example.com", "unencrypted"),
    ],
)
def test_an_address_that_is_none_or_would_show_the_key_is_refused(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        RemoteServer(url, SecretText("rb_x"))


async def command(one: Node, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
    """``reviewbot review`` against ``one``."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "reviewbot", "review", "--server", one.url, *arguments),
        cwd=one.folder,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(one.folder)}
        | environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.slow
async def test_the_command_shows_it_as_one_of_its_own_with_the_same_exit_code(
    tmp_path: Path,
) -> None:
    async with node(tmp_path) as one:
        process = await command(one, "-")
        out, err = await process.communicate(DEMO)
        assert process.returncode == 1, err
        assert "--> shop/orders.py:46" in out.decode()
        assert "> 46 | +             del orders[order_id]" in out.decode()
        (one.folder / ".env").write_text("REVIEWBOT_STATE_DIR=planted\n")
        process = await command(one, "-", "--format", "ndjson", "--fail-on", "never")
        out, err = await process.communicate(DEMO)
        assert process.returncode == 0, err
        records = [json.loads(line) for line in out.splitlines()]
        assert records[-1]["outcome"] == "findings"
        said = "REVIEWBOT_STATE_DIR in .env is ignored: set it in the environment."
        assert records[0]["notices"][0] == said


@pytest.mark.slow
async def test_a_missing_key_is_named_and_one_that_is_set_is_sent(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")
    with database.engine.begin() as connection:
        _, secret = keys.add(connection, "me", Limits())
    database.engine.dispose()
    async with node(tmp_path, "--require-keys") as one:
        process = await command(one, "-")
        out, err = await process.communicate(DEMO)
        assert process.returncode == 2
        assert SERVER_KEY in err.decode()
        assert out == b""
        process = await command(one, "-", **{SERVER_KEY: secret})
        out, err = await process.communicate(DEMO)
        assert process.returncode == 1, err
        assert secret not in (out + err).decode()


@pytest.mark.slow
async def test_ctrl_c_cancels_the_review_on_the_server(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        process = await command(one, "-", "--format", "ndjson")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(long_diff(1))
        process.stdin.close()
        while b"chunk.started" not in await process.stdout.readline():
            pass
        process.send_signal(signal.SIGINT)
        out = await process.stdout.read()
        assert await process.wait() == 130
        assert json.loads(out.splitlines()[-1])["outcome"] == "cancelled"
        await until(lambda: all(request.ended for request in fake.requests))

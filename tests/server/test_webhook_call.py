"""``POST /webhooks/github``: GitHub alone is believed, and told yes only for what is stored."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from reviewbot.config.settings import SecretText
from reviewbot.github.app.manifest import WEBHOOK_PATH as PATH
from reviewbot.server.faults import HANDLERS
from reviewbot.server.github import webhook as github_calls
from reviewbot.server.github.webhook import (
    BODY_LIMIT,
    LARGE,
    LARGE_AT_ONCE,
    PATIENCE_S,
    webhook_routes,
)
from reviewbot.server.http.guard import Guard, GuardMiddleware
from reviewbot.store import deliveries
from reviewbot.store.connect import psycopg_url
from reviewbot.store.database import Database, StoreHooks
from reviewbot.store.tables import DELIVERIES
from tests.server import connected, serving
from tests.server.webhooks import (
    SECRET,
    Handler,
    inbox,
    opened,
    pull_request,
    real,
    signed,
    state_of,
    until,
    until_state,
    working,
)
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

    from reviewbot.github.app.inbox import Inbox
    from tests.server import Client

BODY = pull_request()
EVENT = "pull_request"
HEADERS = signed(BODY, "d1", EVENT)


def app_of(one: Inbox | None, secrets: Sequence[str] = (SECRET,)) -> Starlette:
    known = [SecretText(secret) for secret in secrets]
    routes = webhook_routes(lambda: None if one is None else (one, known))
    return Starlette(routes=routes, exception_handlers=HANDLERS)


def client_of(app: ASGIApp, host: str = "localhost") -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url=f"http://{host}")


@asynccontextmanager
async def called(
    url: str, secrets: Sequence[str] = (SECRET,)
) -> AsyncGenerator[tuple[httpx2.AsyncClient, Database]]:
    """A client of the call, whose inbox is not at work, and its database."""
    async with (
        opened(url) as store,
        client_of(app_of(inbox(store), secrets)) as client,
    ):
        yield client, store


async def stored(database: Database) -> list[str]:
    statement = sa.select(DELIVERIES.c.id).order_by(DELIVERIES.c.id)
    return await database.read(lambda connection: list(connection.scalars(statement)))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'reviewbot.db'}"


def without(headers: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in names}


# --- What GitHub sends


async def test_a_delivery_is_taken_and_worked_off(database: str) -> None:
    async with opened(database) as store:
        handler = Handler()
        async with working(inbox(store, handler)) as one, client_of(app_of(one)) as client:
            answer = await client.post(PATH, content=BODY, headers=HEADERS)
            assert (answer.status_code, answer.content) == (202, b"")
            await until_state(store, "done", "d1")
    (task,) = handler.tasks
    assert task.delivery == "d1"


async def test_every_real_payload_is_taken(url: str) -> None:
    async with called(url) as (client, store):
        for number, (event, payload) in enumerate(real()):
            body = json.dumps(payload).encode()
            headers = signed(body, f"d{number}", event)
            answer = await client.post(PATH, content=body, headers=headers)
            assert answer.status_code == 202, (event, answer.text)
        ids = [f"d{number}" for number in range(len(real()))]
        states = await store.read(partial(deliveries.states, ids=ids))
    assert len(states) == len(real()) == 404
    assert sum(state == "waiting" for state in states.values()) > 10
    assert set(states.values()) == {"waiting", "done"}


async def test_a_repeat_is_acknowledged_and_does_nothing(url: str) -> None:
    async with called(url) as (client, store):
        for _ in range(3):
            answer = await client.post(PATH, content=BODY, headers=HEADERS)
            assert answer.status_code == 202
        assert await stored(store) == ["d1"]


async def test_it_needs_no_key_and_passes_the_guard_under_the_servers_name(url: str) -> None:
    async with opened(url) as store:
        for host, allowed, loopback in (
            ("bot.example", (), False),
            ("bot.example", ("bot.example",), False),
            ("bot.example:8443", ("bot.example",), False),
            ("tunnel.example", (), True),
            ("tunnel.example", ("bot.example",), False),
        ):
            guard = Guard(loopback=loopback, allowed_hosts=allowed)
            async with client_of(GuardMiddleware(app_of(inbox(store)), guard), host) as client:
                answer = await client.post(PATH, content=BODY, headers=HEADERS)
                assert answer.status_code == 202, (host, allowed)


# --- What others send


def unsigned() -> dict[str, dict[str, str]]:
    other = signed(BODY, "d1", EVENT, "another secret")["x-hub-signature-256"]
    rest = without(HEADERS, "x-hub-signature-256")
    good = HEADERS["x-hub-signature-256"]
    return {
        "none": rest,
        "empty": rest | {"x-hub-signature-256": ""},
        "another secret": rest | {"x-hub-signature-256": other},
        "another body": signed(b"{}", "d1", EVENT),
        "SHA-1": rest | {"x-hub-signature": good, "x-hub-signature-256": good.replace("256", "1")},
        "cut": rest | {"x-hub-signature-256": good[:-1]},
        "no other header": {"x-hub-signature-256": other},
    }


@pytest.mark.parametrize("kind", unsigned())
async def test_what_is_not_signed_is_refused_in_the_same_words_and_not_stored(
    url: str, kind: str
) -> None:
    async with called(url) as (client, store):
        answer = await client.post(PATH, content=BODY, headers=unsigned()[kind])
        assert await stored(store) == []
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'X-Hub-Signature-256 realm="reviewbot"'
    assert answer.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "This delivery does not bear the signature of this server's webhook secret.",
    }


async def test_two_signatures_are_none(url: str) -> None:
    async with called(url) as (client, store):
        headers = [*HEADERS.items(), ("x-hub-signature-256", HEADERS["x-hub-signature-256"])]
        answer = await client.post(PATH, content=BODY, headers=headers)
        assert answer.status_code == 401
        assert await stored(store) == []


async def test_the_signature_is_looked_at_before_anything_else_that_was_sent(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with a delivery is told to GitHub alone."""
    wrong = {"x-github-event": "?", "x-github-delivery": "?", "content-type": "text/plain"}
    async with called(url) as (client, _):
        refused = await client.post(
            PATH, content=BODY, headers=signed(BODY, "d1", EVENT, "x") | wrong
        )
        told = await client.post(PATH, content=BODY, headers=HEADERS | wrong)

        def read(*_: object) -> None:
            raise AssertionError

        monkeypatch.setattr("reviewbot.github.app.inbox.read", read)
        unread = await client.post(PATH, content=BODY, headers=signed(BODY, "d1", EVENT, "x"))
    assert (refused.status_code, told.status_code, unread.status_code) == (401, 415, 401)


async def test_while_the_secret_is_changed_both_are_believed(url: str) -> None:
    async with called(url, ("old", "new")) as (client, store):
        statuses = []
        for secret in ("old", "new", "other", SECRET):
            headers = signed(BODY, secret.replace("'", "").replace(" ", ""), EVENT, secret)
            answer = await client.post(PATH, content=BODY, headers=headers)
            statuses.append(answer.status_code)
        assert statuses == [202, 202, 401, 401]
        assert await stored(store) == ["new", "old"]


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
async def test_nobody_is_believed_without_a_secret_and_the_answer_says_what_to_set(
    url: str, secrets: Sequence[str]
) -> None:
    async with called(url, secrets) as (client, store):
        answer = await client.post(PATH, content=BODY, headers=signed(BODY, "d1", EVENT, ""))
        assert await stored(store) == []
    assert answer.status_code == 403
    assert "REVIEWBOT_GITHUB_WEBHOOK_SECRET" in answer.json()["detail"]


async def test_a_server_takes_nothing_before_it_has_an_app_and_all_from_then_on(url: str) -> None:
    async with opened(url) as store:
        known: list[tuple[Inbox, list[SecretText]]] = []
        routes = webhook_routes(lambda: known[0] if known else None)
        async with client_of(Starlette(routes=routes, exception_handlers=HANDLERS)) as client:
            before = await client.post(PATH, content=BODY, headers=HEADERS)
            known.append((inbox(store), [SecretText(SECRET)]))
            after = await client.post(PATH, content=BODY, headers=HEADERS)
    assert (before.status_code, after.status_code) == (403, 202)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
async def test_another_method_is_told_which_one_it_takes(method: str) -> None:
    """Also where all other paths are those of the page."""
    page = Route("/{path:path}", lambda _: Response("page"), methods=["GET"])
    app = Starlette(routes=[*webhook_routes(lambda: None), page], exception_handlers=HANDLERS)
    async with client_of(app) as client:
        answer = await client.request(method, PATH)
        assert (await client.get("/")).text == "page"
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("changes", "status", "names"),
    [
        ({"x-github-event": ""}, 400, "X-GitHub-Event"),
        ({"x-github-event": "Pull Request"}, 400, "X-GitHub-Event"),
        ({"x-github-event": "x" * 51}, 400, "X-GitHub-Event"),
        ({"x-github-delivery": ""}, 400, "X-GitHub-Delivery"),
        ({"x-github-delivery": "d 1"}, 400, "X-GitHub-Delivery"),
        ({"x-github-delivery": "d" * 65}, 400, "X-GitHub-Delivery"),
        ({"content-type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    ],
)
async def test_what_is_signed_and_odd_is_refused_with_the_sentence_that_helps(
    url: str, changes: dict[str, str], status: int, names: str
) -> None:
    async with called(url) as (client, store):
        answer = await client.post(PATH, content=BODY, headers=HEADERS | changes)
        assert answer.status_code == status
        assert names in answer.json()["detail"]
        assert await stored(store) == []


# --- Bodies


async def test_a_compressed_body_is_refused_since_its_bytes_are_not_those_that_are_signed(
    url: str,
) -> None:
    async with called(url) as (client, store):
        packed = gzip.compress(BODY)
        for body in (packed, BODY):
            headers = signed(body, "d1", EVENT) | {"content-encoding": "gzip"}
            answer = await client.post(PATH, content=body, headers=headers)
            assert answer.status_code == 415
            assert answer.headers["accept-encoding"] == "identity"
        assert await stored(store) == []


async def test_a_body_as_large_as_githubs_largest_is_taken(url: str) -> None:
    body = pull_request(body="x" * (BODY_LIMIT - len(BODY) - 1000))
    assert BODY_LIMIT - 10_000 < len(body) <= BODY_LIMIT
    async with called(url) as (client, store):
        answer = await client.post(PATH, content=body, headers=signed(body, "d1", EVENT))
        assert answer.status_code == 202
        assert await state_of(store, "d1") == "waiting"


async def test_a_larger_body_is_refused_before_it_is_read(url: str) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{head}"
    async with opened(url) as store, serving(app_of(inbox(store))) as port:
        async with connected(port) as client:
            await client.send(f"{head}Content-Length: {BODY_LIMIT + 1}\r\n\r\n".encode())
            answer = await client.answer()
            assert (answer.status, answer.headers["connection"]) == (413, "close")
        async with connected(port) as client:
            await client.send(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            piece = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
            for _ in range(26):
                await client.send(piece)
            answer = await client.answer()
            assert answer.status == 413
        assert await stored(store) == []


@in_virtual_time
async def test_a_sender_that_stops_is_given_up_when_github_would_have(tmp_path: Path) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    async with (
        opened(f"sqlite:///{tmp_path / 'x.db'}") as store,
        serving(app_of(inbox(store))) as port,
        connected(port) as client,
    ):
        began = asyncio.get_running_loop().time()
        await client.send(
            f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: 9\r\n\r\nx".encode()
        )
        answer = await client.answer()
        assert answer.status == 408
        assert asyncio.get_running_loop().time() - began == pytest.approx(10, abs=0.1)


class Held:
    """The part of a database that an inbox writes to; it holds writes back until it may go on."""

    def __init__(self, database: Database) -> None:
        self.write_through, self.go_on, self.waiting = database.write, asyncio.Event(), 0
        database.write = self.write  # type: ignore[method-assign]

    async def write(self, change: Any, *, tenant: str = "") -> Any:
        self.waiting += 1
        await self.go_on.wait()
        self.waiting -= 1
        return await self.write_through(change, tenant=tenant)


async def test_strangers_who_say_that_much_will_come_hold_up_nobody(url: str) -> None:
    """Whether they say how much, or not, and then send next to nothing."""
    said = [
        f"Content-Length: {BODY_LIMIT}\r\n\r\nx",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(url))
        port = await stack.enter_async_context(serving(app_of(inbox(store))))
        for number in range(3 * LARGE_AT_ONCE):
            stranger = await stack.enter_async_context(connected(port))
            sent = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{head}{said[number % 2]}"
            await stranger.send(sent.encode())
        body = pull_request(body="x" * LARGE)
        signature = "".join(
            f"{name}: {value}\r\n" for name, value in signed(body, "large", EVENT).items()
        )
        async with connected(port) as client, asyncio.timeout(PATIENCE_S / 2):
            await client.send(
                f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{signature}"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
            )
            await client.send(body)
            assert (await client.answer()).status == 202


@in_virtual_time
async def test_a_large_body_that_finds_no_room_is_refused_when_github_would_have_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_calls, "LARGE_AT_ONCE", 0)
    body = pull_request(body="x" * LARGE)
    async with called(f"sqlite:///{tmp_path / 'x.db'}") as (client, store):
        began = asyncio.get_running_loop().time()
        answer = await client.post(PATH, content=body, headers=signed(body, "d1", EVENT))
        assert asyncio.get_running_loop().time() - began == pytest.approx(PATIENCE_S, abs=1.0)
        assert answer.status_code == 503
        assert "have this one sent again" in answer.json()["detail"]
        assert answer.headers["retry-after"]
        assert await stored(store) == []


async def test_few_large_bodies_are_held_at_once_and_small_ones_pass_them(url: str) -> None:
    body = pull_request(body="x" * LARGE)
    async with called(url) as (client, store):
        held = Held(store)
        sending = [
            asyncio.create_task(
                client.post(PATH, content=body, headers=signed(body, f"large{number}", EVENT))
            )
            for number in range(3 * LARGE_AT_ONCE)
        ]
        await until(lambda: held.waiting == LARGE_AT_ONCE)
        small = [
            asyncio.create_task(
                client.post(PATH, content=BODY, headers=signed(BODY, f"small{number}", EVENT))
            )
            for number in range(50)
        ]
        await until(lambda: held.waiting == LARGE_AT_ONCE + 50)
        held.go_on.set()
        answers = await asyncio.gather(*sending, *small)
        assert {answer.status_code for answer in answers} == {202}
        assert len(await stored(store)) == 3 * LARGE_AT_ONCE + 50


async def begun(stack: AsyncExitStack, port: int, announced: int, sent: int) -> Client:
    """A delivery of which ``sent`` bytes come."""
    client = await stack.enter_async_context(connected(port))
    head = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\n{head}Content-Length: {announced}\r\n\r\n"
    await client.send(head.encode(), bytes(sent))
    return client


async def test_small_unfinished_bodies_are_bounded_by_the_bytes_that_came(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_calls, "IN_FLIGHT", 10 * len(BODY))
    part = len(BODY) - 1
    async with (
        opened(url) as store,
        serving(app_of(inbox(store))) as port,
        AsyncExitStack() as stack,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as github,
    ):
        for _ in range(100):
            await begun(stack, port, BODY_LIMIT, 1)
        assert (await github.post(PATH, content=BODY, headers=HEADERS)).status_code == 202
        clients = [await begun(stack, port, len(BODY), part) for _ in range(20)]
        answers = [asyncio.create_task(client.answer()) for client in clients]
        await until(lambda: sum(answer.done() for answer in answers) >= 10)
        answer = await github.post(PATH, content=BODY, headers=HEADERS)
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        refused = [one.result() for one in answers if one.done()]
        assert {one.status for one in refused} == {503}
        assert {one.headers["connection"] for one in refused} == {"close"}
        for one in answers:
            one.cancel()
        await stack.aclose()
        async with asyncio.timeout(10):
            while answer.status_code == 503:
                answer = await github.post(PATH, content=BODY, headers=HEADERS)
        assert answer.status_code == 202


# --- Stored, or not


async def test_the_answer_comes_after_it_is_stored_and_not_before(url: str) -> None:
    async with called(url) as (client, store):
        held = Held(store)
        sending = asyncio.create_task(client.post(PATH, content=BODY, headers=HEADERS))
        await until(lambda: held.waiting == 1)
        done, _ = await asyncio.wait([sending], timeout=0.05)
        assert not done
        assert await stored(store) == []
        held.go_on.set()
        assert (await sending).status_code == 202
        assert await stored(store) == ["d1"]


def kill(url: str) -> None:
    """Take the database away."""
    address = psycopg_url(url)
    if address.drivername.startswith("sqlite"):
        engine = sa.create_engine(address)
        with engine.begin() as connection:
            DELIVERIES.drop(connection)
    else:
        engine = sa.create_engine(address.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with engine.begin() as connection:
            connection.execute(sa.text(f"DROP DATABASE {address.database} WITH (FORCE)"))
    engine.dispose()


async def test_without_its_database_it_says_so_and_when_to_send_it_again(database: str) -> None:
    async with called(database) as (client, _):
        kill(database)
        answer = await client.post(PATH, content=BODY, headers=HEADERS)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0


@in_virtual_time
async def test_a_database_that_does_not_answer_is_told_of_before_github_gives_up(
    tmp_path: Path,
) -> None:
    async with called(f"sqlite:///{tmp_path / 'x.db'}") as (client, store):
        Held(store)
        began = asyncio.get_running_loop().time()
        answer = await client.post(PATH, content=BODY, headers=HEADERS)
        took = asyncio.get_running_loop().time() - began
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert took == github_calls.STORED_IN_S < 10


async def test_many_at_once_share_commits_and_none_waits_for_all_others(url: str) -> None:
    async with called(url) as (client, store):
        commits: list[int] = []
        store.hooks = StoreHooks(committed=lambda writes, _failed, _seconds: commits.append(writes))

        async def send(name: str, number: int) -> None:
            body = pull_request(number=number + 1)
            headers = signed(body, f"{name}{number}", EVENT)
            answer = await client.post(PATH, content=body, headers=headers)
            assert answer.status_code == 202

        for number in range(20):
            await send("alone", number)
        assert commits == [1] * 20
        commits.clear()
        await asyncio.gather(*(send("burst", number) for number in range(200)))
        assert len(await stored(store)) == 220
    assert sum(commits) == 200
    assert len(commits) < 200 / 4  # one after the other, the last would have waited for 200

"""``POST /webhooks/github``: only signed deliveries are accepted."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from reviewbot.config.settings import SecretText
from reviewbot.github.app.manifest import WEBHOOK_PATH as PATH
from reviewbot.server.faults import HANDLERS
from reviewbot.server.github import webhook as github_calls
from reviewbot.server.github.webhook import webhook_routes
from reviewbot.server.http.guard import Guard, GuardMiddleware
from reviewbot.store import deliveries
from reviewbot.store.connect import psycopg_url
from reviewbot.store.database import StoreHooks
from reviewbot.store.tables import DELIVERIES
from tests.server.webhooks import (
    SECRET,
    Handler,
    inbox,
    opened,
    pull_request,
    real,
    signed,
    until,
    until_state,
    working,
)
from tests.support.webhook_calls import (
    BODY,
    EVENT,
    HEADERS,
    Held,
    app_of,
    called,
    client_of,
    stored,
)
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reviewbot.github.app.inbox import Inbox


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
        "detail": "This delivery is not signed with the webhook secret of this server.",
    }


async def test_two_signatures_are_refused(url: str) -> None:
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


async def test_during_a_rotation_both_secrets_are_accepted(url: str) -> None:
    async with called(url, ("old", "new")) as (client, store):
        statuses = []
        for secret in ("old", "new", "other", SECRET):
            headers = signed(BODY, secret.replace("'", "").replace(" ", ""), EVENT, secret)
            answer = await client.post(PATH, content=BODY, headers=headers)
            statuses.append(answer.status_code)
        assert statuses == [202, 202, 401, 401]
        assert await stored(store) == ["new", "old"]


@pytest.mark.parametrize("secrets", [[], [""], ["", ""]])
async def test_without_a_secret_every_delivery_is_refused_with_what_to_set(
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

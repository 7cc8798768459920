"""Nodes that shut down, receive a delivery twice or are full; installations side by side."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from reviewbot.github.api.gateway import Gateway
from reviewbot.github.app import outbox as publisher_module
from reviewbot.github.app.outbox import Outbox
from reviewbot.github.client.rate_limit import Pace
from reviewbot.store import nodes
from reviewbot.store.tables import DELIVERIES, PUBLICATIONS
from tests.fake_anthropic import FakeAnthropic, Hang, Script
from tests.fake_github import FakeGitHub, Fault, faults
from tests.github.action_runs import find_marked, hanging
from tests.github.app_runs import AppServer, app_server
from tests.server.nodes import until
from tests.support.github_stories import BASE, ONE, TWO, app, conclusions, summary_of, titles
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from tests.fake_anthropic import Recorded as Asked
    from tests.fake_anthropic import Reply


async def one_tries(server: AppServer) -> int:
    found = await server.service.database.read(
        lambda connection: connection.scalar(sa.select(PUBLICATIONS.c.tries))
    )
    return int(found or 0)


async def test_a_node_that_shuts_down_does_not_claim_its_unfinished_work_again(
    model: FakeAnthropic, tmp_path: Path
) -> None:
    """Its streams end first, and it lives on until its connections have ended."""
    async with FakeGitHub() as github:
        github.install(github.repository("octo/hello", BASE))
        async with app_server(github, model, tmp_path) as server:
            asked = hanging(model)
            github.pull(base=BASE, head=BASE | ONE)
            await server.deliver()
            await asked.wait()
            await until(lambda: bool(github.called("POST", "/check-runs")))
            await asyncio.sleep(0.1)
            before = len(github.requests)
            server.service.hub.close()  # as ReviewService.wind_down does
            await asyncio.sleep(1.0)
            tries, requests = await one_tries(server), len(github.requests) - before
    assert (tries, requests) == (1, 0)


async def test_an_installation_with_slow_reviews_delays_no_other(
    github: FakeGitHub,
    model: FakeAnthropic,
    server: AppServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher_module, "AT_ONCE", 2)  # 500 is as good, with 500 pull requests
    theirs = github.repository("mona/other", BASE)
    github.install(theirs)
    under_way: list[Asked] = []

    def hang(request: Asked) -> Reply:
        if "Division" not in request.text:
            return find_marked(request)
        under_way.append(request)
        return Script([Hang()])

    model.respond = hang
    repo = github.world.repositories["octo/hello"]
    many = [repo.open_pull(BASE | ONE, whole=True, branch=f"b{number}") for number in range(2)]
    await server.deliver()
    await until(lambda: not (len(under_way) < 2))
    other = theirs.open_pull(app((10, "line_10 = 1  # BUG error Another")))
    await server.deliver()
    for _ in range(60):
        await asyncio.sleep(0.05)
        if other.comments:
            break
    waited = not other.comments
    for pull in many:
        pull.close()
    await server.settle()
    assert not waited


@pytest.mark.slow
@pytest.mark.parametrize("nodes_", [1, 2])
@in_virtual_time
async def test_the_nodes_of_a_server_write_once_a_second_for_an_installation(nodes_: int) -> None:
    async with FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = find_marked
        repository = github.repository("octo/hello", BASE)
        github.install(repository)
        with tempfile.TemporaryDirectory() as folder:
            async with app_server(github, model, Path(folder), pace=Pace()) as server:
                service, bot = server.service, server.bot
                await service.database.write(
                    lambda connection: nodes.heartbeat(connection, "other")
                )
                gateway = Gateway(bot.config.credentials, base_url=github.url, pace=Pace())
                other = Outbox(service.database, service.hub, gateway, bot.identity, node="other")
                turns = cycle([bot._publisher._poller, other._poller][:nodes_])
                bot._publisher.wake = lambda: next(turns).wake()  # type: ignore[method-assign]
                async with gateway:
                    working = asyncio.create_task(other.work() if nodes_ == 2 else asyncio.sleep(0))
                    for number in range(8):
                        repository.open_pull(BASE | TWO, whole=True, branch=f"b{number}")
                        await server.deliver()
                        await asyncio.sleep(1.3)
                    await server.settle()
                    working.cancel()
                    await asyncio.gather(working, return_exceptions=True)
        writes = sorted(
            one.at
            for one in github.requests
            if one.method != "GET" and "tokens" not in one.path and one.path != "/graphql"
        )
        gaps = [after - before for before, after in itertools.pairwise(writes)]
        assert min(gaps) >= 0.9


async def test_a_review_that_was_posted_in_parts_is_not_taken_for_another_part(
    github: FakeGitHub, server: AppServer
) -> None:
    """Parts are numbered anew with each try; what stands under a number may be another part."""
    lines = list(range(1, 60, 10))
    head = app(*((number, f"x = {number}  # BUG warning Bug {number}") for number in lines))
    refusal = {"message": "Unprocessable Entity", "errors": ["Line could not be resolved"]}

    class Sized(Fault):
        """Of reviews with so many comments."""

        def __init__(self, size: int, *more: Any, **named: Any) -> None:
            super().__init__(*more, **named)
            self.size = size

        def takes(self, request: Any) -> bool:
            is_review = request.key.endswith("/reviews") and request.method == "POST"
            return (
                is_review and len(request.body["comments"]) == self.size and super().takes(request)
            )

    # First try: all are refused (.1), the first half is posted (.2), the second (.3) breaks off.
    # Second try: that half is refused (.1), and the answer to its first part (.2) is lost.
    github.fail(
        Sized(6, "POST", "/reviews$", 422, refusal, times=None),
        Sized(3, "POST", "/reviews$", 500, contains=b"Bug 51", times=16),
        Sized(3, "POST", "/reviews$", 422, refusal, contains=b"Bug 51", times=None),
        Sized(1, "POST", "/reviews$", 502, contains=b"Bug 31", times=1),
    )
    pull = github.pull(base=BASE, head=BASE | head)
    await server.settle()
    assert len(titles(pull)) == len(lines)


@pytest.mark.slow
async def test_deliveries_are_handled_once_although_their_node_is_slow(
    github: FakeGitHub, server: AppServer
) -> None:
    """Two nodes have the same delivery: the first is slow, and is taken for dead."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    late = faults.slow("GET", "/pulls/1/reviews$", 1.0)
    github.fail(late)
    pull.comment("/help", by="octo")
    await server.deliver()
    await until(lambda: bool(late.hit))

    def lose(connection: sa.Connection) -> None:
        connection.execute(
            sa.update(DELIVERIES).where(DELIVERIES.c.state == "working").values(node="gone")
        )

    await server.service.database.write(lose)
    inbox = server.bot.inbox
    # The other node: the same work, and nothing of this node's memory.
    from reviewbot.github.app.inbox import Inbox

    other = Inbox(server.service.database, node="other", app=inbox._app, handle=inbox._handle)
    working = asyncio.create_task(other.work())
    await asyncio.sleep(2.5)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await server.settle()
    assert sum("kind=reply" in one.body for one in pull.comments) == 1


async def test_a_summary_that_was_cut_from_an_older_one_is_not_the_state_of_things(
    github: FakeGitHub, server: AppServer
) -> None:
    """Who may edit our comment puts the signed marker of a clean review of old in its place."""
    pull = github.pull(base=BASE, head=BASE | app((20, "line_20 = 21")))
    await server.settle()
    clean = summary_of(pull).split("\n\n<!--")[-1]
    pull.push(app((20, "line_20 = 21"), (10, "line_10 = 1 / 0  # BUG error Division by zero")))
    await server.settle()
    assert conclusions(pull)[-1] == "failure"
    text = next(one for one in pull.comments if "kind=summary" in one.body)
    text.body = f"Fine.\n\n<!--{clean}"
    pull.push({"b.py": "x = 1\n"})
    await server.settle()
    assert conclusions(pull)[-1] == "failure"

"""The App as a process: deliveries over HTTP, reviews on the pull request, whatever ends."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Script
from tests.fake_github import FakeGitHub
from tests.github.action_runs import find_marked, hanging
from tests.server.databases import postgres_url
from tests.server.nodes import Node, node, until
from tests.support.github_stories import BASE, ONE, TWO, check, conclusions, summary_of, titles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.fake_anthropic import Recorded, Reply
    from tests.fake_github import PullRequest

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0


@pytest.fixture
async def github() -> AsyncIterator[FakeGitHub]:
    async with FakeGitHub() as fake:
        fake.install(fake.repository("octo/hello", BASE))
        fake.postman.waiting.clear()
        yield fake
        check(fake)


@pytest.fixture
async def model() -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic() as fake:
        fake.respond = find_marked
        yield fake


@asynccontextmanager
async def app_node(
    folder: Path, github: FakeGitHub, model: FakeAnthropic, *arguments: str
) -> AsyncIterator[Node]:
    """``reviewbot serve`` with the App's credentials in its environment."""
    environment = {
        "REVIEWBOT_GITHUB_APP_ID": str(github.app.id),
        "REVIEWBOT_GITHUB_PRIVATE_KEY": github.app.private_key,
        "REVIEWBOT_GITHUB_WEBHOOK_SECRET": f"{github.app.webhook_secret},older",
        "GITHUB_API_URL": github.url,
    }
    async with node(folder, *arguments, fake=model, cold=False, **environment) as one:
        yield one


async def deliver(github: FakeGitHub, one: Node) -> None:
    sent = await github.deliver_all(f"{one.url}/webhooks/github")
    assert [delivery.status_code for delivery in sent] == [202] * len(sent)


async def until_ended(pull: PullRequest, runs: int = 1) -> None:
    """Return once so many check runs of a pull request have come to their end."""

    def ended() -> bool:
        found = pull.repo.check_runs.values()
        return sum(run.status == "completed" for run in found) >= runs

    async with asyncio.timeout(PATIENCE_S):
        await until(ended)


async def test_a_delivery_becomes_a_review_on_the_pull_request(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    async with app_node(tmp_path / "node", github, model) as one:
        pull = github.pull(base=BASE, head=BASE | TWO)
        await deliver(github, one)
        await until_ended(pull)
        assert titles(pull) == ["**error: Division by zero**", "**warning: None is returned**"]
        assert "1 error and 1 warning are open." in summary_of(pull)
        assert github.app.private_key not in one.log
        assert "ghs_" not in one.log
        assert "Division" not in one.log


@pytest.mark.slow
async def test_an_installation_costs_no_more_a_day_than_the_operator_says(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    limit = ("--usd-per-installation", "0.001")
    async with app_node(tmp_path / "node", github, model, *limit) as one:
        pull = github.pull(base=BASE, head=BASE | TWO)
        await deliver(github, one)
        await until_ended(pull)
    assert conclusions(pull) == ["failure"]
    assert not model.requests


@pytest.mark.slow
async def test_a_server_that_is_killed_during_a_review_posts_it_once_when_it_is_back(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    asked = hanging(model)
    async with app_node(tmp_path / "node", github, model) as one:
        await deliver(github, one)
        async with asyncio.timeout(PATIENCE_S):
            await asked.wait()
    model.respond = find_marked
    async with app_node(tmp_path / "node", github, model):
        await until_ended(pull)
    assert len(titles(pull)) == 2
    assert len(pull.repo.check_runs) == 1


@pytest.mark.slow
async def test_a_server_that_is_killed_in_a_turn_goes_on_from_the_turn_before(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    look = ("read_code", {"path": ".reviewbot.yml", "first": 1, "last": 9})
    turns: list[int] = []
    hangs = asyncio.Event()

    def respond(request: Recorded) -> Reply:
        marked = find_marked(request).findings
        turns.append(len(request.body["messages"]) // 2 + 1)
        match turns[-1]:
            case 1:
                return Answer(marked[:1], outcome="continuing", lookups=[look])
            case 2 if not hangs.is_set():
                hangs.set()
                return Script([Hang()])
            case _:
                return Answer(marked)

    model.respond = respond
    async with app_node(tmp_path / "node", github, model) as server:
        await deliver(github, server)
        async with asyncio.timeout(PATIENCE_S):
            await hangs.wait()
    async with app_node(tmp_path / "node", github, model):
        await until_ended(pull)
    assert turns == [1, 2, 2]
    [result] = (
        block["content"] for block in model.requests[-1].results if "R1 |" in block["content"]
    )
    assert "R1 |summary: false" in result  # of the clone
    assert len(titles(pull)) == 2
    assert len(pull.reviews) == 1


@pytest.mark.slow
@pytest.mark.parametrize("write", ["/check-runs$", "/reviews$", "/issues/1/comments$"])
async def test_a_server_that_is_killed_after_a_write_does_not_write_it_again(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path, write: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    async with app_node(tmp_path / "node", github, model) as one:
        await deliver(github, one)
        async with asyncio.timeout(PATIENCE_S):
            await until(lambda: bool(github.called("POST", write.removesuffix("$"))))
    async with app_node(tmp_path / "node", github, model):
        await until_ended(pull)
    assert len(titles(pull)) == 2
    assert len(pull.reviews) == 1
    assert len(pull.comments) == 1
    assert len(pull.repo.check_runs) == 1


@pytest.mark.slow
async def test_another_node_goes_on_with_what_a_lost_one_was_to_publish(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    shared = ("--database", postgres_url())
    pull = github.pull(base=BASE, head=BASE | ONE)
    asked = hanging(model, then=find_marked)
    # Any node may run it, so there is only one until it runs.
    async with app_node(tmp_path / "lost", github, model, *shared) as lost:
        await deliver(github, lost)
        async with asyncio.timeout(PATIENCE_S):
            await asked.wait()
        async with app_node(tmp_path / "other", github, model, *shared):
            await lost.kill()
            await until_ended(pull)
    assert titles(pull) == ["**error: Division by zero**"]
    assert conclusions(pull) == ["failure"]


@pytest.mark.slow
async def test_a_delivery_that_failed_is_worked_off_when_github_sends_it_again(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    tried = await github.deliver_all("http://127.0.0.1:9/webhooks/github")
    assert not any(sent.ok for sent in tried)
    async with app_node(tmp_path / "node", github, model) as one:
        github.app.webhook_url = f"{one.url}/webhooks/github"
        for sent in tried:
            github.redeliver(sent.delivery)
        await until_ended(pull)
    assert titles(pull) == ["**error: Division by zero**"]

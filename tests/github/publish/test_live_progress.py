"""Findings and progress are shown while a review runs."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from reviewbot.config.settings import SecretText
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.client.rate_limit import Pace
from reviewbot.github.publish.check_reporter import EVERY_S
from tests.fake_anthropic import StatusError
from tests.github.action_runs import WRITES, find_marked
from tests.github.app_runs import app_server
from tests.support.github_stories import BASE, ONE, TWO, conclusions, titles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from reviewbot.core.events.records import Json
    from tests.fake_anthropic import Answer, FakeAnthropic
    from tests.fake_anthropic import Recorded as Asked
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Runner
    from tests.github.app_runs import AppServer


def slowly(request: Asked) -> Answer:
    """Some fifteen seconds for each finding."""
    return replace(find_marked(request), delta_size=20, pace=1.0)


def shown(pull: PullRequest) -> list[str]:
    """What the check runs said while they were running."""
    return [
        f"{body['output']['title']}\n{body['output']['summary']}"
        for run in pull.repo.check_runs.values()
        for body in run.history
        if body.get("status") == "in_progress" and body.get("output")
    ]


def has_progress(pull: PullRequest) -> bool:
    return any(
        "0 of 1 file" in text and "Found so far:" in text and "Division by zero" in text
        for text in shown(pull)
    )


async def soon(condition: Callable[[], bool]) -> None:
    """Return within two minutes, once ``condition`` holds."""
    async with asyncio.timeout(120):
        while not condition():  # noqa: ASYNC110 - what it waits for sets no event
            await asyncio.sleep(1)


async def test_the_check_of_the_app_shows_findings_and_progress_while_they_stream(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    model.respond = slowly
    pull = github.pull(base=BASE, head=BASE | TWO)
    await server.deliver()
    await soon(lambda: has_progress(pull))
    assert titles(pull) == []
    assert conclusions(pull) == ["none"]
    await server.settle()
    assert len(titles(pull)) == 2


WAITING = re.compile(
    r"Waiting for the model service \(overloaded\) until \d\d:\d\d UTC; 0 of 1 file, no findings\n"
)


async def test_the_title_of_the_check_says_until_when_a_request_waits_for_an_overloaded_service(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    model.enqueue(StatusError(529, retry_after=100))
    model.respond = slowly
    pull = github.pull(base=BASE, head=BASE | TWO)
    await runner.run(pull)
    titles_ = shown(pull)
    waiting = [index for index, text in enumerate(titles_) if WAITING.match(text)]
    assert waiting
    assert len(waiting) < 100 / EVERY_S
    later = titles_[waiting[-1] + 1 :]
    assert any(text.startswith("0 of 1 file") for text in later)
    assert len(titles(pull)) == 2


async def test_the_check_of_the_app_waits_for_an_overloaded_service_and_says_until_when(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    model.enqueue(*[StatusError(529, retry_after=0)] * 3)
    pull = github.pull(base=BASE, head=BASE | TWO)
    await server.deliver()
    await soon(lambda: any(WAITING.match(text) for text in shown(pull)))
    pull.comment("/review stop", by="octo")
    await server.settle()
    assert conclusions(pull) == ["cancelled"]


async def test_another_failure_of_the_service_is_not_called_an_overload(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    model.enqueue(StatusError(500, retry_after=60))
    model.respond = slowly
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    assert not any("Waiting" in text for text in shown(pull))
    assert len(titles(pull)) == 1


async def test_the_log_and_the_check_of_the_action_show_findings_while_they_stream(
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model.respond = slowly
    pull = github.pull(base=BASE, head=BASE | TWO)
    run = asyncio.create_task(runner.run(pull))
    log = ""

    def both() -> bool:
        nonlocal log
        log += capsys.readouterr().out
        return "Division by zero" in log and has_progress(pull)

    await soon(both)
    assert "None is returned" not in log
    assert not run.done()
    assert titles(pull) == []
    await run
    assert len(titles(pull)) == 2


async def test_the_check_of_the_app_leads_to_the_review_on_the_server(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE))
    url = "https://reviews.example"
    async with app_server(github, model, tmp_path, public_url=url) as server:
        pull = github.pull(base=BASE, head=BASE | ONE)
        await server.settle()
        [run] = pull.repo.check_runs.values()
        assert run.details_url is not None
        link, _, review = run.details_url.partition("=")
        assert link == f"{url}/#r"  # as the page reads its address, js/route.js
        assert await server.service.find(review) is not None


async def test_a_node_asks_for_deliveries_that_never_came(
    github: FakeGitHub, server: AppServer
) -> None:
    await server.settle()
    assert not github.called("GET", "/app/hook/deliveries")
    await asyncio.sleep(90)
    assert github.called("GET", "/app/hook/deliveries")


async def test_a_check_that_ends_goes_before_those_that_only_go_on(github: FakeGitHub) -> None:
    repository = github.repository("octo/hello", BASE)
    token = github.world.actions_token(repository, WRITES)
    pull = repository.open_pull(BASE | ONE, whole=True)
    head = {"name": "reviewbot", "head_sha": pull.head_sha, "status": "in_progress"}
    goes_on: Json = {"status": "in_progress", "output": {"title": "So far", "summary": "Some."}}
    ends: Json = {"status": "completed", "conclusion": "success"}
    async with Gateway(SecretText(token.value), base_url=github.url, pace=Pace()) as gateway:
        checks = gateway.holder().checks
        runs = [await checks.create(repository.full_name, head) for _ in range(4)]
        bodies: list[Json] = [goes_on, goes_on, goes_on, ends]
        await asyncio.gather(
            *(
                checks.update(repository.full_name, run.id, body)
                for run, body in zip(runs, bodies, strict=True)
            )
        )
        order = [int(one.path.rpartition("/")[2]) for one in github.called("PATCH", "/check-runs/")]
        assert order.index(runs[3].id) <= 1
        for run in runs[:3]:
            await checks.update(repository.full_name, run.id, ends)

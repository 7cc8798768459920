"""Fixtures of the stories of the Action and of the App: GitHub, a model, a runner, a server."""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub
from tests.github.action_runs import Runner, find_marked
from tests.github.app_runs import AppServer, app_server
from tests.support.github_stories import BASE, check, job_summaries, not_in, posted_texts
from tests.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> dict[str, Callable[[], AbstractEventLoop]]:
    """Virtual time for the stories, but for those that wait for other processes, as is marked."""
    names = getattr(item, "fixturenames", ())
    is_story = "github" in names or "injection" in item.path.name
    virtual = is_story and item.get_closest_marker("real_time") is None
    return {"virtual": VirtualTimeLoop} if virtual else {"real": asyncio.SelectorEventLoop}


_certified = functools.cache(ssl.create_default_context)


@pytest.fixture(autouse=True)
def _certificates_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the certificates of all authorities takes a tenth of the time of a story."""
    monkeypatch.setattr(ssl, "create_default_context", _certified)


@pytest.fixture
async def github(request: pytest.FixtureRequest) -> AsyncIterator[FakeGitHub]:
    async with FakeGitHub() as fake:
        yield fake
        check(fake, ended=request.node.get_closest_marker("unended") is None)


@pytest.fixture
async def model(
    request: pytest.FixtureRequest, github: FakeGitHub, tmp_path: Path
) -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic() as fake:
        fake.respond = find_marked
        yield fake
        unposted = not_in(posted_texts(github), fake)
        if request.node.get_closest_marker("unposted"):
            assert unposted, "this story is marked as one that posts not all"
            jobs = job_summaries(tmp_path)
            unposted = not_in(jobs, fake) if jobs else []
        assert unposted == [], "a finding is lost"


@pytest.fixture
def runner(github: FakeGitHub, model: FakeAnthropic, tmp_path: Path) -> Runner:
    return Runner(github, model, tmp_path)


@pytest.fixture
async def server(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> AsyncIterator[AppServer]:
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path) as made:
        yield made

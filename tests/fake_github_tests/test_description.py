"""The fake GitHub follows GitHub's own description, and runs in a thread or under a prefix."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from tests.fake_github import FakeGitHub, calls, in_thread, openapi
from tests.fake_github.routing import ROUTES
from tests.support.github_clients import BASE, HEAD, pygithub


def test_every_call_of_the_fake_is_one_of_github() -> None:
    calls.load()
    others = {one.call for one in ROUTES} - openapi.description()["calls"].keys()
    # GraphQL has a schema of its own; the root of a repository has no path.
    assert others == {"POST /graphql", "GET /repos/{owner}/{repo}/contents"}


async def test_an_enterprise_server_has_prefixes() -> None:
    async with FakeGitHub(enterprise=True) as github:
        pull = github.pull(BASE, HEAD)
        with pygithub(github, github.token(pull.repo)) as client:

            def read() -> tuple[str, str]:
                lazy = client.get_repo("octo/hello").get_pull(1)
                lazy.create_issue_comment("x").minimize()
                return lazy.title, lazy.html_url

            title, web = await asyncio.to_thread(read)
        assert github.url.endswith("/api/v3")
        assert title == "A change"
        assert web.startswith(github.url.removesuffix("/api/v3"))
        assert pull.comments[0].minimized == "outdated"


def test_it_runs_in_a_thread_for_code_that_blocks() -> None:
    with in_thread() as github:
        pull = github.pull(BASE, HEAD, title="Blocking")
        with pygithub(github, github.token(pull.repo)) as client:
            assert client.get_repo("octo/hello").get_pull(1).title == "Blocking"
        pull.push({"new.py": "c = 1\n"})
    with pytest.raises(AssertionError, match="does not know"), in_thread() as github:
        httpx2.get(f"{github.url}/emojis", trust_env=False)

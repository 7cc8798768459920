"""The fake GitHub: rate limits, faults and slow answers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from github import GithubException
from github.GithubException import RateLimitExceededException

from tests.fake_github import FakeGitHub, faults
from tests.support.github_clients import BASE, HEAD, http, path_of, pygithub
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from tests.fake_github import PullRequest


# --- Limits


async def test_the_primary_limit_is_an_hour_long_and_304_costs_nothing(
    github: FakeGitHub, pull: PullRequest
) -> None:
    token = github.token(pull.repo)
    async with http(github, token) as client:
        first = await client.get("/repos/octo/hello")
        assert first.headers["x-ratelimit-limit"] == "5000"
        assert first.headers["x-ratelimit-remaining"] == "4999"
        tag = {"if-none-match": first.headers["etag"]}
        second = await client.get("/repos/octo/hello", headers=tag)
        assert (second.status_code, second.content) == (304, b"")
        assert second.headers["x-ratelimit-remaining"] == "4999"
        github.limits.exhaust(github.requests[0].actor)
        third = await client.get("/repos/octo/hello")
        assert (third.status_code, third.headers["x-ratelimit-remaining"]) == (403, "0")
        assert (await client.get("/rate_limit")).json()["rate"]["remaining"] == 0
        github.clock.ahead += 3_601
        token.expires += 3_601
        assert (await client.get("/repos/octo/hello")).status_code == 200
    with pygithub(github, token) as client2:
        github.limits.exhaust(github.requests[0].actor)
        with pytest.raises(RateLimitExceededException):
            await asyncio.to_thread(client2.get_repo("octo/hello").get_pulls().get_page, 0)
    async with http(github, github.token(pull.repo)) as client:
        github.limits.exhaust(github.requests[0].actor, left=9)
        other = await client.get("/repos/octo/hello", headers=tag)
        assert other.status_code == 200  # a tag holds for one token alone


async def test_graphql_has_a_limit_of_its_own_and_says_so_with_200(
    github: FakeGitHub, pull: PullRequest
) -> None:
    async with http(github, github.token(pull.repo)) as client:
        query = {"query": "{ rateLimit { remaining } }"}
        first = await client.post("/graphql", json=query)
        github.limits.exhaust(github.requests[0].actor, resource="graphql")
        second = await client.post("/graphql", json=query)
        other = await client.get("/repos/octo/hello")
    assert first.json()["data"]["rateLimit"]["remaining"] == 4_999
    assert first.headers["x-ratelimit-resource"] == "graphql"
    assert second.json()["errors"][0]["type"] == "RATE_LIMITED"
    assert (second.headers["x-ratelimit-remaining"], other.status_code) == ("0", 200)


async def test_the_token_of_a_job_has_a_thousand_calls(
    github: FakeGitHub, pull: PullRequest
) -> None:
    async with http(github, github.world.actions_token(pull.repo)) as client:
        response = await client.get("/repos/octo/hello")
    assert response.headers["x-ratelimit-limit"] == "1000"


async def test_content_that_comes_too_fast_is_refused(
    github: FakeGitHub, pull: PullRequest
) -> None:
    comments = f"/repos/{pull.repo.full_name}/issues/1/comments"
    async with http(github, github.token(pull.repo)) as client:
        for _ in range(80):
            assert (await client.post(comments, json={"body": "x"})).status_code == 201
        refused = await client.post(comments, json={"body": "x"})
        assert (refused.status_code, refused.headers["retry-after"]) == (403, "60")
        assert "secondary rate limit" in refused.text
        assert len(github.limits.refused) == 1
        github.clock.ahead += 61
        assert (await client.post(comments, json={"body": "x"})).status_code == 201


# --- Faults


async def test_faults_before_and_after_the_write(github: FakeGitHub, pull: PullRequest) -> None:
    comments = f"/repos/{pull.repo.full_name}/issues/1/comments"
    token = github.token(pull.repo)

    def post() -> int:
        with pygithub(github, token) as client:
            lazy = client.get_repo(pull.repo.full_name).get_pull(1)
            try:
                lazy.create_issue_comment("Once")
            except GithubException as error:
                return error.status
            except OSError:  # requests has its connection errors below it
                return 0
        return 201

    found: list[tuple[int, int]] = []
    for fault in (
        faults.error("POST", "/comments", 500),
        faults.error_after("POST", "/comments", 502),
        faults.drop("POST", "/comments"),
        faults.drop("POST", "/comments", after=True),
        faults.secondary("POST", "/comments"),
        faults.secondary("POST", "/comments", status=429, retry_after=None),
        faults.abuse("POST", "/comments"),
        faults.primary("POST", "/comments", reset=github.clock.now() + 9),
    ):
        before = len(pull.comments)
        github.fail(fault)
        found.append((await asyncio.to_thread(post), len(pull.comments) - before))
        assert fault.hit == [github.requests[-1]]
    assert found == [(500, 0), (502, 1), (0, 0), (0, 1), (403, 0), (429, 0), (422, 0), (403, 0)]
    assert await asyncio.to_thread(post) == 201
    assert [one.ended for one in github.called("POST", comments)].count("dropped") == 2


async def test_faults_may_wait_for_their_turn_and_stay(
    github: FakeGitHub, pull: PullRequest
) -> None:
    github.fail(faults.Fault("GET", r"/pulls/\d+$", 503, skip=1, times=2))
    async with http(github, github.token(pull.repo)) as client:
        statuses = [(await client.get(path_of(pull))).status_code for _ in range(4)]
    assert statuses == [200, 503, 503, 200]


@in_virtual_time
async def test_slow_answers_take_virtual_time_and_real_time_for_threads() -> None:
    async with FakeGitHub() as github:
        pull = github.pull(BASE, HEAD)
        token = github.token(pull.repo)
        github.fail(faults.slow("GET", "/pulls/1", 1_000))
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with http(github, token, timeout=None) as client:
            assert (await client.get(path_of(pull))).status_code == 200
        assert loop.time() - began == pytest.approx(1_000)
        github.fail(faults.slow("GET", "/pulls/1", 0.02))
        with pygithub(github, token) as lazy:
            got = await asyncio.to_thread(lambda: lazy.get_repo("octo/hello").get_pull(1).title)
        assert got == "A change"
        assert github.requests[-1].at - github.requests[0].at >= 999
        await asyncio.sleep(3_600)
        async with http(github, token) as client:
            assert (await client.get(path_of(pull))).status_code == 401


async def test_calls_that_the_fake_does_not_know_fail_the_test() -> None:
    github = FakeGitHub()
    await github.__aenter__()
    async with http(github, None) as client:
        assert (await client.get("/emojis")).status_code == 404
        assert (await client.get("/rate_limit?verbose=1")).status_code == 200
    assert github.unknown == ["GET /emojis", "GET /rate_limit?verbose"]
    with pytest.raises(AssertionError, match="GET /emojis"):
        await github.__aexit__(None, None, None)


async def test_bodies_that_are_no_json_and_callers_without_a_name(
    github: FakeGitHub, pull: PullRequest
) -> None:
    async with http(github, github.token(pull.repo)) as client:
        broken = await client.post(path_of(pull, "/reviews"), content=b"{")
        listed = await client.post(path_of(pull, "/reviews"), json=[1])
        nameless = await client.get("/repos/octo/hello", headers={"user-agent": ""})
        version = {"x-github-api-version": "2021-01-01"}
        old = await client.get("/repos/octo/hello", headers=version)
    assert broken.json()["message"] == "Problems parsing JSON"
    assert listed.json()["message"] == "Body should be a JSON object"
    assert nameless.status_code == 403
    assert old.status_code == 400

"""The fake GitHub: what tokens and Apps may do."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from github import Auth, GithubIntegration

from tests.support.github_clients import RUN, app_jwt, http

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fake_github import FakeGitHub, PullRequest
    from tests.fake_github.people import App


@pytest.mark.parametrize(
    ("permissions", "call", "body"),
    [
        ({"pull_requests": "read"}, "POST /pulls/1/reviews", {"event": "COMMENT", "body": "x"}),
        ({"contents": "read"}, "GET /pulls/1/files", None),
        ({"checks": "read"}, "POST /check-runs", RUN),
        ({"pull_requests": "write"}, "GET /contents/app.py", None),
        ({}, "POST /issues/1/comments", {"body": "x"}),
        ({}, "GET /commits/main/check-runs", None),
    ],
)
async def test_a_token_can_do_what_it_was_given_alone(
    github: FakeGitHub,
    pull: PullRequest,
    permissions: dict[str, str],
    call: str,
    body: dict[str, Any] | None,
) -> None:
    method, path = call.split()
    async with http(github, github.token(pull.repo, permissions)) as client:
        response = await client.request(method, f"/repos/octo/hello{path}", json=body)
    assert response.status_code == 403
    assert response.json()["message"] == "Resource not accessible by integration"
    assert "=" in response.headers["x-accepted-github-permissions"]


async def test_what_a_token_may_not_see_is_not_there(github: FakeGitHub) -> None:
    hidden, shown = github.repository("octo/hidden"), github.repository("octo/shown", private=False)
    other = github.repository("octo/other")
    async with http(github, github.token(other)) as client:
        statuses = [
            (await client.get(f"/repos/{repo.full_name}")).status_code for repo in (hidden, shown)
        ]
        write = await client.post("/repos/octo/shown/check-runs", json=RUN)
    async with http(github, None) as client:
        statuses += [
            (await client.get(f"/repos/{repo.full_name}")).status_code for repo in (hidden, shown)
        ]
        anonymous = await client.post("/repos/octo/shown/issues/1/comments", json={"body": "x"})
    assert statuses == [404, 200, 404, 200]
    assert (write.status_code, anonymous.status_code) == (403, 401)


async def test_installation_tokens_through_pygithub(github: FakeGitHub) -> None:
    repo = github.repository("octo/hello")
    github.install(repo, account="octo")

    def whole() -> tuple[str, str, str]:
        auth = Auth.AppAuth(github.app.client_id, github.app.private_key)
        with contextlib.closing(
            GithubIntegration(
                auth=auth,
                base_url=github.url,
                seconds_between_requests=None,
                seconds_between_writes=None,
            )
        ) as integration:
            found = integration.get_repo_installation("octo", "hello")
            token = integration.get_access_token(found.id, {"contents": "read"})
            slug = integration.get_app().slug
        return token.token, str(token.expires_at), str(slug)

    secret, _, slug = await asyncio.to_thread(whole)
    assert slug == "reviewbot"
    assert secret.startswith(f"ghs_{github.app.id}_")
    assert 500 < len(secret) < 540
    async with http(github, secret) as client:
        assert (await client.get("/repos/octo/hello/contents/README.md")).status_code == 200
        assert (await client.get("/repos/octo/hello/pulls")).status_code == 403
        names = (await client.get("/installation/repositories")).json()["repositories"]
        assert [one["full_name"] for one in names] == ["octo/hello"]
        github.clock.ahead += 3_601
        assert (await client.get("/repos/octo/hello")).json()["message"] == "Bad credentials"


@pytest.mark.parametrize(
    ("make", "status", "sentence"),
    [
        (app_jwt, 200, "reviewbot"),
        (lambda app: app_jwt(app, issued=-30, life=600), 200, "reviewbot"),
        (lambda app: app_jwt(app, life=700), 401, "too far in the future"),
        (lambda app: app_jwt(app, issued=-60, life=50), 401, "must be in the future"),
        (lambda app: app_jwt(app, issued=60), 401, "'Issued at'"),
        (lambda app: app_jwt(app)[:-4] + "AAAA", 401, "could not be decoded"),
        (lambda app: jwt.encode({"iss": app.client_id}, "x" * 32), 401, "could not be decoded"),
        (
            lambda _: jwt.encode({"iss": "someone"}, "x" * 32),
            404,
            "Integration not found",
        ),
        (lambda _: "ghs_unknown", 401, "Bad credentials"),
    ],
)
async def test_an_app_shows_who_it_is_by_a_short_lived_jwt(
    github: FakeGitHub, make: Callable[[App], str], status: int, sentence: str
) -> None:
    async with http(github, make(github.app)) as client:
        response = await client.get("/app")
    assert response.status_code == status
    assert sentence in response.text


async def test_tokens_are_bounded_by_their_installation(github: FakeGitHub) -> None:
    one, two = github.repository("octo/one"), github.repository("octo/two")
    installation = github.install(one, two)
    tokens = f"/app/installations/{installation.id}/access_tokens"
    async with http(github, app_jwt(github.app)) as client:
        more = await client.post(tokens, json={"permissions": {"contents": "write"}})
        less = await client.post(
            tokens, json={"repository_ids": [one.id], "permissions": {"checks": "write"}}
        )
        unknown = await client.post(tokens, json={"repositories": ["three"]})
        installation.suspended = github.clock.now()
        suspended = await client.post(tokens)
    assert (more.status_code, unknown.status_code, suspended.status_code) == (422, 422, 403)
    assert [repo["name"] for repo in less.json()["repositories"]] == ["one"]
    installation.suspended = None
    async with http(github, less.json()["token"]) as client:
        assert (await client.get("/repos/octo/one")).status_code == 200
        assert (await client.get("/repos/octo/two")).status_code == 404
        assert (await client.delete("/installation/token")).status_code == 204
        assert (await client.get("/repos/octo/one")).status_code == 401

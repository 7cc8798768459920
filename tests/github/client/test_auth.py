"""Tokens of installations: made when needed, shared, replaced in time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from reviewbot.config.settings import SecretText
from reviewbot.errors import ConfigError
from reviewbot.github.api import gateway as gateway_module
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.client.auth import AppCredentials, InstallationToken
from reviewbot.github.client.errors import BadCredentialsError, ForbiddenError, NotFoundError
from tests.fake_github import FakeGitHub
from tests.fake_github.wire import Answer
from tests.github.scripted import scripted
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.fake_github import Recorded

BASE, HEAD = {"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}


@asynccontextmanager
async def app_at(github: FakeGitHub, **options: Any) -> AsyncGenerator[Gateway]:
    key = SecretText(github.app.private_key)
    credentials = AppCredentials(str(github.app.id), key)
    async with Gateway(credentials, base_url=github.url, **options) as gateway:
        yield gateway


def made(github: FakeGitHub) -> int:
    return len(github.called("POST", "/access_tokens"))


async def test_all_who_ask_at_once_share_one_token() -> None:
    async with FakeGitHub() as github, app_at(github) as gateway:
        pull = github.pull(BASE, HEAD)
        number = github.install(pull.repo).id
        await asyncio.gather(
            *(gateway.installation(number).pulls.get("octo/hello", 1) for _ in range(20))
        )
        assert made(github) == 1


@in_virtual_time
async def test_a_token_is_replaced_five_minutes_before_it_ends() -> None:
    async with FakeGitHub() as github, app_at(github) as gateway:
        pull = github.pull(BASE, HEAD)
        api = gateway.installation(github.install(pull.repo).id)
        await api.pulls.get("octo/hello", 1)
        await asyncio.sleep(54 * 60)
        await api.pulls.get("octo/hello", 1)
        assert made(github) == 1
        await asyncio.sleep(2 * 60)
        await api.pulls.get("octo/hello", 1)
        assert made(github) == 2
        assert {one.status for one in github.called("GET")} <= {200, 304}


@in_virtual_time
async def test_a_token_with_a_short_life_is_used_for_half_of_it() -> None:
    async with FakeGitHub() as github, app_at(github) as gateway:
        github.rules.token_seconds = 200
        pull = github.pull(BASE, HEAD)
        api = gateway.installation(github.install(pull.repo).id)
        for seconds in (0, 90, 20):
            await asyncio.sleep(seconds)
            await api.pulls.get("octo/hello", 1)
        assert made(github) == 2


@in_virtual_time
async def test_a_token_that_was_revoked_is_replaced_for_posts_too() -> None:
    async with FakeGitHub() as github, app_at(github) as gateway:
        pull = github.pull(BASE, HEAD)
        api = gateway.installation(github.install(pull.repo).id)
        await api.comments.create("octo/hello", 1, "one")
        await asyncio.sleep(600)
        for token in github.world.tokens.values():
            token.revoked = True
        await api.comments.create("octo/hello", 1, "two")
        assert [one.body for one in pull.comments] == ["one", "two"]
        assert made(github) == 2


@in_virtual_time
async def test_a_late_response_about_an_old_token_does_not_replace_the_new_one() -> None:
    async with FakeGitHub() as github, app_at(github) as gateway:
        number = github.install(github.repository()).id
        token = InstallationToken(number, app=gateway._app_caller(), clock=gateway._clock)
        first = await token.token()
        await asyncio.sleep(600)
        assert token.renewed(first)
        second = await token.token()
        await asyncio.sleep(600)
        assert token.renewed(first)
        assert await token.token() == second != first


async def test_a_new_token_that_is_refused_is_not_requested_again_and_again() -> None:
    async with FakeGitHub() as github, app_at(github) as gateway:
        pull = github.pull(BASE, HEAD)
        api = gateway.installation(github.install(pull.repo).id)
        await api.pulls.get("octo/hello", 1)
        github.expire_tokens()
        for _ in range(5):
            with pytest.raises(BadCredentialsError):
                await api.pulls.get("octo/hello", 1)
        assert made(github) == 1


async def test_an_installation_that_is_gone_or_suspended_is_named() -> None:
    async with FakeGitHub() as github, app_at(github) as gateway:
        installation = github.install(github.repository())
        with pytest.raises(NotFoundError, match="not know installation 99"):
            await gateway.installation(99).pulls.get("octo/hello", 1)
        installation.suspended = 1.0
        with pytest.raises(ForbiddenError, match="suspended"):
            await gateway.installation(installation.id).pulls.get("octo/hello", 1)


@in_virtual_time
async def test_making_a_token_is_repeated_for_an_unknown_one_does_no_harm() -> None:
    from tests.fake_github import faults

    async with FakeGitHub() as github, app_at(github) as gateway:
        pull = github.pull(BASE, HEAD)
        github.fail(faults.error_after("POST", "/access_tokens"))
        await gateway.installation(github.install(pull.repo).id).pulls.get("octo/hello", 1)
        assert made(github) == 2


@pytest.mark.parametrize("hours", [-3, 3])
async def test_a_wrong_clock_is_corrected_by_githubs(hours: int) -> None:
    there = 1_700_000_000  # Tue, 14 Nov 2023 22:13:20 GMT

    def script(request: Recorded) -> Answer:
        claims = jwt.decode(
            request.headers["authorization"].removeprefix("Bearer "),
            options={"verify_signature": False},
        )
        fine = claims["iat"] <= there < claims["exp"] <= there + 600
        said = {"message": "'Issued at' claim ('iat') must be an Integer in the past"}
        app = {"id": 1, "slug": "reviewbot", "name": "reviewbot", "html_url": "https://x.test"}
        body = app | {"permissions": {}, "events": []} if fine else said
        return Answer(body, 200 if fine else 401, {"date": "Tue, 14 Nov 2023 22:13:20 GMT"})

    async with scripted(script, app=True, clock=lambda: there + 3600.0 * hours) as (
        server,
        gateway,
    ):
        for _ in range(2):
            assert (await gateway.app.get()).slug == "reviewbot"
        assert [one.status for one in server.requests] == [401, 200, 200]


async def test_an_app_that_does_not_exist_says_what_to_check() -> None:
    async with FakeGitHub() as github:
        credentials = AppCredentials("999999", SecretText(github.app.private_key))
        async with Gateway(credentials, base_url=github.url) as gateway:
            with pytest.raises(NotFoundError):
                await gateway.app.get()


async def test_a_key_of_another_app_is_refused_and_said_so() -> None:
    from tests.fake_github.people import private_key

    async with FakeGitHub() as github:
        foreign = private_key(1)
        assert foreign != github.app.private_key
        credentials = AppCredentials(str(github.app.id), SecretText(foreign))
        async with Gateway(credentials, base_url=github.url) as gateway:
            with pytest.raises(BadCredentialsError, match="private key"):
                await gateway.app.get()


async def test_the_client_id_may_replace_the_id() -> None:
    async with FakeGitHub() as github:
        credentials = AppCredentials(github.app.client_id, SecretText(github.app.private_key))
        async with Gateway(credentials, base_url=github.url) as gateway:
            assert (await gateway.app.get()).id == github.app.id


async def test_the_token_of_a_workflow_is_used_as_it_is() -> None:
    async with FakeGitHub() as github:
        pull = github.pull(BASE, HEAD)
        token = github.world.actions_token(pull.repo, {"pull_requests": "write"})
        async with Gateway(SecretText(token.value), base_url=github.url) as gateway:
            assert (await gateway.holder().pulls.get("octo/hello", 1)).number == 1
            assert await gateway.login() == "github-actions[bot]"
            github.expire_tokens()
            with pytest.raises(BadCredentialsError):
                await gateway.holder().pulls.get("octo/hello", 1)
            assert made(github) == 0


async def test_only_so_many_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "CALLERS", 3)
    async with FakeGitHub() as github, app_at(github) as gateway:
        number = github.install(github.pull(BASE, HEAD).repo).id
        for other in range(10):
            gateway.installation(other)
        await gateway.installation(number).pulls.get("octo/hello", 1)
        assert len(gateway._callers) == 3


async def test_credentials_of_one_kind_are_not_accepted_for_the_other() -> None:
    with pytest.raises(ConfigError, match="GitHub App"):
        _ = Gateway(SecretText("ghs_x")).app
    with pytest.raises(ConfigError, match="GitHub App"):
        Gateway(None).installation(1)
    with pytest.raises(ConfigError, match="installations"):
        Gateway(AppCredentials("1", SecretText("key"))).holder()
    with pytest.raises(ConfigError, match="id is empty"):
        AppCredentials(" ", SecretText("key"))


@in_virtual_time
async def test_many_installations_do_not_wait_for_each_others_tokens() -> None:
    async with FakeGitHub() as github, app_at(github) as gateway:
        numbers = []
        for index in range(6):
            name = f"octo{index}/hello"
            numbers.append((github.install(github.pull(BASE, HEAD, repository=name).repo).id, name))
        began = asyncio.get_running_loop().time()
        await asyncio.gather(
            *(gateway.installation(number).pulls.get(name, 1) for number, name in numbers)
        )
        assert asyncio.get_running_loop().time() - began < 1.0

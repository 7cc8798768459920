"""What the base says of a review; what the head says does not count."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.code.git_repository import ATTRIBUTES_LIMIT
from reviewbot.config.settings import SecretText, load_settings
from reviewbot.errors import ConfigError
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.api.pulls import Side
from reviewbot.github.change.base_files import BaseFiles, base_files
from reviewbot.github.client.errors import ForbiddenError
from tests.fake_github import FakeGitHub, faults

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.github.api.gateway import Api
    from tests.fake_github import PullRequest

REPO = "octo/hello"
CODE = {"a.py": "x = 1\n"}


@asynccontextmanager
async def opened(
    base: dict[str, Any], head: dict[str, Any] | None = None, **more: Any
) -> AsyncGenerator[tuple[FakeGitHub, PullRequest, Api]]:
    async with FakeGitHub() as github:
        pull = github.pull(CODE | base, {"a.py": "x = 2\n"} | (head or base), **more)
        token = SecretText(github.token(pull.repo).value)
        async with Gateway(token, base_url=github.url) as gateway:
            yield github, pull, gateway.holder()


def base_of(pull: PullRequest) -> Side:
    return Side(pull.base_sha, pull.base_ref, REPO, pull.repo.id)


async def read(base: dict[str, Any], head: dict[str, Any] | None = None, **more: Any) -> BaseFiles:
    async with opened(base, head, **more) as (_, pull, api):
        return await base_files(api, REPO, base_of(pull))


@pytest.mark.parametrize("name", [".reviewbot.yml", ".reviewbot.yaml"])
async def test_configuration_and_attributes_are_those_of_the_base(name: str) -> None:
    base = {name: "jobs: 3\n", ".gitattributes": "*.x linguist-generated\n", "sub/" + name: "no\n"}
    found = await read(base)
    assert found == BaseFiles((f"{name} of main", "jobs: 3\n"), "*.x linguist-generated\n")


@pytest.mark.parametrize("fork", [None, "mallory"])
async def test_the_head_has_no_say(fork: str | None) -> None:
    head = {".reviewbot.yml": "exclude: ['**']\n", ".gitattributes": "* linguist-generated\n"}
    assert await read({}, head, fork=fork) == BaseFiles(None, "")
    found = await read({".reviewbot.yml": "jobs: 3\n"}, head, fork=fork)
    assert found == BaseFiles((".reviewbot.yml of main", "jobs: 3\n"), "")


async def test_two_configurations_are_an_error() -> None:
    both = {".reviewbot.yml": "jobs: 3\n", ".reviewbot.yaml": "\xff"}
    with pytest.raises(
        ConfigError,
        match=r"\.reviewbot\.yml of main: there is also a \.reviewbot\.yaml beside it; keep one",
    ):
        await read(both)


async def test_without_names_no_configuration_of_the_base_is_read() -> None:
    both = {".reviewbot.yml": "\0", ".reviewbot.yaml": "", ".gitattributes": "# none\n"}
    async with opened(both) as (_, pull, api):
        found = await base_files(api, REPO, base_of(pull), config_names=())
    assert found == BaseFiles(None, "# none\n")


async def test_a_configuration_that_is_not_text_is_an_error_that_names_the_line() -> None:
    with pytest.raises(ConfigError, match=r"\.reviewbot\.yml of main:2: is not UTF-8 text"):
        await read({".reviewbot.yml": b"jobs: 3\n\xff\n"})


async def test_a_configuration_above_the_size_limit_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"\.yml of main: is larger than 1000000 bytes"):
        await read({".reviewbot.yml": b"#" * 1_000_001})


async def test_attributes_above_the_limit_are_not_read_and_that_is_said() -> None:
    assert (await read({".gitattributes": b"#" * ATTRIBUTES_LIMIT})).notices == ()
    found = await read({".gitattributes": b"#" * (ATTRIBUTES_LIMIT + 1)})
    assert found.attributes == ""
    assert found.notices == (".gitattributes of main has more than 1,000,000 bytes: not read.",)


async def test_a_refusal_is_no_missing_file() -> None:
    async with opened({}) as (github, pull, api):
        github.fail(faults.error("GET", "/contents/", 403, times=2))
        with pytest.raises(ForbiddenError):
            await base_files(api, REPO, base_of(pull))


async def test_settings_of_the_base_are_not_trusted_with_an_address() -> None:
    found = await read({".reviewbot.yml": "model: claude-x\nbase_url: https://evil.example\n"})
    assert found.config is not None
    name, text = found.config
    with pytest.raises(ConfigError, match=r"^\.reviewbot\.yml of main:2: base_url: "):
        load_settings(flags={}, env={}, config_text=text, config_name=name)


async def test_the_base_is_what_it_is_now_not_what_github_calls_the_base_of_a_pull_request() -> (
    None
):
    async with opened({".reviewbot.yml": "jobs: 3\n"}) as (_, pull, api):
        pull.repo.commit("main", {".reviewbot.yml": "jobs: 4\n"}, "More")
        assert pull.base_sha != pull.repo.branches["main"]
        found = await base_files(api, REPO, base_of(pull))
        assert found.config == (".reviewbot.yml of main", "jobs: 4\n")


async def test_where_the_branch_is_gone_the_commit_is_all_there_is() -> None:
    async with opened({".reviewbot.yml": "jobs: 3\n"}) as (_, pull, api):
        pull.repo.commit("main", {".reviewbot.yml": "jobs: 4\n"}, "More")
        base = base_of(pull)
        pull.close()
        del pull.repo.branches["main"]
        found = await base_files(api, REPO, base)
        assert found.config == (".reviewbot.yml of main", "jobs: 3\n")

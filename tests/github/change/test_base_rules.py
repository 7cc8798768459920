"""Rules of a repository on GitHub: read from the base of a pull request alone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import SecretText
from reviewbot.errors import ConfigError
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.api.pulls import Side
from reviewbot.github.change.base_files import base_files
from reviewbot.github.change.base_rules import base_rules
from reviewbot.github.client.errors import ForbiddenError
from reviewbot.pipeline.custom_rules import MOST_BYTES, MOST_RULES
from tests.fake_github import FakeGitHub, faults
from tests.in_process import parser
from tests.support.custom_rules import FILES, PATH, RULE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.github.api.gateway import Api
    from tests.fake_github import PullRequest

REPO = "octo/hello"
CODE = {"a.py": "x = 1\n"}


@asynccontextmanager
async def opened(
    base: dict[str, Any], head: dict[str, Any] | None = None
) -> AsyncGenerator[tuple[FakeGitHub, PullRequest, Api]]:
    async with FakeGitHub() as github:
        pull = github.pull(CODE | base, {"a.py": "x = 2\n"} | (head or base))
        token = SecretText(github.token(pull.repo).value)
        async with Gateway(token, base_url=github.url) as gateway:
            yield github, pull, gateway.holder()


async def rules_of(api: Api, pull: PullRequest) -> list[str]:
    side = Side(pull.base_sha, pull.base_ref, REPO, pull.repo.id)
    base = await base_files(api, REPO, side)
    return [rule["id"] for rule in await base_rules(api, REPO, base, parser())]


async def read(base: dict[str, Any], head: dict[str, Any] | None = None) -> list[str]:
    async with opened(base, head) as (_, pull, api):
        return await rules_of(api, pull)


async def test_rules_are_those_of_the_base_and_the_head_has_no_say() -> None:
    more = {one.replace("no-print", "x"): FILES[one].replace("no-print", "x") for one in FILES}
    assert await read(FILES, FILES | more) == ["custom/no-print"]
    assert await read(FILES, {}) == ["custom/no-print"]
    assert await read({}, FILES) == []


async def test_a_file_in_place_of_the_folder_holds_no_rules() -> None:
    assert await read({".reviewbot/rules": RULE}) == []


async def test_other_files_and_folders_beside_the_rules_are_not_read() -> None:
    beside = {".reviewbot/rules/README.md": "x", ".reviewbot/rules/more/y.yml": "x"}
    async with opened(FILES | beside) as (github, pull, api):
        assert await rules_of(api, pull) == ["custom/no-print"]
        blobs = [one for one in github.requests if "/git/blobs/" in one.path]
        assert len(blobs) == 2


async def test_a_bad_rule_is_an_error_that_names_the_branch_and_the_line() -> None:
    bad = FILES | {PATH: RULE.replace("error", "fatal")}
    with pytest.raises(ConfigError, match=rf"^{PATH} of main:3: severity: must be of"):
        await read(bad)


async def test_a_rule_that_is_too_large_is_an_error() -> None:
    large = FILES | {PATH: f"{RULE}#{'x' * MOST_BYTES}"}
    with pytest.raises(ConfigError, match=rf"^{PATH} of main: is larger than {MOST_BYTES} bytes"):
        await read(large)


async def test_too_many_rules_are_an_error_before_they_are_fetched() -> None:
    many = {f".reviewbot/rules/r{number}.yml": "x" for number in range(MOST_RULES + 1)}
    async with opened(many) as (github, pull, api):
        with pytest.raises(ConfigError, match=r"^\.reviewbot/rules of main: holds more than 50"):
            await rules_of(api, pull)
        assert not [one for one in github.requests if "/git/blobs/" in one.path]


@pytest.mark.parametrize("files", [{}, FILES])
async def test_the_configuration_may_name_only_rules_that_exist(files: dict[str, str]) -> None:
    names = files | {".reviewbot.yml": "jobs: 3\nrules:\n  custom/no-prin: off\n"}
    with pytest.raises(ConfigError, match=r"^\.reviewbot\.yml of main:3: rules\.custom/no-prin: "):
        await read(names)
    known = FILES | {".reviewbot.yml": "rules: {custom/no-print: off}"}
    assert await read(known) == ["custom/no-print"]


async def test_a_refusal_is_no_missing_folder() -> None:
    async with opened(FILES) as (github, pull, api):
        github.fail(faults.error("GET", "/contents/.reviewbot/rules", 403, times=2))
        with pytest.raises(ForbiddenError):
            await rules_of(api, pull)

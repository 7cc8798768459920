"""Rules of a team on GitHub: from the base of a pull request alone, with few requests."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import SecretText, load_settings
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.prompt.guidelines import NO_GUIDELINES
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.api.pulls import Side
from reviewbot.github.change.base_files import base_files
from reviewbot.github.change.base_guidelines import base_guidelines
from reviewbot.pipeline.guidelines import MOST_BYTES
from tests.fake_github import SYMLINK, Blob, FakeGitHub, faults
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from reviewbot.core.prompt.guidelines import Guidelines
    from reviewbot.github.api.gateway import Api
    from tests.fake_github import PullRequest
    from tests.fake_github.faults import Fault

REPO = "octo/hello"
CODE = {"shop/a.py": "x = 1\n"}
ONLINE: dict[str, object] = {"model": "claude-haiku-5-5"}
RULES = {"AGENTS.md": "- Never root.\n", "CLAUDE.md": Blob(b"AGENTS.md", SYMLINK)}
MOST_REQUESTS = 12


@asynccontextmanager
async def opened(
    base: Mapping[str, Any], head: Mapping[str, Any] | None = None
) -> AsyncGenerator[tuple[FakeGitHub, PullRequest, Api]]:
    async with FakeGitHub() as github:
        pull = github.pull({**CODE, **base}, {"shop/a.py": "x = 2\n"} | dict(head or base))
        token = SecretText(github.token(pull.repo).value)
        async with Gateway(token, base_url=github.url) as gateway:
            yield github, pull, gateway.holder()


async def rules_of(
    github: FakeGitHub, pull: PullRequest, api: Api, flags: dict[str, object] | None = None
) -> tuple[Guidelines, list[str]]:
    """The rules, and the paths of the requests for them."""
    base = await base_files(api, REPO, Side(pull.base_sha, pull.base_ref, REPO, pull.repo.id))
    before = len(github.requests)
    diff = pull.repo.store.diff(pull.base_sha, pull.head_sha)
    settings = load_settings(flags=flags or ONLINE, env={})
    found = await base_guidelines(api, REPO, base, parse_diff(diff), settings)
    return found, [one.path for one in github.requests[before:]]


async def read(base: Mapping[str, Any], head: Mapping[str, Any] | None = None) -> Guidelines:
    async with opened(base, head) as (github, pull, api):
        return (await rules_of(github, pull, api))[0]


async def test_rules_are_those_of_the_base_and_the_head_has_no_say() -> None:
    head = {"AGENTS.md": "- Never head.\n", "shop/AGENTS.md": "- Never shop.\n"}
    assert (await read(RULES, head)).text == "AGENTS.md \nNever root."
    assert (await read(RULES, {})).text == "AGENTS.md \nNever root."
    assert (await read({}, head)).text == ""


async def test_rules_come_from_the_tip_of_the_base_and_name_it() -> None:
    async with opened(RULES) as (github, pull, api):
        pull.repo.commit("main", {"AGENTS.md": "- Never newer.\n"}, "later")
        found, _ = await rules_of(github, pull, api)
        assert found.text == "AGENTS.md \nNever newer."
        assert found.commit == pull.repo.branches["main"] != pull.base_sha


async def test_one_request_lists_the_files_and_each_blob_is_one_more() -> None:
    async with opened(RULES) as (github, pull, api):
        _, requests = await rules_of(github, pull, api)
        kinds = [path.removeprefix(f"/repos/{REPO}/git/").split("/")[0] for path in requests]
        assert kinds == ["trees", "blobs", "blobs"]


async def test_a_change_of_many_folders_makes_at_most_twelve_requests() -> None:
    code = {f"f{number}/a.py": "x = 1\n" for number in range(30)}
    rules = {f"f{number}/{name}": f"- Never {number} {name}.\n" for number in range(30)
             for name in ("AGENTS.md", "CLAUDE.md", "REVIEW.md")}  # fmt: skip
    changed = dict.fromkeys(code, "x = 2\n")
    async with opened(code | rules | RULES, rules | RULES | changed) as (github, pull, api):
        found, requests = await rules_of(github, pull, api)
        assert 3 <= len(requests) <= MOST_REQUESTS
        assert "Never root." in found.text
        assert found.problems[0].startswith("Only 10 files are read for rules: ")


@pytest.mark.parametrize("flags", [{"model": "offline"}, ONLINE | {"guidelines": False}])
async def test_nothing_is_requested_unless_a_model_uses_it(flags: dict[str, object]) -> None:
    async with opened(RULES) as (github, pull, api):
        assert await rules_of(github, pull, api, flags) == (NO_GUIDELINES, [])


async def test_nothing_is_requested_for_a_change_that_is_skipped() -> None:
    async with opened(RULES) as (github, pull, api):
        assert await rules_of(github, pull, api, ONLINE | {"exclude": ["*.py"]}) == (
            NO_GUIDELINES,
            [],
        )


async def test_a_file_that_is_too_large_is_named() -> None:
    found = await read(RULES | {"shop/AGENTS.md": f"- Never shop.\n{'x' * MOST_BYTES}"})
    assert found.text == "AGENTS.md \nNever root."
    assert found.problems == ("shop/AGENTS.md is larger than 64 KiB, so its rules were not used.",)


async def test_a_list_of_files_that_is_too_long_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reviewbot.github.api.contents.MAX_TREE", 100)
    found = await read(RULES)
    assert found == replace(
        NO_GUIDELINES,
        problems=(
            "The list of files of this repository is too long, so no guideline files were read.",
        ),
    )


@pytest.mark.parametrize("call", ["/git/trees/", "/git/blobs/"])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (lambda call: faults.error("GET", call, 502, times=None), "GitHub did not answer; "),
        (lambda call: faults.error("GET", call, 404, times=None), "GitHub does not show it "),
        (
            lambda call: faults.secondary("GET", call, retry_after=3_000, times=99),
            "reading them took more than 60 seconds",
        ),
        (
            lambda call: faults.secondary("GET", call, retry_after=30_000, times=99),
            "GitHub limits the rate of requests",
        ),
    ],
    ids=["broken", "missing", "limit", "long limit"],
)
@in_virtual_time
async def test_an_error_of_github_leaves_a_change_without_rules_and_is_reported(
    call: str, fault: Callable[[str], Fault], reason: str
) -> None:
    async with opened(RULES) as (github, pull, api):
        github.fail(fault(call))
        found, requests = await rules_of(github, pull, api)
    assert found == replace(NO_GUIDELINES, problems=found.problems)
    [problem] = found.problems
    assert problem.startswith(f"No guideline files were used, since {reason}")
    assert problem.endswith(".")
    assert len({path for path in requests if call in path}) == 1

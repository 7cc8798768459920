"""The App reads code beyond a change from a bare clone, which only those with access may use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic.verdicts import after_lookups
from tests.fake_github import Fault
from tests.github.app_runs import app_server
from tests.support.github_stories import titles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.app_runs import AppServer

SIZE = 100_000_000
FILLING = "".join(f"    x{number} = {number}\n" for number in range(1, 40))
USE = f"def charge(order):\n{FILLING}    return 1\n"
NEW = USE.replace("return 1", "return rate_of(order)  # BUG error Crash in `rate_of`")
# Only a search finds the definition: nothing imports its file.
BASE = {"shop/use.py": USE, "elsewhere/tax.py": "def rate_of(order):\n    return order.rate\n"}
DEFINITION = '=== file "elsewhere/tax.py", unchanged\nR1 |def rate_of(order):'
UNAVAILABLE = "The code beyond the change was not searched"


def clones_of(folder: Path) -> list[str]:
    """Return the clones of the installations and repositories, as ``INSTALLATION/REPOSITORY``."""
    found = (folder / "clones").glob("*/*/*/reviewbot.json")
    return sorted(f"{one.parent.parent.name}/{one.parent.name}" for one in found)


async def review(
    server: AppServer, *, repository: str = "octo/hello", result: str = "rate_of(order)"
) -> str:
    """Review a pull request; return its comments. The cache knows a change with this result."""
    new = NEW.replace("rate_of(order)", result)
    pull = server.github.pull(BASE, BASE | {"shop/use.py": new}, repository=repository)
    await server.settle()
    assert len(titles(pull)) == 1
    return "\n".join(one.body for one in pull.comments)


@pytest.fixture(autouse=True)
def _searching(model: FakeAnthropic) -> None:
    """Let the verifier search for a name."""
    model.verify = after_lookups(("search_code", {"text": "rate_of"}))


def evidence(model: FakeAnthropic, number: int = -1) -> str:
    """What the verifier got for its search."""
    return "\n".join(result["content"] for result in model.verifications[number].results)


@pytest.mark.slow
async def test_a_definition_that_only_a_search_finds_is_evidence(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    repository = github.repository("octo/hello", BASE)
    installation = github.install(repository)
    async with app_server(github, model, tmp_path, clone_bytes=SIZE, verify=True) as server:
        summary = await review(server)
    assert DEFINITION in evidence(model)
    assert UNAVAILABLE not in summary
    assert not github.called("GET", "/contents/elsewhere")
    assert clones_of(tmp_path) == [f"{installation.id}/{repository.id}"]
    tokens = [one for one in github.called("POST", "/access_tokens") if one.body]
    assert [one.body for one in tokens] == [
        {"repository_ids": [repository.id], "permissions": {"contents": "read"}}
    ]


async def test_without_a_clone_the_contents_api_is_read_and_the_report_says_so(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE))
    github.fail(Fault("GET", ".git/info/refs", 503, b"", times=9))
    async with app_server(github, model, tmp_path, clone_bytes=SIZE, verify=True) as server:
        summary = await review(server)
    assert DEFINITION not in evidence(model)
    assert f"{UNAVAILABLE}: its repository could not be fetched, since" in summary


async def test_clones_can_be_turned_off(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path, verify=True) as server:
        assert UNAVAILABLE not in await review(server)
    assert github.git_requests == []
    assert clones_of(tmp_path) == []


async def test_a_force_push_before_the_fetch_shows_no_other_commit(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    repository = github.repository("octo/hello", BASE)
    github.install(repository)
    other = {"elsewhere/tax.py": "def rate_of(order):\n    return 'of another commit'\n"}
    parent = repository.branches["main"]
    forced = repository.make_commit((parent,), BASE | other, "Forced", "octocat", whole=True)
    github.git_heads[1] = forced
    async with app_server(github, model, tmp_path, clone_bytes=SIZE, verify=True) as server:
        summary = await review(server)
    assert github.git_requests
    assert "def rate_of" not in evidence(model)
    assert f"{UNAVAILABLE}: its repository could not be fetched, since its ref points" in summary


@pytest.mark.slow
async def test_two_tenants_with_repositories_of_one_name_have_clones_of_their_own(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    first = github.repository("octo/hello", BASE)
    mine = github.install(first)
    async with app_server(github, model, tmp_path, clone_bytes=SIZE, verify=True) as server:
        await review(server)
        github.world.rename(first, "octo/renamed")
        theirs = {"elsewhere/tax.py": "def rate_of(order):\n    return 'theirs'\n"}
        second = github.repository("octo/hello", BASE | theirs)
        github.install(second)
        await review(server, repository="octo/renamed", result="rate_of(order, 2)")
    assert len(model.verifications) == 4
    assert "'theirs'" not in evidence(model)
    assert DEFINITION in evidence(model)
    assert clones_of(tmp_path) == [f"{mine.id}/{first.id}"]


@pytest.mark.parametrize("action", ["deleted", "suspend"])
async def test_an_installation_that_ends_loses_its_clones(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path, action: str
) -> None:
    installation = github.install(github.repository("octo/hello", BASE))
    other = github.install(github.repository("else/hello", BASE))
    async with app_server(github, model, tmp_path, clone_bytes=SIZE, verify=True) as server:
        await review(server)
        await review(server, repository="else/hello")
        assert len(clones_of(tmp_path)) == 2
        about = {"installation": installation, "sender": installation.account}
        github.world.happened("installation", action, **about)
        await server.settle()
    assert [one.partition("/")[0] for one in clones_of(tmp_path)] == [str(other.id)]


@pytest.mark.slow
@pytest.mark.parametrize("action", ["deleted", "transferred", "privatized", "publicized", "edited"])
async def test_a_repository_that_others_may_see_now_loses_its_clone(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path, action: str
) -> None:
    repository = github.repository("octo/hello", BASE)
    github.install(repository)
    async with app_server(github, model, tmp_path, clone_bytes=SIZE, verify=True) as server:
        await review(server)
        github.world.happened("repository", action, repo=repository, sender=repository.owner)
        await server.settle()
    assert len(clones_of(tmp_path)) == (action == "edited")


async def test_a_repository_that_leaves_the_installation_loses_its_clone(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    repository, other = github.repository("octo/hello", BASE), github.repository("octo/other", BASE)
    installation = github.install(repository, other)
    async with app_server(github, model, tmp_path, clone_bytes=SIZE, verify=True) as server:
        await review(server)
        await review(server, repository="octo/other")
        about = {"installation": installation, "sender": installation.account}
        github.world.happened("installation_repositories", "removed", removed=[other], **about)
        await server.settle()
    assert clones_of(tmp_path) == [f"{installation.id}/{repository.id}"]


async def test_an_installation_without_access_loses_the_clone_at_its_next_use(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path, clone_bytes=SIZE, verify=True) as server:
        await review(server)
        assert len(clones_of(tmp_path)) == 1
        github.fail(Fault("POST", "/access_tokens", 422, b"{}", times=9))
        summary = await review(server, result="rate_of(order, 2)")
    assert UNAVAILABLE in summary
    assert clones_of(tmp_path) == []


@pytest.mark.slow
async def test_a_change_of_visibility_that_no_delivery_told_makes_the_clone_again(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    repository = github.repository("octo/hello", BASE)
    github.install(repository)
    async with app_server(github, model, tmp_path, clone_bytes=SIZE, verify=True) as server:
        await review(server)
        (clone,) = (tmp_path / "clones").glob("*/*/[0-9]*[0-9]")
        (clone / "of-before").touch()
        repository.private = False
        await review(server, result="rate_of(order, 2)")
    assert not (clone / "of-before").exists()
    assert len(clones_of(tmp_path)) == 1


async def test_a_fetch_counts_as_a_request_of_the_installation(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    installation = github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path, clone_bytes=SIZE, verify=True) as server:
        await review(server)
        limiter = server.bot._github._limiters[f"installation {installation.id}"]
        requests = [
            one for one in github.requests if one.actor == f"installation ID {installation.id}"
        ]
        reads = sum(1 for _, points in limiter._points if points == 1)
    assert reads == sum(one.method == "GET" or one.path == "/graphql" for one in requests) + 1

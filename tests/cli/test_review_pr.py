"""``reviewbot review --pr`` as a user runs it, against a GitHub that is strict."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from reviewbot.cli import waiting
from reviewbot.cli.pull_request import pull_name
from reviewbot.errors import ConfigError
from reviewbot.github.api.gateway import API_URL
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_github import faults
from tests.server.nodes import node
from tests.support.pull_requests import NAME, opened, review

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.commands import Done


def error_of(done: Done) -> str:
    """The one line of an error. On a busy machine, lines say before it that GitHub is slow."""
    said = done.err.splitlines()
    (error,) = [line for line in said if not line.startswith("reviewbot: fetching ")]
    return error


LARGE = "".join(f"value_{number} = {number}\n" for number in range(300))


async def test_a_pull_request_is_reviewed_where_no_repository_is(tmp_path: Path) -> None:
    async with opened(head={"uv.lock": "version = 1\n"}) as (github, _, env):
        done = await review(tmp_path, "--pr", NAME, **env)
        assert done.code == 1
        assert "--> app.py:3" in done.out
        assert "skipped 1 file (Lockfile: a package manager writes it)" in done.text
        # On a busy machine it says that it waits for GitHub.
        waits = f"reviewbot: fetching {NAME}: "
        assert all(line.startswith(waits) for line in done.err.splitlines())
        assert {one.method for one in github.requests} == {"GET"}
        assert env["GITHUB_TOKEN"] not in done.out + done.err
        done = await review(tmp_path, "--pr", NAME, "--format", "ndjson", **env)
        assert [one["path"] for one in done.events[0]["files"]] == ["app.py", "uv.lock"]


@pytest.mark.parametrize("variable", ["GITHUB_TOKEN", "GH_TOKEN"])
async def test_a_token_is_taken_from_either_variable_or_from_dotenv(
    variable: str, tmp_path: Path
) -> None:
    async with opened() as (_, _pull, env):
        token = env.pop("GITHUB_TOKEN")
        assert (await review(tmp_path, "--pr", NAME, **env, **{variable: token})).code == 1
        (tmp_path / ".env").write_text(f"{variable}={token}\n")
        assert (await review(tmp_path, "--pr", NAME, **env)).code == 1
        (tmp_path / ".env").write_text(
            f"{variable}={token}\nGITHUB_API_URL={env.pop('GITHUB_API_URL')}\n"
        )
        assert (await review(tmp_path, "--pr", NAME)).code == 1


async def test_an_address_from_dotenv_never_gets_a_token_of_the_environment(
    tmp_path: Path,
) -> None:
    async with opened() as (github, _, env):
        (tmp_path / ".env").write_text(f"GITHUB_API_URL={env['GITHUB_API_URL']}\n")
        done = await review(tmp_path, "--pr", NAME, GITHUB_TOKEN=env["GITHUB_TOKEN"])
        assert done.code == 2
        assert done.err.startswith(
            "reviewbot: GITHUB_API_URL in .env: this address would receive the GITHUB_TOKEN of your"
        )
        assert github.requests == []


async def test_a_public_repository_needs_no_token_and_a_private_one_says_so(
    tmp_path: Path,
) -> None:
    async with opened(private=False) as (github, _, env):
        address = env["GITHUB_API_URL"]
        assert (await review(tmp_path, "--pr", NAME, GITHUB_API_URL=address)).code == 1
        github.repository().private = True
        done = await review(tmp_path, "--pr", NAME, GITHUB_API_URL=address)
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            "reviewbot: there is no octo/hello#1, or it is not public:"
            " set GITHUB_TOKEN to read it\n"
        )


@pytest.mark.parametrize("enterprise", [False, True])
async def test_the_address_of_a_page_names_a_pull_request(
    enterprise: bool,
    tmp_path: Path,
) -> None:
    async with opened(enterprise=enterprise) as (github, _, env):
        page = github.url.removesuffix("/api/v3") + "/octo/hello/pull/1/files#diff-1"
        assert (await review(tmp_path, "--pr", page, **env)).code == 1
        before = len(github.requests)
        done = await review(tmp_path, "--pr", "https://evil.example/octo/hello/pull/1", **env)
        assert done.code == 2
        assert "evil.example is not 127.0.0.1" in done.err
        assert len(github.requests) == before


def test_what_names_a_pull_request_and_what_does_not() -> None:
    for text in (
        "octo/hello#7",
        "https://github.com/octo/hello/pull/7",
        "https://GitHub.com/octo/hello/pull/7/files?w=1#x",
    ):
        assert str(pull_name(text, API_URL)) == "octo/hello#7"
    assert str(pull_name("https://a.ghe.com/o/r/pull/1", "https://api.a.ghe.com")) == "o/r#1"
    for text in (
        "7", "#7", "octo/hello", "octo/hello#", "octo/hello#x", "octo/hello#\u0663", "hello#7",
        "octo/hello#0", "https://github.com/octo/hello/pull/0",
        "https://github.com/octo/hello/issues/7", "https://github.com/octo/hello/pull/7x",
        "https://me:x@github.com/octo/hello/pull/7", "octo/hello/more#7", "octo/hello#7 ",
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=r"^--pr: .* is not a pull request; give OWNER/"):
            pull_name(text, API_URL)
    with pytest.raises(ConfigError, match=r"set GITHUB_API_URL=https://api\.github\.com and"):
        pull_name("https://github.com/octo/hello/pull/7", "https://git.example/api/v3")
    with pytest.raises(ConfigError, match=r"set GITHUB_API_URL=https://git\.example/api/v3 and"):
        pull_name("https://git.example/octo/hello/pull/7", API_URL)
    with pytest.raises(ConfigError, match=r"github\.com\.evil\.example is not github\.com"):
        pull_name("https://github.com.evil.example/octo/hello/pull/7", API_URL)


# --- What the base says, and what the head must not


async def test_configuration_and_attributes_are_the_bases_and_never_the_heads(
    tmp_path: Path,
) -> None:
    hiding = {".reviewbot.yml": 'exclude: ["**"]\n', ".gitattributes": "* linguist-generated\n"}
    (tmp_path / ".reviewbot.yml").write_text("not: [valid\n")  # of the folder: it has no say either
    async with opened(head=hiding, fork="mallory") as (_, _pull, env):
        assert (await review(tmp_path, "--pr", NAME, **env)).code == 1
    (tmp_path / ".reviewbot.yml").unlink()
    async with opened(base={".reviewbot.yml": "fail_on: never\n"}, head=hiding) as (_, _pull, env):
        assert (await review(tmp_path, "--pr", NAME, **env)).code == 0
        (tmp_path / "own.yml").write_text("fail_on: error\n")
        assert (await review(tmp_path, "--pr", NAME, "--config", "own.yml", **env)).code == 1
        assert (await review(tmp_path, "--pr", NAME, "--fail-on", "error", **env)).code == 1
    async with opened(base={".gitattributes": "app.py linguist-generated\n"}) as (_, _pull, env):
        done = await review(tmp_path, "--pr", NAME, **env)
        assert (done.code, "Generated: .gitattributes says so." in done.text) == (0, True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("jobs: 0\n", ".reviewbot.yml of main:1: jobs: "),
        ("base_url: https://evil.example\n", ".reviewbot.yml of main:1: base_url: "),
    ],
)
async def test_a_mistake_in_the_bases_configuration_is_named(
    text: str, sentence: str, tmp_path: Path
) -> None:
    async with opened(base={".reviewbot.yml": text}) as (_, _pull, env):
        done = await review(tmp_path, "--pr", NAME, **env)
        assert done.code == 2
        assert sentence in error_of(done)


async def test_title_and_description_go_into_the_summary_as_claims(tmp_path: Path) -> None:
    async with (
        opened(title="Empties <all> orders", body="It is faster.") as (_, _pull, env),
        FakeAnthropic(lambda _: Answer(report='{"what": "It empties."}')) as claude,
    ):
        claude.enqueue(Answer())
        keys = {"ANTHROPIC_API_KEY": claude.key, "ANTHROPIC_BASE_URL": claude.base_url}
        assert (await review(tmp_path, "--pr", NAME, **env, **keys)).code == 1
        findings, summary = (json.dumps(one.body) for one in claude.requests)
        assert "Empties <all> orders" in summary
        assert "It is faster." in summary
        assert "faster" not in findings
        claude.enqueue(Answer())
        (tmp_path / "own.md").write_text("It is slower.")
        own = ("--title", "Mine", "--description-file", "own.md")
        await review(tmp_path, "--pr", NAME, *own, **env, **keys)
        summary = json.dumps(claude.requests[-1].body)
        assert "Mine" in summary
        assert "slower" in summary
        assert "faster" not in summary


# --- What cannot be had


async def test_a_part_that_cannot_be_had_makes_the_review_incomplete(tmp_path: Path) -> None:
    async with opened(
        base={"big.py": LARGE, "ok.py": LARGE},
        head={"big.py": LARGE.replace("_7 = 7", "_7 = 8"), "ok.py": LARGE + "x = 1\n"},
    ) as (github, _, env):
        github.rules.diff_files = github.rules.patch_lines = 1
        done = await review(tmp_path, "--pr", NAME, **env)
        assert done.code == 1
        github.fail(faults.error("GET", "/contents/big.py", 404, times=None))
        done = await review(tmp_path, "--pr", NAME, **env)
        assert done.code == 3
        assert "failed big.py: GitHub does not provide its diff, and its old content" in done.text
        assert "--> app.py:3" in done.out
        done = await review(tmp_path, "--pr", NAME, "--format", "ndjson", **env)
        coverage = {one["path"]: one["status"] for one in done.events[-1]["coverage"]}
        assert coverage == {"app.py": "reviewed", "ok.py": "reviewed", "big.py": "failed"}
        done = await review(tmp_path, "--pr", NAME, "--server", "http://127.0.0.1:9", **env)
        assert done.code == 2
        assert "a part of this change could not be read, and a server would report" in done.err
        assert "big.py" in done.err


async def test_a_dry_run_plans_a_pull_request_and_asks_no_model(tmp_path: Path) -> None:
    async with opened() as (_, _pull, env):
        keys = {"ANTHROPIC_API_KEY": "sk-ant-" + "x", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
        done = await review(tmp_path, "--pr", NAME, "--dry-run", **env, **keys)
        assert done.code == 0
        assert re.search(r"^app\.py +\+\d+ -\d+ ", done.out, re.MULTILINE)
        assert "Nothing was sent." in done.text


async def test_a_server_reviews_a_pull_request(tmp_path: Path) -> None:
    async with opened() as (_, _pull, env), node(tmp_path) as one:
        done = await review(tmp_path, "--pr", NAME, "--server", one.url, **env)
        assert done.code == 1
        assert "--> app.py:3" in done.out


# --- What goes wrong


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--pr", "octo/hello#2"], "GitHub has nothing for GET /repos/octo/hello/pulls/2, or does"),
        (["--pr", "octo/none#1"], "GitHub has nothing for GET /repos/octo/none/pulls/1, or does"),
        (["--pr", "octo/..#1"], "'octo/..' is not a repository: it must be OWNER/REPO"),
        (["--pr", "hello"], "--pr: 'hello' is not a pull request; give OWNER/REPO#NUMBER, or"),
        (["--pr", "a/b#1", "x.diff"], "give either a diff or --pr, not both"),
        (["--pr", "a/b#1", "--config", "none.yml"], "none.yml"),
    ],
)
async def test_what_cannot_work_is_one_sentence_and_exit_2(
    arguments: list[str], sentence: str, tmp_path: Path
) -> None:
    async with opened() as (_, _pull, env):
        done = await review(tmp_path, *arguments, **env)
        assert (done.code, done.out) == (2, "")
        assert sentence in error_of(done)


@pytest.mark.parametrize("other", [["--staged"], ["--base", "main"]])
async def test_a_pull_request_and_a_part_of_this_repository_are_a_wrong_use(
    other: list[str], tmp_path: Path
) -> None:
    done = await review(tmp_path, "--pr", NAME, *other)
    assert done.code == 2
    assert "not allowed with argument" in done.err


async def test_a_token_that_is_not_accepted_is_said_and_not_shown(tmp_path: Path) -> None:
    async with opened() as (_, _pull, env):
        done = await review(tmp_path, "--pr", NAME, **env | {"GITHUB_TOKEN": "ghp_" + "x" * 36})
        assert done.code == 2
        assert "GitHub does not accept the credentials" in done.err
        assert "ghp_x" not in done.err


@pytest.mark.parametrize("token", [True, False])
async def test_a_rate_limit_that_lasts_is_not_waited_for(token: bool, tmp_path: Path) -> None:
    async with opened(private=False) as (github, _, env):
        github.fail(faults.primary("GET", "/pulls/1", reset=github.clock.now() + 3_000, times=9))
        if not token:
            del env["GITHUB_TOKEN"]
        done = await review(tmp_path, "--pr", NAME, **env)
        assert done.code == 2
        assert "GitHub's rate limit is used up" in done.err
        assert "waiting" not in done.err
        assert ("set GITHUB_TOKEN, since with a token" in done.err) is not token


async def test_an_address_that_is_none_is_named(tmp_path: Path) -> None:
    done = await review(tmp_path, "--pr", NAME, GITHUB_API_URL="ftp://x", GITHUB_TOKEN="x")
    assert done.code == 2
    assert "GITHUB_API_URL: must be an http or https address" in done.err
    done = await review(tmp_path, "--pr", NAME, GITHUB_API_URL="http://x.example")
    assert "GITHUB_API_URL: tokens would be sent unencrypted" in done.err


# --- What is said meanwhile


class Screen:
    """What a terminal, or a file, was told."""

    def __init__(self, *, terminal: bool) -> None:
        self._terminal, self.text = terminal, ""

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> int:
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize("terminal", [True, False])
async def test_who_waits_is_told_what_for(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(terminal=terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(waiting, "PAUSE_S", 0.01)
    one = waiting.WaitIndicator("fetching octo/hello#1")

    async def work() -> str:
        for doing in ("the diff", "the diff", "[/]\x1b[2J"):
            one.report(doing)
            await asyncio.sleep(0.04)
        return "done"

    assert await one.until(work()) == "done"
    assert ("fetching octo/hello#1: done\n" in screen.text) is not terminal
    assert "fetching octo/hello#1: [/]\\x1b[2J" in screen.text
    assert "\x1b[2J" not in screen.text
    if not terminal:
        assert screen.text.count("the diff") == 1
        assert screen.text.startswith("reviewbot: fetching ")


async def test_a_wait_for_the_first_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen(terminal=False)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(waiting, "PAUSE_S", 0.01)
    await waiting.WaitIndicator("fetching octo/hello").until(asyncio.sleep(0.04))
    assert screen.text.startswith("reviewbot: fetching octo/hello: no answer yet\n")


async def test_what_is_quick_is_not_commented_on_and_errors_pass_through(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Screen(terminal=False)
    monkeypatch.setattr(sys, "stderr", screen)

    async def work() -> None:
        raise ConfigError("no")

    with pytest.raises(ConfigError, match="no"):
        await waiting.WaitIndicator("fetching").until(work())
    assert screen.text == ""

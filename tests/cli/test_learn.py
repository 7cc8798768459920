"""``reviewbot learn`` as a user runs it, against a GitHub that is strict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.github.state.block import StateBlock
from tests.cli.test_stats import BASE, closed, pulled, world
from tests.support.commands import Done, run_command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_github import FakeGitHub


async def learn(folder: Path, *arguments: str, **variables: str) -> Done:
    return await run_command(folder, "learn", "octo/hello", *arguments, **variables)


def dismiss_three(github: FakeGitHub, *, by: str | None = None) -> None:
    for number in range(3):
        record = closed(number, "dismissed", "ruff/F401", severity="warning", folder="src/old")
        state = StateBlock("s", closed=(record,), merged=True)
        pull = pulled(github, state, by=by) if by else pulled(github, state)
        pull.merge()


async def test_the_lines_for_the_configuration_are_printed(tmp_path: Path) -> None:
    async with world() as (github, env):
        dismiss_three(github)
        done = await learn(tmp_path, **env)
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "# octo/hello: 3 states on 3 merged pull requests by github-actions[bot]\n"
        "# ruff/F401 in src/old: dismissed 3 times\n"
        "path_rules:\n"
        '  - paths: ["/src/old/"]\n'
        "    rules: {ruff/F401: off}\n"
    )


async def test_rules_that_the_repository_turned_off_are_left_out(tmp_path: Path) -> None:
    async with world() as (github, env):
        dismiss_three(github)
        config = {".reviewbot.yml": "rules:\n  ruff/F401: off\n"}
        github.repository("octo/hello", BASE).commit(changes=config)
        done = await learn(tmp_path, **env)
    assert "# No rule was dismissed 3 times in one folder." in done.out


async def test_states_of_other_accounts_count_only_if_they_are_named(tmp_path: Path) -> None:
    async with world() as (github, env):
        github.world.user("other[bot]", "Bot")
        dismiss_three(github, by="other[bot]")
        none = await learn(tmp_path, **env)
        named = await learn(tmp_path, "--author", "other[bot]", **env)
    assert "path_rules" not in none.out
    assert "path_rules" in named.out


async def test_without_a_token_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    async with world() as (_, env):
        done = await learn(tmp_path, GITHUB_API_URL=env["GITHUB_API_URL"])
    assert done.code == 2
    assert "set GITHUB_TOKEN" in done.err

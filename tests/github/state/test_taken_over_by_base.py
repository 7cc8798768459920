"""Findings in code that the base branch has taken over, and base branches that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.support.github_stories import (
    BASE,
    LATER_BLOCK,
    ONE,
    ROWS,
    TWO_BLOCKS,
    app,
    at_line,
    bug,
    conclusions,
    either_way,
    job,
    lines,
    nothing,
    replies,
    says,
)
from tests.support.pull_requests import NAME, opened, review

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner


@either_way
@pytest.mark.parametrize("first", [7, 8, 9])
async def test_a_range_that_begins_in_the_context_stands_in_the_base(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str, first: int
) -> None:
    fault = (10, "a = 1 / zero")
    pull = github.pull(base=BASE, head=BASE | app(fault, (40, "n = 1")))
    rows = app(fault)["app.py"].splitlines()
    model.respond = says(
        path="app.py",
        quote="\n".join(rows[first - 1 : 10]),
        line=first,
        end_line=10,
        title="Division",
    )
    await runner.run(pull, review_comments=comments)
    model.respond = nothing
    pull.rebase(app(fault))
    run = await runner.run(pull, review_comments=comments)
    assert run.outputs["errors"] == "1"


@either_way
async def test_a_finding_in_moved_code_that_the_base_takes_over_stays_open(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    block = ROWS[8:12]
    moved = {"app.py": lines(*ROWS[:8], *ROWS[12:40], *block, *ROWS[40:])}
    pull = github.pull(base=BASE, head=BASE | moved | {"c.py": "c = 1\n"})
    model.respond = says(
        path="app.py", quote=block[2], line=39, end_line=39, title="Order is wrong"
    )
    assert (await runner.run(pull, review_comments=comments)).outputs["errors"] == "1"
    model.respond = nothing
    pull.rebase(moved)
    run = await runner.run(pull, review_comments=comments)
    assert run.outputs["errors"] == "1"


async def test_a_finding_listed_in_a_review_stays_open_when_the_base_takes_over_its_moved_code(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    bugs = [bug(number)[1] for number in range(1, 33)]
    base = BASE | {"app.py": lines(*bugs, *ROWS)}
    moved = {"app.py": lines(*ROWS, *bugs)}
    pull = github.pull(base=base, head=base | moved | {"c.py": "c = 1\n"})
    assert (await runner.run(pull)).outputs["findings"] == "32"
    model.respond = nothing
    pull.rebase(moved)
    assert (await runner.run(pull)).outputs["findings"] == "32"


async def test_a_command_is_answered_when_the_base_branch_is_gone(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    pull.close()
    del pull.repo.branches[pull.base_ref]
    await job(runner, pull, pull.comment("/config", by="octo"))
    assert len(replies(pull)) == 1


@pytest.mark.parametrize("token", [True, False])
async def test_a_merged_pull_request_is_reviewed_when_its_base_branch_is_gone(
    tmp_path: Path, *, token: bool
) -> None:
    async with opened(private=False) as (_, pull, env):
        if not token:
            del env["GITHUB_TOKEN"]
        pull.close()
        del pull.repo.branches[pull.base_ref]
        done = await review(tmp_path, "--pr", NAME, **env)
        assert done.code == 1


async def test_of_two_copies_in_the_base_one_stays_open_when_the_other_is_repaired(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO_BLOCKS | {"c.py": "c = 1\n"})
    model.respond = lambda _: Answer(findings=[at_line(23), at_line(47)])
    assert (await runner.run(pull, fail_on="error")).outputs["errors"] == "2"
    model.respond = nothing
    pull.rebase(TWO_BLOCKS)
    assert (await runner.run(pull, fail_on="error")).outputs["errors"] == "2"
    pull.push(LATER_BLOCK)
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] != "0"
    assert conclusions(pull)[-1] == "failure"


@pytest.mark.slow
async def test_copies_told_in_a_summary_that_the_base_took_over(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    bugs = [bug(number)[1] for number in range(1, 33)]
    two = {"app.py": lines(*ROWS[:20], *bugs, *ROWS[20:40], *bugs, *ROWS[40:])}
    one = {"app.py": lines(*ROWS[:40], *bugs, *ROWS[40:])}
    pull = github.pull(base=BASE, head=BASE | two | {"c.py": "c = 1\n"})
    first = (await runner.run(pull)).outputs["findings"]
    model.respond = nothing
    pull.rebase(two)
    assert (await runner.run(pull)).outputs["findings"] == first
    pull.push(one)
    run = await runner.run(pull)
    assert int(run.outputs["findings"]) >= 32

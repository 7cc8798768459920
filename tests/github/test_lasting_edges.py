"""What is known lasts, and hides nothing else: the neighbouring cases."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.fake_github import FakeGitHub, faults
from tests.support.github_states import state_of
from tests.support.github_stories import (
    BASE,
    BLOCK,
    GOOD,
    LATER_BLOCK,
    ONE,
    ROWS,
    SAME,
    TEXT,
    TWO_BLOCKS,
    Overtaken,
    app,
    at_line,
    bug,
    conclusions,
    either_way,
    ignore_first,
    job,
    lines,
    nothing,
    replies,
    says,
    summary_of,
    titles,
)
from tests.support.pull_requests import NAME, opened, review

if TYPE_CHECKING:
    from pathlib import Path

    from tests.github.action_runs import Run, Runner

pytestmark = pytest.mark.edge


def with_line(number: int, text: str) -> str:
    rows = [*ROWS]
    rows[number - 1] = text
    return lines(*rows)


async def test_a_quote_of_white_space_breaks_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    block = ["if value is None:", "    return value.name"]
    pull = github.pull(base=BASE, head=BASE | {"app.py": lines(*ROWS[:9], *block, *ROWS[11:])})
    model.respond = says(
        path="app.py", quote="\n".join(block), line=10, end_line=11, title="None has no name"
    )
    await runner.run(pull)
    pull.push(app((10, "line_10 = 'ten'")))
    model.respond = says(path="app.py", quote=" ", line=3, end_line=3, title="No tests")
    run = await runner.run(pull)
    assert run.code == 0


async def test_a_finding_on_an_empty_line_breaks_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"n.py": "\nx = 1\ny = 2\n", "c.py": "c = 1\n"})
    model.respond = says(path="n.py", quote="R   1 + | ", line=1, end_line=1, title="No header")
    await runner.run(pull)
    assert titles(pull) == ["**error: No header**"]
    model.respond = nothing
    pull.push({"n.py": "x = 1\ny = 2\n"})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "0"


@pytest.mark.slow
async def test_a_stale_run_fixes_nothing_of_a_newer_one(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    async def push() -> Run:
        pull.push(app((10, TEXT), (50, "line_50 = 1 / 0  # BUG error Second zero")))
        return await runner.run(pull)

    slow = github.fail(Overtaken("POST", "/reviews", delay=4.0, push=push))
    await runner.run(pull)
    assert isinstance(slow, Overtaken)
    assert slow.job is not None
    assert (await slow.job).outputs["errors"] == "2"
    [second] = [one for one in pull.review_comments if "Second zero" in one.body]
    assert second.minimized is None
    assert second.thread.resolved_by is None
    open_ = [one.title for one in state_of(pull).records if one.state == "open"]
    assert "Second zero" in open_


async def test_ignoring_in_a_file_that_is_deleted_hides_nothing_in_another(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    line = "password = 'x'"
    base = BASE | {"b.py": BASE["app.py"]}
    head = base | {"test_a.py": f"import os\n{line}\n", "c.py": "c = 1\n"}
    pull = github.pull(base=base, head=head)
    model.respond = says(path="test_a.py", quote=line, line=2, end_line=2, title="Password in code")
    await runner.run(pull, fail_on="error")
    pull.reply(pull.review_comments[0], "/ignore it is a test", by="octo")
    pull.push({"b.py": with_line(30, line), "test_a.py": None})
    model.respond = says(path="b.py", quote=line, line=30, end_line=30, title="Password in code")
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


@pytest.mark.parametrize("how", ["fixed first", "resolved"])
async def test_a_line_in_another_file_has_a_comment_of_its_own(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, how: str
) -> None:
    line = "total = 1 / 0"
    base = BASE | {"b.py": BASE["app.py"]}
    head = base | {"a.py": f"import os\n{line}\n", "c.py": "c = 1\n"}
    pull = github.pull(base=base, head=head)
    model.respond = says(path="a.py", quote=line, line=2, end_line=2, title="Division by zero")
    await runner.run(pull)
    if how == "resolved":
        pull.resolve(pull.threads[0], by="octo")
    model.respond = nothing
    pull.push({"a.py": None})
    assert (await runner.run(pull)).outputs["errors"] == "0"
    pull.push({"a.py": None, "b.py": with_line(30, line)})
    model.respond = says(path="b.py", quote=line, line=30, end_line=30, title="Division by zero")
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert [
        one.thread.anchor.path for one in pull.review_comments if "kind=finding" in one.body
    ] == ["a.py", "b.py"]


@either_way
async def test_a_file_that_is_deleted_has_nothing_standing_in_another(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    top = "import os\nimport sys\nDEBUG = True\n"
    base = BASE | {"util.py": top + BASE["app.py"]}
    head = base | {"new.py": top + "run()\n", "util.py": top + "# a word\n" + BASE["app.py"]}
    pull = github.pull(base=base, head=head)
    model.respond = says(
        path="new.py", quote="DEBUG = True", line=3, end_line=3, title="Debug mode is on"
    )
    assert (await runner.run(pull, review_comments=comments)).outputs["errors"] == "1"
    model.respond = nothing
    pull.push({"new.py": None})
    run = await runner.run(pull, review_comments=comments)
    assert run.outputs["errors"] == "0"


@either_way
async def test_moved_code_that_the_base_takes_over_stands(
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


async def test_moved_code_told_in_a_review_that_the_base_takes_over_stands(
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


OF_TWO_RUNS = [
    finding(path="app.py", quote="a = 1 / zero", line=10, end_line=10, title="Zero"),
    finding(path="app.py", quote="b = 2 / none", line=50, end_line=50, title="None divides"),
]


async def test_a_problem_is_told_once_though_another_run_was_faster(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "a = 1 / zero"), (50, "b = 2 / none")))
    model.respond = lambda _: Answer(findings=[OF_TWO_RUNS[len(model.requests) % 2]])
    runner.event(pull)
    github.fail(faults.error("POST", "/reviews$", 403, times=None))
    github.fail(faults.at_once("POST", "/comments$"))
    jobs = [runner.environment(pull) for _ in range(2)]
    for run in await asyncio.gather(*map(runner.step, jobs)):
        assert run.summary.count("The review could not be posted") <= 1


async def test_a_second_summary_that_cannot_be_deleted_costs_no_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "a = 1 / zero"), (50, "b = 2 / none")))
    model.respond = lambda _: Answer(findings=[OF_TWO_RUNS[len(model.requests) % 2]])
    runner.event(pull)
    github.fail(faults.at_once("POST", "/comments$"))
    github.fail(faults.error("DELETE", "/issues/comments/", 403, times=None))
    jobs = [runner.environment(pull, review_comments="false") for _ in range(2)]
    await asyncio.gather(*map(runner.step, jobs))
    github.faults.clear()
    model.respond = nothing
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "2"


async def test_one_of_two_copies_that_the_base_took_over_stands_when_the_other_is_repaired(
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


@either_way
async def test_what_is_ignored_stays_so_when_it_is_taken_back_and_put_in_again(
    github: FakeGitHub, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, SAME)) | {"c.py": "c = 1\n"})
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    await runner.run(pull, review_comments=comments, fail_on="error")
    pull.push({"app.py": BASE["app.py"]})
    await runner.run(pull, review_comments=comments, fail_on="error")
    pull.push(app((10, SAME)))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "0"


@pytest.mark.parametrize("comments", ["true", "false"])
async def test_what_was_excluded_for_a_while_counts_again(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE | {"c.py": "c = 1\n"})
    await runner.run(pull, review_comments=comments, fail_on="error")
    model.respond = nothing
    pull.rebase({".reviewbot.yml": "summary: false\nexclude: [app.py]\n"})
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "0"
    pull.rebase({".reviewbot.yml": "summary: false\n"})
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"


@pytest.mark.parametrize("fails", ["mute", "found"])
@either_way
async def test_ignoring_one_copy_hides_not_the_other_when_it_is_repaired(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str, fails: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, SAME), (50, SAME)))
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    if fails == "mute":
        model.respond = nothing
    pull.push(app((10, "line_10 = 1"), (50, SAME)))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"


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


@either_way
async def test_an_ignored_copy_claims_not_the_place_of_one_that_counts(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, SAME), (50, SAME)))
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    model.respond = nothing
    pull.push(app((10, "line_10 = 1"), (49, "other = 2"), (50, SAME)))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_an_ignored_finding_that_the_base_took_over_hides_none_that_is_on_its_line_now(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    first, second = "a = 1 / 0", "b = 2 / 0"
    pull = github.pull(base=BASE, head=BASE | app((20, first), (35, second)) | {"c.py": "c = 1\n"})
    model.respond = lambda _: Answer(
        findings=[
            finding(path="app.py", quote=text, line=at, end_line=at, title="Division by zero")
            for at, text in ((20, first), (35, second))
        ]
    )
    await runner.run(pull, review_comments="false", fail_on="error")
    assert summary_of(pull).index("app.py:20") < summary_of(pull).index("app.py:35")
    ignore_first(pull)
    model.respond = nothing
    rows = app((20, first))["app.py"].splitlines()[15:]
    pull.rebase({"app.py": lines(*rows)})
    rows[33 - 15] = "other = 34"
    rows[34 - 15] = second
    pull.push({"app.py": lines(*rows)})
    run = await runner.run(pull, review_comments="false", fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


@either_way
async def test_of_two_copies_the_one_that_is_ignored_stays_the_ignored_one(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO_BLOCKS)
    both = [at_line(23), at_line(47) | {"severity": "warning"}]
    model.respond = lambda _: Answer(findings=both)
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert (run.outputs["errors"], run.outputs["findings"]) == ("1", "2")
    assert state_of(pull).records[0].severity == "error"
    ignore_first(pull)
    for _ in range(2):
        run = await runner.run(pull, review_comments=comments, fail_on="error", full="true")
        assert (run.outputs["errors"], run.outputs["findings"]) == ("0", "1")


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("fails", ["mute", "found"])
@either_way
async def test_one_of_two_pasted_blocks_is_repaired(
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    comments: str,
    *,
    fails: str,
    keep: int,
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO_BLOCKS | {"c.py": "c = 1\n"})
    model.respond = lambda _: Answer(findings=[at_line(23), at_line(47)])
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "2"
    model.respond = nothing
    if fails == "found":
        model.respond = lambda _: Answer(findings=[at_line((23, 47)[keep])])
    both = [BLOCK, GOOD] if keep == 0 else [GOOD, BLOCK]
    pull.push({"app.py": lines(*ROWS[:20], *both[0], *ROWS[20:40], *both[1], *ROWS[40:])})
    full = str(fails == "found").lower()  # else it is not asked about what is unchanged
    run = await runner.run(pull, review_comments=comments, fail_on="error", full=full)
    got = [run.outputs["errors"]]
    model.respond = nothing
    pull.push({"app.py": lines(*ROWS[:20], *GOOD, *ROWS[20:40], *GOOD, *ROWS[40:])})
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    got.append(run.outputs["errors"])
    assert got == ["1", "0"]


@pytest.mark.parametrize("fails", ["mute", "found"])
@either_way
async def test_one_of_two_pasted_blocks_is_repaired_and_the_other_one_is_ignored(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str, fails: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO_BLOCKS | {"c.py": "c = 1\n"})
    model.respond = lambda _: Answer(findings=[at_line(23), at_line(47)])
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    model.respond = nothing
    if fails == "found":
        model.respond = lambda _: Answer(findings=[at_line(23)])
    pull.push({"app.py": lines(*ROWS[:20], *BLOCK, *ROWS[20:40], *GOOD, *ROWS[40:])})
    full = str(fails == "found").lower()
    run = await runner.run(pull, review_comments=comments, fail_on="error", full=full)
    assert run.outputs["errors"] == "0"

"""A copy of faulty code has a finding and a comment of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.support.github_stories import (
    BASE,
    BLOCK,
    GOOD,
    ROWS,
    SAME,
    TWO_BLOCKS,
    app,
    at_line,
    conclusions,
    either_way,
    lines,
    nothing,
    says,
    titles,
    with_line,
)

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner


async def test_a_second_copy_of_the_code_has_its_own_comment(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, SAME)))
    await runner.run(pull)
    pull.push(app((10, SAME), (50, SAME)))
    run = await runner.run(pull)
    assert run.outputs["errors"] == "2"
    assert len(titles(pull)) == 2


async def test_repairing_the_first_copy_does_not_turn_the_check_green(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, SAME)))
    await runner.run(pull, fail_on="error")
    pull.push(app((10, SAME), (50, SAME)))
    await runner.run(pull, fail_on="error")
    pull.push(app((10, "line_10 = 1"), (50, SAME)))
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] != "0"
    assert conclusions(pull)[-1] == "failure"


async def test_each_copy_keeps_its_own_comment_whatever_is_reviewed(
    github: FakeGitHub, runner: Runner
) -> None:
    """All is reviewed again, and a model names the copies in the order of their lines."""
    pull = github.pull(base=BASE, head=BASE | app((40, SAME)))
    await runner.run(pull)
    pull.push(app((10, SAME), (40, SAME)))
    await runner.run(pull)
    for _ in range(2):
        run = await runner.run(pull, full="true")
        assert run.outputs["errors"] == "2"
    assert len(titles(pull)) == 2
    pull.force_push(app((9, "line_9 = 'nine'"), (10, SAME), (40, SAME)))
    for thread in pull.threads:
        thread.now = None
    run = await runner.run(pull, full="true")
    assert run.outputs["errors"] == "2"
    assert len(titles(pull)) == 2


async def test_the_repaired_copy_is_the_one_marked_as_fixed(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, SAME)))
    await runner.run(pull)
    pull.push(app((10, SAME), (50, SAME)))
    await runner.run(pull)
    pull.push(app((10, "line_10 = 1"), (50, SAME)))
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    done = {
        one.anchor.line: bool(one.resolved_by or one.comments[0].minimized) for one in pull.threads
    }
    assert done == {10: True, 50: False}


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
async def test_a_deleted_file_leaves_no_open_finding_in_another_file(
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

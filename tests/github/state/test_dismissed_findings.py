"""A dismissed finding stays dismissed, and hides no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.support.github_states import state_of
from tests.support.github_stories import (
    AT,
    BASE,
    BLOCK,
    GOOD,
    ONE,
    ROWS,
    SAME,
    TEXT,
    TWO_BLOCKS,
    app,
    at_line,
    conclusions,
    either_way,
    ignore_first,
    lines,
    nothing,
    says,
    summary_of,
    titles,
    with_line,
)

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner


async def test_a_finding_without_comment_is_open_again_once_it_is_not_dismissed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    model.respond = says(
        path="app.py", quote="not in the file at all", line=10, end_line=10, title="On no line"
    )
    await runner.run(pull, fail_on="error")
    assert conclusions(pull) == ["failure"]
    said = ignore_first(pull)
    assert (await runner.run(pull, fail_on="error")).outputs["errors"] == "0"
    said.body = "never mind"
    assert (await runner.run(pull, fail_on="error")).outputs["errors"] == "1"


async def test_without_write_access_nobody_keeps_a_finding_without_comment_dismissed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    pull.repo.allow("hubot", "write")
    model.respond = says(
        path="app.py", quote="not in the file at all", line=10, end_line=10, title="On no line"
    )
    await runner.run(pull, fail_on="error")
    ignore_first(pull, by="hubot")
    assert (await runner.run(pull, fail_on="error")).outputs["errors"] == "0"
    pull.repo.allow("hubot", "read")
    assert (await runner.run(pull, fail_on="error")).outputs["errors"] == "1"


async def test_a_dismissed_finding_without_comment_stays_dismissed_in_later_reviews(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """A title with marks of Markdown looks the same when it is carried on."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    model.respond = says(
        path="app.py", quote=text, line=10, end_line=10, title="a_b_c * d < e [f] & `g`"
    )
    await runner.run(pull)

    def row() -> str:
        rows = (line for line in summary_of(pull).splitlines() if line.startswith("- 🛑 error"))
        return next(rows).partition("](")[0]

    before = row()
    model.respond = nothing
    pull.push(app((10, text), (50, "line_50 = 51")))
    run = await runner.run(pull)
    assert row() == before
    assert run.sarif["runs"][0]["results"][0]["message"]["text"].count("\\") == 0


async def test_dismissing_one_copy_dismisses_no_other(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, SAME)))
    await runner.run(pull)
    pull.reply(pull.review_comments[0], "/ignore", by="octo")
    pull.push(app((10, SAME), (50, SAME)))
    run = await runner.run(pull, full="true")
    assert run.outputs["errors"] == "1"
    assert len(titles(pull)) == 2


@pytest.mark.parametrize("comments", ["false"])
async def test_dismissing_one_finding_without_comment_hides_no_other(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    note = finding(
        **AT,
        severity="note",
        title="Name is too long",
        scenario="Readers stumble.",
        category="docs",
    )
    leak = finding(**AT, title="Key is leaked", scenario="Anybody reads it.", category="security")
    model.respond = lambda _: Answer(findings=[note])
    await runner.run(pull, fail_on="error", review_comments=comments)
    ignore_first(pull)
    await runner.run(pull, fail_on="error", review_comments=comments)
    model.respond = lambda _: Answer(findings=[leak])
    pull.push(app((10, TEXT), (12, "line_12 = 'twelve'")))
    run = await runner.run(pull, fail_on="error", review_comments=comments)
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_dismissing_a_finding_on_a_block_hides_no_other_in_the_block(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    block = [f"new_{number} = {number}" for number in range(10, 30)]
    pull = github.pull(base=BASE, head=BASE | app(*zip(range(10, 30), block, strict=True)))
    note = finding(
        path="app.py",
        quote="\n".join(block),
        line=10,
        end_line=29,
        severity="note",
        title="Function is too long",
        scenario="Readers stumble.",
        category="docs",
    )
    leak = finding(
        path="app.py",
        quote=block[5],
        line=15,
        end_line=15,
        title="Key is leaked",
        scenario="Anybody reads it.",
        category="security",
    )
    model.respond = lambda _: Answer(findings=[note])
    await runner.run(pull, fail_on="error", review_comments="false")
    ignore_first(pull)
    await runner.run(pull, fail_on="error", review_comments="false")
    model.respond = lambda _: Answer(findings=[leak])
    run = await runner.run(pull, fail_on="error", review_comments="false", full="true")
    assert run.outputs["errors"] == "1"


@pytest.mark.parametrize("where", ["thread", "below"])
async def test_the_owner_of_the_token_can_dismiss_a_finding(
    github: FakeGitHub, runner: Runner, where: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.token = github.world.personal_token("octo")
    await runner.run(pull)
    found = pull.review_comments[0].body.split("findings=")[1][:16]
    if where == "thread":
        pull.reply(pull.review_comments[0], "/ignore", by="octo")
    else:
        pull.comment(f"/ignore {found}", by="octo")
    run = await runner.run(pull)
    assert run.outputs["errors"] == "0"


async def test_a_dismissed_finding_in_a_deleted_file_hides_none_in_another_file(
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


@either_way
async def test_a_dismissed_finding_stays_dismissed_when_its_code_is_removed_and_returns(
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


@pytest.mark.parametrize("fails", ["mute", "found"])
@either_way
async def test_repairing_a_dismissed_copy_does_not_hide_the_other(
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


@either_way
async def test_a_dismissed_copy_does_not_take_the_location_of_an_open_one(
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


async def test_a_dismissed_finding_in_the_base_does_not_hide_a_new_one_on_its_line(
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
async def test_of_two_copies_the_dismissed_one_stays_dismissed(
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


@pytest.mark.parametrize("fails", ["mute", "found"])
@either_way
async def test_of_two_pasted_blocks_one_is_repaired_and_one_is_dismissed(
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

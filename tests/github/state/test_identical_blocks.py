"""Identical blocks: each finding stays with its own block, wherever lines move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.support.github_states import state_of
from tests.support.github_stories import (
    BASE,
    BLOCK,
    GOOD,
    LATER_BLOCK,
    ROWS,
    TWO_BLOCKS,
    at_line,
    conclusions,
    either_way,
    ignore_first,
    lines,
    nothing,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

OTHER = {"c.py": "c = 1\n"}
WARNING = {"severity": "warning"}
INDENTED = "        total = 1 / 0"

mute_or_found = pytest.mark.parametrize("fails", ["mute", "found"])


def says(*findings: dict[str, Any]) -> Any:
    return lambda _request: Answer(findings=list(findings))


def function(name: str, wrong: str = BLOCK[2]) -> list[str]:
    """The wrong line is its fourth one."""
    return [
        f"def {name}():",
        "    value = load()",
        "    check(value)",
        f"    {wrong}",
        f"    return '{name}'",
    ]


def on(number: int, quote: str = f"    {BLOCK[2]}") -> dict[str, Any]:
    return finding(
        path="app.py", quote=quote, line=number, end_line=number, title="Division by zero"
    )


def apart(first: Sequence[str], second: Sequence[str]) -> str:
    """``app.py`` with these two functions: the wrong lines are 24 and 49."""
    return lines(*ROWS[:20], *first, *ROWS[20:40], *second, *ROWS[40:])


@pytest.mark.parametrize("between", [True, False])
@either_way
async def test_repairing_one_of_two_copies_in_the_base_resolves_one_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str, *, between: bool
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO_BLOCKS | OTHER)
    model.respond = says(at_line(23), at_line(47))
    await runner.run(pull, review_comments=comments, fail_on="error")
    model.respond = nothing
    pull.rebase(TWO_BLOCKS)
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "2"
    if between:
        pull.push({"c.py": "c = 2\n"})
        await runner.run(pull, review_comments=comments, fail_on="error")
    pull.push(LATER_BLOCK)
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


@either_way
async def test_a_copy_that_is_added_and_removed_leaves_the_first_finding_open(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | LATER_BLOCK | OTHER)
    model.respond = says(at_line(43))
    await runner.run(pull, review_comments=comments, fail_on="error")
    model.respond = nothing
    pull.rebase(LATER_BLOCK)
    found = [(await runner.run(pull, review_comments=comments)).outputs["errors"]]
    for change in (TWO_BLOCKS, LATER_BLOCK):
        pull.push(change)
        found.append((await runner.run(pull, review_comments=comments)).outputs["errors"])
    assert found == ["1", "1", "1"]


@either_way
async def test_copies_found_by_two_reviews_are_two_findings(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    base = BASE | {"app.py": lines(*ROWS[:10], *BLOCK, *ROWS[10:])}
    one = {"app.py": lines(*ROWS[:10], *BLOCK, *ROWS[10:30], *BLOCK, *ROWS[30:])}
    two = {"app.py": lines(*ROWS[:30], *BLOCK, *ROWS[30:50], *BLOCK, *ROWS[50:])}
    pull = github.pull(base=base, head=base | one | OTHER)
    model.respond = says(at_line(37))
    await runner.run(pull, review_comments=comments, fail_on="error")
    pull.push(two)
    model.respond = says(at_line(33), at_line(57))
    run = await runner.run(pull, review_comments=comments, fail_on="error", full="true")
    assert run.outputs["errors"] == "2"
    model.respond = nothing
    pull.rebase(two)
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "2"
    pull.push({"app.py": lines(*ROWS[:30], *BLOCK, *ROWS[30:])})
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"


@either_way
async def test_a_dismissed_finding_does_not_hide_a_copy_that_is_pasted_later(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    one = lines(*ROWS[:20], *function("first"), *ROWS[20:])
    pull = github.pull(base=BASE, head=BASE | {"app.py": one} | OTHER)
    model.respond = says(on(24))
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    await runner.run(pull, review_comments=comments, fail_on="error")
    pull.push({"app.py": apart(function("first"), function("second"))})
    model.respond = says(on(49))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


@pytest.mark.parametrize("how", ["renamed", "rebased", "indented"])
@mute_or_found
@either_way
async def test_a_dismissed_copy_is_repaired_while_the_other_moves(
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    comments: str,
    *,
    fails: str,
    how: str,
) -> None:
    good = apart(function("first", "total = 7"), function("second"))
    both = apart(function("first"), function("second"))
    pull = github.pull(base=BASE, head=BASE | {"app.py": both} | OTHER)
    model.respond = says(on(24), on(49))
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    last = on(49)
    if how == "renamed":
        last = on(49) | {"path": "core.py"}
        pull.push({"app.py": None, "core.py": good})
    elif how == "rebased":
        pull.rebase({"z.py": "z = 1\n"})
        pull.push({"app.py": good})
    else:
        last = on(49, INDENTED)
        pull.push({"app.py": good.replace(f"    {BLOCK[2]}", INDENTED)})
    model.respond = nothing if fails == "mute" else says(last)
    full = str(fails == "found").lower()
    run = await runner.run(pull, review_comments=comments, fail_on="error", full=full)
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


@either_way
async def test_a_finding_does_not_take_the_severity_of_a_repaired_copy(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    both = apart(function("first"), function("second"))
    pull = github.pull(base=BASE, head=BASE | {"app.py": both} | OTHER)
    model.respond = says(on(24) | WARNING, on(49))
    await runner.run(pull, review_comments=comments, fail_on="error")
    good = apart(function("first", "total = 7"), function("second"))
    pull.push({"app.py": good.replace(f"    {BLOCK[2]}", INDENTED)})
    model.respond = says(on(49, INDENTED) | WARNING)
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"


@pytest.mark.parametrize("then", ["other", "indented", "moved"])
@pytest.mark.parametrize("ignored", [False, True])
@either_way
async def test_a_repaired_copy_stays_resolved_beside_an_open_one(
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    comments: str,
    *,
    then: str,
    ignored: bool,
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO_BLOCKS | OTHER)
    model.respond = says(at_line(23), at_line(47))
    await runner.run(pull, review_comments=comments, fail_on="error")
    if ignored:
        ignore_first(pull)
    model.respond = nothing
    good = apart(BLOCK, GOOD)
    found: list[str] = []
    for change in (
        {"app.py": good},
        {
            "other": {"c.py": "c = 2\n"},
            "indented": {"app.py": good.replace(BLOCK[2], f"    {BLOCK[2]}")},
            "moved": {"app.py": f"first = 1\n{good}"},
        }[then],
        {"c.py": "c = 3\n"},
    ):
        pull.push(change)
        run = await runner.run(pull, review_comments=comments, fail_on="error")
        found.append(run.outputs["errors"])
    assert found == ["0" if ignored else "1"] * 3


@either_way
async def test_of_identical_functions_the_dismissed_one_stays_dismissed_when_a_rename_is_reverted(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    both = apart(function("first"), function("second"))
    pull = github.pull(base=BASE, head=BASE | {"app.py": both} | OTHER)
    model.respond = says(on(24), on(49))
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    model.respond = nothing
    pull.push({"app.py": None, "core.py": both})
    await runner.run(pull, review_comments=comments, fail_on="error")
    pull.push({"core.py": None, "app.py": both})
    model.respond = says(on(24))
    run = await runner.run(pull, review_comments=comments, fail_on="error", full="true")
    assert run.outputs["errors"] == "1"
    pull.push({"app.py": apart(function("first", "total = 7"), function("second"))})
    model.respond = says(on(49))
    run = await runner.run(pull, review_comments=comments, fail_on="error", full="true")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_a_finding_dismissed_before_it_is_posted_stays_dismissed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    bad = {"app.py": lines(*ROWS[:20], *function("first"), *ROWS[20:])}
    model.respond = says(on(24))
    first = github.pull(base=BASE, head=BASE | bad | OTHER)
    await runner.run(first, review_comments="false", fail_on="error")
    id_ = state_of(first).records[0].id
    model.respond = nothing
    good = {"app.py": lines(*ROWS[:20], *function("first", "total = 7"), *ROWS[20:])}
    pull = github.pull(base=BASE, head=BASE | good | OTHER)
    await runner.run(pull, review_comments="false", fail_on="error")
    pull.comment(f"/ignore {id_}", by="octo")
    model.respond = says(on(24))
    pull.push(bad)
    run = await runner.run(pull, review_comments="false", fail_on="error")
    assert run.outputs["errors"] == "0"


@pytest.mark.slow
async def test_a_finding_stays_open_when_its_file_grows_too_large(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    one = lines(*ROWS[:20], *function("first"), *ROWS[20:])
    pull = github.pull(base=BASE, head=BASE | {"app.py": one} | OTHER)
    model.respond = says(on(24))
    await runner.run(pull, review_comments="false", fail_on="error")
    model.respond = nothing
    pull.push({"app.py": one + "# x\n" * 600_000})
    run = await runner.run(pull, review_comments="false", fail_on="error")
    assert run.outputs["errors"] == "1"


def on_block(number: int, *quote: str) -> dict[str, Any]:
    return finding(
        path="app.py",
        quote="\n".join(quote),
        line=number,
        end_line=number + len(quote) - 1,
        title="Division by zero",
    )


@either_way
async def test_of_two_blocks_the_one_with_an_empty_line_inside_stays_open(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    """Git slides what was taken out to the empty line: it mixes both of them."""
    block = ["total = 1 / 0", "", "other = 2 / 0"]
    both = lines(*ROWS[:20], *block, "between = 1", *block, *ROWS[20:])
    pull = github.pull(base=BASE, head=BASE | {"app.py": both} | OTHER)
    model.respond = says(on_block(21, *block), on_block(25, *block))
    await runner.run(pull, review_comments=comments, fail_on="error")
    model.respond = nothing
    pull.push({"app.py": lines(*ROWS[:20], *block, *ROWS[20:])})
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] != "0"
    assert conclusions(pull)[-1] == "failure"


@pytest.mark.parametrize(
    ("block", "before", "after"),
    [
        (["if not value:", "    return 1 / 0"], "check(value)", "    log()"),
        (["except OSError:", "    pass"], "second()", "    log()"),
        (["open_it()", "use_it()"], "b()", "check_it()"),
    ],
)
@either_way
async def test_code_that_moves_to_where_its_lines_stood_apart_stands(
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    comments: str,
    *,
    block: list[str],
    before: str,
    after: str,
) -> None:
    old = ["start()", *block, before, block[0], after, block[1], "end()"]
    new = ["start()", before, *block, "end()"]
    pull = github.pull(
        base=BASE, head=BASE | {"app.py": lines(*ROWS[:20], *old, *ROWS[20:])} | OTHER
    )
    model.respond = says(on_block(22, *block))
    await runner.run(pull, review_comments=comments, fail_on="error")
    model.respond = nothing
    pull.push({"app.py": lines(*ROWS[:20], *new, *ROWS[20:])})
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"

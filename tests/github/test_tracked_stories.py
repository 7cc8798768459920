"""Like code at several places: each finding stays with its own, wherever lines go."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.support.examples import PROFILE
from tests.support.github_stories import (
    BASE,
    BLOCK,
    GOOD,
    LATER_BLOCK,
    ONE_BLOCK,
    ROWS,
    TWO_BLOCKS,
    at_line,
    conclusions,
    either_way,
    ignore_first,
    lines,
    nothing,
    summary_of,
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


@pytest.mark.parametrize("what", ["ignored", "warning"])
@pytest.mark.parametrize("like", ["functions", "blocks"])
@mute_or_found
@either_way
async def test_code_that_moves_up_to_the_place_of_its_like_is_still_its_own(
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    comments: str,
    *,
    fails: str,
    like: str,
    what: str,
) -> None:
    first, second, at = function("first"), function("second"), (24, 29)
    if like == "blocks":
        first, second, at = [*BLOCK[:3], "end = 'first'"], [*BLOCK[:3], "end = 'second'"], (23, 27)
    quote = first[3] if like == "functions" else first[2]
    both = {"app.py": lines(*ROWS[:20], *first, *second, *ROWS[20:])}
    pull = github.pull(base=BASE, head=BASE | both | OTHER)
    worse = {} if what == "ignored" else WARNING
    model.respond = says(on(at[0], quote) | worse, on(at[1], quote))
    await runner.run(pull, review_comments=comments, fail_on="error")
    if what == "ignored":
        ignore_first(pull)
    model.respond = nothing if fails == "mute" else says(on(at[0], quote))
    pull.push({"app.py": lines(*ROWS[:20], *second, *ROWS[20:])})
    full = str(fails == "found").lower()
    run = await runner.run(pull, review_comments=comments, fail_on="error", full=full)
    # Of two blocks, which differ at their ends alone, either one may have been taken out.
    assert run.outputs["errors"] in (("1",) if like == "functions" else ("1", "2"))
    assert conclusions(pull)[-1] == "failure"


@pytest.mark.parametrize("between", [True, False])
@either_way
async def test_of_two_copies_that_the_base_took_over_one_is_repaired(
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
async def test_a_copy_that_comes_and_goes_leaves_what_stands(
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
async def test_copies_of_two_reviews_are_two(
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


@pytest.mark.parametrize("named", ["both", "the new one"])
@pytest.mark.parametrize("order", ["later first", "earlier first", "at once"])
@either_way
async def test_copies_of_two_pushes_are_fixed_when_they_are_removed(
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    comments: str,
    *,
    order: str,
    named: str,
) -> None:
    base = BASE | {"app.py": lines(*ROWS[:10], *BLOCK, *ROWS[10:])}
    one = lines(*ROWS[:10], *BLOCK, *ROWS[10:30], *BLOCK, *ROWS[30:])
    two = lines(*ROWS[:10], *BLOCK, *ROWS[10:30], *BLOCK, *ROWS[30:50], *BLOCK, *ROWS[50:])
    other = lines(*ROWS[:10], *BLOCK, *ROWS[10:50], *BLOCK, *ROWS[50:])
    pull = github.pull(base=base, head=base | {"app.py": one} | OTHER)
    model.respond = says(at_line(37))
    await runner.run(pull, review_comments=comments, fail_on="error")
    pull.push({"app.py": two})
    model.respond = says(*[at_line(37)] * (named == "both"), at_line(61))
    run = await runner.run(pull, review_comments=comments, fail_on="error", full="true")
    assert run.outputs["errors"] == "2"
    model.respond = nothing
    if order != "at once":
        pull.push({"app.py": one if order == "later first" else other})
        run = await runner.run(pull, review_comments=comments, fail_on="error")
        assert run.outputs["errors"] == "1"
    pull.push({"app.py": base["app.py"]})
    run = await runner.run(pull, review_comments=comments, fail_on="error", full="true")
    assert run.outputs["errors"] == "0"


@either_way
async def test_what_is_ignored_hides_no_copy_that_is_pasted_later(
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


@either_way
async def test_what_was_ignored_and_repaired_hides_no_like_function_that_comes_later(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    def text(*rows: str) -> dict[str, str]:
        return {"app.py": lines(*ROWS[:20], *rows, *ROWS[20:])}

    pull = github.pull(base=BASE, head=BASE | text(*function("first")) | OTHER)
    model.respond = says(on(24))
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    model.respond = nothing
    good = function("first", "total = 7")
    pull.push(text(*good))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "0"
    model.respond = says(on(29))
    pull.push(text(*good, *function("second")))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


@pytest.mark.parametrize("how", ["renamed", "rebased", "indented"])
@mute_or_found
@either_way
async def test_the_ignored_one_is_repaired_and_the_other_one_changes_its_place(
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
async def test_the_severity_of_a_like_one_that_is_repaired_is_not_its_own(
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
async def test_what_was_repaired_beside_its_like_stays_fixed(
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


@mute_or_found
@either_way
async def test_a_like_function_in_the_place_of_one_that_moves_down_is_another_one(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str, *, fails: str
) -> None:
    """Git, and so GitHub, pairs what is inside of them."""
    pull = github.pull(
        base=BASE, head=BASE | {"app.py": lines(*ROWS[:20], *function("first"), *ROWS[20:])} | OTHER
    )
    model.respond = says(on(24))
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    both = lines(*ROWS[:20], *function("other"), *ROWS[20:22], *function("first"), *ROWS[22:])
    pull.push({"app.py": both})
    model.respond = says(on(24))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert len(pull.review_comments) == (2 if comments == "true" else 0)
    good = lines(
        *ROWS[:20], *function("other"), *ROWS[20:22], *function("first", "total = 7"), *ROWS[22:]
    )
    pull.push({"app.py": good})
    model.respond = nothing if fails == "mute" else says(on(24))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


@either_way
async def test_of_like_functions_the_ignored_one_stays_so_when_a_rename_is_taken_back(
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


@pytest.mark.parametrize("ignored", [True, False])
@either_way
async def test_a_like_function_in_the_place_of_one_that_is_repaired_is_another_one(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str, *, ignored: bool
) -> None:
    def text(*rows: str) -> dict[str, str]:
        return {"app.py": lines(*ROWS[:20], *rows, *ROWS[20:])}

    pull = github.pull(base=BASE, head=BASE | text(*function("first")) | OTHER)
    model.respond = says(on(24))
    await runner.run(pull, review_comments=comments, fail_on="error")
    if ignored:
        ignore_first(pull)
    good = function("first", "total = 7")
    found: list[str] = []
    for rows, model.respond in (
        (good, nothing),
        ([*function("other"), *good], says(on(24))),
        ([*function("other", "total = 8"), *good], nothing),
    ):
        pull.push(text(*rows))
        run = await runner.run(pull, review_comments=comments, fail_on="error", full="true")
        found.append(run.outputs["errors"])
    assert found == ["0", "1", "0"]


@either_way
async def test_what_is_ignored_and_comes_back_hides_no_like_function(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    both = {"app.py": apart(function("first"), function("second"))}
    pull = github.pull(base=BASE, head=BASE | both | OTHER)
    model.respond = says(on(24), on(49))
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    model.respond = nothing
    pull.push({"app.py": None})
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "0"
    pull.push(both)
    model.respond = says(on(49))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


@either_way
async def test_an_ignored_one_that_is_repaired_hides_no_like_function_of_the_same_push(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    one = lines(*ROWS[:20], *function("first"), *ROWS[20:])
    pull = github.pull(base=BASE, head=BASE | {"app.py": one} | OTHER)
    model.respond = says(on(24))
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    pull.push({"app.py": apart(function("first", "total = 7"), function("second"))})
    model.respond = says(on(49))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


@either_way
async def test_among_hundreds_of_like_lines_an_ignored_one_hides_none(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    many = [row for number in range(160) for row in function(f"f{number}")]
    base = BASE | {"app.py": lines(*ROWS, *many)}
    one = lines(*ROWS[:20], *function("first"), *ROWS[20:], *many)
    pull = github.pull(base=base, head=base | {"app.py": one} | OTHER)
    model.respond = says(on(24))
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignore_first(pull)
    good, other = function("first", "total = 7"), function("second")
    pull.push({"app.py": lines(*ROWS[:20], *good, *ROWS[20:40], *other, *ROWS[40:], *many)})
    model.respond = says(on(49))
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_what_is_ignored_once_it_is_fixed_hides_no_like_function(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    def text(*rows: str) -> dict[str, str]:
        return {"app.py": lines(*ROWS[:20], *rows, *ROWS[20:])}

    pull = github.pull(base=BASE, head=BASE | text(*function("first")) | OTHER)
    model.respond = says(on(24))
    await runner.run(pull, review_comments="false", fail_on="error")
    id_ = summary_of(pull).split("findings=")[1][:16]
    model.respond = nothing
    good = function("first", "total = 7")
    pull.push(text(*good))
    await runner.run(pull, review_comments="false", fail_on="error")
    pull.comment(f"/ignore {id_}", by="octo")
    pull.push(text(*good, *function("second")))
    model.respond = says(on(29))
    run = await runner.run(pull, review_comments="false", fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_what_is_ignored_before_it_is_posted_is_ignored(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    bad = {"app.py": lines(*ROWS[:20], *function("first"), *ROWS[20:])}
    model.respond = says(on(24))
    first = github.pull(base=BASE, head=BASE | bad | OTHER)
    await runner.run(first, review_comments="false", fail_on="error")
    id_ = summary_of(first).split("findings=")[1][:16]
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
async def test_what_is_in_a_file_that_grows_too_large_stands(
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
async def test_of_two_blocks_with_an_empty_line_inside_one_stands(
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


@pytest.mark.parametrize("ignored", [True, False])
@either_way
async def test_a_function_that_moves_to_the_place_of_its_like_stands(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str, *, ignored: bool
) -> None:
    """Git pairs what is inside of the one that goes with what is inside of the other one."""
    pull = github.pull(
        base=BASE,
        head=BASE | {"app.py": apart(function("first"), function("second"))} | OTHER,
    )
    if ignored:
        model.respond = says(on(49))
        await runner.run(pull, review_comments=comments, fail_on="error")
        ignore_first(pull)
    model.respond = says(on(24), *[on(49)] * ignored)
    run = await runner.run(pull, review_comments=comments, fail_on="error", full="true")
    assert run.outputs["errors"] == "1"
    model.respond = nothing
    pull.push({"app.py": lines(*ROWS[:40], *function("first"), *ROWS[40:])})
    run = await runner.run(pull, review_comments=comments, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


@pytest.mark.unposted  # what is fixed, the summary says no more
async def test_a_copy_that_is_taken_out_while_the_model_fails_is_fixed_by_the_next_review(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    base = BASE | ONE_BLOCK
    pull = github.pull(base=base, head=base | TWO_BLOCKS | OTHER)
    model.respond = says(at_line(47))
    await runner.run(pull, fail_on="error", review_comments="false")
    model.respond = lambda _: Answer(call=False, preamble="this is no answer")
    pull.push(ONE_BLOCK | {"c.py": "c = 2\n"})
    run = await runner.run(pull, fail_on="error", review_comments="false")
    assert run.outputs["errors"] == "1"
    model.respond = nothing
    for number in range(2):
        pull.push({"c.py": f"c = 3{number}\n"})
        run = await runner.run(pull, fail_on="error", review_comments="false")
        assert run.outputs["errors"] == "0"


async def test_a_copy_in_the_base_is_no_return_of_one_that_was_taken_out(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    base = BASE | ONE_BLOCK
    pull = github.pull(base=base, head=base | TWO_BLOCKS | OTHER)
    model.respond = says(at_line(47))
    await runner.run(pull, fail_on="error")
    model.respond = nothing
    for change in (ONE_BLOCK, {"c.py": "c = 2\n"}, {"c.py": "c = 3\n"}):
        pull.push(change)
        run = await runner.run(pull, fail_on="error")
        assert run.outputs["errors"] == "0"
    assert pull.review_comments[0].minimized or pull.threads[0].resolved_by


class Written:
    """``app.py`` with some like functions, which a random story changes.

    Of one name they are told from one another by the rows between them alone: then these stay, no
    function moves, and none comes. A function is its number, and whether it is bad; None: gone.
    """

    def __init__(self, luck: random.Random) -> None:
        self.luck = luck
        self.one_name = luck.random() < 0.2
        self.gap = luck.choice([0, 2, 7])
        self.count = luck.choice([1, 2, 3])
        self.functions: list[tuple[int, bool | None]] = [
            (number, True) for number in range(self.count)
        ]
        self.above, self.indent, self.path, self.end = 0, "    ", "app.py", "\n"

    @property
    def bad(self) -> list[int]:
        return [number for number, is_bad in self.functions if is_bad]

    def text(self) -> str:
        rows = [f"top_{number} = {number}" for number in range(self.above)] + ROWS[:10]
        for at, (number, is_bad) in enumerate(self.functions):
            if is_bad is not None:
                name = "fn" if self.one_name else f"fn_{number}"
                rows += function(name, BLOCK[2] if is_bad else f"total = {number}")
            rows += ROWS[10 + at * self.gap : 10 + (at + 1) * self.gap]
        rows += ROWS[10 + len(self.functions) * self.gap :]
        text = lines(*rows).replace(f"    {BLOCK[2]}", f"{self.indent}{BLOCK[2]}")
        return text.replace("\n", self.end)

    def found(self) -> dict[int, dict[str, Any]]:
        """What a model can find, by the numbers of the functions."""
        rows = [one for one in enumerate(self.text().splitlines(), 1) if BLOCK[2] in one[1]]
        every = zip(self.bad, rows, strict=True)
        return {number: on(*row) | {"path": self.path} for number, row in every}

    def change(self) -> tuple[str, dict[str, str | None]]:
        whats = ["good", "gone", "above", "indent", "path", "end"]
        whats += [] if self.one_name else ["shuffle", "insert"]
        what, path = self.luck.choice(whats), self.path
        if what in ("good", "gone") and self.bad:
            number = self.luck.choice(self.bad)
            at = self.functions.index((number, True))
            self.functions[at] = (number, False if what == "good" else None)
            if what == "gone" and not self.one_name:
                del self.functions[at]
        elif what == "above":
            self.above += self.luck.choice([1, 5])
        elif what == "indent":
            self.indent += "    "
        elif what == "end":
            self.end = "\r\n" if self.end == "\n" else "\n"
        elif what == "shuffle":
            self.luck.shuffle(self.functions)
        elif what == "insert":
            self.functions.insert(self.luck.randint(0, len(self.functions)), (self.count, True))
            self.count += 1
        elif what == "path":
            self.path = "core.py" if path == "app.py" else "app.py"
        return what, {path: None, self.path: self.text(), "c.py": f"c = {self.luck.random()}\n"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40 if PROFILE == "nightly" else 10))
@pytest.mark.parametrize("comments", ["true", pytest.param("false", marks=pytest.mark.unposted)])
async def test_whatever_happens_to_like_functions_what_stands_counts(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str, seed: int
) -> None:
    luck = random.Random(seed)  # noqa: S311 - it makes a story, not a secret
    written = Written(luck)
    pull = github.pull(base=BASE, head=BASE | {"app.py": written.text()} | OTHER)
    model.respond = says(*written.found().values())
    named = {*written.bad}
    await runner.run(pull, review_comments=comments, fail_on="error")
    ignored = luck.random() < 0.6
    if ignored:
        ignore_first(pull)
    told = [f"{written.functions}, ignored: {ignored}"]
    for _ in range(6):
        what, change = written.change()
        pull.push(change)
        found = written.found()
        seen = luck.choice([[], [*found], luck.sample([*found], min(1, len(found)))])
        named.update(seen)
        model.respond = says(*(found[number] for number in seen))
        full = "true" if seen else luck.choice(["false", "true"])  # it speaks of what it is shown
        run = await runner.run(pull, review_comments=comments, fail_on="error", full=full)
        counting = {number for number in written.bad if number or not ignored}
        errors = int(run.outputs["errors"])
        told.append(f"{what}: {written.functions} in {written.path}, {seen} found: {errors}")
        assert errors >= len(counting & named), told
        # Of one name, it cannot always be told which one was taken out.
        assert errors <= len(counting) or written.one_name, told
    model.respond = nothing
    written.functions = []
    for number in range(2):
        pull.push({written.path: written.text(), "c.py": f"c = {number}\n"})
        run = await runner.run(pull, review_comments=comments, fail_on="error")
        assert run.outputs["errors"] == "0", told

"""What is known lasts: whatever becomes of names, places, words, texts and severities."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.github.markers import Marker, write
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.fake_github import faults
from tests.github.action_runs import CONFIG, WRITES, Runner, bound_to, find_marked
from tests.support.github_stories import (
    AT,
    BASE,
    ONE,
    TEXT,
    app,
    base_goes_on,
    bug,
    conclusions,
    either_way,
    ignore_first,
    nothing,
    says,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub

pytestmark = pytest.mark.edge


@either_way
async def test_a_rename_that_is_taken_back_repairs_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    base = CONFIG | {"old.py": BASE["app.py"], "b.py": "x = 1\n"}
    pull = github.pull(
        base=base, head=CONFIG | {"old.py": None, "new.py": ONE["app.py"], "b.py": "x = 2\n"}
    )
    await runner.run(pull, fail_on="error", review_comments=comments)
    assert conclusions(pull) == ["failure"]
    model.respond = nothing
    pull.push({"new.py": None, "old.py": ONE["app.py"]})
    run = await runner.run(pull, fail_on="error", review_comments=comments)
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_a_rename_that_is_taken_back_posts_nothing_twice(
    github: FakeGitHub, runner: Runner
) -> None:
    base = CONFIG | {"old.py": BASE["app.py"], "b.py": "x = 1\n"}
    pull = github.pull(
        base=base, head=CONFIG | {"old.py": None, "new.py": ONE["app.py"], "b.py": "x = 2\n"}
    )
    await runner.run(pull)
    pull.push({"new.py": None, "old.py": ONE["app.py"]})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert titles(pull) == ["**error: Division by zero**"]


@either_way
async def test_a_file_that_the_base_renames_repairs_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    base = CONFIG | {"old.py": BASE["app.py"], "b.py": "x = 1\n"}
    pull = github.pull(base=base, head=base | {"old.py": ONE["app.py"], "b.py": "x = 2\n"})
    await runner.run(pull, fail_on="error", review_comments=comments)
    assert conclusions(pull) == ["failure"]
    model.respond = nothing
    base_goes_on(
        pull,
        {"old.py": None, "new.py": BASE["app.py"]},
        {"new.py": ONE["app.py"], "b.py": "x = 2\n"},
    )
    run = await runner.run(pull, fail_on="error", review_comments=comments)
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_a_file_that_the_base_renames_posts_nothing_twice(
    github: FakeGitHub, runner: Runner
) -> None:
    base = CONFIG | {"old.py": BASE["app.py"], "b.py": "x = 1\n"}
    pull = github.pull(base=base, head=base | {"old.py": ONE["app.py"], "b.py": "x = 2\n"})
    await runner.run(pull)
    base_goes_on(
        pull,
        {"old.py": None, "new.py": BASE["app.py"]},
        {"new.py": ONE["app.py"], "b.py": "x = 2\n"},
    )
    await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**"]


@either_way
async def test_what_became_an_error_stays_one(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    model.respond = says(**AT, title="Division by zero", severity="warning")
    await runner.run(pull, fail_on="error", review_comments=comments)
    model.respond = says(**AT, title="Division by zero", severity="error")
    pull.push(app((10, TEXT), (12, "line_12 = 'twelve'")))
    await runner.run(pull, fail_on="error", review_comments=comments)
    assert conclusions(pull)[-1] == "failure"
    model.respond = nothing
    pull.push({"c.py": "x = 1\n"})
    await runner.run(pull, fail_on="error", review_comments=comments)
    assert conclusions(pull)[-1] == "failure"


async def test_a_told_finding_that_was_fixed_does_not_return_with_the_same_line_elsewhere(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    lines = [bug(number) for number in range(1, 31)]
    last = (31, "pass  # BUG note It does nothing")
    pull = github.pull(base=BASE, head=BASE | app(*lines, last))
    await runner.run(pull)
    assert "It does nothing" in summary_of(pull)
    pull.push(app(*lines))
    run = await runner.run(pull)
    assert run.outputs["findings"] == "30"
    model.respond = nothing
    pull.push(app(*lines, (55, last[1])))
    run = await runner.run(pull)
    assert run.outputs["findings"] == "30"


async def test_an_incomplete_run_shows_nothing_told_that_was_fixed_before(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    lines = [bug(number) for number in range(1, 31)]
    last = (31, "pass  # BUG note It does nothing")
    pull = github.pull(base=BASE, head=BASE | app(*lines, last))
    await runner.run(pull)
    pull.push(app(*lines))
    run = await runner.run(pull)
    assert run.outputs["findings"] == "30"
    model.respond = lambda _: Answer(call=False, preamble="this is no answer")
    pull.push(app(*lines, (55, "line_55 = 'x'")))
    run = await runner.run(pull)
    assert "It does nothing" not in summary_of(pull)
    assert run.outputs["findings"] == "30"


@pytest.mark.parametrize("comments", ["false"])
async def test_ignoring_one_finding_on_no_line_hides_no_other(
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


async def test_ignoring_a_finding_on_a_block_hides_nothing_else_in_it(
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


async def test_a_comment_that_was_edited_in_the_browser_is_still_read(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """A browser sends the lines of a text field with CRLF, and GitHub keeps them."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    model.respond = says(**AT, title="Division by zero")
    await runner.run(pull)
    one = pull.review_comments[0]
    head, gap, tail = one.body.rpartition("\n\n")
    one.body = f"{head}\n\nWe talked about it.{gap}{tail}".replace("\n", "\r\n")
    model.respond = nothing
    pull.push({"c.py": "x = 1\n"})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert "| Division by zero |" in summary_of(pull)


async def test_a_maintainer_adds_a_line_at_the_end_of_a_comment(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.review_comments[0].body += "\n\nWe talked about it: wait for #12."
    await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_maintainer_adds_a_line_at_the_end_of_the_summary(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.comments[0].body += "\n\nWe talked about it: wait for #12."
    await runner.run(pull)
    assert len([one for one in pull.comments if "kind=summary" in one.body]) == 1


async def test_a_forged_summary_that_is_older_costs_us_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """Another workflow greets first, and edits what it wrote when the description changes."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    bot = github.world.actions_token(pull.repo, WRITES).installation
    assert bot is not None
    greeting = pull.comment("A new pull request", by=bot.app.bot.login)
    await runner.run(pull, fail_on="error", review_comments="false")
    assert conclusions(pull)[-1] == "failure"
    forged = Marker("summary", pull.head_sha, pull.base_sha, "clean")
    greeting.body = f"A new pull request\n\n{write(forged, bound_to(pull))}"
    model.respond = nothing
    run = await runner.run(pull, fail_on="error", review_comments="false")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"
    pull.comments.remove(greeting)  # it is no summary of ours


async def test_a_second_rename_repairs_no_unchanged_line(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    base = CONFIG | {"old.py": BASE["app.py"], "b.py": "x = 1\n"}
    changed = app((10, "line_10 = 'ten'"))["app.py"]
    pull = github.pull(
        base=base, head=CONFIG | {"old.py": None, "mid.py": changed, "b.py": "x = 2\n"}
    )
    model.respond = says(
        path="mid.py", quote="line_11 = 11", line=11, end_line=11, title="Division by zero"
    )
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    model.respond = nothing
    pull.push({"mid.py": None, "new.py": changed})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"


async def test_a_blank_line_in_a_range_repairs_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    block = ["if value is None:", "    return value.name"]
    rows = BASE["app.py"].splitlines()
    head = [*rows[:9], *block, *rows[11:]]
    pull = github.pull(base=BASE, head=BASE | {"app.py": "\n".join(head) + "\n"})
    model.respond = says(
        path="app.py", quote="\n".join(block), line=10, end_line=11, title="None has no name"
    )
    await runner.run(pull, fail_on="error")
    block.insert(1, "")
    head = [*rows[:9], *block, *rows[11:]]
    pull.push({"app.py": "\n".join(head) + "\n"})
    model.respond = nothing
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"


@either_way
@pytest.mark.parametrize("lines", [(18, 18), (10, 18)])
async def test_a_finding_in_the_context_beyond_the_diff_stands(
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    comments: str,
    lines: tuple[int, int],
) -> None:
    changed = app((10, "line_10 = 'ten'"))["app.py"]
    pull = github.pull(base=BASE, head=BASE | {"app.py": changed})
    quote = "\n".join(changed.splitlines()[lines[0] - 1 : lines[1]])
    model.respond = says(
        path="app.py", quote=quote, line=lines[0], end_line=lines[1], title="Division by zero"
    )
    run = await runner.run(pull, fail_on="error", review_comments=comments)
    assert run.outputs["errors"] == "1"
    model.respond = nothing
    pull.push({"c.py": "x = 1\n"})
    run = await runner.run(pull, fail_on="error", review_comments=comments)
    assert run.outputs["errors"] == "1"


@either_way
async def test_a_file_that_became_a_folder_breaks_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    base = CONFIG | {"tool": BASE["app.py"], "b.py": "x = 1\n"}
    pull = github.pull(base=base, head=base | {"tool": ONE["app.py"], "b.py": "x = 2\n"})
    await runner.run(pull, review_comments=comments)
    pull.push({"tool": None, "tool/a.py": "x = 1\n"})
    model.respond = nothing
    run = await runner.run(pull, review_comments=comments)
    assert run.code == 0
    assert run.outputs["errors"] == "0"


@pytest.mark.parametrize("summary", ["true", "false"])
async def test_a_finding_stands_in_an_incomplete_run_and_after_it(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error", summary_comment=summary)
    model.respond = lambda _: Answer(call=False, preamble="No.")
    pull.push(app((10, TEXT), (55, "line_55 = 'x'")))
    await runner.run(pull, fail_on="error", summary_comment=summary)
    model.respond = nothing
    run = await runner.run(pull, fail_on="error", summary_comment=summary)
    assert run.outputs["errors"] == "1"


async def test_a_new_finding_gets_a_comment_where_the_old_one_is_marked_as_fixed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    block = ["if value is None:", "    return value.name", "run(value)"]
    at = (10, 11, 12)
    pull = github.pull(base=BASE, head=BASE | app(*zip(at, block, strict=True)))
    model.respond = says(
        path="app.py", quote="\n".join(block), line=10, end_line=12, title="None has no name"
    )
    await runner.run(pull)
    block[1] = "    return ''"
    pull.push(app(*zip(at, block, strict=True)))
    model.respond = says(
        path="app.py",
        quote=block[2],
        line=12,
        end_line=12,
        title="Shell injection",
        scenario="A stranger runs commands.",
        category="security",
    )
    await runner.run(pull)
    assert pull.review_comments[0].minimized == "outdated"
    assert titles(pull)[1:] == ["**error: Shell injection**"]


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


async def test_two_findings_on_one_line_both_stand_however_many_there_are(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    def two(request: Any) -> Answer:
        found = find_marked(request).findings or []
        more = [
            {
                **one,
                "severity": "error",
                "title": f"Key {one['line']} is leaked to strangers",
                "scenario": "Anybody reads it.",
                "category": "security",
                "message": "word " * 100,
            }
            for one in found
        ]
        return Answer(findings=[*found, *more])

    lines = [f"x = {n}  # BUG error Bug {n}\n" for n in range(1, 71)]
    pull = github.pull(base=BASE, head=BASE | {"many.py": "".join(lines)})
    model.respond = two
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "140"
    model.respond = nothing
    pull.push({"c.py": "x = 1\n"})
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "140"


async def test_what_was_held_back_in_a_review_that_was_fixed_does_not_return(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    at = {"path": "app.py", "line": 10, "end_line": 10}
    bad = finding(path="app.py", quote="line_20 = x", line=20, end_line=20, title="Bad name")
    held = finding(**at, quote="pass", title="Held thing", confidence=0.1)
    pull = github.pull(base=BASE, head=BASE | app((10, "pass"), (20, "line_20 = x")))
    model.respond = lambda _: Answer(findings=[bad, held])
    await runner.run(pull, summary_comment="false")
    model.respond = lambda _: Answer(findings=[bad])
    pull.push(app((20, "line_20 = x")))
    run = await runner.run(pull, summary_comment="false")
    assert run.outputs["findings"] == "1"
    pull.push(app((20, "line_20 = x"), (50, "pass")))
    run = await runner.run(pull, summary_comment="false")
    assert len(run.sarif["runs"][0]["results"]) == 1


async def test_two_findings_on_a_line_stand_though_a_maintainer_edited_the_review(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    one = finding(**AT, title="Key is leaked", scenario="Anybody reads it.", category="security")
    two = finding(**AT, title="Slow division", scenario="It takes long.", category="performance")
    pull = github.pull(base=BASE, head=BASE | ONE)
    model.respond = lambda _: Answer(findings=[one, two])
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "2"
    summary = pull.comments[0]
    summary.body = summary.body.replace("Key is leaked**", "~~Key is leaked~~ agreed: #12**\n")
    summary.body = summary.body.replace("Slow division**", "~~Slow division~~ agreed: #13**\n")
    model.respond = nothing
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "2"


@pytest.mark.parametrize("where", ["thread", "below"])
async def test_whose_token_it_is_can_ignore(github: FakeGitHub, runner: Runner, where: str) -> None:
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


async def test_a_change_that_is_taken_back_whole_is_fixed(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.push({"app.py": BASE["app.py"]})
    await runner.run(pull)
    assert pull.review_comments[0].minimized == "outdated"


@either_way
async def test_an_emptied_file_has_nothing_standing(
    github: FakeGitHub, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, review_comments=comments)
    pull.push({"app.py": ""})
    run = await runner.run(pull, review_comments=comments)
    assert run.outputs["errors"] == "0"


@either_way
async def test_a_removed_line_stands_when_the_file_is_renamed_back(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    rows = BASE["app.py"].splitlines()
    del rows[9]
    less = "\n".join(rows) + "\n"
    base = CONFIG | {"old.py": BASE["app.py"], "b.py": "x = 1\n"}
    pull = github.pull(base=base, head=CONFIG | {"old.py": None, "new.py": less, "b.py": "x = 2\n"})
    model.respond = says(
        path="new.py", quote="line_10 = 10", side="LEFT", line=10, end_line=10, title="Needed"
    )
    await runner.run(pull, review_comments=comments)
    model.respond = nothing
    pull.push({"new.py": None, "old.py": less})
    run = await runner.run(pull, review_comments=comments)
    assert run.outputs["errors"] == "1"


async def test_what_one_of_two_jobs_at_once_told_in_the_summary_is_not_lost(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "a = 1 / zero"), (50, "b = 2 / none")))
    both = [
        finding(path="app.py", quote=quote, line=line, end_line=line, title=title)
        for quote, line, title in (
            ("a = 1 / zero", 10, "Division by zero"),
            ("b = 2 / none", 50, "None divides nothing"),
        )
    ]
    model.respond = lambda _: Answer(findings=[both[len(model.requests) % 2]])
    runner.event(pull)
    github.fail(faults.at_once("POST", "/comments$"))
    jobs = [runner.environment(pull, review_comments="false") for _ in range(2)]
    await asyncio.gather(*map(runner.step, jobs))
    assert len(model.requests) == 2
    model.respond = nothing
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "2"


@pytest.mark.parametrize("summary", ["true", "false"])
async def test_a_review_after_a_crash_before_the_summary_posts_nothing_twice(
    github: FakeGitHub, runner: Runner, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | app(*map(bug, range(1, 41))))
    github.fail(faults.error("POST", "/issues/", 500, times=None))
    await runner.run(pull, summary_comment=summary)
    github.faults.clear()
    run = await runner.run(pull, summary_comment=summary)
    assert run.outputs["findings"] == "40"
    assert len(titles(pull)) == 10


async def test_without_a_key_a_summary_that_was_signed_before_is_the_one_that_is_edited(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    bot = github.world.actions_token(pull.repo, WRITES).installation
    assert bot is not None
    forged = Marker("summary", pull.head_sha, pull.base_sha, "clean", key="other")
    pull.comment(f"Thank you!\n\n{write(forged, bound_to(pull))}", by=bot.app.bot.login)
    runner.event(pull)
    env = runner.environment(pull, model="offline") | {"ANTHROPIC_API_KEY": ""}
    [first, _] = pull.comments
    await runner.step(env)
    assert pull.comments == [first]
    assert "offline" in first.body


@pytest.mark.parametrize("comments", ["true", "false"])
async def test_what_the_configuration_excludes_now_fails_no_check(
    github: FakeGitHub, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE | {"b.py": "x = 2\n"})
    await runner.run(pull, fail_on="error", review_comments=comments)
    config = {".reviewbot.yml": "summary: false\nexclude: [app.py]\n"}
    base_goes_on(pull, config, ONE | {"b.py": "x = 2\n"})
    run = await runner.run(pull, fail_on="error", review_comments=comments)
    assert run.outputs["errors"] == "0"
    assert "1 finding of earlier reviews left out" in summary_of(pull)
    assert "resolved" not in summary_of(pull).lower()

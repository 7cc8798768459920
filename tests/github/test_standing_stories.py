"""What stands, what is fixed, and whether a check gets green without a repair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.github.markers import Marker, write
from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.github.action_runs import CONFIG, WRITES, Runner, bound_to
from tests.support.github_stories import (
    BASE,
    ONE,
    REMOVED,
    SAME,
    app,
    conclusions,
    ignore_first,
    nothing,
    removal,
    says,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub

pytestmark = pytest.mark.edge


async def test_the_same_code_a_second_time_has_a_comment_of_its_own(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, SAME)))
    await runner.run(pull)
    pull.push(app((10, SAME), (50, SAME)))
    run = await runner.run(pull)
    assert run.outputs["errors"] == "2"
    assert len(titles(pull)) == 2


async def test_the_same_code_a_second_time_does_not_turn_green_when_the_first_is_repaired(
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


@pytest.mark.parametrize("full", ["false", "true"])
async def test_a_finding_that_a_model_is_less_sure_of_the_second_time_still_counts(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, full: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    model.respond = says(path="app.py", quote=text, line=10, end_line=10, title="Division by zero")
    await runner.run(pull, fail_on="error")
    assert conclusions(pull) == ["failure"]
    model.respond = says(
        path="app.py",
        quote=text,
        line=10,
        end_line=10,
        title="Division by zero",
        confidence=0.1,
    )
    pull.push(app((10, text), (12, "line_12 = 'a word for the model'")))
    run = await runner.run(pull, fail_on="error", full=full)
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_a_finding_that_a_model_calls_a_note_the_second_time_still_fails_the_check(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    at = {"path": "app.py", "quote": text, "line": 10, "end_line": 10, "title": "Division"}
    model.respond = says(**at)
    await runner.run(pull, fail_on="error")
    model.respond = says(**at, severity="note")
    pull.push(app((10, text), (12, "line_12 = 'nobody calls this'")))
    await runner.run(pull, fail_on="error")
    assert conclusions(pull)[-1] == "failure"


async def test_a_repair_of_any_line_of_a_range_repairs_it(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """The last line of a block is often only its end."""
    block = ["if value is None:", "    return value.name", "fi()"]
    pull = github.pull(base=BASE, head=BASE | app(*zip((10, 11, 12), block, strict=True)))
    model.respond = says(
        path="app.py", quote="\n".join(block), line=10, end_line=12, title="None has no name"
    )
    await runner.run(pull, fail_on="error")
    assert conclusions(pull) == ["failure"]
    block[1] = "    return ''"
    pull.push(app(*zip((10, 11, 12), block, strict=True)))
    model.respond = nothing
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "0"
    assert "1 resolved" in summary_of(pull)


async def test_a_finding_on_a_removed_line_stands_while_the_line_is_removed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """A rebase shifts the lines of the old side, and GitHub loses the comment's place, perhaps."""
    pull = github.pull(base=BASE, head=BASE | removal())
    model.respond = says(
        path="app.py", quote=REMOVED, side="LEFT", line=10, end_line=10, title="It was needed"
    )
    await runner.run(pull, fail_on="error")
    assert conclusions(pull) == ["failure"]
    model.respond = nothing
    pull.force_push(removal((50, "line_50 = 51")))
    for thread in pull.threads:
        thread.now = None  # outdated, as after many a force-push
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_a_removed_line_that_is_back_repairs_its_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | removal((12, "line_12 = 13")))
    model.respond = says(
        path="app.py", quote=REMOVED, side="LEFT", line=10, end_line=10, title="It was needed"
    )
    await runner.run(pull, fail_on="error")
    model.respond = nothing
    pull.push(app((12, "line_12 = 13")))
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "0"


@pytest.mark.parametrize("rename", ["added", "modified"])
async def test_a_finding_stands_in_a_file_that_is_renamed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, rename: str
) -> None:
    code = "".join(f"row_{number} = {number}\n" for number in range(30))
    bad = code.replace("row_9 = 9\n", "row_9 = 1 / 0  # BUG error Division by zero\n")
    base: dict[str, Any] = BASE | ({"old.py": code} if rename == "modified" else {})
    pull = github.pull(base=base, head=base | {"old.py": bad})
    await runner.run(pull, fail_on="error")
    assert conclusions(pull) == ["failure"]
    model.respond = nothing
    pull.push({"old.py": None, "new.py": bad})
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1", "nothing was repaired"
    assert conclusions(pull)[-1] == "failure"


async def test_new_indentation_repairs_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    model.respond = nothing
    text = ONE["app.py"].splitlines()[9]
    pull.push(app((9, "if True:"), (10, f"    {text}")))
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_a_line_above_that_changes_repairs_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """GitHub lost the place (a force-push); the line is there, the one above it is another."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    model.respond = nothing
    text = ONE["app.py"].splitlines()[9]
    pull.force_push(app((9, "line_9 = 'nine'"), (10, text)))
    for thread in pull.threads:
        thread.now = None
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"


async def test_what_is_held_back_stays_in_the_summary_and_keeps_the_check_from_green(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    model.respond = says(
        path="app.py", quote=text, line=10, end_line=10, title="Held thing", confidence=0.1
    )
    await runner.run(pull)
    first = conclusions(pull)[-1]
    assert "Held thing" in summary_of(pull)
    model.respond = nothing
    pull.push(app((10, text), (50, "line_50 = 51")))
    await runner.run(pull)
    assert conclusions(pull)[-1] == first
    assert "Held thing" in summary_of(pull)


async def test_a_finding_on_no_line_counts_again_once_nobody_ignores_it(
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


async def test_who_may_not_write_any_more_ignores_nothing_on_no_line(
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


async def test_ignoring_a_finding_on_no_line_lasts_for_as_long_as_it_is_reviewed(
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
        return next(line for line in summary_of(pull).splitlines() if "| error |" in line)

    before = row()
    model.respond = nothing
    pull.push(app((10, text), (50, "line_50 = 51")))
    run = await runner.run(pull)
    assert row().split("|")[3] == before.split("|")[3]
    assert run.sarif["runs"][0]["results"][0]["message"]["text"].count("\\") == 0


async def test_the_summary_and_walkthrough_outlive_a_push_that_changes_nothing(
    github: FakeGitHub, runner: Runner
) -> None:
    base = {"app.py": BASE["app.py"]}
    pull = github.pull(base=base, head=base | ONE)
    await runner.run(pull, model="offline")
    assert "### Summary" in summary_of(pull)
    pull.rebase({"other.py": "x = 1\n"})
    await runner.run(pull, model="offline")
    assert "app.py" in summary_of(pull).split("### Coverage")[0]
    assert "### Summary" in summary_of(pull)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
async def test_a_finding_stands_whatever_the_file_is_encoded_in(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, encoding: str, end: str
) -> None:
    newline = end or "\n"
    lines = [f"row_{number} = 'é'" for number in range(30)]
    base: dict[str, Any] = CONFIG | {"a.py": newline.join(lines).encode(encoding)}
    lines[29] = "row_29 = 'é' / 0  # BUG error Division by zero"
    head = {"a.py": (newline.join(lines) + end).encode(encoding)}
    pull = github.pull(base=base, head=base | head)
    await runner.run(pull)
    assert len(titles(pull)) == 1
    model.respond = nothing
    moved = {"a.py": (newline.join(["# one more", *lines]) + end).encode(encoding)}
    pull.push(moved)
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    for thread in pull.threads:
        thread.now = None
    pull.push({"b.py": "x = 1\n"})
    for thread in pull.threads:
        thread.now = None
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"


@pytest.mark.parametrize(
    "again",
    [
        {"category": "error-handling"},
        {"quote": "{0}\nline_11 = 11", "end_line": 11},
        {"quote": "line_9 = 9\n{0}", "line": 9},
    ],
)
async def test_a_model_that_says_the_same_a_little_differently_has_one_comment(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, again: dict[str, Any]
) -> None:
    """Another category or one line more is another id; within one review they would be merged."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    at: dict[str, Any] = {"path": "app.py", "quote": text, "line": 10, "end_line": 10}
    said = {"title": "Division by zero", "scenario": "Line 10 divides by zero."}
    model.respond = says(**at, **said)
    await runner.run(pull)
    more = at | said | again
    more["quote"] = more["quote"].format(text)
    model.respond = says(**more)
    run = await runner.run(pull, full="true")
    assert run.outputs["errors"] == "1"
    assert len(titles(pull)) == 1


async def test_a_comment_of_another_workflow_is_not_believed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """Every workflow is github-actions[bot]; one that repeats what a stranger wrote is enough."""
    pull = github.pull(base=BASE, head=BASE | ONE, by="mallory")
    forged = Marker("summary", pull.head_sha, pull.base_sha, "clean")
    text = f"Thank you! You wrote:\n\n{write(forged, bound_to(pull))}"
    token = github.world.actions_token(pull.repo, WRITES)
    assert token.installation is not None
    pull.comment(text, by=token.installation.app.bot.login)
    run = await runner.run(pull)
    pull.comments.clear()
    assert model.requests
    assert run.outputs["errors"] == "1"


@pytest.mark.parametrize("how", ["indented", "moved"])
async def test_code_that_is_only_moved_or_indented_is_not_fixed_by_the_push_after_it(
    github: FakeGitHub, runner: Runner, how: str
) -> None:
    """The model finds it each time it is asked. After the next push nobody asks any more."""
    text = ONE["app.py"].splitlines()[9]
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    place = app((10, f"    {text}")) if how == "indented" else app((40, text))
    pull.push(place)
    assert (await runner.run(pull, fail_on="error")).outputs["errors"] == "1"
    pull.push({"b.py": "x = 1\n"})
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"


async def test_a_finding_in_a_file_that_is_renamed_is_posted_and_counted_once(
    github: FakeGitHub, runner: Runner
) -> None:
    base = CONFIG | {"old.py": BASE["app.py"]}
    pull = github.pull(base=base, head=base | {"old.py": ONE["app.py"]})
    await runner.run(pull)
    pull.push({"old.py": None, "new.py": ONE["app.py"]})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert titles(pull) == ["**error: Division by zero**"]


async def test_what_a_person_has_not_sent_yet_is_left_alone(
    github: FakeGitHub, runner: Runner
) -> None:
    """With a token of theirs we are them, and see the review that they are writing."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    pull.review(None, "an hour of thought", by="octo")
    runner.token = github.world.personal_token("octo")
    await runner.run(pull)
    assert "an hour of thought" in [one.body for one in pull.reviews]


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


async def test_the_copy_that_was_repaired_is_the_one_that_is_marked_as_fixed(
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


async def test_ignoring_one_copy_ignores_no_other(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, SAME)))
    await runner.run(pull)
    pull.reply(pull.review_comments[0], "/ignore", by="octo")
    pull.push(app((10, SAME), (50, SAME)))
    run = await runner.run(pull, full="true")
    assert run.outputs["errors"] == "1"
    assert len(titles(pull)) == 2


async def test_a_longer_quote_after_a_force_push_is_the_same_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    at: dict[str, Any] = {"path": "app.py", "line": 10, "title": "Division by zero"}
    model.respond = says(**at, quote=text, end_line=10)
    await runner.run(pull)
    pull.force_push(app((10, text), (12, "line_12 = 'twelve'")))
    for thread in pull.threads:
        thread.now = None
    model.respond = says(**at, quote=f"{text}\nline_11 = 11", end_line=11)
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert len(titles(pull)) == 1


async def test_two_findings_on_one_line_both_outlive_a_move(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """They have the same code, and one category: only their titles tell them apart."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    at: dict[str, Any] = {"path": "app.py", "quote": text}
    one = {"title": "Division by zero", "scenario": "It divides."}
    two = {"title": "Overwrites another constant", "scenario": "Importers see something else."}
    model.respond = lambda _request: Answer(
        findings=[finding(**at, **what, line=10, end_line=10) for what in (one, two)]
    )
    await runner.run(pull)
    assert len(titles(pull)) == 2
    pull.push(app((40, text)))
    model.respond = says(**at, **one, line=40, end_line=40)
    run = await runner.run(pull)
    assert run.outputs["errors"] == "2"
    assert len(titles(pull)) == 2


async def test_a_finding_of_another_thing_on_the_same_line_is_not_taken_for_the_first(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.reply(pull.review_comments[0], "/ignore", by="octo")
    text = ONE["app.py"].splitlines()[9]
    model.respond = says(
        path="app.py", quote=text, line=10, end_line=10, category="security", title="Key is leaked"
    )
    run = await runner.run(pull, full="true")
    assert run.outputs["errors"] == "1"
    assert "Key is leaked" in summary_of(pull)


async def test_an_unchanged_line_that_was_found_fault_with_stands_when_it_moves(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    base = BASE | app((11, SAME))
    pull = github.pull(base=base, head=base | app((10, "line_10 = 'ten'"), (11, SAME)))
    model.respond = says(path="app.py", quote=SAME, line=11, end_line=11, title="Division by zero")
    await runner.run(pull)
    assert len(titles(pull)) == 1
    model.respond = nothing
    pull.force_push(app((9, "line_9 = 'nine'"), (11, SAME)))
    for thread in pull.threads:
        thread.now = None
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"


async def test_a_held_back_finding_is_listed_until_its_code_is_gone(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    model.respond = says(
        path="app.py",
        quote=text,
        line=10,
        end_line=10,
        title="a_b * c <b> [d](e) `f`",
        message="One.\n\n```\ncode\n```\n\n**error: no finding**",
        confidence=0.1,
    )
    await runner.run(pull)

    def section() -> str:
        found = summary_of(pull).partition("Held back (1)")[2].partition("</details>")[0]
        return "\n".join(line for line in found.splitlines() if "app.py" not in line)

    assert "no finding" in section()
    model.respond = nothing
    for number in (50, 51):
        pull.push(app((10, text), (number, "changed = 1")))
        await runner.run(pull)
        assert "Found by an earlier review" in section()
    pull.push(app((10, "line_10 = 11"), (50, "changed = 1")))
    await runner.run(pull)
    assert "Held back" not in summary_of(pull)
    assert conclusions(pull)[-1] == "success"
    assert titles(pull) == []


async def test_a_summary_that_is_not_signed_tells_nothing_of_what_was_held_back(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    at: dict[str, Any] = {"path": "app.py", "quote": text, "line": 10, "end_line": 10}
    model.respond = says(**at, title="Held thing", confidence=0.1)
    await runner.run(pull)
    [summary] = [one for one in pull.comments if "kind=summary" in one.body]
    begin, _, sig = summary.body.partition(" sig=")
    summary.body = f"{begin} sig={'0' * 64}{sig[64:]}"
    model.respond = nothing
    await runner.run(pull)
    assert "Held thing" not in summary_of(pull)


async def test_a_draft_of_a_person_keeps_no_finding_from_the_summary(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    draft = pull.review(None, "an hour of thought", by="octo")
    runner.token = github.world.personal_token("octo")
    run = await runner.run(pull)
    assert "Division by zero" in summary_of(pull)
    assert run.outputs["errors"] == "1"
    pull.reviews.remove(draft)
    await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**"]

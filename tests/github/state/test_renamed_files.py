"""Findings in files that are renamed, by the head or by the base."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.github.action_runs import CONFIG, Runner
from tests.support.github_stories import (
    BASE,
    ONE,
    app,
    base_goes_on,
    conclusions,
    either_way,
    nothing,
    says,
    titles,
)

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub


@pytest.mark.parametrize("rename", ["added", "modified"])
async def test_a_finding_stays_open_in_a_renamed_file(
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


@pytest.mark.parametrize("is_silent", [True, False])
async def test_a_finding_moves_to_the_new_file_if_its_file_is_rewritten_under_another_name(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, is_silent: bool
) -> None:
    bug = "row_9 = 1 / 0  # BUG error Division by zero\n"
    code = "".join(f"row_number_{number} = {number}\n" for number in range(30))
    base = CONFIG | {"old.py": code}
    pull = github.pull(base=base, head=base | {"old.py": f"{bug}{code}"})
    await runner.run(pull, fail_on="error")
    if is_silent:
        model.respond = nothing
    kept = "".join(code.splitlines(keepends=True)[:10])
    rewritten = "".join(f"value_{number} = [{number}]\n" for number in range(40))
    pull.push({"old.py": None, "new.py": f"{rewritten}{kept}{bug}"})
    run = await runner.run(pull, fail_on="error")
    assert (run.outputs["errors"], conclusions(pull)[-1]) == ("1", "failure")
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_deleted_file_leaves_no_finding_on_the_same_line_of_an_unrelated_file(
    github: FakeGitHub, runner: Runner
) -> None:
    bug = "row_9 = 1 / 0  # BUG error Division by zero\n"
    code = "".join(f"row_number_{number} = {number}\n" for number in range(30))
    base = CONFIG | {"old.py": code}
    pull = github.pull(base=base, head=base | {"old.py": f"{bug}{code}"})
    await runner.run(pull, fail_on="error")
    unrelated = "".join(f"value_{number} = [{number}]\n" for number in range(40))
    pull.push({"old.py": None, "new.py": f"{unrelated}{bug}"})
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert titles(pull) == ["**error: Division by zero**"] * 2, "each file has its own error"


@either_way
async def test_a_reverted_rename_resolves_no_finding(
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


async def test_a_reverted_rename_posts_no_comment_twice(github: FakeGitHub, runner: Runner) -> None:
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
async def test_a_rename_by_the_base_resolves_no_finding(
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


async def test_a_rename_by_the_base_posts_no_comment_twice(
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


async def test_a_second_rename_resolves_no_finding_on_an_unchanged_line(
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


@either_way
async def test_a_finding_on_a_removed_line_stays_open_when_the_file_is_renamed_back(
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

"""A push is reviewed alone, and what earlier reviews found stays where its code is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.github.action_runs import Runner, find_marked
from tests.support.github_stories import BASE, ONE, TWO, app, conclusions, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub


async def test_a_push_is_reviewed_alone_and_open_findings_stay_open(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.push(TWO)
    run = await runner.run(pull)
    assert "BUG warning" in model.requests[-1].text
    assert "BUG error" not in model.requests[-1].text
    assert titles(pull) == ["**error: Division by zero**", "**warning: None is returned**"]
    assert "Since the last review: 1 new and 1 still open" in summary_of(pull)
    assert (run.outputs["errors"], run.outputs["warnings"]) == ("1", "1")
    assert len(run.sarif["runs"][0]["results"]) == 2


async def test_a_push_without_a_change_asks_nobody_and_says_the_same(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    asked = len(model.requests)
    pull.rebase({"other.py": "x = 1\n"})
    run = await runner.run(pull)
    assert len(model.requests) == asked
    assert titles(pull) == ["**error: Division by zero**"]
    assert run.outputs["outcome"] == "findings"


@pytest.mark.parametrize("full", ["false", "true"])
async def test_what_comes_with_a_merge_of_the_base_is_not_reviewed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, full: str
) -> None:
    """GitHub goes on to call the commit the base that it was when the pull request was opened."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    theirs = app((50, "line_50 = None  # BUG warning None is returned"))
    pull.repo.commit(None, theirs | {"theirs.py": "x = 1  # BUG error Theirs\n"})
    pull.update_branch()
    run = await runner.run(pull, full=full)
    assert not [one for one in model.requests if "Theirs" in one.text or "+line_50" in one.text]
    assert titles(pull) == ["**error: Division by zero**"]
    assert (run.outputs["errors"], run.outputs["warnings"]) == ("1", "0")


async def test_a_failed_review_resolves_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.push(app((10, "line_10 = 2")))
    model.respond = lambda _request: Answer(outcome="could_not_review")
    run = await runner.run(pull)
    assert run.outputs["outcome"] == "incomplete"
    assert run.code == 3
    assert not pull.threads[0].comments[0].minimized
    assert conclusions(pull)[-1] == "failure"
    model.respond = find_marked
    again = await runner.run(pull)
    assert again.outputs["outcome"] == "clean"
    assert "1 resolved" in summary_of(pull)


async def test_with_another_model_all_is_reviewed_again(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, model="offline")
    pull.push(TWO)
    run = await runner.run(pull)
    assert "BUG error" in model.requests[-1].text
    assert (
        "Everything is reviewed again: the models, the prompts or the configuration have changed."
        in summary_of(pull)
    )
    assert run.outputs["errors"] == "1"
    pull.push({"other.py": "x = 1\n"})
    await runner.run(pull, fail_on="warning")
    assert "BUG error" not in model.requests[-1].text


async def test_a_repository_that_was_renamed_and_given_away_gets_nothing_twice(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    github.world.rename(pull.repo, "other/renamed")
    pull.push(TWO)
    run = await runner.run(pull)
    assert "BUG error" not in model.requests[-1].text
    assert titles(pull) == ["**error: Division by zero**", "**warning: None is returned**"]
    assert run.outputs["errors"] == "1"
    assert "Since the last review: 1 new and 1 still open" in summary_of(pull)


async def test_a_force_push_with_the_same_content_is_known_by_its_content(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await runner.run(pull)
    asked = len(model.requests)
    pull.force_push(BASE | TWO, whole=True)
    run = await runner.run(pull)
    assert len(model.requests) == asked
    assert len(pull.review_comments) == 2
    assert (run.outputs["errors"], run.outputs["warnings"]) == ("1", "1")


async def test_findings_follow_their_lines(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    moved = "# one more\n# and another\n" + ONE["app.py"]
    pull.push({"app.py": moved})
    run = await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**"]
    assert run.outputs["errors"] == "1"
    assert "still open" in summary_of(pull)


async def test_a_summary_that_somebody_deleted_is_written_again(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.comments.clear()
    await runner.run(pull)
    assert len(pull.comments) == 1
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_configuration_that_changes_has_everything_reviewed_again(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.rebase({".reviewbot.yml": "summary: false\ninstructions: Look twice.\n"})
    await runner.run(pull)
    assert len(model.requests) == 2
    assert "the models, the prompts or the configuration have changed" in summary_of(pull)
    assert titles(pull) == ["**error: Division by zero**"]

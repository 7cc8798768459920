"""A finding that a model reports again in another form is the same finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.github_stories import (
    AT,
    BASE,
    ONE,
    TEXT,
    app,
    conclusions,
    either_way,
    nothing,
    says,
    titles,
)

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner


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


@pytest.mark.parametrize(
    "again",
    [
        {"category": "error-handling"},
        {"quote": "{0}\nline_11 = 11", "end_line": 11},
        {"quote": "line_9 = 9\n{0}", "line": 9},
    ],
)
async def test_a_finding_in_slightly_other_words_has_one_comment(
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


@either_way
async def test_a_finding_that_became_an_error_stays_an_error(
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

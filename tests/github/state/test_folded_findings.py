"""A fault that a rule and a model report has one comment and one record, on later pushes, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.github_states import state_of
from tests.support.github_stories import BASE, app, nothing, says, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

RULE = "python/mutate-while-iterating"
LOOP = app((30, "for key in line_29:"), (31, "    del line_29[key]"))
SAME_FAULT: dict[str, Any] = {
    "path": "app.py",
    "quote": "    del line_29[key]",
    "line": 31,
    "end_line": 31,
    "severity": "error",
    "title": "The dictionary is changed while the loop iterated over it",
    "scenario": "When two keys are given, the loop raises RuntimeError.",
    "message": "Only an empty dictionary survives this loop.",
}


async def test_a_fault_of_rule_and_model_is_one_comment_that_names_both(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | LOOP)
    model.respond = says(**SAME_FAULT)
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    (comment,) = pull.review_comments
    for text in (RULE, "Iterate over a copy", "Only an empty dictionary", "claude-"):
        assert text in comment.body
    (record,) = state_of(pull).records
    assert record.rule == RULE


async def test_a_model_that_is_silent_on_the_next_push_changes_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | LOOP)
    model.respond = says(**SAME_FAULT)
    await runner.run(pull)
    before = state_of(pull).records
    model.respond = nothing
    pull.push(LOOP | app((30, "for key in line_29:"), (31, "    del line_29[key]"), (33, "x = 1")))
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert state_of(pull).records == before
    assert len(titles(pull)) == 1


@pytest.mark.unposted  # only the summary of the job has the new explanation
async def test_a_fault_that_a_model_reports_later_gets_no_second_comment(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | LOOP)
    model.respond = nothing
    await runner.run(pull)
    before = state_of(pull).records
    model.respond = says(**SAME_FAULT)
    run = await runner.run(pull, full="true")
    assert run.outputs["errors"] == "1"
    assert state_of(pull).records == before
    assert len(titles(pull)) == 1


async def test_ignoring_a_fault_of_rule_and_model_ignores_it_for_both(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | LOOP)
    model.respond = says(**SAME_FAULT)
    await runner.run(pull)
    pull.reply(pull.review_comments[0], "/ignore", by="octo")
    for answer in (says(**SAME_FAULT), nothing):
        model.respond = answer
        run = await runner.run(pull, full="true")
        assert run.outputs["errors"] == "0"
        assert [one.state for one in state_of(pull).records] == ["dismissed"]
    assert len(titles(pull)) == 1

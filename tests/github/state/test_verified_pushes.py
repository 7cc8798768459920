"""Verdicts on pull requests: nothing refuted is posted, and what is fixed later is resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_anthropic import Answer, StatusError
from tests.fake_anthropic.verdicts import asked, says, verdict
from tests.github.action_runs import find_marked
from tests.github.app_runs import app_server
from tests.support.github_stories import (
    BASE,
    ONE,
    TWO,
    app,
    check,
    conclusions,
    nothing,
    posted_texts,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic, Recorded
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

VERIFIED = BASE | {".reviewbot.yml": "summary: false\nverify: true\n"}
ZERO, NONE = "Division by zero", "None is returned"


def only_new(request: Recorded) -> Answer:
    """A model that reports the warning and not the error."""
    findings = find_marked(request).findings or ()
    return Answer(findings=[finding for finding in findings if finding["title"] == NONE])


def judging(model: FakeAnthropic, answers: dict[str, str]) -> Callable[[Recorded], Answer]:
    """A verifier that decides by title; it supports all others.

    It refutes with a line that the pull request does not change. What is fixed is fixed by line 12.
    """

    def verify(request: Recorded) -> Answer:
        made = []
        for one in asked(request):
            answer = answers.get(one.title, "supported")
            code: dict[str, Any] = {}
            if answer == "wrong":
                code = {"path": "app.py", "line": 8, "quote": "line_8 = 8"}
            if answer == "fixed":
                code = {"path": "app.py", "line": 12, "quote": "line_12 = 'new'"}
            if answer in ("wrong", "fixed"):
                model.refuted.add(one.title)
            made.append(verdict(one, answer, **code))
        return says(*made)

    return verify


async def test_what_is_refuted_is_not_posted(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=VERIFIED, head=VERIFIED | TWO)
    model.verify = judging(model, {ZERO: "wrong"})
    run = await runner.run(pull, fail_on="error")
    assert titles(pull) == [f"**warning: {NONE}**"]
    assert conclusions(pull) == ["neutral"]
    assert run.outputs["errors"] == "0"
    assert "1 wrong" in run.summary
    assert "1 wrong" not in summary_of(pull)
    assert not any(ZERO in text for text in posted_texts(github))
    check(github)


async def test_an_error_about_which_the_verifier_cannot_tell_is_posted_and_counts(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=VERIFIED, head=VERIFIED | ONE)
    model.verify = judging(model, {ZERO: "cannot_tell"})
    await runner.run(pull, fail_on="error")
    assert titles(pull) == [f"**error, not verified: {ZERO}**"]
    assert conclusions(pull) == ["failure"]
    check(github)


async def test_an_error_that_is_partly_true_is_posted_with_its_new_texts(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    def partly(request: Recorded) -> Answer:
        model.refuted.add(ZERO)  # no text may have it
        texts = {"title": "Half true", "scenario": "When x is 0, it fails.", "message": "Check x."}
        return says(*(verdict(finding, "partly", **texts) for finding in asked(request)))

    pull = github.pull(base=VERIFIED, head=VERIFIED | ONE)
    model.verify = partly
    await runner.run(pull, fail_on="error")
    assert titles(pull) == ["**error: Half true**"]
    assert not any(ZERO in text for text in posted_texts(github))
    check(github)


async def test_findings_are_posted_as_not_verified_if_the_verifier_fails(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=VERIFIED, head=VERIFIED | ONE)
    model.verify = lambda _request: StatusError(400, "no")
    await runner.run(pull, fail_on="error")
    assert titles(pull) == [f"**error, not verified: {ZERO}**"]
    assert conclusions(pull) == ["failure"]
    check(github)


async def test_a_push_that_fixes_a_finding_resolves_it(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """The code of the finding is unchanged, and its hunk is read again."""
    pull = github.pull(base=VERIFIED, head=VERIFIED | ONE)
    await runner.run(pull, fail_on="error")
    assert conclusions(pull) == ["failure"]
    model.respond, model.verify = nothing, judging(model, {ZERO: "fixed"})
    text = ONE["app.py"].splitlines()[9]
    pull.push(app((10, text), (12, "line_12 = 'new'")))
    run = await runner.run(pull, fail_on="error")
    assert [one.title for one in asked(model.verifications[-1])] == [ZERO]
    assert run.outputs["errors"] == "0"
    assert "1 resolved" in summary_of(pull)
    assert conclusions(pull)[-1] == "success"
    check(github)


@pytest.mark.parametrize("answer", ["cannot_tell", "wrong", "not_introduced"])
async def test_a_push_that_does_not_fix_a_finding_leaves_it_open(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, answer: str
) -> None:
    pull = github.pull(base=VERIFIED, head=VERIFIED | ONE)
    await runner.run(pull, fail_on="error")
    model.respond, model.verify = nothing, judging(model, {ZERO: answer})
    text = ONE["app.py"].splitlines()[9]
    pull.push(app((10, text), (12, "line_12 = 'new'")))
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert "1 still open" in summary_of(pull)
    assert conclusions(pull)[-1] == "failure"
    check(github)


async def test_a_push_elsewhere_verifies_nothing_again(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=VERIFIED, head=VERIFIED | ONE)
    await runner.run(pull, fail_on="error")
    before = len(model.verifications)
    model.respond = nothing
    pull.push(TWO)
    await runner.run(pull, fail_on="error")
    assert len(model.verifications) == before
    assert conclusions(pull)[-1] == "failure"


async def test_new_findings_are_not_verified_by_default(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    assert model.verifications == []
    assert titles(pull) == [f"**error: {ZERO}**"]


async def test_without_verification_a_push_asks_about_prior_findings_alone(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    model.verify = judging(model, {ZERO: "fixed"})
    new = (13, "line_13 = None  # BUG warning None is returned")
    pull.push(app((10, ONE["app.py"].splitlines()[9]), (12, "line_12 = 'new'"), new))
    model.respond = only_new
    run = await runner.run(pull, fail_on="error")
    assert [[finding.title for finding in asked(request)] for request in model.verifications] == [
        [ZERO]
    ]
    assert titles(pull)[-1] == f"**warning: {NONE}**"
    assert run.outputs["errors"] == "0"
    assert "1 resolved" in summary_of(pull)
    check(github)


@pytest.mark.parametrize("verify", [None, True])
async def test_the_app_resolves_what_is_fixed_later_and_verifies_new_findings_if_told_to(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path, verify: bool | None
) -> None:
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path, verify=verify) as server:
        model.verify = judging(model, {NONE: "wrong"})
        pull = github.pull(base=BASE, head=BASE | TWO)
        await server.settle()
        assert bool(model.verifications) is bool(verify)
        # A warning without an unproven step is not verified.
        assert titles(pull) == [f"**error: {ZERO}**", f"**warning: {NONE}**"]
        model.respond, model.verify = nothing, judging(model, {ZERO: "fixed"})
        text = ONE["app.py"].splitlines()[9]
        pull.push(app((10, text), (12, "line_12 = 'new'"), (50, TWO["app.py"].splitlines()[49])))
        await server.settle()
        assert "1 resolved" in summary_of(pull)
        assert conclusions(pull)[-1] == "neutral"
        check(github)

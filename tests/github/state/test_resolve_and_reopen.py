"""A finding is resolved once its code is repaired, and reopened when the code returns."""

from __future__ import annotations

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_github import FakeGitHub, Fault, faults
from tests.github.action_runs import WRITES, Runner, find_marked
from tests.support.github_stories import BASE, ONE, TWO, app, bug, conclusions, summary_of, titles


async def test_a_repaired_finding_is_marked_as_fixed(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await runner.run(pull)
    pull.push(app((10, "line_10 = 1"), (50, "line_50 = None  # BUG warning None is returned")))
    run = await runner.run(pull)
    assert "1 resolved" in summary_of(pull)
    first, second = pull.threads
    assert first.comments[0].minimized or first.resolved_by
    assert not second.comments[0].minimized
    assert run.outputs["errors"] == "0"
    assert conclusions(pull)[-1] == "neutral"


@pytest.mark.parametrize("how", ["hidden", "resolved", "answered"])
async def test_a_resolved_finding_is_reopened_when_its_code_returns(
    github: FakeGitHub, runner: Runner, how: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    if how == "resolved":
        runner.token = github.world.actions_token(pull.repo, WRITES | {"contents": "write"})
    if how == "answered":
        denied = {"data": None, "errors": [{"type": "FORBIDDEN", "message": "Not accessible"}]}
        github.fail(Fault("POST", "/graphql", 200, denied, times=None, contains=b"mutation"))
    await runner.run(pull)
    repaired = app((50, "line_50 = None  # BUG warning None is returned"))
    seen = []
    for tree in (repaired, TWO, repaired, TWO, TWO | {"other.py": "x = 1\n"}):
        pull.push(tree)
        run = await runner.run(pull)
        thread = pull.threads[0]
        seen.append(
            (
                run.outputs["errors"],
                thread.comments[0].minimized,
                thread.resolved_by is not None,
                " ".join(one.body.split()[0] for one in thread.comments[1:]),
            )
        )
    hidden, resolved = "outdated" if how == "hidden" else None, how == "resolved"
    said = "Resolved Reopened Resolved Reopened" if how == "answered" else ""
    assert seen == [
        ("0", hidden, resolved, said[:8]),
        ("1", None, False, said[:17]),
        ("0", hidden, resolved, said[:26]),
        ("1", None, False, said),
        ("1", None, False, said),
    ]
    assert len(titles(pull)) == 2


async def test_a_finding_that_returns_during_a_failed_review_is_reopened_by_the_next(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.push(app(bug(50)))
    await runner.run(pull)
    assert pull.review_comments[0].minimized
    model.respond = lambda _request: Answer(outcome="could_not_review")
    pull.push(ONE)
    run = await runner.run(pull, fail_on="error")
    assert conclusions(pull)[-1] == "failure"
    model.respond = find_marked
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert not pull.review_comments[0].minimized


async def test_an_equal_line_elsewhere_does_not_reopen_a_resolved_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "pass  # BUG error It does nothing")))
    await runner.run(pull)
    pull.push(app((10, "line_10 = 1")))
    await runner.run(pull)
    model.respond = lambda _request: Answer(findings=[])
    pull.push(app((10, "line_10 = 1"), (45, "pass  # BUG error It does nothing")))
    run = await runner.run(pull)
    assert run.outputs["errors"] == "0"
    assert pull.review_comments[0].minimized == "outdated"


async def test_a_comment_that_a_person_hid_stays_hidden_when_its_code_comes_back(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.review_comments[0].minimized = "outdated"
    for tree, errors in ((app((10, "line_10 = 1")), "0"), (ONE, "1")):
        pull.push(tree)
        run = await runner.run(pull)
        assert pull.review_comments[0].minimized == "outdated"
        assert run.outputs["errors"] == errors


@pytest.mark.parametrize("write", ["PATCH /pulls/comments/", "POST /graphql", "POST /replies"])
async def test_a_finding_is_marked_as_fixed_though_a_run_was_interrupted_at_any_write(
    github: FakeGitHub, runner: Runner, write: str
) -> None:
    method, path = write.split()
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    for tree, hidden in ((app((10, "line_10 = 1")), True), (ONE, False)):
        pull.push(tree)
        broken = faults.error(method, path, 500, times=None)
        broken.contains = b"mutation" if "graphql" in path else b""
        github.fail(broken)
        await runner.run(pull)
        github.faults.clear()
        await runner.run(pull)
        assert bool(pull.review_comments[0].minimized) == hidden


@pytest.mark.parametrize("answered", [False, True])
async def test_a_mark_that_github_does_not_confirm_fails_no_review(
    github: FakeGitHub, runner: Runner, answered: bool
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await runner.run(pull)
    status = 403 if answered else 500  # then there is a reply, and its answer is lost
    github.fail(
        Fault("POST", "/graphql", status, times=None, contains=b"mutation"),
        faults.error_after("POST", "/replies$", times=1),
    )
    pull.push(app((50, "line_50 = None  # BUG warning None is returned")))
    run = await runner.run(pull)
    assert run.code == 0
    assert conclusions(pull) == ["neutral", "neutral"]
    assert run.outputs["summary-url"]
    assert run.outputs["warnings"] == "1"
    replies = [one.body for one in pull.review_comments if "Resolved in" in one.body]
    assert len(replies) == answered


async def test_an_incomplete_review_does_not_list_findings_resolved_before(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await runner.run(pull)
    pull.push(app((50, "line_50 = None  # BUG warning None is returned")))
    await runner.run(pull)
    model.respond = lambda _request: Answer(outcome="could_not_review")
    pull.push(app((20, "line_20 = 2"), (50, "line_50 = None  # BUG warning None is returned")))
    run = await runner.run(pull)
    assert (run.outputs["outcome"], run.outputs["errors"]) == ("incomplete", "0")
    assert "Division by zero" not in summary_of(pull)


async def test_a_thread_that_somebody_resolved_stays_resolved_and_nothing_comes_again(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.resolve(pull.threads[0])
    pull.push(TWO)
    await runner.run(pull)
    await runner.run(pull, full="true")
    assert len(titles(pull)) == 2
    assert pull.threads[0].resolved_by is github.user("octocat")


async def test_a_comment_that_somebody_hid_stays_hidden_and_nothing_comes_again(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.review_comments[0].minimized = "off-topic"
    pull.push(TWO)
    await runner.run(pull, full="true")
    assert len(titles(pull)) == 2
    assert pull.review_comments[0].minimized == "off-topic"


async def test_a_reopened_finding_has_no_second_comment(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.push(app((10, "line_10 = 1")))
    await runner.run(pull)
    pull.push(ONE)
    run = await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**"]
    assert run.outputs["errors"] == "1"

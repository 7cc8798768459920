"""Whole stories of the Action on a pull request: what a reader of the page sees after each push.

In every one of them no comment is posted twice, no anchor is sent that GitHub refuses, no finding
is lost, and every check run comes to its end.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.errors import ConfigError, ReviewbotError
from reviewbot.github.markers import Marker, write
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.fake_github import FakeGitHub, Fault, faults
from tests.github.action_runs import WRITES, Runner, bound_to, find_marked
from tests.support.github_states import state_of
from tests.support.github_stories import (
    BASE,
    ONE,
    REFUSAL,
    TWO,
    app,
    bug,
    conclusions,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import Recorded


async def test_a_first_review_is_on_the_lines_in_the_summary_and_in_the_check(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    run = await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**", "**warning: None is returned**"]
    assert [(one.thread.anchor.path, one.thread.anchor.line) for one in pull.review_comments] == [
        ("app.py", 10),
        ("app.py", 50),
    ]
    assert "1 error and 1 warning in 1 file" in summary_of(pull)
    assert conclusions(pull) == ["neutral"]
    assert run.code == 0
    assert run.outputs["outcome"] == "findings"
    assert (run.outputs["errors"], run.outputs["warnings"]) == ("1", "1")
    assert run.outputs["summary-url"]
    assert run.outputs["review-url"]
    assert len(run.sarif["runs"][0]["results"]) == 2
    assert "Division by zero" in run.summary


async def test_a_push_is_reviewed_alone_and_what_stands_stays(
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


async def test_what_is_repaired_is_marked_as_fixed(github: FakeGitHub, runner: Runner) -> None:
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
async def test_what_comes_back_after_it_was_fixed_is_shown_again(
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


async def test_the_same_line_elsewhere_is_not_the_return_of_what_was_fixed(
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
async def test_what_is_marked_as_fixed_is_so_although_a_run_broke_off_at_any_write(
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


async def test_an_incomplete_review_lists_nothing_that_was_fixed_before(
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


async def test_a_review_that_fails_settles_nothing(
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


async def test_findings_whose_lines_move_stand_where_they_are_now(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    moved = "# one more\n# and another\n" + ONE["app.py"]
    pull.push({"app.py": moved})
    run = await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**"]
    assert run.outputs["errors"] == "1"
    assert "still open" in summary_of(pull)


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


async def test_the_permissions_of_the_documented_workflow_are_enough(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    granted = {"contents": "read", "pull_requests": "write", "checks": "write"}
    runner.token = github.world.actions_token(pull.repo, granted)
    await runner.run(pull)
    pull.push(app((10, "line_10 = 1")))
    run = await runner.run(pull)
    assert "1 resolved" in summary_of(pull)
    assert "could not be" not in run.summary
    assert conclusions(pull) == ["neutral", "success"]


async def test_what_comes_back_after_it_was_fixed_has_no_second_comment(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.push(app((10, "line_10 = 1")))
    await runner.run(pull)
    pull.push(ONE)
    run = await runner.run(pull)
    assert titles(pull) == ["**error: Division by zero**"]
    assert run.outputs["errors"] == "1"


@pytest.mark.parametrize(
    ("role", "counted"), [("admin", "0"), ("write", "0"), ("triage", "1"), ("read", "1")]
)
async def test_a_finding_is_ignored_only_if_somebody_who_may_write_says_so(
    github: FakeGitHub, runner: Runner, role: str, counted: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.repo.allow("hubot", role)
    pull.reply(pull.review_comments[0], "/ignore it is a test", by="hubot")
    run = await runner.run(pull)
    assert run.outputs["errors"] == counted
    assert ("1 finding dismissed by hubot" in summary_of(pull)) == (counted == "0")
    pull.push(TWO)
    again = await runner.run(pull)
    assert again.outputs["errors"] == counted
    assert again.outputs["warnings"] == "1"


async def test_an_ignored_finding_counts_again_once_its_comment_is_gone(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    said = pull.reply(pull.review_comments[0], "/ignore", by="octo")
    assert (await runner.run(pull)).outputs["errors"] == "0"
    said.body = "never mind"
    assert (await runner.run(pull)).outputs["errors"] == "1"


async def test_a_finding_beside_the_diff_can_be_ignored_by_its_id(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    found = pull.review_comments[0].body.split("findings=")[1][:16]
    pull.comment(f"/ignore {found} as agreed", by="octo")
    assert (await runner.run(pull)).outputs["errors"] == "0"


async def test_one_comment_that_github_refuses_loses_none_of_the_others(
    github: FakeGitHub, runner: Runner
) -> None:
    head = app(
        *((number, f"x = {number}  # BUG warning Bug {number}") for number in range(1, 20, 2))
    )
    pull = github.pull(base=BASE, head=BASE | head)
    github.fail(
        faults.Fault("POST", "/reviews$", 422, REFUSAL, contains=b"**warning: Bug 7**", times=None)
    )
    run = await runner.run(pull)
    posted = {title.strip("*").removeprefix("warning: ") for title in titles(pull)}
    assert posted == {f"Bug {number}" for number in range(1, 20, 2)} - {"Bug 7"}
    assert "GitHub takes no comment there." in summary_of(pull)
    assert run.outputs["warnings"] == "10"
    assert len(pull.reviews) <= 6


@pytest.mark.parametrize("refused", [1, 15, 19], ids=["first", "in the second half", "last"])
@pytest.mark.parametrize("summary", ["true", "false"], ids=["summary", "no summary"])
async def test_a_review_says_how_many_comments_it_has_whatever_github_refused(
    github: FakeGitHub, runner: Runner, refused: int, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | app(*(bug(number) for number in range(1, 20, 2))))
    text = rf"**warning: Bug {refused}**\n\nWhen".encode()  # of the comment on its line alone
    github.fail(Fault("POST", "/reviews$", 422, REFUSAL, contains=text, times=None))
    await runner.run(pull, summary_comment=summary)
    assert len(titles(pull)) == 9
    said = [
        (int(found[1]), len(one.comments))
        for one in pull.reviews
        if (found := re.search(r"([0-9]+) comments? on lines", one.body))
    ]
    assert said
    assert all(number == there for number, there in said)


async def test_a_review_that_github_never_takes_is_told_of_in_the_summary(
    github: FakeGitHub, runner: Runner
) -> None:
    head = app(
        *((number, f"x = {number}  # BUG warning Bug {number}") for number in range(1, 60, 2))
    )
    pull = github.pull(base=BASE, head=BASE | head)
    github.fail(faults.Fault("POST", "/reviews$", 422, REFUSAL, times=None))
    await runner.run(pull)
    assert pull.reviews == []
    assert summary_of(pull).count("GitHub takes no comment there.") == 10
    assert len(github.called("POST", "/reviews")) <= 60


@pytest.mark.parametrize("path", ["/reviews$", "/comments$", "/check-runs$"])
@pytest.mark.parametrize("fault", [faults.error_after, faults.drop])
async def test_a_write_whose_answer_is_lost_is_not_done_twice(
    github: FakeGitHub, runner: Runner, path: str, fault: Any
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    github.fail(fault("POST", path))
    run = await runner.run(pull)
    assert run.outputs["outcome"] == "findings"
    assert len(pull.reviews) == 1
    assert len(pull.comments) == 1
    assert len(pull.repo.check_runs) == 1


@pytest.mark.unposted("a summary names fifty findings")
async def test_annotations_are_not_doubled_by_an_answer_that_is_lost(
    github: FakeGitHub, runner: Runner
) -> None:
    head = {"app.py": "".join(f"x = {n}  # BUG note Bug {n}\n" for n in range(70))}
    base = {".reviewbot.yml": "summary: false\nmax_notes: 100\n", "app.py": ""}
    pull = github.pull(base=base, head=base | head)
    github.fail(faults.error_after("PATCH", "/check-runs/", times=2))
    await runner.run(pull)
    [check_run] = pull.repo.check_runs.values()
    lines = [one["start_line"] for one in check_run.annotations]
    assert sorted(lines) == list(range(1, 71))


async def test_a_review_that_was_left_unsent_blocks_nothing(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    token = github.world.actions_token(pull.repo, WRITES)
    assert token.installation is not None
    bot = token.installation.app.bot.login
    pull.review(None, "left by a crash", by=bot)
    await runner.run(pull)
    assert [one.state for one in pull.reviews] == ["COMMENTED"]
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_review_of_ours_that_was_never_sent_goes_though_nothing_is_posted(
    github: FakeGitHub, runner: Runner
) -> None:
    """That of another workflow, which has our login, stays."""
    pull = github.pull(base=BASE, head=BASE | {"b.py": "x = 1\n"})
    token = github.world.actions_token(pull.repo, WRITES)
    assert token.installation is not None
    bot = token.installation.app.bot.login
    ours = Marker("review", pull.head_sha, pull.base_sha)
    pull.review(None, f"Left.\n\n{write(ours, bound_to(pull))}", by=bot)
    await runner.run(pull)
    assert pull.reviews == []
    pull.review(None, "Somebody else's", by=bot)
    await runner.run(pull)
    assert [one.body for one in pull.reviews] == ["Somebody else's"]


async def test_more_findings_than_comments_are_in_the_summary_and_posted_by_no_later_push(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    lines = app(*(bug(number) for number in range(1, 51)))
    pull = github.pull(base=BASE, head=BASE | lines)
    run = await runner.run(pull)
    first = titles(pull)
    assert len(first) == 10
    assert run.outputs["warnings"] == "50"
    assert all(f"Bug {number} " in summary_of(pull) for number in range(1, 51))
    (review,) = pull.reviews
    assert "10 comments on lines. 40 more findings are in the summary comment." in review.body
    asked = len(model.requests)
    pull.push({"other.py": "x = 1\n"})
    run = await runner.run(pull)
    assert "line_10" not in model.requests[-1].text
    assert len(model.requests) > asked
    run = await runner.run(pull, full="true")
    assert pull.reviews == [review]
    assert titles(pull) == first
    assert run.outputs["warnings"] == "50"
    assert summary_of(pull).count("| still open |") == 50


@pytest.mark.unposted("a summary names fifty findings")
async def test_four_hundred_findings_are_one_review_and_a_short_summary(
    github: FakeGitHub, runner: Runner
) -> None:
    files = {f"f{number}.py": f"{bug(number)[1]}\n" for number in range(400)}
    pull = github.pull(base=BASE, head=BASE | files)
    run = await runner.run(pull)
    assert run.outputs["warnings"] == "400"
    (review,) = pull.reviews
    assert len(titles(pull)) == 10
    assert len(review.body) < 20_000
    words, _, marker = summary_of(pull).rpartition("\n")
    assert len(words) <= 20_000
    assert len(marker) <= 32_000
    assert "### More findings (350)" in words
    assert "`bug`, 350 warnings: " in words
    assert "and 340 more" in words
    assert len(state_of(pull).records) == 400
    check_run = [*pull.repo.check_runs.values()][-1]
    assert len(check_run.annotations) == 400


async def test_a_finding_without_comment_is_open_until_its_code_is_gone(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    lines = app(*(bug(number) for number in range(1, 34)))
    pull = github.pull(base=BASE, head=BASE | lines)
    await runner.run(pull)
    commented = {title.strip("*").removeprefix("warning: ") for title in titles(pull)}
    told = [f"Bug {one}" for one in range(1, 34) if f"Bug {one}" not in commented]
    assert len(told) == 23
    number = int(told[0].removeprefix("Bug "))

    def others(request: Recorded) -> Answer:
        """Nothing of two that were told of, and another rule for the third."""
        found = find_marked(request).findings or []
        left = [one for one in found if one["title"] not in told[:2]]
        return Answer(findings=[{**one, "category": "security"} for one in left])

    model.respond = others
    run = await runner.run(pull)
    assert run.outputs["warnings"] == "33"
    assert len(pull.reviews) == 1
    pull.push(app(*(bug(one) for one in range(1, 34) if one != number)))
    run = await runner.run(pull)
    assert run.outputs["warnings"] == "32"
    assert "32 still open and 1 resolved" in summary_of(pull)
    assert f"Resolved:\n\n- `app.py:{number}` Bug {number}\n" in summary_of(pull)
    assert len(pull.reviews) == 1
    assert len(titles(pull)) == 10


async def test_a_push_during_the_review_posts_nothing_on_the_old_head(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    def push_meanwhile(request: Recorded) -> Answer:
        if pull.head_sha == first:
            pull.push(TWO)
        return find_marked(request)

    first, model.respond = pull.head_sha, push_meanwhile
    run = await runner.run(pull)
    assert pull.reviews == []
    assert pull.comments == []
    assert "has a newer head" in run.summary
    await runner.run(pull)
    assert len(titles(pull)) == 2


@pytest.mark.unposted("nothing is posted on what is closed")
async def test_a_pull_request_that_is_closed_meanwhile_gets_no_comments(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    def close_meanwhile(request: Recorded) -> Answer:
        pull.close()
        return find_marked(request)

    model.respond = close_meanwhile
    run = await runner.run(pull)
    assert pull.comments == []
    assert "was closed" in run.summary


async def test_a_summary_that_somebody_deleted_is_written_again(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.comments.clear()
    await runner.run(pull)
    assert len(pull.comments) == 1
    assert titles(pull) == ["**error: Division by zero**"]


async def test_nobody_can_make_us_believe_in_a_review_that_never_was(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    forged = Marker("summary", pull.head_sha, pull.base_sha, "clean")
    pull.comment(f"All fine.\n\n{write(forged, bound_to(pull))}", by="mallory")
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert len(model.requests) == 1


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


async def test_the_head_has_no_say_in_its_own_review(github: FakeGitHub, runner: Runner) -> None:
    hostile = {
        ".reviewbot.yml": "exclude: ['**']\nfail_on: never\n",
        ".gitattributes": "* binary\n",
    }
    pull = github.pull(base=BASE, head=BASE | ONE | hostile)
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"


async def test_four_hundred_files_are_all_in_the_coverage(
    github: FakeGitHub, runner: Runner
) -> None:
    files = {f"src/m{number}.py": f"x = {number}\n" for number in range(400)}
    pull = github.pull(base=BASE, head=BASE | files | ONE)
    run = await runner.run(pull)
    assert run.outputs["outcome"] == "findings"
    assert "401 files: 401 reviewed" in summary_of(pull)


async def test_a_file_that_cannot_be_had_makes_the_check_fail(
    github: FakeGitHub, runner: Runner
) -> None:
    github.rules.diff_lines, github.rules.patch_lines, github.rules.blob_bytes = 50, 20, 1_000
    big = {"big.py": "".join(f"value_{number} = {number}\n" for number in range(200))}
    pull = github.pull(base=BASE, head=BASE | big | ONE)
    run = await runner.run(pull)
    assert (run.code, run.outputs["outcome"]) == (3, "incomplete")
    assert conclusions(pull) == ["failure"]
    assert "big.py" in summary_of(pull)
    assert titles(pull) == ["**error: Division by zero**"]


@pytest.mark.unposted("the token may not write")
async def test_a_fork_gets_its_review_where_a_token_that_can_only_read_lets_it(
    github: FakeGitHub, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona", private=False)
    runner.token = github.world.actions_token(pull.repo, dict.fromkeys(WRITES, "read"))
    run = await runner.run(pull)
    printed = capsys.readouterr().out
    assert run.outputs["outcome"] == "findings"
    assert "::error file=app.py,line=10" in printed
    assert "comes from a fork" in run.summary
    writes = [one.path for one in github.requests if one.method != "GET"]
    # What the token may write is known by asking, each twice.
    pulls, issues = "/repos/octo/hello/pulls/1", "/repos/octo/hello/issues/1"
    asked = ["/repos/octo/hello/check-runs", f"{pulls}/reviews", f"{issues}/comments"]
    assert [path for path in writes if "graphql" not in path] == [
        path for path in asked for _ in range(2)
    ]
    assert pull.repo.check_runs == {}


async def test_a_fork_without_a_key_fails_and_says_what_to_do(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, fork="mona", by="mona", private=False)
    runner.token = github.world.actions_token(pull.repo, dict.fromkeys(WRITES, "read"))
    runner.event(pull)
    env = runner.environment(pull) | {"ANTHROPIC_API_KEY": ""}
    with pytest.raises(ConfigError, match="comes from a fork, and GitHub gives its workflows no"):
        await runner.step(env)


async def test_no_key_is_an_error_with_the_sentence_that_helps(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    env = runner.environment(pull) | {"ANTHROPIC_API_KEY": ""}
    with pytest.raises(ConfigError, match=r"pass anthropic-api-key: \${{ secrets.ANTHROPIC_API"):
        await runner.step(env)
    assert pull.repo.check_runs == {}


async def test_a_route_without_a_key_has_the_same_sentence(
    github: FakeGitHub, runner: Runner
) -> None:
    routed = "model: offline\nroutes:\n  - paths: ['*.py']\n    model: claude-sonnet-5-5\n"
    base = BASE | {".reviewbot.yml": routed}
    pull = github.pull(base=base, head=base | ONE)
    runner.event(pull)
    env = runner.environment(pull) | {"ANTHROPIC_API_KEY": "", "ANTHROPIC_BASE_URL": ""}
    with pytest.raises(ConfigError, match="pass anthropic-api-key"):
        await runner.step(env)


async def test_the_offline_rules_review_without_a_key_if_asked_for(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | {"new.js": "if (x == NaN) {\n  go();\n}\n"})
    runner.event(pull)
    env = runner.environment(pull, model="offline") | {"ANTHROPIC_API_KEY": ""}
    run = await runner.step(env)
    assert run.outputs["outcome"] == "findings"


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        ({"checks"}, "There is no check run"),
        ({"pull_requests"}, "The review could not be posted"),
        pytest.param(
            {"pull_requests", "issues", "checks"},
            "There is no check run",
            marks=pytest.mark.unposted("the token may not write"),
        ),
    ],
)
async def test_what_a_token_may_not_is_told_and_the_rest_is_done(
    github: FakeGitHub, runner: Runner, lacking: set[str], told: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    granted = {name: "read" if name in lacking else level for name, level in WRITES.items()}
    runner.token = github.world.actions_token(pull.repo, granted)
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert told in run.summary
    assert "pull_requests" not in lacking or not pull.review_comments
    assert ("checks" in lacking) != bool(pull.repo.check_runs)


@pytest.mark.parametrize(
    ("inputs", "code", "conclusion"),
    [
        ({"fail_on": "error"}, 1, "failure"),
        ({"fail_on": "never"}, 0, "neutral"),
        ({}, 0, "neutral"),
    ],
)
async def test_the_exit_code_and_the_check_go_by_fail_on(
    github: FakeGitHub, runner: Runner, inputs: dict[str, str], code: int, conclusion: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    run = await runner.run(pull, **inputs)
    assert run.code == code
    assert conclusions(pull) == [conclusion]


async def test_a_clean_change_is_green(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "line_10 = 11")))
    run = await runner.run(pull, fail_on="note")
    assert (run.code, run.outputs["outcome"]) == (0, "clean")
    assert conclusions(pull) == ["success"]
    assert pull.reviews == []


async def test_nothing_to_review_is_not_green(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | {"package-lock.json": "{}\n"})
    await runner.run(pull)
    assert conclusions(pull) == ["neutral"]


@pytest.mark.unposted("nobody wants it there")
async def test_what_is_turned_off_is_not_posted(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    off = {"check_run": "false", "review_comments": "false", "summary_comment": "false"}
    run = await runner.run(pull, **off)
    assert run.outputs["errors"] == "1"
    assert (pull.reviews, pull.comments, pull.repo.check_runs) == ([], [], {})


async def test_without_a_summary_comment_the_review_tells_what_is_on_no_line(
    github: FakeGitHub, runner: Runner
) -> None:
    lines = app(*(bug(number) for number in range(1, 36)))
    pull = github.pull(base=BASE, head=BASE | lines)
    await runner.run(pull, summary_comment="false")
    assert pull.comments == []
    assert "`bug`, 25 warnings: " in pull.reviews[0].body
    await runner.run(pull, summary_comment="false")
    assert len(pull.reviews) == 1
    assert len(titles(pull)) == 10


async def test_without_a_summary_comment_what_github_refuses_is_told_in_a_review(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    github.fail(Fault("POST", "/reviews$", 422, REFUSAL, times=None, contains=b'"line"'))
    await runner.run(pull, summary_comment="false")
    (review,) = pull.reviews
    assert "2 more findings are below" in review.body
    for title in ("Division by zero", "None is returned"):
        assert review.body.count(f": {title}**") == 1
    await runner.run(pull, summary_comment="false")
    assert pull.reviews == [review]


async def test_a_draft_is_skipped_and_says_so(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, draft=True)
    run = await runner.run(pull)
    assert (run.code, run.outputs) == (0, {"outcome": "skipped"})
    assert "a draft" in run.summary
    assert pull.repo.check_runs == {}


@pytest.mark.parametrize(
    ("body", "by", "outcome"),
    [
        ("/review", "octo", "findings"),
        ("/review", "mallory", "skipped"),
        ("nice work", "octo", "skipped"),
        ("/help", "octo", "skipped"),
    ],
)
async def test_a_comment_has_a_review_begun_if_its_author_may_write(
    github: FakeGitHub, runner: Runner, body: str, by: str, outcome: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    comment = pull.comment(body, by=by)
    runner.event(pull, "issue_comment", "created", comment=comment, sender=github.user(by))
    env = runner.environment(pull) | {"GITHUB_EVENT_NAME": "issue_comment"}
    assert (await runner.step(env)).outputs["outcome"] == outcome


async def test_a_run_that_is_cancelled_ends_its_check(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    def cancel(request: Recorded) -> Answer:
        """It is cancelled in the middle of the answer."""
        asyncio.get_running_loop().call_later(0.5, os.kill, os.getpid(), signal.SIGTERM)
        return replace(find_marked(request), delta_size=10, pace=0.1)

    model.respond = cancel
    run = await runner.run(pull)
    assert run.code == 130
    assert conclusions(pull) == ["cancelled"]
    assert pull.comments == []


async def test_an_error_of_github_ends_the_check_and_is_told(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    env = runner.environment(pull)
    github.fail(faults.error("GET", "/issues/1/comments", 404, times=None))
    with pytest.raises(ReviewbotError):
        await runner.step(env)
    assert pull.repo.check_runs == {}


@pytest.mark.unposted("GitHub does not take it")
async def test_what_breaks_after_the_review_ends_the_check_as_a_failure_and_loses_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)

    def break_github(request: Recorded) -> Answer:
        github.fail(faults.error("GET", "/issues/1/comments", 404, times=None))
        return find_marked(request)

    model.respond = break_github
    run = await runner.run(pull)
    assert run.code == 3
    assert "The review could not be posted" in run.summary
    assert "Division by zero" in run.summary
    assert len(run.sarif["runs"][0]["results"]) == 1
    assert conclusions(pull) == ["failure"]


async def test_a_check_that_cannot_be_ended_as_it_should_is_a_failure_and_loses_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    github.fail(faults.error("PATCH", "/check-runs/", 500, times=2))
    run = await runner.run(pull)
    assert run.code == 3
    assert "is not known: it answered 500" in run.summary
    assert titles(pull) == ["**error: Division by zero**"]
    assert conclusions(pull) == ["failure"]
    await runner.run(pull)
    assert len(titles(pull)) == 1
    assert len(model.requests) == 1


async def test_two_findings_on_one_line_have_one_comment_and_a_place_in_the_summary(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """The second one is found later, on a line that has a comment already."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)

    def another(request: Recorded) -> Answer:
        [found] = find_marked(request).findings
        return Answer(findings=[{**found, "category": "security", "title": "It can be called"}])

    model.respond = another
    run = await runner.run(pull, full="true")
    assert titles(pull) == ["**error: Division by zero**"]
    assert run.outputs["errors"] == "2"
    assert "A comment of an earlier review is on its line already." in summary_of(pull)


def git_init(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", str(folder)], check=True)


async def test_a_checkout_that_has_the_head_spares_requests_and_is_read_as_data(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    assert pull.diff_text  # the objects are on the disk from here on
    work = tmp_path / "work"
    git_init(work)
    pull.repo.store.save()
    shutil.copytree(pull.repo.store.folder / "objects", work / ".git/objects", dirs_exist_ok=True)
    (work / "app.py").write_text("what stands in the folder counts for nothing\n")
    planted = tmp_path / "planted"
    hook = f"[core]\n\tfsmonitor = touch {planted}\n[diff]\n\texternal = touch {planted}\n"
    with (work / ".git/config").open("a") as config:
        config.write(hook)
    runner.event(pull)
    env = runner.environment(pull) | {"GITHUB_WORKSPACE": str(work)}
    await runner.step(env)
    assert github.called("GET", "/contents/app.py") == []
    assert "line_4 = 4" in model.requests[0].text  # further than the diff goes
    assert "what stands in the folder" not in model.requests[0].text
    assert not planted.exists()


async def test_a_checkout_of_something_else_is_no_use_and_no_harm(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, tmp_path: Path
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    git_init(tmp_path / "work")
    runner.event(pull)
    for folder in (tmp_path / "work", tmp_path / "nowhere"):
        env = runner.environment(pull, full="true") | {"GITHUB_WORKSPACE": str(folder)}
        assert (await runner.step(env)).outputs["errors"] == "1"
    assert len(github.called("GET", "/contents/app.py")) == 2
    assert "line_4 = 4" in model.requests[0].text

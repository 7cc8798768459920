"""What the summary says about suggestions, and about conversations that only people can resolve."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.github.api.threads import ReviewThread
from reviewbot.github.publish.thread_notes import ThreadNotes, thread_notes
from reviewbot.github.state.prior import Posted
from tests.fake_anthropic import Answer
from tests.github.action_runs import WRITES, find_marked
from tests.support.github_comments import comment, found
from tests.support.github_records import record
from tests.support.github_stories import BASE, ONE, TWO, check, summary_of
from tests.support.visible import visible_text

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic, Recorded
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner


def with_suggestions(request: Recorded) -> Answer:
    marked = find_marked(request).findings or []
    return Answer(findings=[{**finding, "suggestion": "value = 1"} for finding in marked])


@pytest.mark.parametrize("has_two", [False, True])
async def test_two_suggestions_come_with_how_to_apply_them_in_one_commit(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, has_two: bool
) -> None:
    model.respond = with_suggestions
    pull = github.pull(base=BASE, head=BASE | (TWO if has_two else ONE))
    await runner.run(pull)
    assert all("```suggestion\n" in comment.body for comment in pull.review_comments)
    assert len(pull.review_comments) == 1 + has_two
    summary = summary_of(pull)
    assert ("Apply 2 suggestions in one commit" in visible_text(summary)) == has_two
    assert ("*Add suggestion to batch*" in summary) == has_two
    check(github)


@pytest.mark.parametrize("may_resolve", [True, False])
async def test_a_conversation_that_we_cannot_resolve_is_named_with_what_to_do(
    github: FakeGitHub, runner: Runner, may_resolve: bool
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    if may_resolve:
        runner.token = github.world.actions_token(pull.repo, WRITES | {"contents": "write"})
    await runner.run(pull)
    [comment_] = pull.review_comments
    pull.push({"app.py": BASE["app.py"]})
    await runner.run(pull)
    for _ in range(2):  # of the push that resolves the finding, and of a later one
        fold = summary_of(pull).partition("<summary>Conversations to resolve (1)</summary>")[2]
        said = fold.partition("</details>")[0]
        assert (f"/pull/1#discussion_r{comment_.id})" in said) is not may_resolve
        assert ("`contents: write`" in said) is not may_resolve
        pull.push({"other.py": "x = 1\n"})
        await runner.run(pull)
    check(github)


ONE_FINDING = found(1)
OFFERED = comment(ONE_FINDING, body="**error**\n\n```suggestion\nx\n```\n")
THREAD = ReviewThread("T", False, None, 1, None)


def notes_of(state: str, posted: Posted) -> ThreadNotes:
    return thread_notes([record(id=posted.id, state=state)], {posted.id: posted})


def test_a_suggestion_counts_while_github_can_apply_it() -> None:
    posted = Posted(ONE_FINDING.id, "error", OFFERED, THREAD)
    assert notes_of("open", posted).suggestions == 1
    assert notes_of("resolved", posted).suggestions == 0
    assert notes_of("open", replace(posted, ours=False)).suggestions == 0
    outdated = replace(posted, comment=replace(OFFERED, line=None))
    assert notes_of("open", outdated).suggestions == 0
    quoted = replace(OFFERED, body="> ```suggestion\n> x\n> ```\n\nA ```suggestion")
    assert notes_of("open", replace(posted, comment=quoted)).suggestions == 0


def test_an_open_or_resolved_thread_and_one_that_we_may_resolve_are_not_named() -> None:
    posted = Posted(ONE_FINDING.id, "error", OFFERED, THREAD)
    assert notes_of("resolved", posted).unresolved == (OFFERED.url,)
    assert notes_of("dismissed", posted).unresolved == (OFFERED.url,)
    assert notes_of("open", posted).unresolved == ()
    for thread in (None, replace(THREAD, resolved=True), replace(THREAD, can_resolve=True)):
        assert notes_of("resolved", replace(posted, thread=thread)).unresolved == ()

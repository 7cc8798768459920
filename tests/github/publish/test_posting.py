"""A review is posted once and whole, whatever GitHub refuses, loses or changes meanwhile."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.github.markers import Marker, write
from tests.fake_github import FakeGitHub, Fault, PullRequest, faults
from tests.github.action_runs import WRITES, Runner, bound_to, find_marked
from tests.github.app_runs import app_server
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

    from tests.fake_anthropic import Answer, FakeAnthropic, Recorded


async def test_one_comment_that_github_refuses_loses_none_of_the_others(
    github: FakeGitHub, runner: Runner
) -> None:
    head = app(
        *((number, f"x = {number}  # BUG warning Bug {number}") for number in range(1, 20, 2))
    )
    pull = github.pull(base=BASE, head=BASE | head)
    github.fail(
        faults.Fault("POST", "/reviews$", 422, REFUSAL, contains=b"warning: Bug 7**", times=None)
    )
    run = await runner.run(pull)
    posted = {title.strip("*").removeprefix("warning: ") for title in titles(pull)}
    assert posted == {f"Bug {number}" for number in range(1, 20, 2)} - {"Bug 7"}
    assert "GitHub does not accept a comment there." in summary_of(pull)
    assert run.outputs["warnings"] == "10"
    assert len(pull.reviews) <= 6


@pytest.mark.parametrize("refused", [1, 15, 19], ids=["first", "in the second half", "last"])
@pytest.mark.parametrize("summary", ["true", "false"], ids=["summary", "no summary"])
async def test_a_review_says_how_many_comments_it_has_whatever_github_refused(
    github: FakeGitHub, runner: Runner, refused: int, summary: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | app(*(bug(number) for number in range(1, 20, 2))))
    text = rf"warning: Bug {refused}**\n\nWhen".encode()  # of the comment on its line alone
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


async def test_a_review_that_github_never_accepts_is_reported_in_the_summary(
    github: FakeGitHub, runner: Runner
) -> None:
    head = app(
        *((number, f"x = {number}  # BUG warning Bug {number}") for number in range(1, 60, 2))
    )
    pull = github.pull(base=BASE, head=BASE | head)
    github.fail(faults.Fault("POST", "/reviews$", 422, REFUSAL, times=None))
    await runner.run(pull)
    assert pull.reviews == []
    assert summary_of(pull).count("GitHub does not accept a comment there.") == 10
    assert len(github.called("POST", "/reviews")) <= 60


@pytest.mark.parametrize("path", ["/reviews$", "/comments$", "/check-runs$"])
@pytest.mark.parametrize("fault", [faults.error_after, faults.drop])
async def test_a_write_whose_response_is_lost_is_not_repeated(
    github: FakeGitHub, runner: Runner, path: str, fault: Any
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    github.fail(fault("POST", path))
    run = await runner.run(pull)
    assert run.outputs["outcome"] == "findings"
    assert len(pull.reviews) == 1
    assert len(pull.comments) == 1
    assert len(pull.repo.check_runs) == 1


@pytest.mark.parametrize("by_app", [False, True], ids=["action", "app"])
async def test_a_note_is_listed_in_full_and_counts(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, tmp_path: Path, *, by_app: bool
) -> None:
    config = {".reviewbot.yml": "summary: false\nfail_on: note\n"}
    note = app((10, "x = 1  # BUG note The name is vague"), *([] if by_app else [bug(50)]))
    if by_app:
        github.install(github.repository("octo/hello", BASE | config))
        async with app_server(github, model, tmp_path) as server:
            pull = github.pull(base=BASE | config, head=BASE | config | note)
            await server.settle()
    else:
        pull = github.pull(base=BASE | config, head=BASE | config | note)
        await runner.run(pull)
    assert titles(pull) == ([] if by_app else ["**warning: Bug 50**"])
    folded = summary_of(pull).partition("**Notes (1)**")[2]
    for text in ("note: The name is vague", "app.py:10", "When it runs,", "Change this line."):
        assert text in folded
    assert conclusions(pull) == ["failure"]
    assert annotated(pull) == []  # the note is listed, and the warning has a comment


async def test_a_note_stays_listed_after_a_push_elsewhere(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "x = 1  # BUG note The name is vague")))
    await runner.run(pull)
    pull.push({"other.py": "x = 1\n"})
    await runner.run(pull)
    assert titles(pull) == []
    folded = summary_of(pull).partition("**Notes (1)**")[2]
    assert "The name is vague" in folded.partition("</details>")[0]


async def test_without_a_summary_comment_a_review_lists_the_note(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((10, "x = 1  # BUG note The name is vague")))
    for _ in range(2):
        await runner.run(pull, summary_comment="false")
    [review] = pull.reviews
    assert "note: The name is vague" in review.body.partition("<summary>Notes (1)</summary>")[2]


def annotated(pull: PullRequest) -> list[int]:
    """Return the lines that the check runs annotate."""
    runs = pull.repo.check_runs.values()
    return [annotation["start_line"] for run in runs for annotation in run.annotations]


async def test_a_lost_response_duplicates_no_annotation(github: FakeGitHub, runner: Runner) -> None:
    head = {"app.py": "".join(f"x = {n}  # BUG note Bug {n}\n" for n in range(70))}
    base = {".reviewbot.yml": "summary: false\nmax_notes: 100\n", "app.py": ""}
    pull = github.pull(base=base, head=base | head)
    github.fail(faults.error_after("PATCH", "/check-runs/", times=2))
    await runner.run(pull)
    [check_run] = pull.repo.check_runs.values()
    lines = [annotation["start_line"] for annotation in check_run.annotations]
    commented = [comment.thread.anchor.line or 0 for comment in pull.review_comments]
    assert len(commented) == 10
    assert sorted([*lines, *commented]) == list(range(1, 71))


async def test_a_pending_review_left_behind_blocks_nothing(
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


async def test_our_pending_review_is_deleted_though_nothing_is_posted(
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


async def test_a_valid_comment_is_posted_however_many_refused_ones_precede_it(
    github: FakeGitHub, runner: Runner
) -> None:
    head = app(
        *((number, f"x = {number}  # BUG warning Bug {number}") for number in range(1, 60, 2))
    )
    pull = github.pull(base=BASE, head=BASE | head)
    for number in range(1, 16, 2):
        text = f"warning: Bug {number}**".encode()
        github.fail(Fault("POST", "/reviews$", 422, REFUSAL, contains=text, times=None))
    await runner.run(pull)
    assert len(titles(pull)) == 2
    assert summary_of(pull).count("GitHub does not accept a comment there.") == 8

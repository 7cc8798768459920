"""The checks that run after every story can fail: each sees what it is there for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from reviewbot.github.markers import Marker, write
from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub, Fault, PullRequest, reviewing
from tests.github.action_runs import WRITES, Runner, bound_to, find_marked
from tests.support.github_states import state_of
from tests.support.github_stories import (
    BASE,
    REFUSAL,
    TWO,
    app,
    bug,
    check,
    not_in,
    posted_texts,
)

if TYPE_CHECKING:
    from pathlib import Path

ANCHOR = {"path": "app.py", "line": 50, "side": "RIGHT", "body": "Look."}


async def place(github: FakeGitHub, pull: PullRequest, call: str, anchor: dict[str, Any]) -> int:
    """Ask for a comment, by itself or in a review; the status of the answer."""
    body = {"event": "COMMENT", "comments": [anchor]} if call == "reviews" else dict(anchor)
    body["commit_id"] = pull.head_sha
    path = f"/repos/{pull.repo.full_name}/pulls/{pull.number}/{call}"
    token = github.world.actions_token(pull.repo, WRITES).value
    async with httpx2.AsyncClient(trust_env=False) as client:
        headers = {"authorization": f"Bearer {token}"}
        return (await client.post(github.url + path, json=body, headers=headers)).status_code


@pytest.mark.parametrize("old_wording", [False, True])
@pytest.mark.parametrize("call", ["reviews", "comments"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"line": 30},
        {"path": "none.py"},
        {"start_line": 10, "start_side": "RIGHT"},
        {"start_line": 50, "start_side": "RIGHT"},
        {"path": "large.py", "line": 1},
    ],
    ids=["no such line", "no such file", "over hunks", "backwards", "a large file"],
)
async def test_an_anchor_that_github_refuses_is_seen_whatever_github_calls_it(
    wrong: dict[str, Any], call: str, old_wording: bool
) -> None:
    async with FakeGitHub() as github:
        github.rules.old_wording, github.rules.patch_lines = old_wording, 5
        pull = github.pull(base=BASE, head=BASE | TWO | {"large.py": "x = 1\n" * 9})
        assert await place(github, pull, call, ANCHOR) < 300
        check(github)
        assert await place(github, pull, call, ANCHOR | wrong) == 422
        with pytest.raises(AssertionError, match="an anchor was sent that GitHub refuses"):
            check(github)


async def test_a_refusal_that_a_story_asks_for_is_not_held_against_it() -> None:
    async with FakeGitHub() as github:
        pull = github.pull(base=BASE, head=BASE | TWO)
        github.fail(Fault("POST", "/reviews$", 422, REFUSAL))
        assert await place(github, pull, "reviews", ANCHOR) == 422
        check(github)


@pytest.mark.parametrize("lost", ["Bug 1", "Division"])
async def test_a_lost_finding_is_seen_although_others_have_its_words(
    lost: str, tmp_path: Path
) -> None:
    kept = {"Bug 1": "Bug 10", "Division": "Division by zero"}[lost]
    head = app((1, f"x = 1  # BUG warning {lost}"), (20, f"x = 2  # BUG warning {kept}"))
    async with FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = find_marked
        pull = github.pull(base=BASE, head=BASE | head)
        run = await Runner(github, model, tmp_path).run(pull)
        texts = posted_texts(github)
    for said in (texts, [run.summary]):
        assert not_in(said, model) == []
        shown = re.compile(rf"(?im)^(?:.*: |.*\| )\[?{lost}(?:\*\*|\].*| \|.*)?$")
        assert not_in([shown.sub("", text) for text in said], model) == [lost]


async def test_an_open_finding_that_nothing_shows_is_seen(tmp_path: Path) -> None:
    async with FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = find_marked
        pull = github.pull(base=BASE, head=BASE | TWO)
        await Runner(github, model, tmp_path).run(pull, review_comments="false")
        check(github)
        [summary] = pull.comments
        [id_] = [one.id for one in state_of(pull).records if one.title == "Division by zero"]
        summary.body = re.sub(rf"(?m)^.*(?:Division by zero|`{id_}`).*\n", "", summary.body)
        with pytest.raises(
            AssertionError, match=r"neither posted nor listed: \['Division by zero'\]"
        ):
            check(github)


async def test_findings_that_the_reviews_of_two_commits_list_by_file_are_seen(
    tmp_path: Path,
) -> None:
    async with FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = find_marked
        pull = github.pull(base=BASE, head=BASE | app(*map(bug, range(1, 13))))
        await Runner(github, model, tmp_path).run(pull, summary_comment="false")
        check(github)
        pull.reviews.append(replace(pull.reviews[0], commit="b" * 40))
        with pytest.raises(AssertionError, match="a finding was posted twice"):
            check(github)


def answer(pull: PullRequest, where: str, *bodies: str) -> None:
    """Our answers below a pull request, or in a thread on it."""
    token = pull.repo.world.actions_token(pull.repo, WRITES)
    assert token.installation is not None
    bot = token.installation.app.bot
    first = pull.review_comment("app.py", 50, "/explain")
    for body in bodies:
        if where == "below":
            reviewing.comment_on_issue(pull, bot, body)
        else:
            reviewing.reply(pull, bot, first, body)


def keyed(pull: PullRequest, key: str) -> str:
    """The marker of an answer to one command."""
    return "\n\n" + write(Marker("reply", key=key), bound_to(pull))


@pytest.mark.parametrize("where", ["below", "in a thread"])
@pytest.mark.parametrize(("texts", "key"), [("No No", ""), ("No No", "issue-1"), ("No Yes", "x-1")])
async def test_an_answer_that_comes_twice_is_seen(where: str, texts: str, key: str) -> None:
    async with FakeGitHub() as github:
        pull = github.pull(base=BASE, head=BASE | TWO)
        marker = key and keyed(pull, key)
        answer(pull, where, *(f"{text}.{marker}" for text in texts.split()))
        with pytest.raises(AssertionError, match="answered twice"):
            check(github)


@pytest.mark.parametrize("where", ["below", "in a thread"])
async def test_the_same_answer_to_two_commands_is_none_that_comes_twice(where: str) -> None:
    async with FakeGitHub() as github:
        pull = github.pull(base=BASE, head=BASE | TWO)
        answer(pull, where, *(f"Yes.{keyed(pull, key)}" for key in ("issue-1", "issue-2")))
        check(github)

"""Comments and the state of version 0.1 are read after an upgrade, with the defaults of today.

``fixtures/github/comments-0.1.json`` has what version 0.1.0 left on a pull request. Its first
review posted three findings. Somebody wrote ``/ignore`` below one of them. The second review, of
another push, posted one more.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import SecretText
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.client.rate_limit import Pace
from tests.github.action_runs import WRITES, Runner
from tests.support.action_files import ROOT
from tests.support.github_states import records_in, state_of
from tests.support.github_stories import BASE, app, bug, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub, PullRequest

LEFT: dict[str, Any] = json.loads((ROOT / "fixtures/github/comments-0.1.json").read_text("utf-8"))
TITLES = [
    "**error: Division by zero**",
    "**warning: Bug 30**",
    "**warning: None is returned**",
    "**warning: Bug 20**",
]
NONE = (50, "line_50 = None  # BUG warning None is returned")


@pytest.fixture
async def pull(github: FakeGitHub) -> PullRequest:
    """The pull request as version 0.1.0 left it."""
    made = github.pull(base=BASE, head=BASE | {"app.py": LEFT["head"]})
    assert (made.repo.id, made.number) == (LEFT["pull"]["repository_id"], LEFT["pull"]["number"])
    token = SecretText(github.world.actions_token(made.repo, WRITES).value)
    name = made.repo.full_name
    async with Gateway(token, base_url=github.url, pace=Pace(gap_s=0)) as gateway:
        api = gateway.holder()
        for review in LEFT["reviews"]:
            payload = {**review, "commit_id": made.head_sha, "event": "COMMENT"}
            await api.reviews.create(name, made.number, payload)
        for text in LEFT["summary"]:
            await api.comments.create(name, made.number, text)
    dismissed = next(one for one in made.review_comments if "None is returned" in one.body)
    made.reply(dismissed, "/ignore it is a test", by="octo")
    return made


def states(pull: PullRequest) -> dict[str, str]:
    return {record.title: record.state for record in records_in(summary_of(pull))}


async def test_a_finding_of_0_1_is_not_posted_again(pull: PullRequest, runner: Runner) -> None:
    assert titles(pull) == TITLES
    run = await runner.run(pull)
    assert titles(pull) == TITLES
    assert (run.outputs["errors"], run.outputs["warnings"]) == ("1", "2")
    assert states(pull) == {
        "Division by zero": "open",
        "Bug 20": "open",
        "Bug 30": "open",
        "None is returned": "dismissed",
    }
    assert "still open" in summary_of(pull)


async def test_a_finding_of_0_1_is_resolved_when_its_code_is_gone(
    pull: PullRequest, runner: Runner
) -> None:
    pull.push(app(bug(20), bug(30), NONE))
    run = await runner.run(pull)
    assert titles(pull) == TITLES
    assert run.outputs["errors"] == "0"
    assert states(pull)["Division by zero"] == "resolved"
    assert states(pull)["None is returned"] == "dismissed"
    assert len(pull.comments) == 1


async def test_the_next_push_is_reviewed_alone_again(pull: PullRequest, runner: Runner) -> None:
    run = await runner.run(pull)
    assert "Everything is reviewed again: the models, the prompts" in run.summary
    pull.push(app((10, "line_10 = 1 / 0  # BUG error Division by zero"), bug(20), (40, "x = 1")))
    run = await runner.run(pull)
    assert "Only changes since the review of" in run.summary
    assert titles(pull) == TITLES
    assert states(pull)["Bug 30"] == "resolved"
    assert state_of(pull).rounds == 1


async def test_a_state_of_0_1_with_another_signature_prevents_duplicates_and_no_more(
    pull: PullRequest, runner: Runner
) -> None:
    [comment] = pull.comments
    comment.body = re.sub(r" sig=\w{4}", " sig=0000", comment.body)
    run = await runner.run(pull)
    assert "the state of the last review is invalid or not signed by us" in run.summary
    assert titles(pull) == TITLES
    assert states(pull)["None is returned"] == "dismissed"

"""``/review PATH`` reviews the files that match, and claims nothing about the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.github.action_runs import CONFIG
from tests.support.app_reviews import settle
from tests.support.github_states import state_of
from tests.support.github_stories import conclusions, job, replies, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Runner
    from tests.github.app_runs import AppServer

BASE = CONFIG | {f"{name}.py": "start = 1\nend = 2\n" for name in ("src/one", "src/two", "three")}


def bug(name: str, title: str = "") -> dict[str, str]:
    marked = f"x = {name!r}  # BUG warning {title or f'In {name}'}"
    return {f"{name}.py": f"start = 1\n{marked}\nend = 2\n"}


def shown_to(model: FakeAnthropic, since: int = 0) -> set[str]:
    texts = " ".join(one.text for one in model.requests[since:])
    return {name for name in ("src/one", "src/two", "three") if f'=== file "{name}.py"' in texts}


def coverage_of(pull: PullRequest) -> str:
    return summary_of(pull).partition("Coverage and cost")[2]


@pytest.fixture
def pull(github: FakeGitHub) -> PullRequest:
    return github.pull(base=BASE, head=BASE | bug("src/one") | bug("src/two") | bug("three"))


async def test_only_matching_files_are_reviewed_and_the_others_not_called_so(
    model: FakeAnthropic, runner: Runner, pull: PullRequest
) -> None:
    run = await job(runner, pull, pull.comment("/review src/", by="octo"))
    assert shown_to(model) == {"src/one", "src/two"}
    assert sorted(titles(pull)) == ["**warning: In src/one**", "**warning: In src/two**"]
    assert run.outputs["outcome"] == "incomplete"
    assert conclusions(pull) == ["failure"]
    assert "three.py not reviewed: Not part of this review" in summary_of(pull)
    asked = len(model.requests)
    await runner.run(pull)  # the next review reads the rest
    assert shown_to(model, asked) == {"three"}


async def test_files_that_were_reviewed_before_stay_reviewed(
    model: FakeAnthropic, runner: Runner, pull: PullRequest
) -> None:
    await runner.run(pull)
    asked = len(model.requests)
    run = await job(runner, pull, pull.comment("/review `src/one.py`", by="octo"))
    assert shown_to(model, asked) == {"src/one"}
    assert run.outputs["outcome"] == "findings"
    assert "3 files: 3 reviewed." in coverage_of(pull)
    assert len(state_of(pull).records) == 3


async def test_no_finding_outside_is_resolved(runner: Runner, pull: PullRequest) -> None:
    await runner.run(pull)
    pull.push({"three.py": "start = 1\nend = 3\n", "src/one.py": "start = 1\nend = 3\n"})
    await job(runner, pull, pull.comment("/review src/one.py", by="octo"))
    states = {one.path: one.state for one in state_of(pull).records}
    assert states == {"src/one.py": "resolved", "src/two.py": "open", "three.py": "open"}
    await runner.run(pull)
    states = {one.path: one.state for one in state_of(pull).records}
    assert states["three.py"] == "resolved"


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("docs/*.md", "no changed file matches docs/\\*.md"),
        ("[z-a].py", "no changed file matches \\[z-a\\].py"),
        ("!three.py", "no changed file matches \\!three.py"),
        ("`@octo/team <b>`", "`no changed file matches @octo/team <b>`"),
    ],
)
async def test_a_path_that_matches_nothing_is_said(
    model: FakeAnthropic, server: AppServer, pull: PullRequest, path: str, told: str
) -> None:
    await settle(server)
    asked, checks = len(model.requests), len(conclusions(pull))
    pull.comment(f"/review {path}", by="octo")
    await settle(server)
    [answer] = replies(pull)
    assert answer == f"Nothing is reviewed: {told}."
    assert (len(model.requests), len(conclusions(pull))) == (asked, checks)


async def test_a_job_says_that_a_path_matches_nothing(runner: Runner, pull: PullRequest) -> None:
    run = await job(runner, pull, pull.comment("/review x/y.py", by="octo"))
    assert run.outputs["outcome"] == "skipped"
    assert replies(pull) == ["Nothing is reviewed: no changed file matches x/y.py."]


async def test_the_app_reviews_a_file_again_although_it_was_reviewed(
    model: FakeAnthropic, server: AppServer, pull: PullRequest
) -> None:
    await settle(server)
    asked = len(model.requests)
    pull.comment("@reviewbot review src/two.py", by="octo")
    pull.comment("/review *two*", by="octo")
    await settle(server)
    assert shown_to(model, asked) == {"src/two"}
    assert len(titles(pull)) == 3
    assert "Only files that match" in summary_of(pull)


async def test_a_rule_that_is_silent_resolves_inside_only(
    github: FakeGitHub, runner: Runner
) -> None:
    """Without a key nothing is signed, so the other files count as not reviewed."""
    evil = {f"{name}.py": "start = 1\nx = eval(y)\nend = 2\n" for name in ("src/one", "three")}
    pull = github.pull(base=BASE, head=BASE | evil)
    key = {"REVIEWBOT_ACTION_MODEL": "offline", "ANTHROPIC_API_KEY": ""}
    await job(runner, pull, pull.comment("/review full", by="octo"), **key)
    found = len(state_of(pull).records)
    assert found
    await job(runner, pull, pull.comment("/review three.py", by="octo"), **key)
    assert {one.state for one in state_of(pull).records} == {"open"}
    assert len(state_of(pull).records) == found
    assert "src/one.py not reviewed: Not part of this review" in summary_of(pull)

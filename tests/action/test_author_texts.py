"""Texts for the author of a pull request: the log alone has hosts, ports and request ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from reviewbot.core.render.author import SENTENCES
from reviewbot.errors import ConfigError
from tests.fake_anthropic import StatusError
from tests.github.action_runs import WRITES, find_marked
from tests.support.github_stories import BASE, ONE, posted_texts, summary_of

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic, Recorded, Reply
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Run, Runner

BROKEN = StatusError(401, "invalid x-api-key")


def seen_by_the_author(github: FakeGitHub, pull: PullRequest, run: Run, log: str) -> str:
    """Everything on the pull request and on the page of the job, but not the log."""
    [check] = pull.repo.check_runs.values()
    annotations = [line for line in log.splitlines() if line.startswith("::")]
    texts = (check.title, check.summary, check.text, run.summary)
    return "\n".join([*filter(None, texts), *annotations, *posted_texts(github)])


async def test_a_refused_key_is_one_sentence_for_the_author_and_has_its_details_in_the_log(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE | {"b.py": "x = 1\n"})
    model.respond = lambda _: BROKEN
    run = await runner.run(pull)
    log = capsys.readouterr().out
    shown = seen_by_the_author(github, pull, run, log)
    assert f"2 files not reviewed: {SENTENCES['auth']}" in summary_of(pull)
    assert shown.count(SENTENCES["auth"]) == 3  # comment, check, job summary
    host = urlsplit(model.base_url).netloc
    for detail in (host, "(request req_", "x-api-key", "answered 401"):
        assert detail not in shown
        assert detail in log


async def test_a_summary_that_the_model_did_not_write_leaves_no_trace(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    base = BASE | {".reviewbot.yml": "summary: true\n"}
    pull = github.pull(base=base, head=base | ONE)

    def respond(request: Recorded) -> Reply:
        return find_marked(request) if "=== file" in request.text else BROKEN

    model.respond = respond
    run = await runner.run(pull)
    shown = seen_by_the_author(github, pull, run, capsys.readouterr().out)
    assert len(model.requests) > 1
    assert "Walkthrough (1 file)</summary>\n\n- `app.py`: " in summary_of(pull)
    assert "summary:" not in shown
    assert not re.search(r"\b401\b", shown)  # a hidden marker may have these digits within a digest


async def test_a_known_finding_leads_to_its_comment_from_the_check_and_the_job_summary(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    [comment] = pull.review_comments
    pull.push({"b.py": "x = 1\n"})
    run = await runner.run(pull)
    check = list(pull.repo.check_runs.values())[-1]
    url = f"https://github.com/octo/hello/pull/1#discussion_r{comment.id}"
    link = f"[`app.py:10`]({url})"
    assert link in run.summary
    assert "### " not in run.summary  # the comment has all of it
    assert link in (check.text or "")
    assert f"- 🛑 error: [Division by zero]({url}) `app.py:10`" in summary_of(pull)


async def test_a_missing_permission_is_named_for_the_author_without_its_request(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.token = github.world.actions_token(pull.repo, WRITES | {"checks": "none"})
    run = await runner.run(pull)
    assert (
        "There is no check run: GitHub does not permit it; a maintainer of this repository must"
        " grant the permission checks: read, in the App's settings or under permissions: of the"
        " workflow." in re.sub(r"[\\`]", "", run.summary)
    )
    assert "/repos/" not in run.summary


@pytest.mark.unposted("there is no token")
async def test_an_empty_token_says_what_to_do_in_the_workflow(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE, private=False)
    runner.event(pull)
    run = await runner.step(runner.environment(pull) | {"GITHUB_TOKEN": ""})
    assert "Remove the input github-token from the workflow" in run.summary


async def test_an_empty_token_says_so_where_github_refuses_to_show_the_pull_request(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    runner.event(pull)
    with pytest.raises(ConfigError, match=r"github-token: is empty, .* Remove the input"):
        await runner.step(runner.environment(pull) | {"GITHUB_TOKEN": ""})

"""Each posted finding that is no longer open has a closed record, in the App and in the Action."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.events.report import Report
from reviewbot.core.prompt.templates import prompt_version
from reviewbot.github.state.block import ClosedRecord, StateBlock
from reviewbot.github.state.fates import after_review, at_merge
from reviewbot.github.state.matching import recorded
from reviewbot.github.state.reconcile import Reconciled
from reviewbot.github.state.relocate import HeadCode
from reviewbot.jobs.run_dependencies import Hooks
from tests.fake_anthropic.verdicts import asked, says, verdict
from tests.fake_github import FakeGitHub, faults
from tests.github.action_runs import Run, Runner
from tests.github.app_runs import app_server
from tests.support.findings import finding
from tests.support.github_records import record
from tests.support.github_states import state_of
from tests.support.github_stories import BASE, ONE, TEXT, TWO, Overtaken, app, ignore_first, nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.fake_anthropic import Answer, FakeAnthropic, Recorded
    from tests.fake_github import PullRequest
    from tests.github.app_runs import AppServer

FIXED = app((10, "line_10 = 1"))


async def merged(runner: Runner, pull: PullRequest, **inputs: str) -> Run:
    """A job of a workflow that runs on ``closed``, after the merge of ``pull``."""
    runner.event(pull, action="closed")
    return await runner.step(runner.environment(pull, **inputs))


@pytest.fixture(params=["action", "app"])
async def work(
    request: pytest.FixtureRequest,
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    tmp_path: Path,
) -> AsyncIterator[Callable[[PullRequest], Awaitable[object]]]:
    """What reviewbot does after an event: a job of the Action, or deliveries to the App."""
    if request.param == "action":
        yield lambda pull: (merged if pull.merged else Runner.run)(runner, pull)
        return
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path) as server:
        yield lambda _pull: server.settle()


def fates(pull: PullRequest) -> list[str]:
    return [record.fate for record in state_of(pull).closed]


def fix_all(request: Recorded) -> Answer:
    quoted = {"path": "app.py", "line": 12, "quote": "line_12 = 'new'"}
    return says(*(verdict(finding, "fixed", **quoted) for finding in asked(request)))


async def test_an_open_finding_has_no_closed_record(
    github: FakeGitHub, work: Callable[[PullRequest], Awaitable[object]]
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await work(pull)
    assert len(state_of(pull).records) == 2
    assert fates(pull) == []


async def test_a_finding_whose_code_is_changed_is_fixed(
    github: FakeGitHub, model: FakeAnthropic, work: Callable[[PullRequest], Awaitable[object]]
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await work(pull)
    [found] = state_of(pull).records
    pull.push(FIXED)
    await work(pull)
    model_name = model.requests[0].body["model"]
    assert state_of(pull).closed == (
        ClosedRecord(found.id, "bug", model_name, prompt_version(), "fixed", "error", ""),
    )


async def test_a_finding_that_a_person_dismisses_is_dismissed(
    github: FakeGitHub, work: Callable[[PullRequest], Awaitable[object]]
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await work(pull)
    pull.resolve(pull.threads[0], by="octo")
    pull.push({"other.py": "x = 1\n"})
    await work(pull)
    assert fates(pull) == ["dismissed"]


async def test_a_finding_that_a_line_beside_it_fixes_is_fixed(
    github: FakeGitHub, model: FakeAnthropic, work: Callable[[PullRequest], Awaitable[object]]
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await work(pull)
    model.respond, model.verify = nothing, fix_all
    pull.push(app((10, TEXT), (12, "line_12 = 'new'")))
    await work(pull)
    assert fates(pull) == ["fixed"]


async def test_a_finding_that_is_left_is_open_at_the_merge(
    github: FakeGitHub, work: Callable[[PullRequest], Awaitable[object]]
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await work(pull)
    pull.push(app((50, "line_50 = None  # BUG warning None is returned")))
    await work(pull)
    before = state_of(pull)
    pull.merge()
    await work(pull)
    after = state_of(pull)
    assert fates(pull) == ["fixed", "open_at_merge"]
    assert (before.merged, after.merged) == (False, True)
    assert after.records == before.records


async def test_a_dismissal_counts_if_no_review_has_seen_it_before_the_merge(
    github: FakeGitHub, work: Callable[[PullRequest], Awaitable[object]]
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await work(pull)
    pull.resolve(pull.threads[0], by="octo")
    pull.merge()
    await work(pull)
    assert fates(pull) == ["dismissed"]


async def test_a_finding_whose_code_returns_has_no_fate_until_it_is_closed_again(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    for change, expected in ((ONE, []), (FIXED, ["fixed"]), (ONE, []), (FIXED, ["fixed"])):
        pull.push(change)
        await runner.run(pull)
        assert fates(pull) == expected


async def test_a_dismissed_finding_stays_dismissed_when_its_code_is_removed(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    ignore_first(pull)
    await runner.run(pull)
    pull.push(FIXED)
    await runner.run(pull)
    assert fates(pull) == ["dismissed"]


def test_a_closed_record_that_was_dropped_stays_a_number() -> None:
    before = StateBlock("s", records=(record(state="dismissed"),), dropped={"dismissed": 1})
    done = Reconciled(Report(), before.records, dismissed=before.records)
    after = after_review(StateBlock("s", records=before.records), before, done)
    assert after == before
    assert at_merge(after, {before.records[0].id}) == replace(before, merged=True)


def test_a_dismissal_that_is_undone_before_the_merge_does_not_count() -> None:
    kept, undone = (record(id=letter * 16, state="dismissed") for letter in "ab")
    closed = tuple(ClosedRecord(one.id, "bug", "", "", "dismissed") for one in (kept, undone))
    before = StateBlock("s", records=(kept, undone), closed=closed)
    after = at_merge(before, {kept.id}).closed
    assert [one.fate for one in after] == ["dismissed", "open_at_merge"]


def test_a_review_that_ends_after_the_merge_changes_no_fate() -> None:
    left = record()
    merged_before = at_merge(StateBlock("s", records=(left,)), ())
    new = StateBlock("new", records=(left,))
    after = after_review(new, merged_before, Reconciled(Report(), new.records))
    assert after == replace(merged_before, settings="new")


async def test_a_finding_keeps_the_model_that_found_it_first(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    before = state_of(pull).records
    await runner.run(pull, model="claude-opus-5-5", full="true")
    assert state_of(pull).records == before


def test_only_a_finding_of_a_model_has_a_prompt_version() -> None:
    code = HeadCode((), {})
    for rule, expected in (("bug", "v1"), ("python/eval", ""), ("secrets/github-pat", "")):
        made = recorded(replace(finding(), rule=rule), None, code, "v1")
        assert made.prompt_version == expected


async def test_a_finding_that_no_text_names_has_no_fate(github: FakeGitHub, runner: Runner) -> None:
    """Those beyond ``max_inline`` never get a comment, and are in the check only."""
    config = {".reviewbot.yml": "summary: false\nmax_inline: 1\n"}
    pull = github.pull(base=BASE | config, head=BASE | config | TWO)
    await runner.run(pull)
    pull.push({"app.py": BASE["app.py"]})
    await runner.run(pull)
    assert fates(pull) == ["fixed"]


async def test_the_job_of_a_merge_reviews_nothing_and_says_what_it_did(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    asked_before, text = len(model.requests), pull.comments[0].body.partition("<!--")[0]
    pull.merge()
    run = await merged(runner, pull)
    assert (run.code, run.outputs["outcome"]) == (0, "skipped")
    assert "fates of 1 finding" in run.summary
    assert len(model.requests) == asked_before
    assert pull.comments[0].body.partition("<!--")[0] == text
    again = await merged(runner, pull)
    assert "has no state" in again.summary


async def test_a_pull_request_that_is_closed_without_a_merge_keeps_its_state(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    before = pull.comments[0].body
    pull.close()
    run = await merged(runner, pull)
    assert run.outputs["outcome"] == "skipped"
    assert pull.comments[0].body == before


async def test_a_token_that_may_not_write_does_not_fail_the_job_of_a_merge(
    github: FakeGitHub, runner: Runner
) -> None:
    """The merge of a pull request from a fork has a read-only token."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    before = pull.comments[0].body
    pull.merge()
    reads = dict.fromkeys(("contents", "pull_requests", "checks", "issues"), "read")
    runner.token = github.world.actions_token(pull.repo, reads)
    run = await merged(runner, pull)
    assert run.code == 0
    assert "could not be recorded" in run.summary
    assert pull.comments[0].body == before


async def test_a_person_who_writes_a_state_records_no_merge(
    github: FakeGitHub, runner: Runner
) -> None:
    """Only our own comments hold a state, however much another one looks like it."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    ours = pull.comments.pop()
    theirs = pull.comment(ours.body, by="mallory")
    pull.merge()
    run = await merged(runner, pull)
    assert "has no state" in run.summary
    assert [one.body for one in pull.comments] == [theirs.body]
    assert not state_of(pull).merged


@pytest.mark.slow
async def test_a_review_that_is_being_posted_does_not_overwrite_the_record_of_a_merge(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.push(TWO)

    async def merge() -> Run:
        pull.merge()
        return await merged(runner, pull)

    slow = github.fail(Overtaken("POST", "/reviews", delay=4.0, push=merge))
    await runner.run(pull)
    assert isinstance(slow, Overtaken)
    assert slow.job is not None
    assert "fates of 1 finding" in (await slow.job).summary
    assert state_of(pull).merged
    assert fates(pull) == ["open_at_merge"]


async def test_the_app_counts_each_finding_of_a_merged_pull_request_once(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE))
    counted: list[tuple[str, ...]] = []
    hooks = Hooks(fate=lambda *fate: counted.append(fate))
    async with app_server(github, model, tmp_path, hooks=hooks) as server:
        pull = github.pull(base=BASE, head=BASE | TWO)
        await server.settle()
        pull.push(app((50, "line_50 = None  # BUG warning None is returned")))
        await server.settle()
        assert counted == []
        pull.merge()
        await server.settle()
        await server.take(github.delivery("pull_request", "closed", pull=pull))
        await server.settle()
    name = model.requests[0].body["model"]
    assert counted == [
        ("fixed", "bug", name, prompt_version()),
        ("open_at_merge", "bug", name, prompt_version()),
    ]


async def test_a_merge_is_recorded_although_its_first_write_is_lost(
    github: FakeGitHub, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await server.settle()
    github.fail(faults.error_after("PATCH", "/issues/comments/"))
    pull.merge()
    await server.settle()
    assert fates(pull) == ["open_at_merge"]

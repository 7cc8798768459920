"""Rounds of reviews as people see them on the pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.github_states import state_of
from tests.support.github_stories import BASE, app, check, conclusions, summary_of, titles

if TYPE_CHECKING:
    from reviewbot.config.settings import Rounds
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Run, Runner


def config(rounds: Rounds = "normal") -> dict[str, str]:
    return {".reviewbot.yml": f"summary: false\nmax_notes: 5\nrounds: {rounds}\n"}


def fix(number: int, severity: str = "warning") -> dict[str, str]:
    """``app.py`` after a fix that brings a finding and a note."""
    text = f"line_10 = {number}  # BUG {severity} Fault {number}"
    return app((10, text), (12, f"line_12 = {number}  # BUG note Style {number}"))


def opened(github: FakeGitHub, rounds: Rounds = "normal") -> PullRequest:
    base = BASE | config(rounds)
    return github.pull(base=base, head=base | fix(1))


async def push_fixes(runner: Runner, pull: PullRequest, first: int, last: int) -> Run:
    """Push fixes; return the run of the last one."""
    for number in range(first, last):
        pull.push(fix(number))
        await runner.run(pull, fail_on="error")
    pull.push(fix(last))
    return await runner.run(pull, fail_on="error")


async def test_rounds_end_although_each_fix_has_a_new_warning(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = opened(github)
    await runner.run(pull, fail_on="error")
    assert titles(pull) == ["**warning: Fault 1**", "**note: Style 1**"]
    run = await push_fixes(runner, pull, 2, 5)
    faults = ["**warning: Fault 1**", "**note: Style 1**", "**warning: Fault 2**"]
    assert titles(pull) == [*faults, "**warning: Fault 3**"]
    summary = summary_of(pull)
    assert summary.startswith("**Done: nothing blocks this; 1 warning is open.**\n")
    assert "**Listed without a comment (1)**" in summary
    assert "This hunk had a finding in an earlier round." in summary
    assert "When it runs, fault 5 happens." in summary
    assert "**Notes (1)**" in summary
    assert (run.code, run.outputs["warnings"], run.outputs["notes"]) == (0, "1", "1")
    assert conclusions(pull)[-1] == "neutral"
    [*_, last] = pull.repo.check_runs.values()
    assert last.title == "Done: nothing blocks this; 1 warning is open."
    assert last.annotations == []
    assert "Fault 5" in (last.text or "")
    check(github)


async def test_a_listed_finding_is_named_later_and_can_be_dismissed(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = opened(github)
    await runner.run(pull)
    await push_fixes(runner, pull, 2, 4)
    [listed] = [record for record in state_of(pull).records if record.listed == "hunk"]
    pull.push({"b.py": "b = 1\n"})
    await runner.run(pull)
    summary = summary_of(pull)
    fold = "<summary>More open findings (1)</summary>\n\nListed before, without a comment:"
    assert fold in summary
    link = f"[`app.py:10`](https://github.com/{pull.repo.full_name}/blob/{pull.head_sha}/app.py#L10"
    [row] = [row for row in summary.splitlines() if f"`/ignore {listed.id}`" in row]
    assert "Fault 4" in row
    assert link in row
    pull.comment(f"/ignore {listed.id}", by="octo")
    await runner.run(pull)
    assert summary_of(pull).startswith("**Done: nothing blocks this.**")
    assert "1 finding dismissed by octo." in summary_of(pull)
    check(github)


async def test_an_error_is_posted_in_a_late_round_and_blocks(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = opened(github)
    await runner.run(pull)
    await push_fixes(runner, pull, 2, 5)
    pull.push(fix(6, "error"))
    await runner.run(pull, fail_on="error")
    assert titles(pull)[-1] == "**error: Fault 6**"
    assert summary_of(pull).startswith("**1 error is open.**")
    assert conclusions(pull)[-1] == "failure"
    check(github)


async def test_a_listed_warning_fails_the_check_at_fail_on_warning(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = opened(github)
    await runner.run(pull)
    await push_fixes(runner, pull, 2, 4)
    run = await runner.run(pull, fail_on="warning")
    assert run.code == 1
    assert summary_of(pull).startswith("**1 warning is open.**")
    assert conclusions(pull)[-1] == "failure"


async def test_without_rounds_each_push_posts_its_findings(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = opened(github, "off")
    await runner.run(pull)
    await push_fixes(runner, pull, 2, 5)
    assert len(titles(pull)) == 10


async def test_strict_rounds_begin_one_round_earlier(github: FakeGitHub, runner: Runner) -> None:
    pull = opened(github, "strict")
    await runner.run(pull)
    assert titles(pull) == ["**warning: Fault 1**"]
    await push_fixes(runner, pull, 2, 4)
    assert titles(pull) == ["**warning: Fault 1**", "**warning: Fault 2**"]

"""What the state block keeps from push to push, as people see it on the pull request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reviewbot.errors import EXIT_INCOMPLETE
from tests.fake_anthropic import Answer, StatusError
from tests.github.action_runs import find_marked
from tests.support.github_states import state_of
from tests.support.github_stories import (
    BASE,
    ONE,
    TWO,
    Overtaken,
    app,
    base_goes_on,
    bug,
    conclusions,
    job,
    lines,
    nothing,
    replies,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    import pytest

    from tests.fake_anthropic import FakeAnthropic, Recorded
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Run, Runner
    from tests.github.app_runs import AppServer

WITH_SUMMARY = BASE | {".reviewbot.yml": "summary: true\n"}


def shifted(tree: dict[str, str]) -> dict[str, str]:
    """A tree whose base has three more lines at the top of the file."""
    return {"app.py": f"top = 1\ntop = 2\ntop = 3\n{tree['app.py']}"}


async def test_a_rebase_that_only_shifts_lines_asks_no_model(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app(bug(30)))
    await runner.run(pull)
    asked = len(model.requests)
    base_goes_on(pull, shifted(BASE), shifted(app(bug(30))))
    run = await runner.run(pull)
    assert len(model.requests) == asked
    assert run.outputs["warnings"] == "1"
    assert "`app.py:33`" in summary_of(pull)
    assert titles(pull) == ["**warning: Bug 30**"]


async def test_a_rebase_that_only_shifts_lines_asks_no_model_for_the_app(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=BASE, head=BASE | app(bug(30)))
    await server.settle()
    asked = len(model.requests)
    base_goes_on(pull, shifted(BASE), shifted(app(bug(30))))
    await server.settle()
    assert len(model.requests) == asked
    assert conclusions(pull)[-1] == "neutral"
    assert "`app.py:33`" in summary_of(pull)


def summarizing(request: Recorded) -> Answer:
    """Findings as marked; asked for a summary, it names the files that it is shown."""
    if not request.structured:
        return find_marked(request)
    files = [name for name in ("app.py", "b.py") if f'"{name}"' in request.text]
    said: dict[str, Any] = {
        "what": f"It changes {' and '.join(files)}.",
        "look_at": [],
        "claim_mismatch": "It does more." if "Tidies up" in request.text else None,
    }
    return Answer(report=json.dumps(said))


async def test_a_push_keeps_the_walkthrough_and_is_not_compared_with_the_description(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    model.respond = summarizing
    head = WITH_SUMMARY | ONE | {"b.py": "b = 1\n"}
    pull = github.pull(base=WITH_SUMMARY, head=head, title="Tidies up", body="Tidies up only.")
    await runner.run(pull)
    assert "It changes app.py and b.py." in summary_of(pull)
    assert "Description and change disagree" in summary_of(pull)
    pull.push({"b.py": "b = 2\n"})
    await runner.run(pull)
    summary = summary_of(pull)
    assert "It changes app.py and b.py." in summary
    assert "It changes b.py." in summary
    assert "- `app.py`: Changes app.py" in summary
    assert "- `b.py`: Changes b.py" in summary
    assert "Description and change disagree" not in summary
    assert "Tidies up" not in model.requests[-1].text


async def test_a_thread_that_a_writer_resolves_is_dismissed(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    pull.resolve(pull.threads[0], by="octo")
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "0"
    assert conclusions(pull)[-1] == "success"
    assert "1 finding dismissed by octo." in summary_of(pull)
    [row] = [line for line in summary_of(pull).splitlines() if line.startswith("- [`app.py:10`]")]
    assert row.endswith("Division by zero")
    assert state_of(pull).records[0].state == "dismissed"
    assert pull.threads[0].resolved_by is not None


async def test_a_thread_that_somebody_else_resolves_still_counts(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    pull.repo.allow("hubot", "read")
    pull.resolve(pull.threads[0], by="hubot")
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"
    assert conclusions(pull)[-1] == "failure"
    assert titles(pull) == ["**error: Division by zero**"]


async def test_a_job_that_runs_again_names_the_open_findings_in_its_log(
    github: FakeGitHub, runner: Runner, capsys: pytest.CaptureFixture[str]
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await runner.run(pull)
    capsys.readouterr()
    await runner.run(pull)
    log = capsys.readouterr().out
    assert "No findings" not in log
    assert "1 error and 1 warning in 1 file." in log


async def test_the_list_of_resolved_findings_shows_path_and_title(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    def says(_request: Any) -> Answer:
        found = find_marked(_request).findings or []
        return Answer(findings=[{**one, "title": "`a_b` is *None* [here]"} for one in found])

    model.respond = says
    pull = github.pull(base=BASE, head=BASE | app(bug(30), bug(50)))
    await runner.run(pull)
    model.respond = nothing
    pull.push(app(bug(50)))
    await runner.run(pull)
    [row] = summary_of(pull).partition("Resolved:\n\n")[2].splitlines()[:1]
    assert row.startswith("- [`app.py:30`](")
    assert row.endswith(") `a_b` is `*None*` [here]")
    assert "\\" not in row


async def test_without_a_key_a_rule_resolves_its_finding_and_threads_are_heeded(
    github: FakeGitHub, runner: Runner
) -> None:
    head = {"app.py": "", "rules.py": "one = eval(x)\ntwo = eval(y)\n"}
    pull = github.pull(base=BASE, head=BASE | head)

    async def review() -> dict[str, str]:
        runner.event(pull)
        env = runner.environment(pull, model="offline") | {"ANTHROPIC_API_KEY": ""}
        return (await runner.step(env)).outputs

    first = await review()
    found = int(first["findings"])
    assert found == len(titles(pull)) >= 2
    assert (await review())["findings"] == first["findings"]
    assert len(titles(pull)) == found
    pull.resolve(pull.threads[0], by="octo")
    assert (await review())["findings"] == str(found - 1)
    pull.push({"rules.py": "one = 1\ntwo = 2\n"})
    assert (await review())["findings"] == "0"
    assert len(titles(pull)) == found
    assert "Resolved:" in summary_of(pull)


async def test_a_pull_request_of_an_earlier_version_gets_one_full_review(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await runner.run(pull)
    [summary] = pull.comments
    begin, _, end = summary.body.rpartition(" outcome=findings ")
    ids = [record.id for record in state_of(pull).records]
    noted = ",".join(f"{id_}.e.12cR{'f' * 24}@3:abcd" for id_ in ids)
    key = end.split(" state=")[0]
    summary.body = f"{begin} with={'c' * 16} outcome=findings findings={noted} {key} -->"
    for again in (True, False):
        asked = len(model.requests)
        run = await runner.run(pull)
        assert (len(model.requests) > asked) == again
        assert run.outputs["findings"] == "2"
        assert ("Everything is reviewed again: its summary comment" in summary_of(pull)) == again
        assert pull.comments == [summary]
        assert len(titles(pull)) == 2


async def test_without_a_summary_a_comment_that_was_hidden_is_shown_when_its_code_is_back(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, summary_comment="false")
    for tree, hidden in ((app((10, "line_10 = 1")), "outdated"), (ONE, None)):
        pull.push(tree)
        await runner.run(pull, summary_comment="false")
        assert pull.review_comments[0].minimized == hidden
    assert len(pull.review_comments) == 1


async def test_a_category_that_is_switched_off_fails_no_check(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, fail_on="error")
    assert conclusions(pull)[-1] == "failure"
    model.respond = nothing
    pull.rebase({".reviewbot.yml": "summary: false\nrules: {bug: off}\n"})
    run = await runner.run(pull, fail_on="error")
    assert (run.outputs["errors"], conclusions(pull)[-1]) == ("0", "success")
    assert "the configuration excludes them" in summary_of(pull)


SECRET = {"b.py": f'token = "ghp_{"16C7e42F292c6912E7710c838347Ae178B4a"}"\n'}


async def test_a_secret_is_open_until_its_line_is_changed(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """Its quote is redacted, the code at the head is not."""
    pull = github.pull(base=BASE, head=BASE | SECRET)
    found = []
    for change in ({}, {"app.py": ONE["app.py"]}, {"b.py": "top = 1\n" + SECRET["b.py"]}):
        pull.push(change)
        run = await runner.run(pull, fail_on="error")
        found.append((run.outputs["errors"], len(pull.threads)))
    assert found == [("1", 1), ("2", 2), ("2", 2)]
    model.respond = nothing
    pull.push({"b.py": "token = None\n"})
    run = await runner.run(pull, fail_on="error")
    assert run.outputs["errors"] == "1"


async def test_a_review_resolves_nothing_by_the_state_that_another_one_wrote_meanwhile(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """The other one failed in a file, so that its state has no hunk of the file."""
    pull = github.pull(base=BASE, head=BASE | ONE | SECRET)
    run = await runner.run(pull, fail_on="error")
    errors = run.outputs["errors"]
    assert {one.path for one in state_of(pull).records} == {"app.py", "b.py"}

    async def review_all() -> Run:
        model.respond = lambda _request: StatusError(400)
        return await runner.run(pull, full="true")

    pull.push({"app.py": ONE["app.py"] + "more = 1\n"})
    reads = r"/issues/\d+/comments"  # the second time, before it posts
    slow = github.fail(Overtaken("GET", reads, skip=1, delay=1.5, push=review_all))
    run = await runner.run(pull, fail_on="error")
    assert isinstance(slow, Overtaken)
    assert slow.job
    assert (await slow.job).code == EXIT_INCOMPLETE
    assert run.outputs["errors"] == errors
    assert {one.state for one in state_of(pull).records} == {"open"}


async def test_an_ignored_finding_that_only_the_state_has_is_known(
    github: FakeGitHub, runner: Runner
) -> None:
    bugs = {"app.py": lines(*(f"x = {number}  # BUG error Bug {number}" for number in range(230)))}
    pull = github.pull(base=BASE, head=BASE | bugs)
    await runner.run(pull)
    unlisted = [one for one in state_of(pull).records if one.id not in summary_of(pull)]
    comment = pull.comment(f"/ignore {unlisted[-1].id}", by="octo")
    await job(runner, pull, comment)
    assert "is ignored from now on" in replies(pull)[0]

"""An open finding whose code still stands is closed by the running line that fixes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_anthropic import Answer, StatusError, finding
from tests.fake_anthropic.verdicts import asked, follows_up, says, verdict
from tests.fake_github import faults
from tests.github.action_runs import CONFIG, WRITES
from tests.github.app_runs import app_server, lose_a_record
from tests.support.github_states import state_of
from tests.support.github_stories import check, conclusions, nothing, replies, summary_of, titles
from tests.support.visible import visible_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reviewbot.github.state.block import Record
    from tests.fake_anthropic import FakeAnthropic, Recorded
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Runner

TITLE = "The refund is never committed"
REFUND = """import db


def refund(order):
    session.add(Refund(order))
    return order
"""
COMMIT = "    session.commit()"
BASE = CONFIG | {"shop.py": REFUND.replace("    session.add(Refund(order))\n", ""), "lib.py": "\n"}
OPEN = {"shop.py": REFUND}


def with_line(text: str = COMMIT, *, before: str = "    return order\n") -> dict[str, str]:
    """The refund with one more line."""
    return {"shop.py": REFUND.replace(before, f"{text}\n{before}")}


def reports(*changes: dict[str, Any]) -> Callable[[Recorded], Answer]:
    """A model that finds that the refund is not committed."""
    made = {"path": "shop.py", "quote": "    session.add(Refund(order))", "title": TITLE}
    found = [finding(**made | {"line": 5, "end_line": 5} | one) for one in changes or ({},)]
    return lambda _request: Answer(findings=found)


def answers(answer: str, **code: Any) -> Callable[[Recorded], Answer]:
    """A verifier that says the same about every finding, with the quote of ``code``."""
    return lambda request: says(*(verdict(finding, answer, **code) for finding in asked(request)))


FIXED = answers("fixed", path="shop.py", line=6, quote=COMMIT)
DOUBT = answers("cannot_tell", path="", line=0, quote="")


def open_records(pull: PullRequest) -> list[Record]:
    return [record for record in state_of(pull).records if record.state == "open"]


async def reported(pull: PullRequest, model: FakeAnthropic, runner: Runner, **changes: Any) -> None:
    """Review a pull request in which the model finds the open refund."""
    model.respond = reports(changes)
    await runner.run(pull, fail_on="error")
    assert len(titles(pull)) == 1
    model.respond = nothing


@pytest.mark.parametrize("may_resolve", [True, False])
async def test_the_running_line_that_fixes_a_finding_closes_it_and_the_commit_is_named(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, may_resolve: bool
) -> None:
    pull = github.pull(base=BASE, head=BASE | OPEN)
    if may_resolve:
        runner.token = github.world.actions_token(pull.repo, WRITES | {"contents": "write"})
    await reported(pull, model, runner)
    assert conclusions(pull) == ["failure"]
    model.verify = FIXED
    pull.push(with_line())
    run = await runner.run(pull, fail_on="error")
    [request] = model.verifications
    assert follows_up(request)
    assert [(finding.path, finding.title) for finding in asked(request)] == [("shop.py", TITLE)]
    assert "R6+|    session.commit()" in request.text
    assert run.outputs["errors"] == "0"
    assert conclusions(pull)[-1] == "success"
    [thread] = pull.threads
    assert bool(thread.resolved_by) is may_resolve
    assert bool(thread.comments[0].minimized) is not may_resolve
    head = pull.head_sha
    where = f"https://github.com/octo/hello/blob/{head}/shop.py#L6"
    assert replies(pull) == [f"Fixed in {head[:7]}: [`shop.py:6`]({where})"]
    assert f"{TITLE} (fixed by `shop.py:6`)" in summary_of(pull)
    assert "Done: nothing blocks this." in summary_of(pull)
    assert "Verification" not in summary_of(pull)
    assert [record.fate for record in state_of(pull).closed] == ["fixed"]
    check(github)


@pytest.mark.parametrize("is_lost", [False, True])
async def test_the_app_closes_what_a_push_fixes_and_says_so_once(
    github: FakeGitHub,
    model: FakeAnthropic,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_lost: bool,
) -> None:
    github.install(github.repository("octo/hello", BASE))
    async with app_server(github, model, tmp_path) as server:
        model.respond = reports()
        pull = github.pull(base=BASE, head=BASE | OPEN)
        await server.settle()
        model.respond, model.verify = nothing, FIXED
        lost = lose_a_record(monkeypatch) if is_lost else []
        pull.push(with_line())
        await server.settle()
        assert bool(lost) is is_lost
        assert len(model.verifications) == 1
        assert len(replies(pull)) == 1
        assert replies(pull)[0].startswith(f"Fixed in {pull.head_sha[:7]}: ")
        assert [record.fate for record in state_of(pull).closed] == ["fixed"]
        assert conclusions(pull)[-1] == "success"
        check(github)


async def test_a_job_that_ends_before_its_summary_is_posted_asks_once_more_and_replies_once(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | OPEN)
    await reported(pull, model, runner)
    model.verify = FIXED
    pull.push(with_line())
    github.fail(faults.error("PATCH", "/issues/comments/", 500, times=None))
    await runner.run(pull)
    github.faults.clear()
    await runner.run(pull)
    await runner.run(pull)
    assert len(model.verifications) == 2
    assert len(replies(pull)) == 1
    assert [record.fate for record in state_of(pull).closed] == ["fixed"]
    check(github)


async def test_five_findings_that_one_push_fixes_are_closed_by_one_request(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    functions = [
        f"def refund_{n}(order):\n    add_{n}(order)\n    return order\n\n\n" for n in range(5)
    ]
    pull = github.pull(base=BASE, head=BASE | {"shop.py": "".join(functions)})
    model.respond = reports(
        *(
            {
                "quote": f"    add_{n}(order)",
                "line": 5 * n + 2,
                "end_line": 5 * n + 2,
                "title": f"Refund {n} is never committed",
            }
            for n in range(5)
        )
    )
    await runner.run(pull)
    assert len(titles(pull)) == 5

    def verify(request: Recorded) -> Answer:
        made = []
        for one in asked(request):
            n = int(one.title.split()[1])
            quote = f"    commit_{n}()"
            made.append(verdict(one, "fixed", path="shop.py", line=6 * n + 3, quote=quote))
        return says(*made)

    model.respond, model.verify = nothing, verify
    fixed = [
        text.replace("    return", f"    commit_{n}()\n    return")
        for n, text in enumerate(functions)
    ]
    pull.push({"shop.py": "".join(fixed)})
    await runner.run(pull)
    assert len(model.verifications) == 1
    assert [record.fate for record in state_of(pull).closed] == ["fixed"] * 5
    check(github)


async def test_a_fix_in_the_file_that_the_finding_rests_on_closes_it(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    helper = "def save(refund):\n    session.add(refund)\n    return refund\n"
    base = BASE | {"lib.py": helper}
    pull = github.pull(base=base, head=base | OPEN)
    proof = {"path": "lib.py", "quote": "    session.add(refund)\n    return refund", "base": False}
    await reported(pull, model, runner, rests_on=[proof])
    [record] = open_records(pull)
    assert [(one.path, one.line, one.end_line) for one in record.rests_on] == [("lib.py", 2, 3)]
    model.verify = answers("fixed", path="lib.py", line=3, quote=COMMIT)
    pull.push({"lib.py": helper.replace("    return", f"{COMMIT}\n    return")})
    await runner.run(pull)
    [request] = model.verifications
    assert 'rests on "lib.py" L 2-3' in request.text
    assert open_records(pull) == []
    assert "(fixed by `lib.py:3`)" in summary_of(pull)
    check(github)


LIES = {
    "an unchanged line": ("session.commit()", "    return order", 7),
    "the line of the finding": ("session.commit()", "    session.add(Refund(order))", 5),
    "a comment": ("# session.commit()", "    # session.commit()", 6),
    "a string": ('"session.commit()"', '    "session.commit()"', 6),
    "a part of a line": ("session.commit()", "session", 6),
    "a line that is not there": ("session.commit()", "    session.flush()", 6),
    "code that never runs": ("if False: session.commit()", "    if False: session.commit()", 6),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_model_that_always_says_fixed_closes_nothing_without_a_new_running_line(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, lie: str
) -> None:
    added, quote, line = LIES[lie]
    pull = github.pull(base=BASE, head=BASE | OPEN)
    await reported(pull, model, runner)
    model.verify = answers("fixed", path="shop.py", line=line, quote=quote)
    pull.push(with_line(f"    {added}"))
    run = await runner.run(pull, fail_on="error")
    assert len(model.verifications) == 1
    assert run.outputs["errors"] == "1"
    assert replies(pull) == []
    assert len(open_records(pull)) == 1


async def test_a_new_line_of_another_file_and_a_removed_line_close_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | OPEN)
    await reported(pull, model, runner)
    model.verify = answers("fixed", path="lib.py", line=2, quote="run = commit()")
    pull.push(with_line() | {"lib.py": "\nrun = commit()\n"})
    await runner.run(pull)
    model.verify = answers("fixed", path="shop.py", line=6, quote=COMMIT)
    pull.push(with_line("    pass"))  # the commit is a removed line now
    await runner.run(pull)
    assert len(model.verifications) == 2
    assert "L6-|    session.commit()" in model.verifications[1].text
    assert len(open_records(pull)) == 1


async def test_a_push_elsewhere_or_a_second_review_of_a_commit_asks_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | OPEN)
    await reported(pull, model, runner)
    pull.push({"lib.py": "\nx = 1\n"})
    await runner.run(pull)
    await runner.run(pull)
    assert model.verifications == []
    assert len(open_records(pull)) == 1


async def test_a_finding_is_not_asked_about_if_its_earlier_version_cannot_be_read(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | OPEN)
    await reported(pull, model, runner)
    github.fail(faults.error("GET", f"/git/trees/{pull.head_sha}", 404, times=None))
    pull.force_push(BASE | with_line())
    model.verify = FIXED
    await runner.run(pull)
    assert model.verifications == []
    assert len(open_records(pull)) == 1


async def test_a_warning_is_folded_after_two_answers_in_doubt_and_counts(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | OPEN)
    await reported(pull, model, runner, severity="warning")
    model.verify = DOUBT
    for number in (1, 2):
        pull.push(with_line(f"    step_{number}()"))
        run = await runner.run(pull, fail_on="warning")
        [record] = open_records(pull)
        assert (record.doubts, record.is_doubted) == (number, number == 2)
        assert (run.outputs["warnings"], conclusions(pull)[-1]) == ("1", "failure")
    summary = summary_of(pull)
    fold = "<summary>More open findings (1)</summary>\n\nNot clear whether fixed:"
    assert fold in summary
    assert "warning:" not in visible_text(summary)
    assert "1 warning is open." in summary
    [thread] = pull.threads
    assert thread.resolved_by is None
    assert not thread.comments[0].minimized
    model.verify = answers("open", path="shop.py", line=5, quote="    session.add(Refund(order))")
    pull.push(with_line("    step_3()"))
    await runner.run(pull, fail_on="warning")
    [record] = open_records(pull)
    assert (record.doubts, record.is_doubted) == (0, False)
    assert "warning:" in visible_text(summary_of(pull))
    check(github)


async def test_an_error_is_never_folded(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | OPEN)
    await reported(pull, model, runner)
    model.verify = DOUBT
    for number in (1, 2, 3):
        pull.push(with_line(f"    step_{number}()"))
        await runner.run(pull, fail_on="error")
    [record] = open_records(pull)
    assert (record.doubts, record.is_doubted) == (3, False)
    assert "error:" in visible_text(summary_of(pull))
    assert conclusions(pull)[-1] == "failure"


async def test_a_failed_request_leaves_the_finding_open_and_is_asked_again(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | OPEN)
    await reported(pull, model, runner)
    model.verify = lambda _request: StatusError(400, "no")
    pull.push(with_line())
    await runner.run(pull)
    assert len(open_records(pull)) == 1
    model.verify = FIXED
    pull.push({"lib.py": "\nx = 1\n"})
    await runner.run(pull)
    assert open_records(pull) == []
    check(github)

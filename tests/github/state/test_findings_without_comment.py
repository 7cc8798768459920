"""A finding without inline comment stays open and is resolved as one with a comment is."""

from __future__ import annotations

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.fake_github import FakeGitHub, Fault
from tests.github.action_runs import CONFIG, Runner
from tests.support.github_stories import (
    AT,
    BASE,
    ONE,
    REFUSAL,
    REMOVED,
    app,
    bug,
    conclusions,
    either_way,
    nothing,
    removal,
    says,
    summary_of,
    titles,
)

LEAK = finding(**AT, title="Key is leaked", scenario="Anybody reads it.", category="security")
SLOW = finding(
    **AT,
    severity="warning",
    title="Slow division",
    scenario="It takes long.",
    category="performance",
)
NAME = finding(
    **AT,
    severity="warning",
    title="Overwrites builtin name",
    scenario="Readers stumble.",
    category="docs",
)


@either_way
async def test_a_finding_stays_open_though_only_another_on_its_line_is_reported_again(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    model.respond = lambda _: Answer(findings=[NAME])
    await runner.run(pull, fail_on="error", review_comments=comments)
    model.respond = lambda _: Answer(findings=[NAME, LEAK, SLOW])
    await runner.run(pull, fail_on="error", review_comments=comments, full="true")
    assert conclusions(pull)[-1] == "failure"
    model.respond = lambda _: Answer(findings=[NAME, SLOW])
    run = await runner.run(pull, fail_on="error", review_comments=comments, full="true")
    assert conclusions(pull)[-1] == "failure"
    assert run.outputs["findings"] == "3"
    assert "resolved" not in summary_of(pull).lower()


@either_way
async def test_restoring_a_removed_line_resolves_its_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    near = (12, "line_12 = 13")
    pull = github.pull(base=BASE, head=BASE | removal(near))
    model.respond = says(
        path="app.py", quote=REMOVED, side="LEFT", line=10, end_line=10, title="It was needed"
    )
    await runner.run(pull, review_comments=comments)
    model.respond = nothing
    pull.push(app(near))
    run = await runner.run(pull, review_comments=comments)
    assert run.outputs["errors"] == "0"


@either_way
async def test_a_finding_that_is_misquoted_later_is_the_same_finding(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    model.respond = says(**AT, title="Division by zero")
    await runner.run(pull, review_comments=comments)
    misquoted = AT | {"quote": "line_10 = 1/0 # zero"}
    for answer in (says(**misquoted, title="Division by zero"), nothing):
        model.respond = answer
        run = await runner.run(pull, review_comments=comments, full="true")
        assert "resolved" not in summary_of(pull).lower()
        assert run.outputs["errors"] == "1"


ODD_PATHS = pytest.mark.parametrize(
    "path",
    ["app.py", "d/" * 110 + "a.py", "a\u00adb.py", "a`b.py", "``a`.py"],
    ids=["plain", "long", "hidden character", "backtick", "backticks"],
)
UNCHANGED = {"quote": "line_11 = 11", "line": 11, "end_line": 11}
MOVED_AWAY = app((30, "line_30 = 'thirty'"))["app.py"]
"""Line 11 is as it was, and not in the diff."""
REPAIRED = app((10, "line_10 = 'ten'"), (11, "line_11 = 1"))["app.py"]


@ODD_PATHS
@pytest.mark.parametrize("then", [MOVED_AWAY, REPAIRED], ids=["moved away", "repaired"])
async def test_a_finding_on_an_unchanged_line_stays_open_whatever_the_file_name(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, path: str, then: str
) -> None:
    base = CONFIG | {path: BASE["app.py"], "b.py": "x = 1\n"}
    changed = app((10, "line_10 = 'ten'"))["app.py"]
    pull = github.pull(base=base, head=base | {path: changed, "b.py": "x = 2\n"})
    model.respond = says(path=path, **UNCHANGED, title="Division by zero")
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "1"
    model.respond = nothing
    pull.push({path: then})
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == ("0" if then is REPAIRED else "1")


@either_way
async def test_a_finding_in_code_that_the_base_has_stays_open_while_the_code_is_there(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, comments: str
) -> None:
    fault = (10, "a = 1 / zero")
    pull = github.pull(base=BASE, head=BASE | app(fault, (12, "n = 1")))
    model.respond = says(path="app.py", quote=fault[1], line=10, end_line=10, title="Division")
    await runner.run(pull, review_comments=comments)
    model.respond = nothing
    pull.rebase(app(fault))
    run = await runner.run(pull, review_comments=comments)
    assert "resolved" not in summary_of(pull).lower()
    assert run.outputs["errors"] == "1"
    pull.push(app((10, "a = 1"), (12, "n = 1")))
    run = await runner.run(pull, review_comments=comments)
    assert run.outputs["errors"] == "0"


BLOCK = app((9, "if name:"), (10, "    run(f'select {name} {email}')"), (11, "    done()"))
LINES = BLOCK["app.py"].splitlines()
BY_NAME = finding(
    path="app.py",
    quote=LINES[9],
    line=10,
    end_line=10,
    category="security",
    title="SQL injection through name",
    scenario="Anybody who signs up with quotation marks reads every table.",
)
BY_EMAIL = finding(
    path="app.py",
    quote="\n".join(LINES[8:11]),
    line=9,
    end_line=11,
    category="security",
    title="SQL injection through email",
    scenario="Imported newsletters carry addresses from untrusted spreadsheets.",
)


async def test_a_finding_that_resembles_an_older_one_keeps_its_comment(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | BLOCK)
    model.respond = lambda _: Answer(findings=[BY_NAME])
    await runner.run(pull)
    model.respond = lambda _: Answer(findings=[BY_NAME, BY_EMAIL])
    for _ in range(2):
        await runner.run(pull, full="true")
        assert len(titles(pull)) == 2
    assert len(pull.reviews) == 2


async def test_findings_that_resemble_each_other_keep_their_comments_in_a_review_in_parts(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    bad = finding(path="b.py", quote="bad", line=1, end_line=1, title="Bad thing")
    pull = github.pull(base=BASE, head=BASE | BLOCK | {"b.py": "bad\n"})
    model.respond = lambda _: Answer(findings=[BY_NAME, BY_EMAIL, bad])
    github.fail(Fault("POST", "/reviews$", 422, REFUSAL, contains=b"Bad thing**", times=None))
    await runner.run(pull)
    assert len(titles(pull)) == 2


async def test_the_comment_of_one_finding_is_never_taken_for_that_of_another_that_has_moved(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | app((20, "a = 1 / zero"), (30, "b = 2 / none")))
    first, second = (
        finding(path="app.py", quote=quote, line=line, end_line=line, title="Division by zero")
        for quote, line in (("a = 1 / zero", 20), ("b = 2 / none", 30))
    )
    model.respond = lambda _: Answer(findings=[first])
    await runner.run(pull)
    model.respond = lambda _: Answer(findings=[first, second])
    await runner.run(pull, full="true")
    lines = app((20, "a = 1"), (30, "b = 2 / none"))["app.py"].splitlines()[10:]
    model.respond = nothing
    pull.push({"app.py": "\n".join(lines) + "\n"})
    await runner.run(pull)
    pull.push({"c.py": "x = 1\n"})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert len(titles(pull)) == 2


async def test_a_misquoted_finding_that_is_known_already_takes_no_comment_of_another(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    nowhere = {**BY_EMAIL, "quote": "no such code at all", "line": 10, "end_line": 10}
    pull = github.pull(base=BASE, head=BASE | BLOCK)
    model.respond = lambda _: Answer(findings=[BY_NAME, nowhere])
    await runner.run(pull)
    model.respond = lambda _: Answer(findings=[nowhere])
    run = await runner.run(pull, full="true")
    assert run.outputs["findings"] == "2"


@pytest.mark.slow
async def test_a_resolved_finding_without_comment_is_not_reopened_by_an_equal_line_elsewhere(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    lines = [bug(number) for number in range(1, 31)]
    last = (31, "pass  # BUG note It does nothing")
    pull = github.pull(base=BASE, head=BASE | app(*lines, last))
    await runner.run(pull)
    assert "It does nothing" in summary_of(pull)
    pull.push(app(*lines))
    run = await runner.run(pull)
    assert run.outputs["findings"] == "30"
    model.respond = nothing
    pull.push(app(*lines, (55, last[1])))
    run = await runner.run(pull)
    assert run.outputs["findings"] == "30"


async def test_an_incomplete_run_does_not_list_findings_resolved_before(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    lines = [bug(number) for number in range(1, 31)]
    last = (31, "pass  # BUG note It does nothing")
    pull = github.pull(base=BASE, head=BASE | app(*lines, last))
    await runner.run(pull)
    pull.push(app(*lines))
    run = await runner.run(pull)
    assert run.outputs["findings"] == "30"
    model.respond = lambda _: Answer(call=False, preamble="this is no answer")
    pull.push(app(*lines, (55, "line_55 = 'x'")))
    run = await runner.run(pull)
    assert "It does nothing" not in summary_of(pull)
    assert run.outputs["findings"] == "30"

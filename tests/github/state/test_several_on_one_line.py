"""Several findings on one line are kept apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.github.action_runs import Runner, find_marked
from tests.support.github_stories import AT, BASE, ONE, app, nothing, says, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub


async def test_two_findings_on_one_line_both_outlive_a_move(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """They have the same code, and one category: only their titles tell them apart."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    at: dict[str, Any] = {"path": "app.py", "quote": text}
    one = {"title": "Division by zero", "scenario": "It divides."}
    two = {"title": "Overwrites another constant", "scenario": "Importers see something else."}
    model.respond = lambda _request: Answer(
        findings=[finding(**at, **what, line=10, end_line=10) for what in (one, two)]
    )
    await runner.run(pull)
    assert len(titles(pull)) == 2
    pull.push(app((40, text)))
    model.respond = says(**at, **one, line=40, end_line=40)
    run = await runner.run(pull)
    assert run.outputs["errors"] == "2"
    assert len(titles(pull)) == 2


async def test_a_different_finding_on_the_same_line_is_not_taken_for_the_first(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.reply(pull.review_comments[0], "/ignore", by="octo")
    text = ONE["app.py"].splitlines()[9]
    model.respond = says(
        path="app.py", quote=text, line=10, end_line=10, category="security", title="Key is leaked"
    )
    run = await runner.run(pull, full="true")
    assert run.outputs["errors"] == "1"
    assert "Key is leaked" in summary_of(pull)


async def test_two_findings_on_one_line_both_stay_open_however_many_there_are(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    def two(request: Any) -> Answer:
        found = find_marked(request).findings or []
        more = [
            {
                **one,
                "severity": "error",
                "title": f"Key {one['line']} is leaked to strangers",
                "scenario": "Anybody reads it.",
                "category": "security",
                "message": "word " * 100,
            }
            for one in found
        ]
        return Answer(findings=[*found, *more])

    lines = [f"x = {n}  # BUG error Bug {n}\n" for n in range(1, 71)]
    pull = github.pull(base=BASE, head=BASE | {"many.py": "".join(lines)})
    model.respond = two
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "140"
    model.respond = nothing
    pull.push({"c.py": "x = 1\n"})
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "140"


async def test_two_findings_on_a_line_stay_open_though_a_maintainer_edited_the_review(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    one = finding(**AT, title="Key is leaked", scenario="Anybody reads it.", category="security")
    two = finding(**AT, title="Slow division", scenario="It takes long.", category="performance")
    pull = github.pull(base=BASE, head=BASE | ONE)
    model.respond = lambda _: Answer(findings=[one, two])
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "2"
    summary = pull.comments[0]
    summary.body = summary.body.replace("Key is leaked**", "~~Key is leaked~~ agreed: #12**\n")
    summary.body = summary.body.replace("Slow division**", "~~Slow division~~ agreed: #13**\n")
    model.respond = nothing
    run = await runner.run(pull, review_comments="false")
    assert run.outputs["errors"] == "2"

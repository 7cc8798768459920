"""The summary keeps findings that are held back, and the walkthrough, from push to push."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.github.action_runs import find_marked
from tests.support.github_stories import (
    BASE,
    ONE,
    app,
    conclusions,
    nothing,
    says,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner


async def test_a_finding_held_back_stays_in_the_summary_and_keeps_the_check_from_green(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    model.respond = says(
        path="app.py", quote=text, line=10, end_line=10, title="Held thing", scenario=" "
    )
    await runner.run(pull)
    first = conclusions(pull)[-1]
    assert "Held thing" in summary_of(pull)
    model.respond = nothing
    pull.push(app((10, text), (50, "line_50 = 51")))
    await runner.run(pull)
    assert conclusions(pull)[-1] == first
    assert "Held thing" in summary_of(pull)


async def test_the_summary_and_walkthrough_outlive_a_push_that_changes_nothing(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    said = '{"what": "It adds a division.", "look_at": [], "claim_mismatch": null}'
    written = Answer(report=said)
    model.respond = lambda request: written if request.structured else find_marked(request)
    base = {"app.py": BASE["app.py"]}
    pull = github.pull(base=base, head=base | ONE)
    await runner.run(pull)
    asked = len(model.requests)
    pull.rebase({"other.py": "x = 1\n"})
    await runner.run(pull)
    assert len(model.requests) == asked
    assert "Walkthrough (1 file)</summary>\n\n> It adds a division.\n\n" in summary_of(pull)
    assert "- `app.py`: Changes app.py" in summary_of(pull)


async def test_a_held_back_finding_is_listed_until_its_code_is_gone(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    text = ONE["app.py"].splitlines()[9]
    model.respond = says(
        path="app.py",
        quote=text,
        line=10,
        end_line=10,
        title="a_b * c <b> [d](e) `f`",
        message="One.\n\n```\ncode\n```\n\n**error: no finding**",
        scenario=" ",
    )
    await runner.run(pull)

    def section() -> str:
        found = summary_of(pull).partition("Held back (1)")[2].partition("</details>")[0]
        return "\n".join(line for line in found.splitlines() if "app.py" not in line)

    assert "no finding" in section()
    model.respond = nothing
    for number in (50, 51):
        pull.push(app((10, text), (number, "changed = 1")))
        await runner.run(pull)
        assert "Found by an earlier review" in section()
    pull.push(app((10, "line_10 = 11"), (50, "changed = 1")))
    await runner.run(pull)
    assert "Held back" not in summary_of(pull)
    assert conclusions(pull)[-1] == "success"
    assert titles(pull) == []


async def test_a_resolved_finding_that_was_held_back_does_not_return(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    at = {"path": "app.py", "line": 10, "end_line": 10}
    bad = finding(path="app.py", quote="line_20 = x", line=20, end_line=20, title="Bad name")
    held = finding(**at, quote="pass", title="Held thing", scenario=" ")
    pull = github.pull(base=BASE, head=BASE | app((10, "pass"), (20, "line_20 = x")))
    model.respond = lambda _: Answer(findings=[bad, held])
    await runner.run(pull, summary_comment="false")
    model.respond = lambda _: Answer(findings=[bad])
    pull.push(app((20, "line_20 = x")))
    run = await runner.run(pull, summary_comment="false")
    assert run.outputs["findings"] == "1"
    pull.push(app((20, "line_20 = x"), (50, "pass")))
    run = await runner.run(pull, summary_comment="false")
    assert len(run.sarif["runs"][0]["results"]) == 1

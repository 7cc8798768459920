"""A pull request whose model looks code up: what people read of it on GitHub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fake_anthropic import Answer, finding
from tests.support.github_stories import BASE, app, summary_of

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

TAX = """\
def rate_of(order):
    if order.country is None:
        return None
    return order.rate
"""
AT_BASE = BASE | {"lib/tax.py": TAX, ".reviewbot.yml": "summary: false\nverify: false\n"}
HEAD = app((50, "line_50 = 2 * rate_of(order)"))
READS = [
    ("read_code", {"path": "lib/tax.py", "first": 1, "last": 4}),
    ("read_code", {"path": "lib/no.py", "first": 1, "last": 4}),
]
QUOTES = ["        return None", "this line is not in the file"]
FOUND = finding(
    path="app.py",
    quote="line_50 = 2 * rate_of(order)",
    line=50,
    end_line=50,
    title="A rate of None is multiplied",
    rests_on=[{"path": "lib/tax.py", "quote": quote, "base": False} for quote in QUOTES],
)


async def test_a_review_on_github_links_checked_code_and_folds_look_ups(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    model.enqueue(Answer(call=False, lookups=READS, thinking=""), Answer([FOUND]))
    pull = github.pull(base=AT_BASE, head=AT_BASE | HEAD)
    run = await runner.run(pull)
    [comment] = [comment.body for comment in pull.review_comments if "kind=finding" in comment.body]
    [line] = [line for line in comment.split("\n") if line.startswith("Rests on: ")]
    assert line.startswith("Rests on: [`lib/tax.py:3`](")
    assert line.endswith(f"/octo/hello/blob/{pull.head_sha}/lib/tax.py#L3)")
    [check] = pull.repo.check_runs.values()
    folded = "<details>\n<summary>2 look-ups</summary>\n\n- `reading lib/tax.py 1-4`\n"
    for text in (run.summary, check.text or ""):
        assert line not in text  # the comment has it
        assert folded in text
    assert "\n2 look-ups:\n\n- `reading lib/tax.py 1-4`\n" in summary_of(pull)
    assert run.sarif is not None
    [result] = run.sarif["runs"][0]["results"]
    [related] = result["relatedLocations"]
    assert related["physicalLocation"]["region"] == {"startLine": 3, "endLine": 3}

"""Findings beyond the inline comments are in the summary or in the review body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_anthropic import Answer, FakeAnthropic, finding
from tests.fake_github import FakeGitHub, Fault
from tests.github.action_runs import Runner, find_marked
from tests.support.github_states import state_of
from tests.support.github_stories import BASE, ONE, REFUSAL, TWO, app, bug, summary_of, titles

if TYPE_CHECKING:
    from tests.fake_anthropic import Recorded


@pytest.mark.slow
async def test_more_findings_than_comments_are_in_the_summary_and_posted_by_no_later_push(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    lines = app(*(bug(number) for number in range(1, 51)))
    pull = github.pull(base=BASE, head=BASE | lines)
    run = await runner.run(pull)
    first = titles(pull)
    assert len(first) == 10
    assert run.outputs["warnings"] == "50"
    assert all(re.search(rf"Bug {number}\b", summary_of(pull)) for number in range(1, 51))
    (review,) = pull.reviews
    assert "10 comments on lines. 40 more findings are in the summary comment." in review.body
    asked = len(model.requests)
    pull.push({"other.py": "x = 1\n"})
    run = await runner.run(pull)
    assert "line_10" not in model.requests[-1].text
    assert len(model.requests) > asked
    run = await runner.run(pull, full="true")
    assert pull.reviews == [review]
    assert titles(pull) == first
    assert run.outputs["warnings"] == "50"
    assert "Since the last review: 50 still open." in summary_of(pull)


@pytest.mark.unposted("a summary names fifty findings")
@pytest.mark.parametrize("count", [120, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.slow
async def test_hundreds_of_findings_are_one_review_and_a_short_summary(
    github: FakeGitHub, runner: Runner, count: int
) -> None:
    files = {f"f{number}.py": f"{bug(number)[1]}\n" for number in range(count)}
    pull = github.pull(base=BASE, head=BASE | files)
    run = await runner.run(pull)
    assert run.outputs["warnings"] == str(count)
    (review,) = pull.reviews
    assert len(titles(pull)) == 10
    assert len(review.body) < 20_000
    words, _, marker = summary_of(pull).rpartition("\n")
    assert len(words) + len(marker) <= 65_536
    assert len(words.partition("<summary>For coding agents")[0]) <= 30_000
    assert len(marker) <= 32_000
    assert f"<summary>More open findings ({count - 10})</summary>" in words
    listed = words.count(" (id `")
    assert listed > 30
    assert f"\n{count - 10 - listed} more findings: no room here." in words
    assert len(state_of(pull).records) == count
    check_run = [*pull.repo.check_runs.values()][-1]
    assert len(check_run.annotations) == count - 10


async def test_a_finding_without_comment_is_open_until_its_code_is_gone(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    lines = app(*(bug(number) for number in range(1, 34)))
    pull = github.pull(base=BASE, head=BASE | lines)
    await runner.run(pull)
    commented = {title.strip("*").removeprefix("warning: ") for title in titles(pull)}
    told = [f"Bug {one}" for one in range(1, 34) if f"Bug {one}" not in commented]
    assert len(told) == 23
    number = int(told[0].removeprefix("Bug "))

    def others(request: Recorded) -> Answer:
        """Nothing of two that were told of, and another rule for the third."""
        found = find_marked(request).findings or []
        left = [one for one in found if one["title"] not in told[:2]]
        return Answer(findings=[{**one, "category": "security"} for one in left])

    model.respond = others
    run = await runner.run(pull)
    assert run.outputs["warnings"] == "33"
    assert len(pull.reviews) == 1
    pull.push(app(*(bug(one) for one in range(1, 34) if one != number)))
    run = await runner.run(pull)
    assert run.outputs["warnings"] == "32"
    assert "32 still open and 1 resolved" in summary_of(pull)
    fold = "<summary>Resolved (1)</summary>"
    assert f"{fold}\n\n- `app.py:{number}` Bug {number}\n" in summary_of(pull)
    assert len(pull.reviews) == 1
    assert len(titles(pull)) == 10


@pytest.mark.unposted("nobody wants it there")
async def test_disabled_outputs_are_not_posted(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    off = {"check_run": "false", "review_comments": "false", "summary_comment": "false"}
    run = await runner.run(pull, **off)
    assert run.outputs["errors"] == "1"
    assert (pull.reviews, pull.comments, pull.repo.check_runs) == ([], [], {})


async def test_without_a_summary_comment_the_review_body_lists_findings_without_comment(
    github: FakeGitHub, runner: Runner
) -> None:
    lines = app(*(bug(number) for number in range(1, 36)))
    pull = github.pull(base=BASE, head=BASE | lines)
    await runner.run(pull, summary_comment="false")
    assert pull.comments == []
    assert "### More findings (25)\n\n- `app.py`\n  - " in pull.reviews[0].body
    assert pull.reviews[0].body.count(" (id `") == 25
    await runner.run(pull, summary_comment="false")
    assert len(pull.reviews) == 1
    assert len(titles(pull)) == 10


async def test_without_a_summary_comment_the_review_body_lists_refused_comments(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    github.fail(Fault("POST", "/reviews$", 422, REFUSAL, times=None, contains=b'"line"'))
    await runner.run(pull, summary_comment="false")
    (review,) = pull.reviews
    assert "2 more findings are below" in review.body
    for title in ("Division by zero", "None is returned"):
        assert review.body.count(f": {title}**") == 1
    await runner.run(pull, summary_comment="false")
    assert pull.reviews == [review]


async def test_two_findings_on_one_line_have_one_comment_and_a_place_in_the_summary(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    """The second one is found later, on a line that has a comment already."""
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)

    def another(request: Recorded) -> Answer:
        [found] = find_marked(request).findings
        return Answer(findings=[{**found, "category": "security", "title": "It can be called"}])

    model.respond = another
    run = await runner.run(pull, full="true")
    assert titles(pull) == ["**error: Division by zero**"]
    assert run.outputs["errors"] == "2"
    assert "A comment of an earlier review is on its line already." in summary_of(pull)


async def test_without_a_summary_each_finding_without_comment_is_reported_once(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    def nowhere(title: str) -> dict[str, Any]:
        return finding(path="app.py", quote=f"{title}()", line=3, end_line=3, title=title)

    pull = github.pull(base=BASE, head=BASE | ONE)
    model.respond = lambda _: Answer(findings=[nowhere("First")])
    await runner.run(pull, summary_comment="false")
    model.respond = lambda _: Answer(findings=[nowhere("First"), nowhere("Second")])
    for number in range(2):
        pull.push(app((20 + number, f"line = {number}")))
        await runner.run(pull, summary_comment="false", full="true")
    told = [one.body for one in pull.reviews]
    assert [("First" in text, "Second" in text) for text in told] == [(True, False), (False, True)]


async def test_without_comments_the_summary_leads_to_the_code(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull, review_comments="false")
    assert titles(pull) == []
    assert f"/blob/{pull.head_sha}/app.py#L10" in summary_of(pull)

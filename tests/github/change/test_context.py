"""Whole reviews with context beyond the diff, from the fetch to the comment."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reviewbot.core.diff.parse import parse_diff
from reviewbot.store import reviews, turns
from tests.fake_github import FakeGitHub, faults
from tests.github.action_runs import CONFIG, Runner, find_marked, hanging
from tests.github.app_runs import app_server
from tests.support.github_stories import BASE, ONE, TWO, summary_of, titles

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fake_anthropic import FakeAnthropic


SLOW = """\
import time


async def poll(queue):
    # one
    # two
    # three
    # four
    item = queue.get()
    return item


def old(into=[]):
    return eval(input())
"""
SLEEPS = SLOW.replace("# four\n", "# four\n    time.sleep(1)\n")
"""A change whose fault is out of the diff's sight, on line 18."""
FAULTY = {"app.py": BASE["app.py"].replace("line_18 =", "line_18 = 1  # BUG warning Far away #")}


def fetched(github: FakeGitHub) -> list[str]:
    """The files of the head that were asked for."""
    paths = [one.path.rpartition("/contents/")[2] for one in github.called("GET", "/contents/")]
    return [path for path in paths if not path.startswith(".")]


async def test_the_rules_comment_on_what_only_the_whole_file_shows_and_on_no_old_code(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=CONFIG | {"a.py": SLOW}, head=CONFIG | {"a.py": SLEEPS})
    run = await runner.run(pull, model="offline")
    (comment,) = pull.review_comments
    assert comment.body.startswith("**")
    assert (comment.thread.anchor.path, comment.thread.anchor.line) == ("a.py", 9)
    assert run.sarif["runs"][0]["results"][0]["ruleId"] == "python/blocking-in-async"
    assert len(run.sarif["runs"][0]["results"]) == 1
    assert fetched(github) == ["a.py"]


async def test_turned_off_in_the_base_nothing_is_fetched_and_the_rules_see_the_diff(
    github: FakeGitHub, runner: Runner
) -> None:
    config = {".reviewbot.yml": "summary: false\ncontext_lines: 0\n"}
    pull = github.pull(base=config | {"a.py": SLOW}, head=config | {"a.py": SLEEPS})
    run = await runner.run(pull, model="offline")
    assert run.sarif["runs"][0]["results"] == []
    assert fetched(github) == []


async def test_a_finding_on_context_that_the_pull_request_does_not_show_is_in_the_summary(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    base = BASE | FAULTY
    changed = {"app.py": FAULTY["app.py"].replace("line_10 = 10", "line_10 = 1 / 0")}
    pull = github.pull(base=base, head=base | changed)
    run = await runner.run(pull)
    assert "R18 |line_18 = 1  # BUG" in model.requests[-1].text
    assert "line_21" not in model.requests[-1].text
    assert titles(pull) == []
    assert not [one for one in github.refused if one.method == "POST"]
    assert "Far away" in summary_of(pull)
    assert "Its lines are not in the diff of the pull request." in summary_of(pull)
    assert f"/blob/{pull.head_sha}/app.py#L18" in summary_of(pull)
    assert run.outputs["warnings"] == "1"


async def test_a_push_is_reviewed_with_context_that_ends_at_what_was_reviewed_before(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    near = {"app.py": ONE["app.py"].replace("line_18 = 18", "line_18 = 1  # BUG warning Near")}
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    pull.push(near)
    await runner.run(pull)
    text = model.requests[-1].text
    # Line 10 was reviewed: its hunk goes to line 13.
    assert "R14 |line_14 = 14" in text
    assert "R28 |line_28 = 28" in text
    assert "line_13" not in text
    assert titles(pull) == ["**error: Division by zero**", "**warning: Near**"]


async def test_a_review_that_broke_off_goes_on_with_the_context_that_it_began_with(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    github.install(github.repository("octo/hello", BASE))
    asked = hanging(model)
    async with app_server(github, model, tmp_path) as server:
        pull = github.pull(base=BASE, head=BASE | TWO)
        await server.deliver()
        await asked.wait()
    before = model.requests[-1].text
    assert "R20 |line_20 = 20" in before
    # What is stored is enough: nothing is fetched again.
    github.fail(faults.error("GET", "/contents/", times=None))
    model.respond = find_marked
    async with app_server(github, model, tmp_path) as server:
        database = server.service.database
        (row,) = await database.read(turns.running)
        diff = await database.read(partial(reviews.diff_of, review_id=row.id))
        assert [(one.new_start, one.new_count) for one in parse_diff(diff)[0].hunks] == [
            (1, 20),
            (40, 21),
        ]
        run = await database.write(partial(turns.requeue, review_id=row.id, run=row.runs, breaks=0))
        assert run is not None
        await server.queue.enqueue(row.id, run, row.tenant)
        await server.settle()
    assert model.requests[-1].text == before
    assert titles(pull) == ["**error: Division by zero**", "**warning: None is returned**"]


async def test_the_app_goes_by_its_own_setting_and_says_so(
    github: FakeGitHub, model: FakeAnthropic, tmp_path: Path
) -> None:
    base = BASE | {".reviewbot.yml": "summary: false\ncontext_lines: 0\n"}
    github.install(github.repository("octo/hello", base))
    async with app_server(github, model, tmp_path) as server:
        pull = github.pull(base=base, head=base | ONE)
        await server.settle()
    assert "R20 |line_20 = 20" in model.requests[-1].text
    assert "because the server sets it: context\\_lines." in summary_of(pull)

"""A configuration of the base that is invalid, and a pull request that makes it so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.github_states import records_in, state_of
from tests.support.github_stories import (
    BASE,
    ONE,
    TWO,
    conclusions,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub
    from tests.github.action_runs import Runner

FILE = ".reviewbot.yml"
WRONG = {FILE: "summary: false\nexclude: ['*.js']\nsumary: true\n"}
CODE = {"new.js": "if (x == NaN) {\n  go();\n}\n"}
"""Code in which a rule finds an error."""
KEY = "AKIA" + "QX7ZP2LMN4RTVW63"
SECRET = {"keys.py": f'aws = "{KEY}"\n'}
LINE = ".reviewbot.yml of main:3: sumary: is not a setting; did you mean summary?"


# --- An invalid file at the base


async def test_an_invalid_file_of_the_base_has_rules_alone_read_and_the_check_fail(
    github: FakeGitHub,
    model: FakeAnthropic,
    runner: Runner,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pull = github.pull(base=BASE | WRONG, head=BASE | WRONG | ONE | CODE)
    run = await runner.run(pull, if_incomplete="neutral")
    assert model.requests == []
    assert (run.code, run.outputs["outcome"], run.outputs["errors"]) == (3, "incomplete", "1")
    assert conclusions(pull) == ["failure"]
    assert titles(pull) == [] == pull.reviews  # listed, although the file excludes *.js
    text = summary_of(pull)
    assert text.startswith(
        "**Reviewed by rules and linters only. Incomplete: the configuration of the base is"
        " invalid; 1 error found."
    )
    assert f"correct it on main: {LINE}" in text.replace("\\", "")
    assert "so only secrets get comments" in text
    assert LINE in capsys.readouterr().out
    assert LINE in run.summary.replace("\\", "")
    [check] = pull.repo.check_runs.values()
    assert check.annotations == []


async def test_secrets_are_posted_under_an_invalid_file(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE | WRONG, head=BASE | WRONG | CODE | SECRET)
    await runner.run(pull, max_inline="1")
    [posted] = titles(pull)
    assert posted.startswith("**error: A secret is committed")
    assert KEY not in summary_of(pull)


async def test_an_invalid_file_resolves_nothing_and_counts_as_no_review(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | TWO)
    await runner.run(pull)
    before, asked = state_of(pull), len(model.requests)
    pull.rebase(WRONG)
    pull.push(ONE | CODE)  # the warning's code is gone
    await runner.run(pull)
    during = state_of(pull)
    assert (during.hunks, during.files, during.rounds) == (before.hunks, before.files, 1)
    assert {record.title: record.state for record in records_in(summary_of(pull))}.items() >= {
        ("Division by zero", "open"),
        ("None is returned", "open"),
    }
    assert [thread.resolved_by for thread in pull.threads] == [None, None]
    assert len(model.requests) == asked
    pull.rebase({FILE: "summary: false\n"})
    await runner.run(pull)
    after = {record.title: record.state for record in records_in(summary_of(pull))}
    assert after["None is returned"] == "resolved"
    assert len(titles(pull)) == 3  # what was listed is posted
    assert state_of(pull).rounds == 2


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("exclude: ['!']\n", ".reviewbot.yml of main:1: exclude"),
        ("budget_usd: much\n", ".reviewbot.yml of main:1: budget_usd"),
        ("a: [", ".reviewbot.yml of main:1: is not valid YAML"),
        ("models:\n  m:\n    prices: {input: 1}\n", ".reviewbot.yml of main:3: models.m.prices"),
        ("rules:\n  custom/none: off\n", ".reviewbot.yml of main:2: rules.custom/none"),
        (" " * 70_000, ".reviewbot.yml of main: is longer than 65536 bytes"),
        (" " * 1_000_001, ".reviewbot.yml of main: is larger than"),
    ],
)
async def test_every_kind_of_mistake_at_the_base_is_named_with_its_line(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner, text: str, line: str
) -> None:
    base = BASE | {FILE: text}
    pull = github.pull(base=base, head=base | ONE)
    run = await runner.run(pull)
    assert run.outputs["outcome"] == "incomplete"
    assert line in run.summary.replace("\\", "")
    assert model.requests == []


async def test_two_files_at_the_base_are_invalid(github: FakeGitHub, runner: Runner) -> None:
    base = BASE | {".reviewbot.yaml": ""}
    pull = github.pull(base=base, head=base | ONE)
    run = await runner.run(pull)
    assert "keep one of the two" in run.summary
    assert run.outputs["outcome"] == "incomplete"


# --- A pull request that changes the file


async def test_a_mistake_in_a_change_of_the_file_is_an_error_on_its_line(
    github: FakeGitHub, runner: Runner
) -> None:
    wrong = "summary: false\njobs: many\nexclud:\n  - docs/\n"
    pull = github.pull(base=BASE, head=BASE | {FILE: wrong})
    run = await runner.run(pull, fail_on="error")
    posted = {comment.thread.anchor.line: comment.body for comment in pull.review_comments}
    assert posted.keys() == {2, 3}
    assert "jobs: must be a whole number" in posted[2].replace("`", "")
    assert "did you mean exclude?" in posted[3]
    assert run.outputs["errors"] == "2"
    assert run.code == 1


async def test_a_corrected_file_resolves_its_mistakes(github: FakeGitHub, runner: Runner) -> None:
    pull = github.pull(base=BASE, head=BASE | {FILE: "summary: false\njobs: many\n"})
    await runner.run(pull)
    assert len(titles(pull)) == 1
    pull.push({FILE: "summary: false\njobs: 2\n"})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "0"
    assert [record.state for record in records_in(summary_of(pull))] == ["resolved"]


async def test_a_mistake_outside_of_the_diff_is_listed_and_counts(
    github: FakeGitHub, runner: Runner
) -> None:
    old = "".join(f"# {number}\n" for number in range(30)) + "jobs: 2\n"
    pull = github.pull(base=BASE | {FILE: old}, head=BASE | {FILE: f"jobs: 3\n{old}"})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert pull.review_comments == []
    assert "is set twice, first in line 1" in summary_of(pull)
    assert "does not show line 32 of this file" in summary_of(pull)


async def test_a_mistake_without_a_line_is_on_the_first_changed_line(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | {".reviewbot.yaml": "# also\nsummary: true\n"})
    await runner.run(pull)
    [comment] = pull.review_comments
    anchor = comment.thread.anchor
    assert (anchor.path, anchor.line) == (".reviewbot.yaml", 1)
    assert "keep one of the two" in comment.body


async def test_excluding_the_file_does_not_hide_its_mistakes(
    github: FakeGitHub, runner: Runner
) -> None:
    base = BASE | {FILE: "summary: false\nexclude: ['*.yml']\nrules:\n  bug: \"off\"\n"}
    wrong = base[FILE] + "jobs: many\n"
    pull = github.pull(base=base, head=base | {FILE: wrong})
    run = await runner.run(pull)
    assert run.outputs["errors"] == "1"
    assert [one.thread.anchor.line for one in pull.review_comments] == [5]


async def test_no_text_of_the_file_acts_in_a_comment(github: FakeGitHub, runner: Runner) -> None:
    wrong = (
        "summary: false\n"
        '"@everyone ![x](http://evil.example/p.png) <b> ::error::x": 1\n'
        f'model: "{KEY} {"x" * 300}"\n'
    )
    pull = github.pull(base=BASE, head=BASE | {FILE: wrong})
    run = await runner.run(pull)
    for text in [*(one.body for one in pull.review_comments), run.summary, summary_of(pull)]:
        rendered = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
        assert "![x](" not in rendered
        assert "@everyone" not in rendered
        assert "<b>" not in rendered
        assert KEY not in text
    assert len(pull.review_comments) == 3  # with the secret


async def test_a_pull_request_that_does_not_change_the_file_has_no_request_for_it(
    github: FakeGitHub, runner: Runner
) -> None:
    pull = github.pull(base=BASE, head=BASE | ONE)
    await runner.run(pull)
    sha = pull.head_sha
    read = [one.query.get("ref") for one in github.requests if FILE in one.path]
    assert read
    assert sha not in read

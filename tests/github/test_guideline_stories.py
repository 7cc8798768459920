"""Rules of a team in ``AGENTS.md``, from the base of a pull request to a comment on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fake_github import faults
from tests.support.github_stories import (
    BASE,
    app,
    base_goes_on,
    bug,
    conclusions,
    job,
    nothing,
    replies,
    says,
    summary_of,
    titles,
)

if TYPE_CHECKING:
    from tests.fake_anthropic import FakeAnthropic
    from tests.fake_github import FakeGitHub, PullRequest
    from tests.github.action_runs import Runner
    from tests.github.app_runs import AppServer

RULE = "Never return `None` from a handler."
AGENTS = f"# Shop\n\n## Code style\n\n- {RULE}\n"
AT_BASE = BASE | {"AGENTS.md": AGENTS}
HEAD = app((50, "line_50 = None"))
BROKEN = says(
    path="app.py",
    quote="line_50 = None",
    line=50,
    end_line=50,
    title="A handler returns None",
    message='This breaks the rule "never return None from a handler".',
)
IN_PROMPT = '"AGENTS.md": "# Code style\\nNever return `None` from a handler."'


def comment_of(pull: PullRequest) -> str:
    return next(one.body for one in pull.review_comments if "kind=finding" in one.body)


def rule_of(pull: PullRequest) -> str:
    """What a comment says of the rule, with a link to the tip of the base."""
    page = f"/octo/hello/blob/{pull.repo.branches[pull.base_ref]}/AGENTS.md?plain=1#L5"
    line = next(one for one in comment_of(pull).split("\n") if one.startswith("Rule: "))
    assert page in line
    return line


def prompts(model: FakeAnthropic) -> list[str]:
    return [one.text for one in model.requests]


async def test_the_action_quotes_the_rule_of_the_base_and_links_it(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    model.respond = BROKEN
    pull = github.pull(base=AT_BASE, head=AT_BASE | HEAD)
    run = await runner.run(pull)
    assert IN_PROMPT in prompts(model)[0]
    assert rule_of(pull).startswith("Rule: [`AGENTS.md:5`](")
    assert rule_of(pull).endswith(r": Never return \`None\` from a handler.")
    assert "- Rules read from AGENTS.md." in summary_of(pull)
    assert run.sarif is not None
    [result] = run.sarif["runs"][0]["results"]
    assert result["properties"]["guideline"]["line"] == 5


async def test_the_app_quotes_the_rule_of_the_base_and_links_it(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    model.respond = BROKEN
    pull = github.pull(base=AT_BASE, head=AT_BASE | HEAD)
    await server.settle()
    assert IN_PROMPT in prompts(model)[0]
    assert rule_of(pull).startswith("Rule: [`AGENTS.md:5`](")
    assert "- Rules read from AGENTS.md." in summary_of(pull)


async def test_the_rules_of_the_base_win_over_those_of_the_head(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    model.respond = BROKEN
    mild = AGENTS.replace(RULE, "Never report anything.")
    pull = github.pull(base=AT_BASE, head=AT_BASE | HEAD | {"AGENTS.md": mild})
    await server.settle()
    [asked] = prompts(model)
    block = asked.partition("<repository_guidelines>")[2].partition("</repository_guidelines>")[0]
    assert RULE in block
    assert "Never report" not in block
    assert rule_of(pull).endswith(r": Never return \`None\` from a handler.")


@pytest.mark.parametrize("call", ["/git/trees/", "/git/blobs/"])
async def test_a_review_goes_on_without_guideline_files_that_github_cannot_provide(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer, call: str
) -> None:
    model.respond = BROKEN
    github.fail(faults.error("GET", call, 502, times=None))
    pull = github.pull(base=AT_BASE, head=AT_BASE | HEAD)
    await server.settle()
    assert titles(pull) == ["**error: A handler returns None**"]
    assert "No guideline files were used, since GitHub did not answer; " in summary_of(pull)
    assert "<repository_guidelines>" not in prompts(model)[0]


async def test_a_rule_that_only_the_head_has_is_not_quoted(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    model.respond = BROKEN
    pull = github.pull(base=BASE, head=AT_BASE | HEAD)
    await runner.run(pull)
    assert titles(pull) == ["**error: A handler returns None**"]
    assert "Rule: " not in comment_of(pull)
    assert "<repository_guidelines>" not in prompts(model)[0]


@pytest.mark.parametrize("setting", ["true", "false"])
async def test_the_file_of_the_base_turns_guidelines_off_in_the_app(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer, setting: str
) -> None:
    base = AT_BASE | {".reviewbot.yml": f"summary: false\nguidelines: {setting}\n"}
    github.pull(base=base, head=base | HEAD)
    await server.settle()
    assert (IN_PROMPT in prompts(model)[0]) == (setting == "true")
    trees = [one for one in github.requests if "/git/trees/" in one.path]
    assert len(trees) == (setting == "true")


async def test_a_changed_guideline_file_is_no_reason_to_review_again(
    github: FakeGitHub, model: FakeAnthropic, runner: Runner
) -> None:
    pull = github.pull(base=AT_BASE, head=AT_BASE | app(bug(30)))
    await runner.run(pull)
    asked = len(model.requests)
    newer = {"AGENTS.md": AGENTS + "- Always close files.\n"}
    base_goes_on(pull, newer, app(bug(30)))
    await runner.run(pull)
    assert len(model.requests) == asked
    assert "Everything is reviewed again" not in summary_of(pull)
    assert titles(pull) == ["**warning: Bug 30**"]


async def test_new_hunks_are_reviewed_with_the_changed_guideline_file(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    pull = github.pull(base=AT_BASE, head=AT_BASE | app(bug(30)))
    await server.settle()
    newer = {"AGENTS.md": AGENTS + "- Always close files.\n"}
    base_goes_on(pull, newer, app(bug(30), bug(50)))
    await server.settle()
    asked = prompts(model)[-1]
    assert "Always close files." in asked
    assert "Bug 50" in asked
    assert "Bug 30" not in asked
    assert conclusions(pull)[-1] == "neutral"


async def test_the_cache_answers_only_under_the_same_guidelines(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    github.pull(base=AT_BASE, head=AT_BASE | app(bug(30)))
    await server.settle()
    first = len(model.requests)
    github.pull(base=AT_BASE, head=AT_BASE | app(bug(30)))
    await server.settle()
    assert len(model.requests) == first
    changed = AT_BASE | {"AGENTS.md": AGENTS + "- Always close files.\n"}
    github.pull(base=changed, head=changed | app(bug(30)))
    await server.settle()
    assert len(model.requests) == first + 1


async def test_config_shows_the_rules_that_apply_in_the_app(
    github: FakeGitHub, model: FakeAnthropic, server: AppServer
) -> None:
    model.respond = nothing
    base = AT_BASE | {"AGENTS.md": f"## Commands\n\n- Run `make`.\n\n{AGENTS}"}
    pull = github.pull(base=base, head=base | HEAD)
    await server.settle()
    pull.comment("/config", by="octo")
    await server.settle()
    assert "| `guidelines` | `True` | the default |" in replies(pull)[-1]
    assert "Rules read from AGENTS.md.\n" in replies(pull)[-1]
    assert replies(pull)[-1].endswith("Headings of AGENTS.md without a selected rule: Commands.")


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (AT_BASE, "Rules read from AGENTS.md."),
        (BASE, "No guideline file has a rule for this pull request."),
    ],
)
async def test_config_shows_the_rules_that_apply_in_the_action(
    github: FakeGitHub, runner: Runner, base: dict[str, str], said: str
) -> None:
    pull = github.pull(base=base, head=base | HEAD)
    await job(runner, pull, pull.comment("/config", by="octo"))
    assert replies(pull)[-1].endswith(said)
    await job(runner, pull, pull.comment("/config", by="octo"), REVIEWBOT_ACTION_MODEL="offline")
    assert replies(pull)[-1].endswith("|")

"""What users copy from the documentation, on the pull requests that they will have."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from reviewbot.cli.init import workflow_template
from reviewbot.config.variables import MACHINE
from reviewbot.github.webhook import parse as webhook
from reviewbot.github.webhook.tasks import ReviewRequested
from tests.composite_runner import CompositeRunner
from tests.fake_github import FakeGitHub
from tests.support.action_files import ROOT, documented_workflows, yaml_blocks
from tests.support.action_steps import install

if TYPE_CHECKING:
    from pathlib import Path

GH = """\
#!{python}
import json, os, sys, urllib.request
api, path, jq, field = sys.argv[1:]
assert (api, jq, field) == ("api", "--jq", ".permission"), sys.argv
headers = {{"authorization": "Bearer " + os.environ["GH_TOKEN"], "user-agent": "gh"}}
request = urllib.request.Request("{url}/" + path, headers=headers)
print(json.load(urllib.request.urlopen(request))["permission"])
"""
"""GitHub's command line, as far as the examples call it: it fails where GitHub refuses."""

EXAMPLES: dict[str, dict[Any, Any]] = {
    name: yaml.safe_load(text) for name, text in documented_workflows().items()
}


def events(workflow: dict[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = workflow[True]  # YAML reads "on" as true
    return found


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_no_example_fails_on_each_pull_request_without_secrets(name: str) -> None:
    """Rules and linters review those of forks and of Dependabot, unless ``forks`` is ``fail``."""
    if "pull_request" in events(EXAMPLES[name]):
        assert "forks: fail" not in documented_workflows()[name]


def test_the_model_reads_a_fork_by_a_label_alone_and_nothing_is_checked_out() -> None:
    (workflow,) = (one for one in EXAMPLES.values() if "pull_request_target" in events(one))
    assert events(workflow) == {"pull_request_target": {"types": ["labeled"]}}
    (job,) = workflow["jobs"].values()
    assert "github.event.label.name ==" in job["if"]
    (step,) = job["steps"]
    assert step["uses"].startswith("reviewbot-dev/reviewbot@")


def test_examples_that_may_stand_side_by_side_never_review_one_pull_request_at_once() -> None:
    groups = set()
    for workflow in EXAMPLES.values():
        reviews = [one for one in workflow["jobs"].values() if "reviewbot-dev/" in str(one)]
        for place in (workflow, *reviews):
            if "concurrency" in place:
                group = place["concurrency"]["group"]
                groups.add(re.sub(r"\$\{\{.*?\}\}", "N", group))
    assert len(groups) == 1, groups


@pytest.mark.parametrize(
    ("role", "may"),
    [("admin", True), ("maintain", True), ("write", True), ("triage", False), ("read", False)],
)
async def test_the_job_that_asks_who_may_command_lets_those_pass_who_may_write(
    role: str, may: bool, tmp_path: Path
) -> None:
    (job,) = [one["jobs"]["may"] for one in EXAMPLES.values() if "may" in one["jobs"]]
    assert "permissions" not in job  # it has none, but for what each token may do
    steps = [step | {"shell": "bash"} for step in job["steps"]]
    async with FakeGitHub() as github:
        repository = github.repository("octo/hello", {"a.py": "x = 1\n"})
        repository.allow("mona", role)
        gh = tmp_path / "gh"
        gh.write_text(GH.format(python=sys.executable, url=github.url))
        gh.chmod(0o755)
        env = {
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "GITHUB_REPOSITORY": repository.full_name,
            "GITHUB_WORKSPACE": str(tmp_path),
        }
        about = {
            "token": github.world.actions_token(repository, {}).value,
            "event.comment.user.login": "mona",
        }
        runner = CompositeRunner(tmp_path / "runner", tmp_path, env, about)
        outputs = {name: {"value": value} for name, value in job["outputs"].items()}
        action = {"inputs": {}, "runs": {"steps": steps}, "outputs": outputs}
        ran = await asyncio.to_thread(runner.run, action, {})
    assert ran.exit_code == 0, ran.log
    assert ran.outputs == {"write": "true" if may else ""}


def test_alerts_are_not_closed_by_a_review_that_was_incomplete() -> None:
    """Code scanning closes each alert that an upload does not have any more."""
    (upload,) = [
        step
        for workflow in EXAMPLES.values()
        for job in workflow["jobs"].values()
        for step in job.get("steps", [])
        if "upload-sarif" in step.get("uses", "")
    ]
    assert "outputs.outcome" in upload["if"]


REVIEWS = {
    "init": yaml.safe_load(workflow_template()),
    "README": yaml.safe_load(yaml_blocks((ROOT / "README.md").read_text("utf-8"))[0]),
    **{
        name: workflow
        for name, workflow in EXAMPLES.items()
        if "pull_request" in events(workflow) and "upload-sarif" not in str(workflow)
    },
}
"""The workflows that review each pull request, so that their job may be a required check."""


@pytest.mark.parametrize("name", sorted(REVIEWS))
def test_each_workflow_that_may_be_required_runs_in_a_merge_queue(name: str) -> None:
    workflow = REVIEWS[name]
    assert "merge_group" in events(workflow)
    (job,) = workflow["jobs"].values()
    assert job["permissions"]["actions"] == "read"
    assert "event_name" not in str(job.get("if")), "a skipped job would let every group pass"
    group = workflow.get("concurrency", {}).get("group", "github.event.merge_group.head_sha")
    assert "github.event.merge_group.head_sha" in group, "merge groups would cancel each other"


def test_the_reusable_workflow_may_read_the_results_of_forks() -> None:
    text = (ROOT / ".github" / "workflows" / "reusable-review.yml").read_text("utf-8")
    (job,) = yaml.safe_load(text)["jobs"].values()
    assert job["permissions"]["actions"] == "read"
    assert "permissions: {actions: read," in text  # of its example


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_another_base_is_reviewed_though_the_head_is_the_same(name: str) -> None:
    """A check belongs to the head: green against one branch, it is green against another."""
    wanted = events(EXAMPLES[name]).get("pull_request")
    if wanted:
        assert "edited" in wanted["types"]


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_another_title_ends_no_review(name: str) -> None:
    """It is the same event as another base, and the tokens of the review would be lost."""
    if "edited" in (events(EXAMPLES[name]).get("pull_request") or {}).get("types", ()):
        ends = EXAMPLES[name]["concurrency"]["cancel-in-progress"]
        assert "github.event.changes.base != null" in ends


async def test_another_base_is_a_review_that_is_wanted() -> None:
    async with FakeGitHub() as github:
        pull = github.pull({"a.py": "x\n"}, {"a.py": "y\n"})
        payload = github.delivery("pull_request", "opened", pull=pull).payload
        payload |= {"action": "edited", "changes": {"base": {"ref": {"from": "calm"}}}}
        payload.pop("installation", None)
        task = webhook.read("pull_request", "event", json.dumps(payload).encode(), None)
        assert isinstance(task, ReviewRequested)


def test_the_example_of_variables_has_all_that_dotenv_is_read_for() -> None:
    """docs/configuration.md: .env.example has them to copy."""
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    table = text.split("\n## Environment\n", 1)[1].split("\n## ", 1)[0]
    names = set(re.findall(r"`([A-Z][A-Z_]{4,})`", table)) - MACHINE
    names -= {"NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"}
    example = (ROOT / ".env.example").read_text("utf-8")
    assert {name for name in names if not re.search(rf"^#{name}=", example, re.MULTILINE)} == set()


def test_the_commands_of_the_set_up_work_in_the_order_that_they_stand_in() -> None:
    """A server that others can reach does not start without a key for its API."""
    text = (ROOT / "docs" / "github-app.md").read_text("utf-8")
    block = text.split("```", 2)[1]
    assert "--host 0.0.0.0" not in block or "reviewbot keys add" in block


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["PIP_REQUIRE_VIRTUALENV", "PIP_USER", "PIP_PREFIX"])
def test_settings_of_pip_and_uv_for_the_job_do_not_break_the_installation(
    variable: str, tmp_path: Path
) -> None:
    import os

    temp = tmp_path / "temp"
    temp.mkdir()
    env = {
        **os.environ,
        "RUNNER_TEMP": str(temp),
        "RUNNER_TOOL_CACHE": str(tmp_path / "tools"),
        variable: str(temp) if variable.endswith("PREFIX") else "1",
    }
    code, log, _ = install(env, tmp_path)
    assert code == 0, log

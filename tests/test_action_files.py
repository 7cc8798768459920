"""action.yml, the workflows and what is written about them: checked by tools, and kept alike."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from reviewbot import __version__
from reviewbot.cli.init import workflow_template
from tests import workflow_checks
from tests.support.action_files import (
    ACTION,
    ACTION_FILE,
    DOCUMENT,
    OUTPUTS,
    ROOT,
    VARIABLES,
    documented_workflows,
    yaml_blocks,
)
from tests.workflow_checks import PROGRAMS

WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
DEPENDABOT = ROOT / ".github" / "dependabot.yml"
REUSABLE: dict[Any, Any] = yaml.safe_load(
    (ROOT / ".github" / "workflows" / "reusable-review.yml").read_text("utf-8")
)


SHELLCHECK = pytest.mark.skipif(
    not (PROGRAMS / "shellcheck").exists(), reason="shellcheck has no wheel for this machine"
)

ICONS = {"eye", "check-circle", "git-pull-request", "message-square", "search", "shield"}
COLORS = {"white", "black", "yellow", "blue", "green", "orange", "red", "purple", "gray-dark"}
"""Of GitHub's list of icons those that would fit us, and all of its colours."""


@pytest.fixture
def written(tmp_path: Path) -> list[Path]:
    """What users copy, as files of a repository: the workflow of ``init`` and the examples."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    texts = {"reviewbot.yml": workflow_template(), **documented_workflows()}
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    return [folder / name for name in texts]


# --- The tools


@pytest.mark.slow
def test_our_own_files_are_clean_under_every_tool() -> None:
    assert not workflow_checks.zizmor(ACTION_FILE, *WORKFLOWS, DEPENDABOT)
    assert not workflow_checks.jactionlint(ACTION_FILE, *WORKFLOWS, DEPENDABOT)
    assert not workflow_checks.schema("github-actions", ACTION_FILE)
    assert not workflow_checks.schema("github-workflows", *WORKFLOWS)
    assert not workflow_checks.schema("dependabot", DEPENDABOT)


def test_what_users_copy_is_clean_under_every_tool(written: list[Path]) -> None:
    assert len(written) > 3
    assert not workflow_checks.zizmor(*written, config=workflow_checks.COPIED_WORKFLOWS)
    assert not workflow_checks.jactionlint(*written)
    assert not workflow_checks.schema("github-workflows", *written)


def test_the_workflow_of_the_readme_is_valid_and_minimal(tmp_path: Path) -> None:
    text = yaml_blocks((ROOT / "README.md").read_text("utf-8"))[0]
    path = tmp_path / ".github" / "workflows" / "reviewbot.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    assert text.count("\n") <= 12
    assert not workflow_checks.schema("github-workflows", path)
    (step,) = yaml.safe_load(text)["jobs"]["review"]["steps"]
    assert step["uses"] == f"reviewbot-dev/reviewbot@v{__version__.split('.')[0]}"
    assert step["with"].keys() <= ACTION["inputs"].keys()


@SHELLCHECK
def test_the_scripts_that_install_are_clean_under_shellcheck() -> None:
    assert not workflow_checks.shellcheck(*(ROOT / "requirements").glob("*.sh"))


def said_by(tool: str, path: Path, schema: str) -> str:
    if tool == "zizmor":
        return workflow_checks.zizmor(path, config=workflow_checks.COPIED_WORKFLOWS)
    if tool == "jactionlint":
        return workflow_checks.jactionlint(path)
    return workflow_checks.schema(schema, path)


@pytest.mark.parametrize(
    ("old", "new", "tool", "says"),
    [
        ("run: sh ", "run: echo ${{ inputs.model }}; sh ", "zizmor", "template-injection"),
        ("${{ inputs.model }}", "${{ inputs.modle }}", "jactionlint", "undefined-property"),
        pytest.param("run: sh", "run: sh $HOME;", "jactionlint", "SC2086", marks=SHELLCHECK),
        ("  using: composite", "  using: composit", "schema", "composit"),
        ("    shell: bash\n      run:", "    run:", "schema", "shell"),
    ],
)
def test_a_fault_planted_in_the_action_is_found(
    old: str, new: str, tool: str, says: str, tmp_path: Path
) -> None:
    text = ACTION_FILE.read_text("utf-8")
    assert old in text
    path = tmp_path / "action.yml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    assert says in said_by(tool, path, "github-actions")


@pytest.mark.parametrize(
    ("old", "new", "tool", "says"),
    [
        ("@v0 # zizmor: ignore[unpinned-uses]", "@v0", "zizmor", "unpinned-uses"),
        ("secrets.ANTHROPIC_API_KEY", "secrets.KEY", "zizmor", "secrets-outside-env"),
        ("permissions: {}", "permissions: write-all", "zizmor", "excessive-permissions"),
        ("synchronize", "synchronise", "jactionlint", "invalid-activity-type"),
        ("runs-on", "run-on", "schema", "run-on"),
        ("!github.event.pull", "!github.evnt.pull", "jactionlint", "undefined-property"),
    ],
)
def test_a_fault_planted_in_a_workflow_is_found(
    old: str, new: str, tool: str, says: str, tmp_path: Path
) -> None:
    text = workflow_template()
    assert old in text
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    path = folder / "reviewbot.yml"
    path.write_text(text.replace(old, new, 1), "utf-8")
    assert says in said_by(tool, path, "github-workflows")


def test_every_finding_that_is_ignored_has_its_reason_in_the_line_above(
    written: list[Path],
) -> None:
    ignored = 0
    for path in (ACTION_FILE, *WORKFLOWS, *written):
        above = ""
        for line in path.read_text("utf-8").splitlines():
            if re.search(r"#\s*(zizmor: ignore|jactionlint ignore)", line):
                ignored += 1
                assert above.lstrip().startswith("# "), f"{path.name}: {line}"
            above = line
    assert ignored


# --- Inputs, outputs and scripts


def test_every_input_reaches_the_command_by_its_variable_and_no_other_way() -> None:
    install, review = ACTION["runs"]["steps"]
    assert "env" not in install
    assert review["env"] == {
        "PYTHON": "${{ steps.install.outputs.python }}",
        **{variable: f"${{{{ inputs.{name} }}}}" for name, variable in VARIABLES.items()},
    }
    assert ACTION["inputs"].keys() == VARIABLES.keys()


def test_every_output_is_one_that_the_command_writes() -> None:
    assert {name: output["value"] for name, output in ACTION["outputs"].items()} == {
        name: f"${{{{ steps.review.outputs.{name} }}}}" for name in OUTPUTS
    }


def test_every_input_and_output_is_described_and_every_input_has_a_default() -> None:
    for name, about in {**ACTION["inputs"], **ACTION["outputs"]}.items():
        assert about["description"].endswith("."), name
    for name, about in ACTION["inputs"].items():
        assert about["required"] is False, name
        assert isinstance(about["default"], str), f"{name}: YAML would make it no string"


def test_no_script_has_an_expression_in_it(written: list[Path]) -> None:
    scripts = 0
    for path in (ACTION_FILE, *WORKFLOWS, *written):
        content = yaml.safe_load(path.read_text("utf-8"))
        jobs = content["jobs"].values() if "jobs" in content else [content["runs"]]
        for step in (step for job in jobs for step in job.get("steps", [])):
            scripts += "run" in step
            assert "${{" not in step.get("run", ""), path.name
    assert scripts


def test_no_checkout_keeps_the_token_in_the_working_folder() -> None:
    """zizmor finds one that says nothing, and takes one that says yes for meant."""
    text = "".join(path.read_text("utf-8") for path in WORKFLOWS)
    assert text.count("persist-credentials: false") == text.count("uses: actions/checkout@")


def test_the_action_can_be_listed() -> None:
    assert ACTION["name"] == "reviewbot"
    assert len(ACTION["description"]) < 125  # the marketplace cuts what is longer
    assert ACTION["author"]
    assert ACTION["branding"]["icon"] in ICONS
    assert ACTION["branding"]["color"] in COLORS
    assert len(list(ROOT.glob("action.y*ml"))) == 1


# --- The reusable workflow

ONLY_OF_THE_ACTION = {"anthropic-api-key", "github-token", "sarif-file"}
"""A secret, the token that each job has, and a file that would be gone with the runner."""


def test_the_reusable_workflow_has_the_inputs_of_the_action_and_hands_them_on() -> None:
    call = REUSABLE[True]["workflow_call"]  # YAML reads "on" as true
    inputs = {name: about for name, about in call["inputs"].items() if name != "runs-on"}
    assert {name: (about["description"], about["default"]) for name, about in inputs.items()} == {
        name: (about["description"], about["default"])
        for name, about in ACTION["inputs"].items()
        if name not in ONLY_OF_THE_ACTION
    }
    (job,) = REUSABLE["jobs"].values()
    assert job["steps"][-1]["with"] == {
        "anthropic-api-key": "${{ secrets.anthropic-api-key }}",
        **{name: f"${{{{ inputs.{name} }}}}" for name in inputs},
    }


def test_the_reusable_workflow_has_the_outputs_of_the_action() -> None:
    call = REUSABLE[True]["workflow_call"]
    (job,) = REUSABLE["jobs"].values()
    names = ACTION["outputs"].keys() - ONLY_OF_THE_ACTION
    assert call["outputs"] == {
        name: {
            "description": ACTION["outputs"][name]["description"],
            "value": f"${{{{ jobs.review.outputs.{name} }}}}",
        }
        for name in names
    }
    assert job["outputs"] == {name: f"${{{{ steps.reviewbot.outputs.{name} }}}}" for name in names}


# --- The documentation


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    section = DOCUMENT.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [
        [cell.strip().replace("`", "") for cell in line.strip("|").split("|")] for line in lines
    ]


def test_the_documentation_has_each_input_with_its_default() -> None:
    assert rows("Inputs") == [
        [name, about["default"] or "empty", about["description"]]
        for name, about in ACTION["inputs"].items()
    ]


def test_the_documentation_has_each_output() -> None:
    assert rows("Outputs") == [
        [name, about["description"]] for name, about in ACTION["outputs"].items()
    ]


def test_the_documentation_begins_with_the_minimal_workflow() -> None:
    minimal = yaml_blocks(DOCUMENT)[0]
    assert minimal == yaml_blocks((ROOT / "README.md").read_text("utf-8"))[0]
    assert DOCUMENT.index(minimal) < DOCUMENT.index("## Inputs")


def test_the_first_example_is_the_workflow_that_init_writes() -> None:
    first = documented_workflows()["example-1.yml"]
    assert yaml.safe_load(first) == yaml.safe_load(workflow_template())


def test_every_example_uses_this_major_version() -> None:
    texts = (DOCUMENT, *(path.read_text("utf-8") for path in WORKFLOWS))
    tags = {tag for text in texts for tag in re.findall(r"reviewbot-dev/reviewbot\S*@(\S+)", text)}
    assert tags - {"*`"} == {f"v{__version__.split('.')[0]}"}

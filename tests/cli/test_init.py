"""``reviewbot init``: the file that it writes says the truth, and nothing is overwritten."""

import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from reviewbot import __version__
from reviewbot.cli.init import template, workflow_template
from reviewbot.cli.main import main
from reviewbot.config.file import schema
from reviewbot.config.settings import ModelChoice, load_settings
from tests.support.action_files import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def uncommented() -> str:
    """The template with its settings in force: they stand behind ``#`` without one space."""
    return re.sub(r"^#(?! \S|$)", "", template(), flags=re.MULTILINE)


def test_as_it_is_written_the_file_changes_nothing() -> None:
    assert load_settings(flags={}, env={}, config_text=template()) == load_settings(
        flags={}, env={}
    )


def test_every_key_of_the_schema_is_in_the_file_and_valid_when_uncommented() -> None:
    settings = load_settings(flags={}, env={}, config_text=uncommented(), config_trusted=True)
    assert settings.origins.keys() == schema()["properties"].keys()


def test_what_the_file_calls_a_default_is_the_default() -> None:
    shown = load_settings(flags={}, env={}, config_text=uncommented(), config_trusted=True)
    default = load_settings(flags={}, env={"ANTHROPIC_API_KEY": "x"})
    examples = {"exclude", "instructions", "path_instructions", "rules", "fallback_models"}
    examples |= {"budget_usd", "base_url", "models", "model", "chunk_tokens", "batch_tokens"}
    examples |= {"routes", "ab_split", "accept_unread", "path_rules", "verify_model", "examples"}
    for key in schema()["properties"].keys() - examples:
        assert getattr(shown, key) == getattr(default, key), key
    assert shown.model.name == default.model.name


def test_what_the_repository_may_not_set_is_at_the_end_under_its_own_heading() -> None:
    text = uncommented()
    before = text[: text.index("# ONLY IN YOUR OWN FILE")]
    settings = load_settings(flags={}, env={}, config_text=before)
    assert schema()["properties"].keys() - settings.origins.keys() == {"base_url", "models"}
    assert settings.fallback_models[-1] == ModelChoice("offline")


def test_the_file_is_written_at_the_root_of_the_repository_and_the_next_step_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".git").mkdir()
    (folder / "a").mkdir()
    monkeypatch.chdir(folder / "a")
    assert main(["init"]) == 0
    assert (folder / ".reviewbot.yml").read_text() == template()
    out = capsys.readouterr().out
    assert str(folder / ".reviewbot.yml") in out
    assert "reviewbot doctor" in out


@pytest.mark.parametrize("name", [".reviewbot.yml", ".reviewbot.yaml"])
def test_a_file_that_is_there_is_not_overwritten(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).write_text("jobs: 1")
    assert main(["init"]) == 2
    assert "already exists" in capsys.readouterr().err
    assert (folder / name).read_text() == "jobs: 1"


def test_force_replaces_the_file(folder: Path) -> None:
    (folder / ".reviewbot.yml").write_text("jobs: 1")
    assert main(["init", "--force"]) == 0
    assert (folder / ".reviewbot.yml").read_text() == template()


@pytest.mark.parametrize("arguments", [["init"], ["init", "--force"]])
def test_a_symbolic_link_is_never_written_through(arguments: list[str], folder: Path) -> None:
    target = folder / "precious"
    target.write_text("mine")
    (folder / ".reviewbot.yml").symlink_to(target)
    main(arguments)
    assert target.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".reviewbot.yml").mkdir()
    assert main(["init", "--force"]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_workflow_is_written_where_github_runs_it_and_the_next_step_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".git").mkdir()
    (folder / "a").mkdir()
    monkeypatch.chdir(folder / "a")
    assert main(["init", "--workflow"]) == 0
    path = folder / ".github" / "workflows" / "reviewbot.yml"
    assert path.read_text() == workflow_template()
    assert not (folder / ".reviewbot.yml").exists()
    out = capsys.readouterr().out
    assert str(path) in out
    assert "gh secret set ANTHROPIC_API_KEY" in out


def test_the_workflow_may_have_another_name(folder: Path) -> None:
    assert main(["init", "--workflow", ".github/workflows/pr.yaml"]) == 0
    assert (folder / ".github" / "workflows" / "pr.yaml").read_text() == workflow_template()


@pytest.mark.parametrize("name", ["reviewbot.yml", "workflows/a.yml", ".github/workflows/a.txt"])
def test_a_workflow_that_github_would_not_run_is_not_written(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "--workflow", name]) == 2
    assert "GitHub would not run it" in capsys.readouterr().err
    assert not list(folder.iterdir())


def test_a_workflow_that_is_there_is_replaced_only_by_force(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / ".github" / "workflows" / "reviewbot.yml"
    path.parent.mkdir(parents=True)
    path.write_text("on: push")
    assert main(["init", "--workflow"]) == 2
    assert "use --force to replace it" in capsys.readouterr().err
    assert path.read_text() == "on: push"
    assert main(["init", "--workflow", "--force"]) == 0
    assert path.read_text() == workflow_template()


def test_the_workflow_uses_the_action_by_the_tag_of_this_major_version() -> None:
    (job,) = yaml.safe_load(workflow_template())["jobs"].values()
    (step,) = job["steps"]
    assert step["uses"] == f"reviewbot-dev/reviewbot@v{__version__.split('.')[0]}"


# --- The Action or the App


def ask(folder: Path, answers: str) -> tuple[str, int]:
    """Run ``init`` on a terminal in ``folder``; return what it shows, and its exit code."""
    ours, its = pty.openpty()
    command = [sys.executable, "-P", "-m", "reviewbot", "init"]
    environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=its, stdout=its, stderr=its
    )
    os.close(its)
    os.write(ours, answers.encode())
    shown = b""
    with suppress(OSError):  # Linux reports the end of the other side as an error
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    return shown.decode().replace("\r\n", "\n"), process.wait()


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


BOTH = {".reviewbot.yml", ".github/workflows/reviewbot.yml"}


@pytest.mark.parametrize(
    ("answers", "written"),
    [
        ("app\n", {".reviewbot.yml"}),
        ("APP\n", {".reviewbot.yml"}),
        ("action\n", BOTH),
        ("\n", BOTH),
        ("neither\napp\n", {".reviewbot.yml"}),
        ("\x04", BOTH),  # the end of the input
    ],
)
def test_a_terminal_asks_app_or_action(answers: str, written: set[str], folder: Path) -> None:
    shown, code = ask(folder, answers)
    assert code == 0, shown
    assert "App or Action? [action]" in shown
    assert files_in(folder) == written


def test_without_a_terminal_the_action_is_set_up(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init"]) == 0
    assert files_in(folder) == BOTH
    assert (folder / ".github/workflows/reviewbot.yml").read_text() == workflow_template()
    out = capsys.readouterr().out
    assert "gh secret set ANTHROPIC_API_KEY" in out
    assert "only from the first release on" in out


def test_the_steps_for_the_app_are_those_of_its_documentation(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["init", "--app"]) == 0
    assert files_in(folder) == {".reviewbot.yml"}
    out = capsys.readouterr().out
    document = (ROOT / "docs/github-app.md").read_text("utf-8")
    block = document.split("\n## Set it up\n", 1)[1].split("```\n")[1]
    steps = [line.split("#")[0].strip() for line in block.splitlines()]
    assert len(steps) == 4
    for step in steps:
        assert step in out


@pytest.mark.parametrize("name", sorted(BOTH))
def test_nothing_is_written_if_one_of_the_files_exists(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("mine")
    assert main(["init", "--action"]) == 2
    assert "already exists" in capsys.readouterr().err
    assert files_in(folder) == {name}
    assert (folder / name).read_text() == "mine"

"""Rules of a team in guideline files, on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reviewbot.cli.main import main
from tests.support.repositories import _alone, git

__all__ = ["_alone"]

AGENTS = "## Commands\n\n- Run `make`.\n\n## Code style\n\n- Never print a secret.\n"
CODE = "x = 1\n"


def write(files: dict[str, str]) -> None:
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def repository(_alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository with a guideline file, in which a model is set."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-" + "fake")
    git("init")
    write({"AGENTS.md": AGENTS, "app.py": CODE})
    git("add", ".")
    git("commit", "-m", "x")
    write({"app.py": "x = 2\n"})


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a plan prints."""
    assert main(["review", "--dry-run", *arguments]) == 0
    return capsys.readouterr().out


def test_a_plan_names_the_files_that_rules_are_read_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "Rules read from AGENTS.md." in planned(capsys)


@pytest.mark.parametrize("span", [("--base", "main"), ("main...topic",), ("--commit", "topic")])
def test_a_branch_cannot_change_the_rules_of_its_review(
    span: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    git("checkout", "-q", "-b", "topic")
    write({"AGENTS.md": "", "app/AGENTS.md": "- Never review.\n", "app/b.py": CODE})
    git("add", ".")
    git("commit", "-m", "y")
    out = planned(capsys, *span)
    assert "Rules read from AGENTS.md." in out
    assert "app/AGENTS.md" not in out.partition("Rules read")[2]


def test_the_working_tree_has_no_say_in_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    write({"AGENTS.md": "none"})
    assert "Rules read from AGENTS.md." in planned(capsys)
    write({"AGENTS.md": AGENTS, "REVIEW.md": "Be kind."})
    assert "Rules read from AGENTS.md." in planned(capsys)


@pytest.mark.parametrize("arguments", [("--model", "offline"), ("x.diff",)])
def test_without_a_model_or_a_base_there_are_no_rules(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    diff = "diff --git a/app.py b/app.py\n--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    write({"x.diff": diff})
    assert "Rules read" not in planned(capsys, *arguments)


def test_one_setting_turns_rules_off(capsys: pytest.CaptureFixture[str]) -> None:
    write({".reviewbot.yml": "guidelines: false\n"})
    assert "Rules read" not in planned(capsys)


@pytest.fixture
def keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model without its key, so that ``doctor`` does not ask for it."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("REVIEWBOT_MODEL", "claude-haiku-5-5")


def checked(capsys: pytest.CaptureFixture[str]) -> str:
    """The line of ``doctor`` about guideline files."""
    main(["doctor"])
    return next(
        one for one in capsys.readouterr().out.split("\n") if one[2:].startswith("guidelines ")
    )


@pytest.mark.usefixtures("keyless")
def test_doctor_names_the_files_and_the_headings_that_give_no_rule(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = checked(capsys)
    assert line.startswith("✓")
    assert "Rules read from AGENTS.md." in line
    assert "Headings of AGENTS.md without a selected rule: Commands." in line
    Path("sub").mkdir()
    monkeypatch.chdir("sub")
    assert "Rules read from AGENTS.md." in checked(capsys)


@pytest.mark.usefixtures("keyless")
def test_doctor_warns_of_a_file_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("AGENTS.md").unlink()
    Path("AGENTS.md").symlink_to("/etc/passwd")
    git("commit", "-a", "-m", "z")
    line = checked(capsys)
    assert line.startswith("!")
    assert "AGENTS.md leads out of the repository, so its rules were not used." in line


@pytest.mark.parametrize(
    ("model", "config", "said"),
    [
        ("offline", "", "not read, since no model reviews"),
        ("claude-haiku-5-5", "guidelines: false\n", "turned off"),
    ],
)
@pytest.mark.usefixtures("keyless")
def test_doctor_says_why_no_guidelines_are_read(
    model: str,
    config: str,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REVIEWBOT_MODEL", model)
    write({".reviewbot.yml": config or "{}"})
    assert said in checked(capsys)


@pytest.mark.usefixtures("keyless")
def test_doctor_names_a_folder_without_guidelines_or_git(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git("rm", "-q", "--cached", "AGENTS.md")
    git("commit", "-m", "z")
    assert "no guideline file with a rule at the last commit" in checked(capsys)
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(outside)
    assert "none: this is not a git repository" in checked(capsys)

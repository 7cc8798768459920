"""Rules of a repository and suppressions in its code, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reviewbot.cli.main import main
from tests.support.custom_rules import CASES, CASES_PATH, FILES, PATH, RULE
from tests.support.repositories import _alone, git

__all__ = ["_alone"]

COMMAND = ("review", "--model", "offline")


def write(files: dict[str, str]) -> None:
    for path, text in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")


def commit(files: dict[str, str]) -> None:
    write(files)
    git("add", ".")
    git("commit", "-m", "x")


@pytest.fixture(autouse=True)
def repository(_alone: None) -> None:
    """A repository with a rule of its own."""
    git("init")
    commit(FILES | {"app.py": "x = 1\n"})


def test_a_review_of_the_working_tree_runs_the_rules_of_the_last_commit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write({"app.py": "print(x)\n", PATH: "changed"})
    assert main([*COMMAND]) == 1
    assert "custom/no-print" in capsys.readouterr().out
    assert main([*COMMAND, "--format", "sarif"]) == 1
    (described,) = json.loads(capsys.readouterr().out)["runs"][0]["tool"]["driver"]["rules"]
    assert described["shortDescription"]["text"] == "Use the logger instead of print"


@pytest.mark.parametrize("removed", [True, False])
def test_a_branch_cannot_change_the_rules_of_its_review(
    removed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not removed:
        git("rm", "-q", "-r", ".reviewbot")
        git("commit", "-m", "none")
    git("checkout", "-b", "topic")
    if removed:
        git("rm", "-q", "-r", ".reviewbot")
    commit({"app.py": "print(x)\n"} | ({} if removed else FILES))
    code = main([*COMMAND, "--base", "main"])
    assert ("custom/no-print" in capsys.readouterr().out) == removed
    assert code == (1 if removed else 0)


def test_a_bad_rule_is_a_usage_error_with_its_file_and_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    commit({PATH: RULE.replace("error", "fatal")})
    write({"app.py": "print(x)\n"})
    assert main([*COMMAND]) == 2
    assert f"{PATH} of the base:3: severity: must be of" in capsys.readouterr().err


def test_a_rule_whose_cases_do_not_hold_is_a_usage_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    commit({CASES_PATH: CASES.replace("log.info", "print")})
    write({"app.py": "print(x)\n"})
    assert main([*COMMAND]) == 2
    assert f"{CASES_PATH} of the base:3: valid[0]: the rule finds" in capsys.readouterr().err


def test_levels_of_the_repositorys_rules_are_set_by_path(
    capsys: pytest.CaptureFixture[str],
) -> None:
    levels = "path_rules: [{paths: [scripts/], rules: {custom/no-print: off}}]\n"
    write({".reviewbot.yml": levels, "scripts/a.py": "print(x)\n", "b.py": "print(x)\n"})
    git("add", ".")
    assert main([*COMMAND, "--staged"]) == 1
    out = capsys.readouterr().out
    assert "--> b.py:1" in out
    assert "--> scripts/a.py" not in out


def test_a_rule_that_the_repository_does_not_have_cannot_be_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write({".reviewbot.yml": "rules:\n  custom/no-prints: off\n"})
    assert main([*COMMAND]) == 2
    assert (
        ".reviewbot.yml:2: rules.custom/no-prints: there is no rule custom/no-prints;"
        " did you mean custom/no-print?" in capsys.readouterr().err
    )


def test_a_diff_without_a_base_runs_no_rules_of_the_repository(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write({".reviewbot.yml": "rules: {custom/no-print: warning}\n"})
    diff = "--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+print(x)\n"
    write({"x.diff": diff})
    assert main([*COMMAND, "x.diff"]) == 0
    assert "custom/no-print" not in capsys.readouterr().out


def test_suppressions_that_the_change_adds_hide_errors_on_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write({"app.py": "print(x)  # reviewbot: ignore[custom/no-print] a script\nprint(y)\n"})
    assert main([*COMMAND]) == 1
    out = capsys.readouterr().out
    assert "--> app.py:2" in out
    assert "--> app.py:1" not in out


def test_a_suppression_hides_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    token = "ghp_" + "q1W2e3R4t5Y6u7I8o9P0a1S2d3F4g5H6j7K8"
    write({"app.py": f'x = "{token}"  # reviewbot: ignore[security, secrets/github-pat]\n'})
    assert main([*COMMAND]) == 1
    assert "secrets/github-pat" in capsys.readouterr().out

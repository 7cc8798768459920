"""Subjects of commits are checked as docs/contributing.md says."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.action_files import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def check(tmp_path: Path, message: str) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "COMMIT_EDITMSG"
    file.write_text(message, "utf-8")
    script = ROOT / ".ci" / "check_commit_message.py"
    command = [sys.executable, str(script), str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "message",
    ["Add a rule\n", "Process deliveries once\n\nWhy.\n", "Merge branch 'x'\n", "A" + "b" * 71],
)
def test_a_good_subject_passes(tmp_path: Path, message: str) -> None:
    assert check(tmp_path, message).returncode == 0


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("", "is empty"),
        ("# a comment of git\n", "is empty"),
        ("A" + "b" * 72, "has 73 characters; 72 are the limit"),
        ("add a rule", "capital letter"),
        ("Add a rule.", "full stop"),
        ("Added a rule", "imperative"),
        ("Adding a rule", "imperative"),
        ("Adds a rule", "imperative"),
        ("Add a rule\nand more", "second line"),
    ],
)
def test_a_wrong_subject_is_refused_with_the_reason(
    tmp_path: Path, message: str, says: str
) -> None:
    done = check(tmp_path, message)
    assert done.returncode == 1
    assert says in done.stderr

"""The hook that other repositories get from ``.pre-commit-hooks.yaml``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from reviewbot import REPOSITORY, __version__
from reviewbot.cli.main import main
from tests import workflow_checks
from tests.support.action_files import ROOT
from tests.support.repositories import _alone, git

if TYPE_CHECKING:
    import pytest

__all__ = ["_alone"]

MANIFEST = ROOT / ".pre-commit-hooks.yaml"
HOOKS: list[dict[str, Any]] = yaml.safe_load(MANIFEST.read_text("utf-8"))
(HOOK,) = HOOKS


def test_the_manifest_is_valid() -> None:
    assert not workflow_checks.run(["prek", "validate-manifest"], [MANIFEST])


def test_the_hook_reviews_what_is_staged_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    program, *command = shlex.split(HOOK["entry"]) + HOOK["args"]
    assert program == "reviewbot"
    git("init", "-q")
    Path("app.py").write_text("for key in d:\n    del d[key]\n", "utf-8")
    assert main(command) == 0
    git("add", "app.py")
    assert main(command) == 1
    assert "--> app.py:2" in capsys.readouterr().out


def test_the_documentation_shows_the_hook_of_this_version() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    example = yaml.safe_load(text.split("```yaml\nrepos:", 1)[1].split("```", 1)[0])
    hooks = [{"id": HOOK["id"]}]
    assert example == [{"repo": REPOSITORY, "rev": f"v{__version__}", "hooks": hooks}]

"""What the doctor does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_wrong_file_does_not_hide_what_is_wrong_with_the_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVIEWBOT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("REVIEWBOT_GITHUB_APP_ID", "12")
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    (tmp_path / ".reviewbot.yml").write_text("modle: x\n")
    assert main(["doctor"]) == 2
    assert "github" in capsys.readouterr().out


def test_variables_of_the_action_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REVIEWBOT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.setenv("REVIEWBOT_ACTION_MODEL", "offline")
    main(["doctor"])
    assert "REVIEWBOT_ACTION_MODEL is not read" not in capsys.readouterr().out

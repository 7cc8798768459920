"""``reviewbot prompts``: list, show, compare and render."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.cli.main import main
from reviewbot.core.prompt.request import render
from reviewbot.core.prompt.templates import override, prompt_version, shipped
from reviewbot.lab.subject import demo_subject
from tests.support.repositories import _alone, write
from tests.support.reviews import added
from tests.support.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["_alone"]


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    override({})


def test_the_list_has_every_file_and_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in shipped())
    assert f"Version {prompt_version()}." in shown


@pytest.mark.parametrize("name", ["system", "system.md.j2", "examples/python"])
def test_a_file_is_shown_by_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", "show", name]) == 0
    (text,) = [text for key, text in shipped().items() if key.startswith(f"{name}.") or key == name]
    assert capsys.readouterr().out == text


def test_an_unknown_name_is_refused_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompts", "show", "sistem"]) == 2
    assert "did you mean system.md.j2?" in capsys.readouterr().err


def test_a_folder_is_compared_with_the_package(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = tmp_path / "system.md.j2"
    same.write_text(shipped()["system.md.j2"], "utf-8")
    assert main(["prompts", "diff", str(tmp_path)]) == 0
    same.write_text(shipped()["system.md.j2"] + "Be brief.\n", "utf-8")
    assert main(["prompts", "diff", str(tmp_path)]) == 1
    assert "+Be brief." in capsys.readouterr().out


def test_the_rendered_request_is_the_prompt_and_the_tool(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["prompts", "render"]) == 0
    shown = capsys.readouterr().out
    prompt = render(demo_subject(load()).requests[0])
    assert all(text in shown for text in (prompt.system, prompt.shared, prompt.body))
    assert '"name": "report_findings"' in shown


def test_a_secret_is_not_in_the_rendered_request(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "AKIA" + "QWERTYUIOPAS0001"
    assert main(["prompts", "render", write(added("app.py", f'KEY = "{secret}"'))]) == 0
    shown = capsys.readouterr().out
    assert "app.py" in shown
    assert secret not in shown


def test_replaced_templates_are_in_force_for_every_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "system.md.j2").write_text("Look for bugs in locks.\n", "utf-8")
    monkeypatch.setenv("REVIEWBOT_PROMPTS_DIR", str(tmp_path))
    for command in (
        ["list"],
        ["show", "system"],
        ["diff"],
        ["render"],
        ["show", "--shipped", "system"],
    ):
        assert main(["prompts", *command]) == (1 if command == ["diff"] else 0)
    shown = capsys.readouterr().out
    assert "(replaced)" in shown
    assert "+Look for bugs in locks." in shown
    assert shown.count("\nLook for bugs in locks.\n") == 2
    assert shown.rstrip().endswith(shipped()["system.md.j2"].rstrip())


def test_a_template_that_fails_while_it_is_rendered_is_an_error_of_the_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shared.md.j2").write_text("{{ manifest.authors }}\n", "utf-8")
    monkeypatch.setenv("REVIEWBOT_PROMPTS_DIR", str(tmp_path))
    assert main(["prompts", "render"]) == 2
    assert "has no attribute 'authors'" in capsys.readouterr().err

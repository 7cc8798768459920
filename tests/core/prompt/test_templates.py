"""Templates are data of the package: filled strictly, versioned by content."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import pytest

from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.prompt import templates
from reviewbot.core.prompt.request import ModelRequest, render
from reviewbot.core.prompt.templates import prompt_version, render_template, sources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def test_a_value_that_a_template_lacks_is_an_error_and_no_hole() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render_template("body", changes="")


def test_values_are_neither_escaped_nor_read_as_templates() -> None:
    text = render_template(
        "body",
        changes="<b>&amp; {{ tool }}</b>",
        uses="",
        dossier="",
        known=(),
        as_text=False,
        lookups=0,
    )
    assert text.startswith("<changes>\n<b>&amp; {{ tool }}</b>\n</changes>\n")


def test_templates_and_examples_are_all_there_in_order() -> None:
    assert list(sources()) == sorted(sources())
    assert {"system.md.j2", "shared.md.j2", "body.md.j2"} <= set(sources())
    assert sum(name.startswith("examples/") for name in sources()) == 10


def test_what_an_editor_leaves_behind_is_no_template(tmp_path: Path) -> None:
    (tmp_path / ".system.md.j2.swp").write_bytes(b"\xff")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.toml").write_text("x = 1", encoding="utf-8")
    assert templates._walk(tmp_path, "") == [("sub/a.toml", "x = 1")]


def test_no_template_has_a_line_end_of_another_system() -> None:
    assert not any("\r" in text for text in sources().values())


def test_the_version_is_short_and_stays() -> None:
    assert re.fullmatch(r"[0-9a-f]{12}", prompt_version())
    assert prompt_version() == prompt_version.__wrapped__()


def _reworded(name: str) -> dict[str, str]:
    return {**sources(), name: sources()[name] + " "}


def _renamed(name: str) -> dict[str, str]:
    return {("z" + each if each == name else each): text for each, text in sources().items()}


@pytest.mark.parametrize("change", [_reworded, _renamed])
@pytest.mark.parametrize("name", sources())
def test_a_change_of_any_file_changes_the_version(
    name: str, change: Callable[[str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = prompt_version()
    changed = change(name)
    monkeypatch.setattr(templates, "sources", lambda: changed)
    assert prompt_version.__wrapped__() != before


def test_a_change_of_the_tool_changes_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = prompt_version()
    tool = dict(reversed(REPORT_TOOL.items()))  # even of the order of its keys
    monkeypatch.setattr(templates, "REPORT_TOOL", tool)
    assert prompt_version.__wrapped__() != before


def test_importing_the_prompt_loads_no_template_engine() -> None:
    code = (
        "import sys, reviewbot.core.prompt.request, reviewbot.core.prompt.summary;"
        "print({'jinja2', 'tomllib', 'importlib.resources'} & set(sys.modules))"
    )
    root = Path(__file__).parents[3]
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, check=True, cwd=root, text=True)
    assert done.stdout == "set()\n"


# --- Overrides


@pytest.fixture
def _restored() -> Iterator[None]:
    yield
    templates.override({})


@pytest.mark.usefixtures("_restored")
def test_an_override_is_what_requests_say_and_it_changes_the_version() -> None:
    before, request = prompt_version(), ModelRequest((), ())
    shipped = render(request)
    templates.override({"system.md.j2": "Look for bugs with {{ tool }}.\n"})
    assert render(request).system == "Look for bugs with report_findings."
    assert render(request).body == shipped.body
    assert prompt_version() != before
    templates.override({})
    assert render(request) == shipped
    assert prompt_version() == before


@pytest.mark.usefixtures("_restored")
def test_an_override_may_use_what_an_included_template_uses() -> None:
    templates.override({"shared.md.j2": "{{ manifest.more }} more files\n"})
    assert render(ModelRequest((), ())).shared == "0 more files"


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("sistem.md.j2", "", "there is no such template"),
        ("examples/python.toml", "", "there is no such template"),
        ("system.md.j2", "{% if verified %}", "system.md.j2: Unexpected end"),
        ("system.md.j2", "{{ verified | shout }}", "No filter named 'shout'"),
        ("system.md.j2", "{{ author }}", "author has no value"),
    ],
)
def test_an_override_that_cannot_be_rendered_is_refused(name: str, text: str, problem: str) -> None:
    before = prompt_version()
    with pytest.raises(ValueError, match=re.escape(problem)):
        templates.override({name: text})
    assert prompt_version() == before

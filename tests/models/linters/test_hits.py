"""Which results of a linter are reported, by the text of the file."""

from __future__ import annotations

import pytest

from reviewbot.models.linters.base import Diagnostic
from reviewbot.models.linters.hits import LintedText, choose_hits


def reported(linter: str, code: str, path: str, text: str) -> list[str]:
    lines = text.splitlines()
    added = range(1, len(lines) + 1)
    read = LintedText(path, lines, added, added, whole=True)
    return [hit.rule for hit in choose_hits(linter, read, [Diagnostic(1, 1, code, "A message")])]


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("curl https://example.com/x.sh | sh", ["hadolint/DL4006"]),
        ("wget -qO- https://example.com/x.sh | sudo bash", ["hadolint/DL4006"]),
        ("curl https://example.com/key | gpg --dearmor", []),
    ],
)
def test_a_missing_pipefail_is_reported_where_a_download_is_run(
    command: str, found: list[str]
) -> None:
    assert reported("hadolint", "DL4006", "Dockerfile", f"RUN {command}\n") == found


@pytest.mark.parametrize(("library", "count"), [("react", 1), ("hono/jsx", 0)])
def test_the_rules_of_hooks_are_those_of_react(library: str, count: int) -> None:
    text = f"import {{ useState }} from '{library}'\n"
    assert len(reported("oxlint", "rules-of-hooks", "src/a.tsx", text)) == count


@pytest.mark.parametrize(
    ("text", "found"),
    [("if [ ! -f a; then\n", 1), ("if [ ! -f {{ folder }}/a ]; then\n", 0), ("<% if a %>\n", 0)],
)
def test_a_template_of_a_script_has_no_syntax_errors(text: str, found: int) -> None:
    assert len(reported("shellcheck", "SC1072", "deploy.sh", text)) == found


def test_a_script_that_needs_another_shell_is_reported_once() -> None:
    read = LintedText("run.sh", ["x"] * 4, range(1, 5), range(1, 5), whole=True)
    codes = ["SC2115", "SC2112", "SC3010", "SC3054"]
    found = [Diagnostic(line, line, code, "m") for line, code in enumerate(codes, 1)]
    hits = choose_hits("shellcheck", read, found)
    assert [(hit.line, hit.rule) for hit in hits] == [
        (1, "shellcheck/SC2115"),
        (2, "shellcheck/SC2112"),
    ]
    assert hits[1].message.endswith("2 more in this file.")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("def main(course):", 1),
        ("    async def main(self):", 1),
        ("class main:", 1),
        ("import main", 0),
        ("def test_main(main):", 0),
    ],
)
def test_a_second_definition_is_reported_and_a_second_import_or_a_parameter_is_not(
    line: str, found: int
) -> None:
    read = LintedText("a.py", [line], [1], [1], whole=True)
    message = "Redefinition of unused `main` from line 1: `main` redefined here"
    assert len(choose_hits("ruff", read, [Diagnostic(1, 1, "F811", message)])) == found


@pytest.mark.parametrize(("first", "found"), [("import os", 1), ("Import('env')", 0)])
def test_scons_defines_the_names_of_its_scripts(first: str, found: int) -> None:
    lines = [first, "env.Append(CPPPATH=['.'])"]
    read = LintedText("build.py", lines, [2], [2], whole=True)
    assert len(choose_hits("ruff", read, [Diagnostic(2, 2, "F821", "m")])) == found


@pytest.mark.parametrize(("name", "found"), [("page.html", 1), ("config.c", 0)])
def test_only_templates_of_pages_need_escaping(name: str, found: int) -> None:
    text = f"env = Environment(loader=loader)\nenv.get_template('{name}')\n"
    assert len(reported("ruff", "S701", "a.py", text)) == found


@pytest.mark.parametrize(("length", "found"), [(500, 1), (1_500, 0)])
def test_a_line_of_bundled_code_has_no_results(length: int, found: int) -> None:
    text = f"debugger; var a = '{'x' * length}'\n"
    assert len(reported("oxlint", "no-debugger", "build/index.js", text)) == found

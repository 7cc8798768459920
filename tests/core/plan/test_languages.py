"""Languages by name: what counts as source code, and what people call it."""

from __future__ import annotations

import pytest

from reviewbot.core.plan.languages import (
    begins_with_shebang,
    is_source,
    language_of,
    languages_of,
    title_of,
)
from tests.support.views import hunk


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("src/a.py", "python"),
        ("src/A.CBL", "cobol"),
        ("Dockerfile", "dockerfile"),
        ("deploy/Dockerfile.dev", "dockerfile"),
        ("CMakeLists.txt", "cmake"),
        ("Makefile", "make"),
        ("README.md", None),
        ("run", None),
        (".py", None),
    ],
)
def test_a_name_or_an_extension_decides_the_language(path: str, language: str | None) -> None:
    assert language_of(path) == language


def test_prose_data_and_style_sheets_are_not_source_files() -> None:
    named = ("a.py", "a.cbl", "Dockerfile", "main.tf", "q.sql", "a.sh", "a.jsp", "a.c++", "a.cmake")
    assert all(map(is_source, named))
    others = ("README.md", "a.json", "a.yaml", "a.css", "a.html", "LICENSE", "a.svg", "data.csv")
    assert not any(map(is_source, others))


def test_languages_have_names_for_people() -> None:
    titles = [title_of(name) for name in ("go", "cobol", "cpp", "bash")]
    assert titles == ["Go", "COBOL", "C++", "shell scripts"]


def test_each_language_of_some_files_comes_once() -> None:
    assert list(languages_of(["a.py", "b.md", "c.py", "d.go"])) == ["python", "go"]


def test_a_script_begins_with_a_shebang_in_its_first_line() -> None:
    assert begins_with_shebang([hunk("+#!/bin/sh\n+echo")])
    assert not begins_with_shebang([hunk("+echo\n+#!/bin/sh")])
    assert not begins_with_shebang([hunk("+#!/bin/sh", new=7)])
    assert not begins_with_shebang([])

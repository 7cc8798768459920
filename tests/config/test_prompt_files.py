"""Templates of the operator: which are read, and which are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.config.prompt_files import MOST_BYTES, read_templates, use_prompts
from reviewbot.core.prompt.templates import override, prompt_version
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    override({})


def test_templates_of_a_folder_replace_those_of_the_package(tmp_path: Path) -> None:
    before = prompt_version()
    (tmp_path / "system.md.j2").write_bytes(b"Look for bugs.\r\n")
    (tmp_path / "notes.txt").write_text("mine")
    assert read_templates(tmp_path) == {"system.md.j2": "Look for bugs.\n"}
    use_prompts(str(tmp_path))
    assert prompt_version() != before


def test_an_invalid_template_names_the_variable_and_the_file(tmp_path: Path) -> None:
    (tmp_path / "system.md.j2").write_text("{{ author }}")
    with pytest.raises(ConfigError, match=r"REVIEWBOT_PROMPTS_DIR: system\.md\.j2: author"):
        use_prompts(str(tmp_path))


@pytest.mark.parametrize(
    ("data", "problem"),
    [(None, "has no template"), (b"\xff", "not UTF-8"), (b"x" * (MOST_BYTES + 1), "is larger")],
)
def test_a_folder_without_usable_templates_is_refused(
    tmp_path: Path, data: bytes | None, problem: str
) -> None:
    if data is not None:
        (tmp_path / "system.md.j2").write_bytes(data)
    with pytest.raises(ConfigError, match=problem):
        read_templates(tmp_path)

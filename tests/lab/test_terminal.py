"""The screens are those of the golden files; ``python -m tests.record_lab`` writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.lab import terminal
from reviewbot.lab.stream import study_stream
from tests.record_lab import DEMO, texts
from tests.support.lab_studies import SCREENS, recording, review, screens, tokens

if TYPE_CHECKING:
    from pathlib import Path

ALL = screens()


@pytest.mark.parametrize("path", sorted(ALL), ids=lambda path: path.name)
def test_the_screen_is_the_recorded_one(path: Path) -> None:
    assert path.read_text("utf-8") == ALL[path]
    width = int(path.stem.rpartition("-")[2])
    assert all(len(line) <= width for line in ALL[path].splitlines())


def test_every_recorded_screen_is_one() -> None:
    assert set(SCREENS.iterdir()) == set(ALL)


def test_the_recorded_answer_is_the_one_that_its_script_writes() -> None:
    for name, text in texts().items():
        assert (DEMO / name).read_text("utf-8") == text


def test_hostile_text_cannot_leave_its_line() -> None:
    hostile = "a\x1b[31m\u202eb\r"
    lines = terminal.token_lines(tokens(f"R1+|{hostile}"), width=100, marks=False)
    lines += terminal.stream_lines(study_stream(recording(hostile)), width=100)
    study = review()
    finding = replace(study.steps[0].finding, title=hostile, path=hostile)
    steps = (replace(study.steps[0], finding=finding, reason=hostile),)
    lines += terminal.review_lines(replace(study, steps=steps, source=hostile), width=100)
    text = "".join(text for line in lines for text, _ in line)
    assert text.isprintable()


def test_with_colour_no_mark_is_added_between_tokens() -> None:
    lines = terminal.token_lines(tokens("R1+|total"), width=100, marks=False)
    assert "  R1+|total" in ["".join(text for text, _ in line) for line in lines]

"""The screens are those of the golden files; ``python -m tests.record_lab`` writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.render.layout import plain
from reviewbot.lab import terminal
from reviewbot.lab.budget import FileFate, Limit
from reviewbot.lab.cost import ModelCost
from reviewbot.lab.stream import study_stream
from reviewbot.lab.temperature import study_temperature
from reviewbot.lab.terminal import SCREEN, budget_lines, temperature_lines, token_lines
from tests.record_lab import DEMO, texts
from tests.support.lab_studies import SCREENS, recording, review, screens, studies, tokens, turns

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.core.render.layout import Line

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


LONG = "a long name " * 6
SOURCE = "The review has no finding, so the findings are those of the demo."


def long_screens(count: int) -> dict[str, list[Line]]:
    """Return the screens with ``count`` lines, models, files, findings and answers in each list."""
    made = studies(shown="\n".join(f"R{number}+|total" for number in range(count)))
    models = tuple(ModelCost(f"model-{number}", (1.0, 2.0)) for number in range(count))
    files = tuple(FileFate(f"{LONG}{number}", 1, LONG) for number in range(count))
    limits = tuple(Limit(f"{number} window", problem="too small " * 14) for number in range(2))
    finding = replace(made.review.steps[0].finding, title=LONG, path=LONG)
    step = replace(made.review.steps[0], finding=finding, reason=LONG)
    texts = tuple(f"{number} {LONG}" for number in range(3))
    answers = tuple((f"Temperature {number}", texts) for number in (0, 0.5, 1))
    cost = replace(made.cost, source=SOURCE, models=models)
    review = replace(made.review, steps=(step,) * count)
    turns = replace(made.turns, steps=made.turns.steps[:1] * count, outcome=LONG * 2)
    return {
        "line": token_lines(replace(made.tokens, exact=4_000), width=80, marks=True),
        "model": terminal.cost_lines(cost, width=80),
        "token": temperature_lines(replace(made.temperature, answers=answers), width=80),
        "file": budget_lines(replace(made.budget, files=files, limits=limits), width=80),
        "finding": terminal.review_lines(review, width=80),
        "turn": terminal.turn_lines(turns, width=80),
    }


@pytest.mark.parametrize("noun", long_screens(0))
def test_a_long_list_fills_one_screen_and_the_rest_is_a_number(noun: str) -> None:
    lines = plain(long_screens(40)[noun]).splitlines()
    assert len(lines) <= SCREEN
    assert any(line.endswith(f" more {noun}s") for line in lines)


def test_a_list_that_has_room_is_shown_to_its_end() -> None:
    assert " more model" not in plain(long_screens(3)["model"])


def test_each_different_answer_is_shown_once_with_its_number() -> None:
    answers = (("Temperature 1", ("It skips.", "It fails.", "It skips.")),)
    shown = plain(temperature_lines(replace(study_temperature(), answers=answers), width=80))
    assert "  Temperature 1    2 of 3  It skips.\n                   1 of 3  It fails." in shown


def test_hostile_text_cannot_leave_its_line() -> None:
    hostile = "a\x1b[31m\u202eb\r"
    lines = token_lines(tokens(f"R1+|{hostile}"), width=100, marks=False)
    lines += terminal.stream_lines(study_stream(recording(hostile)), width=100)
    study = review()
    finding = replace(study.steps[0].finding, title=hostile, path=hostile)
    steps = (replace(study.steps[0], finding=finding, reason=hostile),)
    lines += terminal.review_lines(replace(study, steps=steps, source=hostile), width=100)
    lines += terminal.turn_lines(turns(hostile), width=100)
    text = "".join(text for line in lines for text, _ in line)
    assert text.isprintable()


def test_with_colour_no_mark_is_added_between_tokens() -> None:
    lines = token_lines(tokens("R1+|total"), width=100, marks=False)
    assert "  R1+|total" in ["".join(text for text, _ in line) for line in lines]

"""The plot has every score that there is, and bands only behind temperatures."""

from __future__ import annotations

from reviewbot.eval.consistency import Estimated, Score
from reviewbot.eval.consistency_plot import consistency_plot


def scored(task: str, at: float, by_id: float | None, by_text: float | None) -> Score:
    found = [None if one is None else Estimated(one, 0.05) for one in (by_id, by_text)]
    return Score(task, f"temperature={at:g}", at, 10, 0, found[0], found[1], 0, 3, 90)


SCORES = (
    scored("review", 0, 1, 0.9),
    scored("review", 1, 0.5, 0.4),
    scored("$story$", 1, None, 0.1),
)


def plotted(*, is_temperature: bool = True) -> str:
    return consistency_plot(SCORES, title="qwen; at most 50 tokens", is_temperature=is_temperature)


def test_each_curve_is_named_by_its_task_and_score() -> None:
    text = plotted()
    for label in ("review, by finding", "review, by word", "$story$, by word", "temperature=1"):
        assert f">{label}<" in text
    assert "$story$, by finding" not in text
    assert "qwen; at most 50 tokens" in text


def test_the_bands_are_drawn_behind_temperatures_alone() -> None:
    assert "textbook band" in plotted()
    assert "textbook band" not in plotted(is_temperature=False)


def test_equal_scores_give_equal_plots() -> None:
    assert plotted() == plotted()


def test_settings_without_a_score_are_an_empty_plot() -> None:
    text = consistency_plot([scored("review", 0, None, None)], title="m", is_temperature=False)
    assert "temperature=0" in text
    assert "review" not in text

"""Plots of an evaluation as SVG images."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any, Final

from reviewbot.eval.tables import METRIC_TITLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from matplotlib.axes import Axes

    from reviewbot.eval.report import Evaluation
    from reviewbot.eval.statistics import Interval

STYLE: Final[Any] = {
    "text.parse_math": False,  # a dollar sign in a name is not a formula
    "svg.hashsalt": "reviewbot",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_COLOUR: Final = "#2b5d8a"
_LABEL: Final = 40


def score_plot(evaluation: Evaluation) -> str:
    """Return the four scores of each contestant with their intervals, as an image."""
    rows = [(one.name, one.intervals) for one in evaluation.contestants]
    return _interval_plot(rows, zero=False)


def difference_plot(evaluation: Evaluation) -> str:
    """Return the differences to the baseline with their intervals, as an image."""
    rows = [(one.name, one.differences) for one in evaluation.comparisons]
    return _interval_plot(rows, zero=True)


def _interval_plot(rows: Sequence[tuple[str, Mapping[str, Interval]]], *, zero: bool) -> str:
    """Return a panel for each metric, with a row for each contestant.

    Args:
        rows: name and intervals of each contestant.
        zero: whether the values are differences, with a line at zero.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(10, 0.9 + 0.32 * len(rows)), layout="constrained")
        panels = figure.subplots(1, len(METRIC_TITLES), sharey=True, squeeze=False)[0]
        for axes, (name, title) in zip(panels, METRIC_TITLES.items(), strict=True):
            _panel(axes, [found[name] for _, found in rows])
            axes.set_title(title)
            if zero:
                axes.axvline(0, color="#999999", linewidth=1)
            else:
                axes.set_xlim(-3, 103)
        panels[0].set_yticks(range(len(rows)), [label(name) for name, _ in rows])
        panels[0].set_ylim(len(rows) - 0.5, -0.5)
        target = io.BytesIO()
        figure.savefig(target, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(target.getvalue()).decode()}"


def _panel(axes: Axes, found: Sequence[Interval]) -> None:
    for row, one in enumerate(found):
        if one.value is not None:
            axes.plot(100 * one.value, row, "o", color=_COLOUR, markersize=5)
        if one.low is not None and one.high is not None:
            axes.plot([100 * one.low, 100 * one.high], [row, row], color=_COLOUR, linewidth=1.5)
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)


def label(name: str, most: int = _LABEL) -> str:
    """Return a name in characters that every font has."""
    short = name if len(name) <= most else f"{name[: most - 3]}..."
    return short.encode("ascii", "backslashreplace").decode()

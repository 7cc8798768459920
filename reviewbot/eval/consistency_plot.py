"""Plot of consistency: scores with their errors, above the bands that textbooks name."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from reviewbot.eval.consistency import TEXTBOOK_BANDS
from reviewbot.eval.plots import STYLE, label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from reviewbot.eval.consistency import Estimated, Score

_TITLE: Final = 90
_BAND: Final = 0.12
"""Half of the width of a band, in units of temperature."""


def consistency_plot(scores: Sequence[Score], *, title: str, is_temperature: bool) -> str:
    """Return the plot of ``scores`` as SVG: a curve for each task, by finding and by word.

    Args:
        scores: the scores; those without a value are left out.
        title: phrase about the model, its sampler and the length of the answers.
        is_temperature: whether the settings are temperatures, for which there are bands.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE | {"svg.fonttype": "none"}):  # text stays text
        figure = Figure(figsize=(8, 5), layout="constrained")
        axes = figure.subplots()
        if is_temperature:
            _bands(axes)
        for task in dict.fromkeys(score.task for score in scores):
            mine = [score for score in scores if score.task == task]
            _curve(axes, f"{task}, by finding", [(one.position, one.by_id) for one in mine], "o-")
            _curve(axes, f"{task}, by word", [(one.position, one.by_text) for one in mine], "s--")
        places = {score.position: score.setting for score in scores}
        axes.set_xticks(list(places), [label(name) for name in places.values()])
        axes.set_ylim(0, 1.08)
        axes.set_ylabel("mean Jaccard index of all pairs of runs")
        axes.set_title(label(title, _TITLE), fontsize=10)
        axes.grid(axis="y", color="#dddddd", linewidth=0.5)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower left", frameon=False)
        target = io.StringIO()
        figure.savefig(target, format="svg", metadata={"Date": None})
    return target.getvalue()


def _bands(axes: Axes) -> None:
    for number, (at, low, high) in enumerate(TEXTBOOK_BANDS):
        name = "" if number else "textbook band"
        span = [at - _BAND, at + _BAND]
        axes.fill_between(span, low, high, color="#f0d9a8", linewidth=0, label=name)


def _curve(
    axes: Axes, name: str, points: Sequence[tuple[float, Estimated | None]], style: str
) -> None:
    known = [(at, one) for at, one in points if one is not None]
    if known:
        axes.errorbar(
            [at for at, _ in known],
            [one.value for _, one in known],
            yerr=[one.error for _, one in known],
            fmt=style,
            capsize=3,
            label=label(name),
        )

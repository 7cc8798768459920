"""Scores of consistency: how alike the results of equal requests are. Pure.

The score of a setting is the mean Jaccard index of all pairs of its runs, from 0 to 1. If each of
several findings appears in a run with probability ``p``, the score is near ``p / (2 - p)``. Two
runs without findings are alike, so the share of empty runs belongs beside every score.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

LEAST_RUNS: Final = 10
"""Runs that a score needs. With six findings of probability 0.8, its deviation is then 0.07."""

TEXTBOOK_BANDS: Final = ((0.0, 0.95, 1.0), (0.5, 0.7, 0.9), (1.0, 0.3, 0.6))
"""Temperature, and the scores that textbooks name for it: an orientation, not a test."""

_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Run:
    """Result of one request: its text, and the ids of its findings (None for a free prompt)."""

    text: str
    ids: frozenset[str] | None = None

    @property
    def words(self) -> frozenset[str]:
        """The different words of the text, in lower case."""
        return frozenset(_WORD.findall(self.text.lower()))

    @property
    def is_empty(self) -> bool:
        """True if there is no finding, or no word."""
        return not (self.words if self.ids is None else self.ids)


@dataclass(frozen=True, slots=True)
class Series:
    """Runs of one task at one setting.

    Attributes:
        task: what was asked: ``review``, or the name of a free prompt.
        setting: the setting, such as ``temperature=0.5``.
        position: place of the setting on an axis: the temperature, or its number.
        runs: the complete runs.
        failed: number of runs that failed, which no score counts.
    """

    task: str
    setting: str
    position: float
    runs: tuple[Run, ...]
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Estimated:
    """A score and its standard error, by leaving out one run at a time (jackknife)."""

    value: float
    error: float

    @property
    def reappears(self) -> float:
        """The probability at which an item would reappear to give this score."""
        return 2 * self.value / (1 + self.value)


@dataclass(frozen=True, slots=True)
class Score:
    """Scores of a series.

    Attributes:
        task: as in the series.
        setting: as in the series.
        position: as in the series.
        runs: number of complete runs.
        failed: number of failed runs.
        by_id: score of the sets of findings; None for a free prompt, or with too few runs.
        by_text: score of the sets of words; None with too few runs.
        empty: share of empty runs.
        findings: mean number of findings; None for a free prompt.
        words: mean number of words of a text, repetitions included.
    """

    task: str
    setting: str
    position: float
    runs: int
    failed: int
    by_id: Estimated | None
    by_text: Estimated | None
    empty: float
    findings: float | None
    words: float


def score(series: Series) -> Score:
    """Return the scores of ``series``."""
    runs = series.runs
    enough = len(runs) >= LEAST_RUNS
    ids = [run.ids for run in runs if run.ids is not None]
    return Score(
        series.task,
        series.setting,
        series.position,
        len(runs),
        series.failed,
        by_id=mean_jaccard(ids) if enough and ids else None,
        by_text=mean_jaccard([run.words for run in runs]) if enough else None,
        empty=_mean([run.is_empty for run in runs]),
        findings=_mean([len(one) for one in ids]) if ids else None,
        words=_mean([len(_WORD.findall(run.text)) for run in runs]),
    )


def jaccard(one: AbstractSet[str], other: AbstractSet[str]) -> float:
    """Return the share of common items in all items; 1 for two empty sets."""
    union = len(one | other)
    return len(one & other) / union if union else 1.0


def mean_jaccard(sets: Sequence[AbstractSet[str]]) -> Estimated:
    """Return the mean index of all pairs of ``sets``, and its standard error.

    Raises:
        ValueError: there are fewer than three sets, so that none can be left out.
    """
    count = len(sets)
    if count < 3:
        raise ValueError(f"{count} runs are too few for a score")
    sums, total = [0.0] * count, 0.0
    for one, other in combinations(range(count), 2):
        index = jaccard(sets[one], sets[other])
        sums[one] += index
        sums[other] += index
        total += index
    left = (count - 1) * (count - 2) / 2
    without = [(total - mine) / left for mine in sums]
    center = _mean(without)
    spread = math.fsum((value - center) ** 2 for value in without)
    return Estimated(total / math.comb(count, 2), math.sqrt((count - 1) / count * spread))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else 0.0

"""Intervals, paired comparisons and the power of a set of cases.

The unit of resampling is the case (the pull request), since the comments of one case are alike.
Runs of a case are summed before, so that they count as one observation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from reviewbot.eval.scores import Counts

    Numbers = NDArray[np.float64]

RESAMPLES: Final = 2_000
LEVEL: Final = 0.95
LEAST_CASES: Final = 20
"""Cases below which no difference is significant: a bootstrap of few cases is too sure. Of two
equal contestants, 8 to 27 % differed with 3 to 15 simulated cases, and 3 to 5 % with 20."""
SEED: Final = 20_261_128
"""Fixed, so that the same results have the same intervals."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with its interval over ``cases``. All are None if the value is not defined."""

    value: float | None
    low: float | None
    high: float | None
    cases: int = 0

    @property
    def is_significant(self) -> bool:
        """True for a difference whose interval excludes zero, with enough cases to trust it."""
        if self.low is None or self.high is None or self.cases < LEAST_CASES:
            return False
        return not self.low <= 0 <= self.high


def intervals(counts: Sequence[Counts]) -> dict[str, Interval]:
    """Return each metric of the summed counts with its bootstrap interval.

    Args:
        counts: the counts of each case.
    """
    sums = _resampled(counts)
    return {
        name: _interval(*values, len(counts)) for name, values in _metrics(counts, sums).items()
    }


def differences(one: Mapping[str, Counts], other: Mapping[str, Counts]) -> dict[str, Interval]:
    """Return ``other`` minus ``one`` for each metric, on the cases that both have.

    Args:
        one: counts of a contestant by case.
        other: counts of another contestant by case.

    Raises:
        ValueError: they share no case.
    """
    shared = [case for case in one if case in other]
    if not shared:
        raise ValueError("the two have no case in common")
    before, after = [one[case] for case in shared], [other[case] for case in shared]
    # Both draw the same cases, since the seed and the number of cases are the same.
    first = _metrics(before, _resampled(before))
    second = _metrics(after, _resampled(after))
    found = {}
    for name, (value, values) in second.items():
        then, thens = first[name]
        change = None if value is None or then is None else value - then
        found[name] = _interval(change, values - thens, len(shared))
    return found


def _resampled(counts: Sequence[Counts]) -> Numbers:
    """Return sums of resampled cases: rows of found, comments and golden comments."""
    import numpy as np

    table = np.array([(one.found, one.comments, one.golden) for one in counts], dtype=np.float64)
    drawn = np.random.default_rng(SEED).integers(0, len(counts), (RESAMPLES, len(counts)))
    return np.asarray(table[drawn].sum(axis=1))


def _metrics(counts: Sequence[Counts], sums: Numbers) -> dict[str, tuple[float | None, Numbers]]:
    """Return the value and the resampled values of each metric; NaN where it is not defined."""
    import numpy as np

    from reviewbot.eval.scores import METRICS, total

    found, comments, golden = sums.T
    with np.errstate(divide="ignore", invalid="ignore"):
        resampled = {
            "precision": found / comments,
            "recall": found / golden,
            "f1": 2 * found / (comments + golden),
            "f05": 1.25 * found / (comments + 0.25 * golden),
        }
    whole = total(counts)
    return {name: (metric(whole), resampled[name]) for name, metric in METRICS.items()}


def _interval(value: float | None, values: Numbers, cases: int) -> Interval:
    import numpy as np

    defined = values[np.isfinite(values)]
    if value is None or not defined.size:
        return Interval(value, None, None, cases)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, (tail, 1 - tail)).tolist()
    return Interval(value, low, high, cases)


POINTS: Final = 0.05
"""The difference that a set is asked to show."""
TYPICAL: Final = 0.45
"""Assumed precision and recall: where published reviewers are."""
WANTED_POWER: Final = 0.8
_NORMAL: Final = NormalDist()
_SHARES: Final = {"case": 0.10, "golden": 0.40, "system": 0.25, "run": 0.25}
"""Shares of the variance of whether a golden comment is found: what all systems share about a case
and about a comment, what is particular to a system, and chance."""
_SIMULATED: Final = 60_000
"""Golden comments to simulate, about: enough for two digits."""
_SPREAD: Final = 4.0
"""Shape of the gamma distribution of wrong comments over cases."""


@dataclass(frozen=True, slots=True)
class Power:
    """Whether a set of cases can show a difference of five points in precision and in recall.

    ``probability`` is that of a significant difference in F1, ``needed`` the golden comments for
    a probability of 80 % in cases of this kind. Both take :data:`LEAST_CASES` into account.
    """

    golden: int
    cases: int
    runs: int
    probability: float
    needed: int


def power(golden: Sequence[int], runs: int) -> Power:
    """Simulate a paired comparison of two systems on a set of cases.

    Args:
        golden: number of golden comments of each case.
        runs: runs of each system.
    """
    comments = sum(golden)
    if not comments:
        return Power(0, len(golden), runs, 0.0, 0)
    copies = max(1, round(_SIMULATED / comments))
    shift, error = _simulate([*golden] * copies, runs)
    error *= math.sqrt(copies)
    critical = _NORMAL.inv_cdf((1 + LEVEL) / 2)
    probability = _NORMAL.cdf(shift / error - critical) if len(golden) >= LEAST_CASES else 0.0
    # The error shrinks with the square root of the number of cases.
    more = ((critical + _NORMAL.inv_cdf(WANTED_POWER)) * error / shift) ** 2
    more = max(more, LEAST_CASES / len(golden))
    return Power(comments, len(golden), runs, probability, math.ceil(comments * more))


def _simulate(golden: Sequence[int], runs: int) -> tuple[float, float]:
    """Return the difference of F1 between two simulated systems, and its standard error."""
    import numpy as np

    random = np.random.default_rng(SEED)
    counts = np.array(golden)
    case_of = np.repeat(np.arange(len(counts)), counts)
    shared = math.sqrt(_SHARES["case"]) * random.standard_normal(len(counts))[case_of]
    shared += math.sqrt(_SHARES["golden"]) * random.standard_normal(len(case_of))
    influence: list[Numbers] = []
    value: list[float] = []
    for level in (TYPICAL, TYPICAL + POINTS):
        own = shared + math.sqrt(_SHARES["system"]) * random.standard_normal(len(case_of))
        spread = random.gamma(_SPREAD, 1 / _SPREAD, len(counts))
        found = np.zeros(len(counts))
        wrong = np.zeros(len(counts))
        for _ in range(runs):
            noise = math.sqrt(_SHARES["run"]) * random.standard_normal(len(case_of))
            hits = own + noise < _NORMAL.inv_cdf(level)
            found += np.bincount(case_of, hits, len(counts))
            # As many wrong comments as the precision allows, more in some cases than in others.
            mean = counts.mean() * level * (1 - level) / level
            wrong += random.poisson(mean * spread)
        # F1 = 2 found / (comments + golden); its change if one case weighs more.
        both = 2 * found + wrong + (runs * counts - found)
        f1 = 2 * found.sum() / both.sum()
        value.append(float(f1))
        influence.append((2 * found - f1 * both) / both.mean())
    change = influence[1] - influence[0]
    return value[1] - value[0], float(change.std() / math.sqrt(len(counts)))

"""Temperature, top-k and top-p: their effect on the distribution of the next token. Pure.

The order is that of most samplers: temperature, then top-k, then top-p. Some servers use another
order, and some add other limits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Distribution:
    """Candidates for the next token after ``text``, and their scores (logits)."""

    text: str
    tokens: tuple[str, ...]
    logits: tuple[float, ...]


INVENTED: Final = Distribution(
    text="This loop changes the dictionary while it is",
    tokens=(
        "iterated",
        "walked",
        "read",
        "being",
        "in",
        "used",
        "locked",
        "empty",
        "sorted",
        "banana",
    ),
    logits=(5.0, 4.3, 3.6, 3.3, 2.4, 2.0, 1.1, 0.6, 0.0, -2.0),
)
"""An invented distribution: no model is needed to see the effect."""


@dataclass(frozen=True, slots=True)
class Sampler:
    """Settings of a sampler. ``top_k`` 0 and ``top_p`` 1 change nothing."""

    temperature: float
    top_k: int = 0
    top_p: float = 1.0


SHOWN: Final = (
    Sampler(0),
    Sampler(0.5),
    Sampler(1),
    Sampler(1.5),
    Sampler(1, top_k=3),
    Sampler(1, top_p=0.7),
)
"""Samplers that the terminal compares."""


@dataclass(frozen=True, slots=True)
class TemperatureStudy:
    """The probabilities of each token under each sampler, and the choice in bits (entropy).

    ``answers`` are those of a model, by the name of the sampler. ``problem`` is a sentence if a
    model was wanted but could not be asked.
    """

    distribution: Distribution
    samplers: tuple[Sampler, ...]
    shares: tuple[tuple[float, ...], ...]
    bits: tuple[float, ...]
    answers: tuple[tuple[str, tuple[str, ...]], ...] = ()
    problem: str | None = None


def study_temperature(
    distribution: Distribution = INVENTED, samplers: Sequence[Sampler] = SHOWN
) -> TemperatureStudy:
    """Return the effect of ``samplers`` on ``distribution``."""
    shares = tuple(probabilities(distribution.logits, sampler) for sampler in samplers)
    return TemperatureStudy(distribution, tuple(samplers), shares, tuple(map(entropy, shares)))


def probabilities(logits: Sequence[float], sampler: Sampler) -> tuple[float, ...]:
    """Return the probability of each token.

    Of equal scores, the first counts as the higher one. Temperature 0 always chooses the highest.

    Args:
        logits: scores of the tokens.
        sampler: settings of the sampler.

    Raises:
        ValueError: there are no scores, or a setting is out of range.
    """
    if not logits or sampler.temperature < 0 or sampler.top_k < 0 or not 0 < sampler.top_p <= 1:
        raise ValueError("needs scores, temperature and top_k from 0, top_p above 0 and at most 1")
    ranked = sorted(range(len(logits)), key=lambda at: -logits[at])
    best = logits[ranked[0]]
    if sampler.temperature == 0:
        weights = {ranked[0]: 1.0}
    else:
        weights = {at: math.exp((logits[at] - best) / sampler.temperature) for at in ranked}
    if sampler.top_k:
        weights = {at: weights[at] for at in ranked[: sampler.top_k] if at in weights}
    total, reached, kept = sum(weights.values()), 0.0, dict[int, float]()
    for at, weight in weights.items():
        kept[at] = weight
        reached += weight / total
        if reached >= sampler.top_p:
            break
    whole = sum(kept.values())
    return tuple(kept.get(at, 0.0) / whole for at in range(len(logits)))


def entropy(shares: Sequence[float]) -> float:
    """Return the entropy in bits: 0 if one token is certain, 1 for a fair coin."""
    return -sum(share * math.log2(share) for share in shares if share > 0) or 0.0

"""The sampler: probabilities, limits and entropy."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.lab.temperature import Sampler, entropy, probabilities, study_temperature

LOGITS = (2.0, 1.0, 0.0, -1.0)
SCORES = st.lists(st.floats(-20, 20), min_size=1, max_size=20)


@given(SCORES, st.floats(0, 2), st.integers(0, 25), st.floats(0.01, 1))
def test_the_kept_tokens_share_all_probability(
    logits: list[float], temperature: float, top_k: int, top_p: float
) -> None:
    shares = probabilities(logits, Sampler(temperature, top_k, top_p))
    assert sum(shares) == pytest.approx(1)
    assert max(shares) == shares[max(range(len(logits)), key=lambda at: (logits[at], -at))]
    if top_k:
        assert sum(share > 0 for share in shares) <= top_k


def test_temperature_1_is_the_softmax_of_the_scores() -> None:
    weights = [math.exp(score) for score in LOGITS]
    expected = [weight / sum(weights) for weight in weights]
    assert probabilities(LOGITS, Sampler(1)) == pytest.approx(expected)


def test_temperature_0_takes_the_best_token_and_the_first_of_equal_ones() -> None:
    assert probabilities((1.0, 3.0, 3.0), Sampler(0)) == (0, 1, 0)


def test_top_p_keeps_the_fewest_tokens_that_reach_it() -> None:
    shares = probabilities(LOGITS, Sampler(1))
    enough = shares[0] + shares[1]
    kept = probabilities(LOGITS, Sampler(1, top_p=enough - 0.01))
    assert [share > 0 for share in kept] == [True, True, False, False]
    kept = probabilities(LOGITS, Sampler(1, top_p=enough + 0.01))
    assert [share > 0 for share in kept] == [True, True, True, False]


def test_a_higher_temperature_leaves_more_choice() -> None:
    bits = [entropy(probabilities(LOGITS, Sampler(t))) for t in (0, 0.25, 0.5, 1, 2)]
    assert bits == sorted(bits)
    assert bits[0] == 0
    assert entropy((0.25,) * 4) == 2


@pytest.mark.parametrize(
    "sampler", [Sampler(-1), Sampler(1, -1), Sampler(1, 0, 0), Sampler(1, 0, 2)]
)
def test_a_setting_out_of_range_is_refused(sampler: Sampler) -> None:
    with pytest.raises(ValueError, match="temperature"):
        probabilities(LOGITS, sampler)


def test_the_study_has_the_shares_and_bits_of_each_sampler() -> None:
    study = study_temperature()
    assert len(study.shares) == len(study.samplers) == len(study.bits)
    assert study.bits[0] == 0
    assert study.shares[0].count(1.0) == 1

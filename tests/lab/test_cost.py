"""Cost: tokens and dollars of the same findings in four forms."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reviewbot.lab.cost import Form, forms_of, million, study_cost
from reviewbot.models.catalog import known_models, lookup
from tests.support.findings import ITEM, finding


def test_each_form_has_every_finding() -> None:
    items = [ITEM, ITEM | {"title": "Second", "suggestion": "x = 2"}]
    verbose, compact, call, plain = forms_of(items)
    assert json.loads(verbose.text) == json.loads(compact.text)
    assert json.loads(call.text)["input"]["findings"] == items
    assert all(text in plain.text for text in ("Stale x", "Second", "x = 2", "a.py:4"))


def test_a_shorter_form_costs_less() -> None:
    verbose, compact, _, plain = forms_of([ITEM] * 5)
    assert verbose.output > compact.output > plain.output
    assert verbose.input == compact.input > plain.input


def test_the_dollars_of_a_million_reviews_are_tokens_times_the_price_of_a_million() -> None:
    info = replace(lookup("claude-sonnet-5-5"), token_factor=1.5)
    assert info.prices is not None
    form = Form("f", "", output=100, input=10)
    expected = (100 * info.prices.output + 10 * info.prices.input) * 1.5
    assert million(form, info) == pytest.approx(expected)


def test_the_tokens_on_the_screen_times_the_prices_are_the_dollars() -> None:
    info = lookup("claude-sonnet-5-5")
    assert info.prices is not None
    study = study_cost([finding()], "", info)
    [dollars] = [one.dollars for one in study.models if one.model == info.name]
    for (_, output, read), shown in zip(study.figures, dollars, strict=True):
        expected = int(output) * info.prices.output + int(read) * info.prices.input
        assert shown == pytest.approx(expected, abs=info.prices.output)


def test_a_model_without_a_price_has_no_cost() -> None:
    with pytest.raises(ValueError, match="no price"):
        million(Form("f", "", 1, 1), lookup("qwen"))


def test_every_model_with_a_price_is_listed_the_cheapest_first() -> None:
    study = study_cost([finding()], "", lookup("claude-sonnet-5-5"))
    priced = {name for name in known_models() if lookup(name).prices} - {"offline"}
    assert {one.model for one in study.models} == priced
    first = [one.dollars[0] for one in study.models]
    assert first == sorted(first)
    assert (study.findings, study.ratio) == (1, 5)


def test_prices_of_the_user_count() -> None:
    own = replace(lookup("qwen"), prices=lookup("claude-opus-5").prices)
    study = study_cost([finding()], "", own)
    assert "qwen" in {one.model for one in study.models}
    assert study_cost([finding()], "", lookup("qwen")).ratio is None

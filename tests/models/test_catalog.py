from __future__ import annotations

import pytest

from reviewbot.core.events.events import Usage
from reviewbot.errors import ConfigError
from reviewbot.models.catalog import ModelInfo, caching_pays, cost_usd, known_models, lookup
from tests.fake_anthropic.prefix_cache import MINIMUM
from tests.fake_anthropic.validation import (
    ALWAYS_THINKING,
    BUDGET_ONLY,
    MAX_OUTPUT,
    MODELS,
    NO_FORCING,
)

PRICES: dict[str, object] = {"input": 1, "output": 2.5, "cache_read": 0, "cache_write": 1}
CLAUDE = [name for name in known_models() if name != "offline"]


def test_every_current_model_is_known() -> None:
    assert set(CLAUDE) == MODELS


@pytest.mark.parametrize("name", CLAUDE)
def test_a_model_is_asked_for_nothing_that_it_refuses(name: str) -> None:
    info = lookup(name)
    assert not (info.forced_tools and name in NO_FORCING)
    assert (info.thinking == "budget") == (name in BUDGET_ONLY)
    assert not (info.thinking == "none" and name in ALWAYS_THINKING)
    assert info.max_output <= MAX_OUTPUT[name]
    assert info.cache_minimum == MINIMUM.get(name, 512)
    assert not info.sampling


@pytest.mark.parametrize("name", known_models())
def test_every_fact_has_a_source_and_prices_fit_together(name: str) -> None:
    info = lookup(name)
    assert len(info.source) > 20
    if info.prices is not None:
        assert info.prices.cache_write == pytest.approx(1.25 * info.prices.input)
        assert info.prices.cache_read <= 0.1 * info.prices.input


def test_forcing_is_for_models_that_still_think_when_forced() -> None:
    forced = {name for name in CLAUDE if lookup(name).forced_tools}
    assert forced == {
        "claude-haiku-5-5",
        "claude-haiku-4-5",
        "claude-opus-4-5",
        "claude-sonnet-4-5",
    }


def test_a_dated_name_has_the_facts_of_its_model_and_keeps_its_name() -> None:
    dated = lookup("claude-haiku-4-5-20251001")
    assert dated.name == "claude-haiku-4-5-20251001"
    assert dated.prices == lookup("claude-haiku-4-5").prices


def test_an_unknown_model_is_taken_for_a_small_one_on_a_slow_server() -> None:
    info = lookup("qwen3-coder")
    assert info.provider == "anthropic"
    assert info.forced_tools
    assert not any((info.strict_tools, info.eager_input, info.structured_output))
    assert (info.prompt, info.prefill_tokens_per_s, info.parallel) == ("compact", 20, 1)
    assert (info.thinking, info.sampling, info.cache_minimum) == ("none", False, None)
    assert info.prices is None


@pytest.mark.parametrize("name", CLAUDE)
def test_a_known_model_has_the_full_prompt_and_no_limits_of_a_slow_server(name: str) -> None:
    info = lookup(name)
    assert (info.prompt, info.prefill_tokens_per_s, info.parallel) == ("full", None, None)


def test_the_offline_model_costs_nothing_and_is_no_server() -> None:
    info = lookup("offline")
    assert info.provider == "offline"
    assert cost_usd(info, Usage(10**6, 10**6)) == 0
    assert (info.thinking, info.cache_minimum) == ("none", None)


def test_overrides_win_and_leave_other_models_alone() -> None:
    overrides: dict[str, dict[str, object]] = {
        "claude-sonnet-5-5": {"effort": "low", "eager_input": False},
        "local": {"context": 8_000, "prices": None},
        "gateway": {"prompt": "full", "prefill_tokens_per_s": None, "parallel": None},
    }
    info = lookup("claude-sonnet-5-5", overrides)
    assert (info.effort, info.eager_input, info.strict_tools) == ("low", False, True)
    assert lookup("local", overrides).context == 8_000
    gateway = lookup("gateway", overrides)
    assert (gateway.prompt, gateway.prefill_tokens_per_s, gateway.parallel) == ("full", None, None)
    assert lookup("claude-opus-5-5", overrides) == lookup("claude-opus-5-5")


def test_prices_are_overridden_as_a_whole() -> None:
    info = lookup("local", {"local": {"prices": PRICES}})
    assert cost_usd(info, Usage(input=1_000_000, output=2_000_000)) == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("override", "key", "says"),
    [
        ({"contxt": 1}, "models.m.contxt", "supported are cache_minimum, context"),
        ({"name": "x"}, "models.m.name", "supported are"),
        ({"context": "1000"}, "models.m.context", "whole number"),
        ({"context": True}, "models.m.context", "whole number"),
        ({"context": 0}, "models.m.context", "whole number"),
        ({"forced_tools": "yes"}, "models.m.forced_tools", "true or false"),
        ({"thinking": "deep"}, "models.m.thinking", "adaptive, budget, none"),
        ({"prompt": "short"}, "models.m.prompt", "full, compact"),
        ({"prefill_tokens_per_s": 0.5}, "models.m.prefill_tokens_per_s", "number from 1"),
        ({"prefill_tokens_per_s": "fast"}, "models.m.prefill_tokens_per_s", "number from 1"),
        ({"parallel": 0}, "models.m.parallel", "whole number"),
        ({"effort": 3}, "models.m.effort", "low, medium"),
        ({"token_factor": 0}, "models.m.token_factor", "above 0"),
        ({"token_factor": float("nan")}, "models.m.token_factor", "above 0"),
        ({"cache_minimum": -1}, "models.m.cache_minimum", "whole number"),
        ({"prices": 3}, "models.m.prices", "table of prices"),
        ({"prices": {"input": 1}}, "models.m.prices", "output"),
        ({"prices": {"in": 1}}, "models.m.prices.in", "supported are input"),
        ({"prices": {"input": -1}}, "models.m.prices.input", "amount"),
        ({"prices": {"long_from": 0.5}}, "models.m.prices.long_from", "amount"),
        ({"prices": PRICES | {"long": 5}}, "models.m.prices.long", "table"),
    ],
)
def test_a_wrong_override_is_refused_by_its_key(
    override: dict[str, object], key: str, says: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        lookup("m", {"m": override})
    assert caught.value.key == key
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(input=100_000), 0.010),
        (Usage(input=100_001), 0.0500005),
        (Usage(input=1, cache_read=60_000, cache_write=40_000), 0.0000005 + 0.003 + 0.025),
        (Usage(input=1, cache_read=100_000, output=1_000), 0.0000005 + 0.005 + 0.0025),
        (Usage(output=1_000_000), 0.5),
    ],
)
def test_long_prompts_cost_more_whether_cached_or_not(usage: Usage, cost: float) -> None:
    assert cost_usd(lookup("claude-haiku-5-5"), usage) == pytest.approx(cost)


def test_unknown_prices_make_an_unknown_cost() -> None:
    info: ModelInfo = lookup("claude-mythos-5-2")
    assert cost_usd(info, Usage(input=5)) is None


@pytest.mark.parametrize(
    ("model", "reads", "pays"),
    [
        ("claude-sonnet-5-5", 0, False),
        ("claude-sonnet-5-5", 0.2, False),  # a write costs 0.25 more, a read saves 0.9
        ("claude-sonnet-5-5", 0.5, True),
        ("claude-sonnet-5-5", 1, True),
        ("of-an-unknown-price", 0.5, False),
        ("of-an-unknown-price", 1, True),
        ("offline", 5, False),
    ],
)
def test_caching_pays_if_the_expected_reads_save_more_than_the_write_costs(
    model: str, reads: float, pays: bool
) -> None:
    assert caching_pays(lookup(model), reads) == pays


def test_a_model_that_thinks_gets_no_temperature() -> None:
    asked = {"sampling": True}
    assert lookup("qwen", {"qwen": asked}).gets_temperature
    assert not lookup("qwen", {"qwen": {**asked, "thinking": "adaptive"}}).gets_temperature
    assert not lookup("qwen").gets_temperature

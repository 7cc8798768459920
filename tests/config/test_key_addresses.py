"""Which address an API key may be sent to."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.config.file import parse_config
from reviewbot.config.model_choice import ModelChoice, SecretText, is_web_address
from reviewbot.errors import ConfigError
from tests.support.settings import EVIL, HERE, KEY, load, refusal


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        (f"jobs: 1\nbase_url: {EVIL}", "base_url", 2),
        (f"fallback_models:\n- name: x\n  base_url: {EVIL}", "fallback_models[0].base_url", 3),
        (
            "fallback_models: [{name: x, api_key_env: AWS_KEY}]",
            "fallback_models[0].api_key_env",
            1,
        ),
        (
            "models: {m: {prices: {input: 0, output: 0, cache_read: 0, cache_write: 0}}}",
            "models.m.prices",
            1,
        ),
        (
            "models: {m: {token_factor: 0.5}}",  # would estimate less than a request takes
            "models.m.token_factor",
            1,
        ),
    ],
)
def test_a_file_found_in_the_repository_decides_neither_who_gets_a_key_nor_what_it_costs(
    text: str, key: str, line: int
) -> None:
    error = refusal(text)
    assert (error.key, error.line) == (key, line)
    assert "--config" in error.message
    load(text, trusted=True)


def test_an_address_from_dotenv_never_meets_a_key_from_the_environment() -> None:
    with pytest.raises(
        ConfigError, match=r"ANTHROPIC_BASE_URL in \.env: this address would receive"
    ):
        load(env={"ANTHROPIC_API_KEY": KEY}, dotenv={"ANTHROPIC_BASE_URL": EVIL})
    with pytest.raises(ConfigError, match="would receive the OTHER_KEY of your environment"):
        load(
            "fallback_models: [{name: x, api_key_env: OTHER_KEY}]",
            trusted=True,
            env={"OTHER_KEY": KEY},
            dotenv={"ANTHROPIC_BASE_URL": EVIL, "ANTHROPIC_API_KEY": ""},
        )


@pytest.mark.parametrize(
    ("env", "dotenv"),
    [
        ({}, {"ANTHROPIC_BASE_URL": HERE, "ANTHROPIC_API_KEY": KEY}),
        ({"ANTHROPIC_BASE_URL": HERE}, {"ANTHROPIC_API_KEY": KEY}),
        ({"ANTHROPIC_BASE_URL": HERE, "ANTHROPIC_API_KEY": KEY}, {"ANTHROPIC_BASE_URL": EVIL}),
    ],
)
def test_an_address_that_the_user_chose_gets_the_key(
    env: dict[str, str], dotenv: dict[str, str]
) -> None:
    choice = load(env=env, dotenv=dotenv).model
    assert (choice.base_url, choice.api_key) == (HERE, SecretText(KEY))


def test_the_offline_rules_need_no_address_so_a_strangers_dotenv_does_not_stop_them() -> None:
    settings = load(
        env={"ANTHROPIC_API_KEY": KEY}, dotenv={"ANTHROPIC_BASE_URL": EVIL}, model="offline"
    )
    assert settings.model == ModelChoice("offline")


def test_a_fallback_with_its_own_address_gets_its_own_key_or_none() -> None:
    models = [
        {"name": "a", "base_url": HERE},
        {"name": "b", "base_url": HERE, "api_key_env": "B"},
        "c",
    ]
    text = json.dumps({"fallback_models": models})
    settings = load(text, trusted=True, env={"ANTHROPIC_API_KEY": KEY, "B": "other"})
    assert settings.fallback_models == (
        ModelChoice("a", HERE, None, None),
        ModelChoice("b", HERE, SecretText("other"), "B"),
        ModelChoice("c", None, SecretText(KEY), "ANTHROPIC_API_KEY"),
    )


@given(
    env=st.sets(st.sampled_from(["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "B"])),
    dotenv=st.sets(st.sampled_from(["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "B"])),
    fallback=st.sampled_from(["[]", "[x]", "[{name: x, api_key_env: B}]"]),
    trusted=st.booleans(),
)
def test_no_mix_of_layers_sends_a_key_of_the_environment_to_an_address_of_someone_else(
    env: set[str], dotenv: set[str], fallback: str, trusted: bool
) -> None:
    def variables(names: set[str], address: str, key: str) -> dict[str, str]:
        return {name: address if name.endswith("URL") else key for name in names}

    try:
        settings = load(
            f"fallback_models: {fallback}" + ("" if trusted else f"\nbase_url: {EVIL}"),
            env=variables(env, HERE, "mine"),
            dotenv=variables(dotenv, EVIL, "theirs"),
            trusted=trusted,
        )
    except ConfigError:
        return
    for choice in (settings.model, *settings.fallback_models):
        assert (choice.base_url, choice.api_key) != (EVIL, SecretText("mine"))


def test_a_choice_says_in_a_sentence_that_its_key_is_missing() -> None:
    assert load(model="claude-x").model.problem == (
        "claude-x needs a key: set ANTHROPIC_API_KEY, or review with --model offline"
    )
    assert ModelChoice("x", HERE, None, "B").problem is not None
    assert ModelChoice("x", HERE, None, "ANTHROPIC_API_KEY").problem is None
    assert ModelChoice("x", HERE).problem is None
    assert ModelChoice("x", HERE, SecretText(KEY), "B").problem is None
    assert load().model.problem is None


@pytest.mark.parametrize(
    "address",
    ["example.org", "ftp://example.org", "https://", "https://me:pw@example.org", "https://a b"],
)
def test_an_address_that_is_none_is_refused_wherever_it_stands(address: str) -> None:
    assert not is_web_address(address)
    with pytest.raises(ConfigError, match="ANTHROPIC_BASE_URL: must be an http or https address"):
        load(env={"ANTHROPIC_BASE_URL": address}, model="m")
    assert refusal(f'base_url: "{address}"', trusted=True).key == "base_url"


@given(st.text(st.sampled_from("htps:/@ .ab\n")))
def test_the_schema_and_the_environment_agree_on_what_an_address_is(text: str) -> None:
    try:
        parse_config(json.dumps({"base_url": text}), name="x", trusted=True)
        valid = True
    except ConfigError:
        valid = False
    assert is_web_address(text) == valid

"""Settings: which layer wins, and what the schema promises."""

from __future__ import annotations

import dataclasses
import json
import traceback
from pathlib import Path
from typing import Any, get_args

import pytest

from reviewbot.config.file import schema
from reviewbot.config.routes import RouteSettings, SplitSettings
from reviewbot.config.settings import (
    DEFAULT_MODEL,
    ModelChoice,
    PathInstruction,
    SecretText,
    Settings,
    TimeoutSettings,
)
from reviewbot.core.findings.levels import PathRules
from reviewbot.core.prompt.request import PromptProfile
from reviewbot.models import catalog
from tests.support.settings import HERE, KEY, load

# --- Which layer wins


def test_a_flag_goes_before_the_environment_before_dotenv_before_the_file() -> None:
    text, env, dotenv = "model: d", {"REVIEWBOT_MODEL": "b"}, {"REVIEWBOT_MODEL": "c"}
    assert load(text, env=env, dotenv=dotenv, model="a").model.name == "a"
    assert load(text, env=env, dotenv=dotenv).model.name == "b"
    assert load(text, dotenv=dotenv).model.name == "c"
    assert load(text).model.name == "d"
    assert load().model.name == "offline"


def test_each_setting_knows_where_it_came_from() -> None:
    settings = load(
        "\njobs: 3\nfail_on: note", env={"REVIEWBOT_MODEL": "m"}, fail_on="never", summary=None
    )
    assert settings.origins == {
        "model": "REVIEWBOT_MODEL",
        "jobs": ".reviewbot.yml:2",
        "fail_on": "--fail-on",
    }


def test_a_flag_that_is_false_still_wins() -> None:
    assert load("summary: true", summary=False).summary is False


def test_with_a_key_claude_reviews_and_without_one_the_offline_rules_and_it_says_why() -> None:
    with_key, without = load(env={"ANTHROPIC_API_KEY": KEY}), load()
    assert with_key.model == ModelChoice(DEFAULT_MODEL, None, SecretText(KEY), "ANTHROPIC_API_KEY")
    assert with_key.model_source == "the default, since ANTHROPIC_API_KEY is set"
    assert without.model == ModelChoice("offline")
    assert without.model_source == "no ANTHROPIC_API_KEY is set, so the offline rules review"


def test_an_empty_flag_is_not_given() -> None:
    assert load(env={"REVIEWBOT_MODEL": "claude-haiku-5-5"}, model="").model.name == (
        "claude-haiku-5-5"
    )
    assert load(model="").model == ModelChoice("offline")
    assert load("model: claude-haiku-5-5", model="").model.name == "claude-haiku-5-5"


@pytest.mark.parametrize("value", ["", "  ", "\n"])
def test_an_empty_variable_is_not_set(value: str) -> None:
    settings = load(env={"ANTHROPIC_API_KEY": value, "REVIEWBOT_MODEL": value})
    assert settings.model == ModelChoice("offline")


def test_fallback_models_in_the_environment_are_separated_by_commas() -> None:
    settings = load(env={"REVIEWBOT_FALLBACK_MODELS": " a, ,offline "})
    assert [choice.name for choice in settings.fallback_models] == ["a", "offline"]


def test_every_key_of_the_file_reaches_the_settings() -> None:
    values: dict[str, Any] = {
        "model": "m",
        "fallback_models": ["f"],
        "routes": [{"paths": ["d/"], "max_lines": 9.0, "model": "r", "fallback_models": []}],
        "ab_split": {"model": "b", "share": 1, "by": "change"},
        "base_url": HERE,
        "models": {"m": {"context": 8192}},
        "jobs": 3.0,  # JSON Schema takes it for a whole number
        "budget_usd": 1,
        "fail_on": "note",
        "if_incomplete": "neutral",
        "summary": False,
        "instructions": "be exact",
        "path_instructions": [{"paths": ["a/**"], "instructions": "x"}],
        "exclude": ["b/"],
        "accept_unread": ["rust"],
        "linters": False,
        "verify": True,
        "verify_model": {"name": "v", "base_url": HERE, "api_key_env": "V_KEY"},
        "lookups": 12,
        "cross_file": True,
        "examples": 0,
        "guidelines": False,
        "rules": {"python/eval": "off"},
        "path_rules": [{"paths": ["t/"], "rules": {"security": "note"}}],
        "confidence": 1,
        "max_notes": 3,
        "max_inline": 3,
        "rounds": "strict",
        "replies": False,
        "link_hosts": [],
        "context_lines": 0,
        "chunk_tokens": 3000,
        "batch_tokens": 4000,
        "reuse_similarity": 1,
        "max_attempts": 1,
        "retry_after_cap_s": 5,
        "timeouts": {"idle_s": 7},
    }
    assert values.keys() == schema()["properties"].keys(), "the table above is complete"
    settings = load(json.dumps(values), trusted=True)
    assert settings.model == ModelChoice("m", HERE, None, "ANTHROPIC_API_KEY")
    assert settings.verify_model == ModelChoice("v", HERE, None, "V_KEY")
    assert settings.fallback_models == (ModelChoice("f", HERE, None, "ANTHROPIC_API_KEY"),)
    assert settings.path_rules == (PathRules(("t/",), {"security": "note"}),)
    assert settings.path_instructions == (PathInstruction(("a/**",), "x"),)
    assert settings.routes == (
        RouteSettings(
            name="routes[0]",
            source=".reviewbot.yml:1",
            model=ModelChoice("r", HERE, None, "ANTHROPIC_API_KEY"),
            fallback_models=(),
            paths=("d/",),
            max_lines=9,
        ),
    )
    assert settings.ab_split == SplitSettings(
        source=".reviewbot.yml:1",
        model=ModelChoice("b", HERE, None, "ANTHROPIC_API_KEY"),
        share=1.0,
        by="change",
    )
    assert settings.timeouts == TimeoutSettings(idle_s=7.0)
    assert settings.jobs == 3
    assert isinstance(settings.jobs, int)
    assert isinstance(settings.confidence, float)
    untouched = {"model", "base_url", "fallback_models", "path_instructions", "timeouts", "jobs"}
    untouched |= {"routes", "ab_split", "path_rules", "verify_model"}
    for key, value in values.items():
        if key not in untouched:
            found = getattr(settings, key)
            assert (list(found) if isinstance(value, list) else found) == value


def test_every_setting_that_a_file_can_have_is_in_the_schema() -> None:
    """The rest comes from the machine, the repository or the reading of the file."""
    names = {field.name for field in dataclasses.fields(Settings)}
    assert names - schema()["properties"].keys() == {
        *("model_source", "state_dir", "origins", "notices", "ignored"),
    }


def test_the_defaults_of_the_schema_are_the_defaults_of_the_settings() -> None:
    settings = load()
    plain = json.loads(json.dumps(dataclasses.asdict(settings), default=lambda _: None))
    for key, facts in schema()["properties"].items():
        if key == "timeouts":
            for part, part_facts in facts["properties"].items():
                assert plain["timeouts"][part] == part_facts["default"]
        elif "default" in facts:
            assert plain[key] == facts["default"], key


def test_every_key_of_the_schema_is_described() -> None:
    def undescribed(facts: Any, name: str) -> list[str]:
        missing = []
        for key, value in facts.get("properties", {}).items():
            if "description" not in value and "$ref" not in value:
                missing.append(f"{name}.{key}")
            missing += undescribed(value, f"{name}.{key}")
        for part in ("items", "additionalProperties"):
            if isinstance(facts.get(part), dict):
                missing += undescribed(facts[part], name)
        return missing

    whole = schema()
    assert undescribed(whole, "") == []
    assert undescribed(whole["$defs"]["prices"], "prices") == []


def test_the_state_folder_is_the_platforms_unless_it_is_set(tmp_path: Path) -> None:
    assert load(env={"REVIEWBOT_STATE_DIR": str(tmp_path)}).state_folder == tmp_path
    assert load(env={"REVIEWBOT_STATE_DIR": "~/x"}).state_folder == Path.home() / "x"
    assert load().state_folder.name == "reviewbot"


# --- Where a key may go


def test_a_secret_is_shown_by_nothing_that_prints() -> None:
    settings = load(env={"ANTHROPIC_API_KEY": KEY})
    shown = [repr(settings), str(settings.model.api_key), f"{settings.model.api_key}"]
    shown += traceback.format_exception(ValueError(settings))
    assert KEY not in "".join(shown)
    assert settings.model.api_key is not None
    assert settings.model.api_key.reveal() == KEY


# --- Which files are read


def test_the_schema_admits_the_capabilities_that_the_catalogue_takes() -> None:
    facts = schema()["properties"]["models"]["additionalProperties"]["properties"]
    assert facts.keys() == catalog._CHECKS.keys()
    assert facts["thinking"]["enum"] == list(get_args(catalog.ThinkingMode))
    assert facts["prompt"]["enum"] == list(get_args(PromptProfile))
    assert facts["effort"]["enum"] == [*get_args(catalog.Effort), None]
    prices = schema()["$defs"]["prices"]["properties"]
    assert list(prices) == [field.name for field in dataclasses.fields(catalog.Prices)]


def test_overrides_that_the_file_admits_reach_the_catalogue() -> None:
    prices = {"input": 1, "output": 2, "cache_read": 0, "cache_write": 1}
    long = {"long_from": 1000, "long": prices}
    text = json.dumps({"models": {"m": {"context": 9000, "prices": prices | long}}})
    info = catalog.lookup("m", load(text, trusted=True).models)
    assert info.context == 9000
    assert info.prices is not None
    assert info.prices.long == catalog.Prices(1, 2, 0, 1)

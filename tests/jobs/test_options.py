"""What a request may set, and what only whoever runs the server may."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import pytest

from reviewbot.core.prompt.guidelines import GuidelineFile, Guidelines, SelectedRule
from reviewbot.core.prompt.purpose import ClosingIssue
from reviewbot.errors import ConfigError
from reviewbot.jobs import options
from reviewbot.jobs.options import (
    LIST_LIMIT,
    issues_from_json,
    issues_to_json,
    options_from_query,
    options_schema,
    parse_options,
)
from reviewbot.pipeline.run_context import NO_CONTEXT, context_from_json


@pytest.mark.parametrize(
    "model",
    [
        {"name": "x", "base_url": "https://evil.example"},
        {"name": "x", "api_key_env": "DATABASE_PASSWORD"},
        {"name": "x"},
    ],
)
def test_a_request_cannot_say_where_a_model_lives_or_which_secret_is_sent_there(model: Any) -> None:
    with pytest.raises(ConfigError, match="fallback_models"):
        parse_options({"fallback_models": [model]})
    with pytest.raises(ConfigError, match="model"):
        parse_options({"model": model})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("model", "offline", "offline"),
        ("truncate", "middle", "middle"),
        ("summary", "true", True),
        ("budget_usd", "0.5", 0.5),
        ("budget_usd", "null", None),
        ("max_notes", "5", 5),
        ("exclude", "vendor/, *.snap,,[ab].py", ["vendor/", "*.snap", "[ab].py"]),
        ("exclude", "", []),
        ("fallback_models", "a,b", ["a", "b"]),
    ],
)
def test_a_query_is_read_as_each_option_is_written_there(
    name: str, text: str, value: object
) -> None:
    assert options_from_query({name: text}) == {name: value}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("summary", "yes"),
        ("summary", ""),
        ("confidence", "NaN"),
        ("budget_usd", "Infinity"),
        ("max_notes", "[" * 5000),
        ("max_notes", "1" * 5000),
        ("rules", "{}"),
        ("path_instructions", "[]"),
        ("exclude", "a" * (LIST_LIMIT + 1)),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=rf"options\.{name}"):
        options_from_query({name: text})


def test_an_unknown_name_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"options\.modle"):
        parse_options(options_from_query({"modle": "x"}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("budget_usd", math.inf),
        ("budget_usd", -math.inf),
        ("budget_usd", math.nan),
        ("budget_usd", 1e300),
        ("budget_usd", 10**400),
        ("confidence", math.inf),
        ("confidence", math.nan),
        ("max_notes", math.inf),
        ("max_notes", 10**400),
    ],
)
def test_a_number_beyond_all_sense_is_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"options\.{name}") as error:
        parse_options({name: value})
    assert len(str(error.value)) < 300


def test_a_number_that_json_can_write_and_no_float_can_hold_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"options\.budget_usd"):
        parse_options(options_from_query({"budget_usd": "1e999"}))


LARGE: dict[str, dict[str, Any]] = {
    "rules": {"rules": {f"x/{number}": "off" for number in range(500_000)}},
    "names": {f"x{number}": 1 for number in range(500_000)},
    "patterns": {"exclude": ["a"] * 500_000},
    "paths": {"path_instructions": [{"paths": ["a"] * 500, "instructions": "b"}] * 50},
    "instructions": {"path_instructions": [{"paths": ["a"], "instructions": "b" * 4000}] * 50},
    "a text": {"instructions": "a" * 10_000_000},
    "a name": {"a" * 10_000_000: 1},
    "a name inside": {"rules": {"a" * 10_000_000: "off"}},
    "models": {"fallback_models": ["a" * 200] * 10_000},
    "nesting": {"exclude": [[["a"] * 1000] * 1000] * 1000},
}


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_refused_before_it_is_looked_at_whole(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "_validator", lambda: pytest.fail("the schema was asked"))
    with pytest.raises(ConfigError, match="in all") as error:
        parse_options(LARGE[name])
    assert len(str(error.value)) < 300


def test_what_a_configuration_file_can_hold_is_not_too_large() -> None:
    values = {
        "exclude": [f"src/generated/{number}/**" for number in range(500)],
        "rules": {f"secrets/{number}": "off" for number in range(500)},
        "instructions": "a" * 4000,
        "path_instructions": [{"paths": ["a", "b"], "instructions": "b" * 500}] * 50,
        "fallback_models": ["offline"] * 8,
    }
    assert parse_options(values).settings == values


def unbounded(schema: dict[str, Any], *path: str) -> list[str]:
    """The places of a schema that have no end: texts, lists, mappings, numbers."""
    ends = {
        "string": "maxLength",
        "array": "maxItems",
        "number": "maximum",
        "integer": "maximum",
    }
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    found = [".".join(path) for kind in kinds if kind in ends and ends[kind] not in schema]
    if "object" in kinds and schema.get("additionalProperties", True) is not False:
        found += [".".join(path)] if "maxProperties" not in schema else []
        found += [".".join(path)] if "maxLength" not in schema.get("propertyNames", {}) else []
    for name, one in schema.get("properties", {}).items():
        found += unbounded(one, *path, name)
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            found += unbounded(schema[name], *path, name)
    return found


def test_whatever_a_request_may_set_has_an_end() -> None:
    schema = options_schema()
    assert not unbounded(schema)
    for name, one in schema["$defs"].items():
        assert not unbounded(one, name)


@pytest.mark.parametrize(
    "name",
    ["custom_rules", "heed_added_suppressions", "guidelines", "selected_guidelines"],
)
def test_a_request_cannot_set_what_the_app_stores_with_a_review(name: str) -> None:
    with pytest.raises(ConfigError, match=f"options.{name}: there is no such option"):
        parse_options({name: []})


def test_a_stored_review_keeps_the_rules_of_its_base() -> None:
    stored = {"custom_rules": [{"id": "custom/x"}], "heed_added_suppressions": False, "cache": True}
    context = context_from_json(stored)
    assert context.custom_rules == ({"id": "custom/x"},)
    assert context.heed_added_suppressions is False
    assert context_from_json({}) == NO_CONTEXT


def test_a_stored_review_keeps_the_rules_of_the_team() -> None:
    file = GuidelineFile("AGENTS.md", rules=(SelectedRule(1, "", "Never nest."),), total=1)
    selected = Guidelines("a" * 40, (file,))
    stored = json.loads(json.dumps({"selected_guidelines": asdict(selected), "guidelines": True}))
    assert context_from_json(stored).guidelines == selected


def test_issues_are_stored_with_a_review_and_reviews_of_earlier_versions_have_none() -> None:
    issues = (ClosingIssue(7, "Orders lack VAT", "Charge it."), ClosingIssue(8, "Late", ""))
    stored = json.loads(json.dumps({"cache": True, **issues_to_json(issues)}))
    assert issues_from_json(stored) == issues
    assert issues_to_json(()) == {}
    assert issues_from_json({"cache": True}) == ()
    with pytest.raises(ValueError, match="closing_issues"):
        issues_from_json({"closing_issues": [{"number": "7"}]})

"""What a request may set, and what only whoever runs the server may."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.errors import ConfigError
from reviewbot.jobs.options import LIST_LIMIT, options_from_query, parse_options


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

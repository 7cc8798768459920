"""Whether an event's JSON form is what the published schema says; for everybody's tests."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Final

from jsonschema import Draft202012Validator

SCHEMA_FILE: Final = "schemas/events.schema.json"


@cache
def event_schema() -> dict[str, Any]:
    text = resources.files("reviewbot").joinpath(SCHEMA_FILE).read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    Draft202012Validator.check_schema(schema)
    return schema


@cache
def _validator(kind: str) -> Draft202012Validator:
    # One branch of the union, so that a failure names the field and not "no branch fits".
    return Draft202012Validator({**event_schema(), "oneOf": [{"$ref": f"#/$defs/{kind}"}]})


def assert_valid_event(obj: object) -> None:
    """Fails unless ``obj``, the result of ``record`` or a decoded line, fits the schema."""
    decoded = json.loads(json.dumps(obj, allow_nan=False))
    kind = decoded["type"]
    kinds = [branch["$ref"].removeprefix("#/$defs/") for branch in event_schema()["oneOf"]]
    assert kind in kinds, f"no event is called {kind!r}"
    problems = [
        f"{leaf.json_path}: {leaf.message}"
        for error in _validator(kind).iter_errors(decoded)
        for leaf in (error.context or [error])
    ]
    assert not problems, f"{kind}: " + "; ".join(problems)

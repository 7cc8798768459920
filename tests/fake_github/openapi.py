"""Requests and answers against GitHub's own description of its API (see ``extract_openapi``)."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tests.fake_github.wire import JSON, Refused, invalid_request

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

    from tests.fake_github.wire import Answer, Recorded

_TYPES = {"string": "a string", "integer": "an integer", "array": "an array", "object": "an object"}
_NULL_ALL_THE_SAME = {"repo", "user", "position", "line", "original_line"}
"""Fields that are null in GitHub's answers, whatever it says: of deleted forks, outdated comments
and comments on files."""


@functools.cache
def description() -> JSON:
    """The part of the description that the fake has."""
    loaded: JSON = json.loads(Path(__file__).with_name("openapi.json").read_text("utf-8"))
    return loaded


@functools.cache
def _validator(call: str, part: str) -> Draft202012Validator | None:
    schema = description()["calls"].get(call, {}).get(part)
    if schema is None:
        return None
    return Draft202012Validator({**schema, "$defs": description()["schemas"]})


@functools.cache
def _permitted(call: str) -> frozenset[str] | None:
    """The fields of a body, also those that only some of its alternatives have."""
    if call not in description()["calls"]:
        return None
    schema = description()["calls"][call].get("body", {"properties": {}})
    if "properties" not in schema:
        return None
    found = set(schema["properties"])
    for alternatives in ("oneOf", "anyOf"):
        for one in schema.get(alternatives, ()):
            found |= set(one.get("properties", ()))
    return frozenset(found)


def check_request(call: str, request: Recorded) -> None:
    """Refuses a body that does not fit, in GitHub's words as far as they are known."""
    docs = description()["calls"].get(call, {}).get("docs", "https://docs.github.com/rest")
    permitted = _permitted(call)
    if isinstance(request.body, dict) and permitted is not None:
        _no_others(request.body, permitted, docs)
        inner = {"/reviews": ("comments",), "/check-runs": ("output", "annotations")}
        for end, keys in inner.items():
            if end in call and call.partition(" ")[0] in ("POST", "PATCH"):
                _check_inner(call, request.body, keys, docs)
    validator = _validator(call, "body")
    if validator is None or (request.body is None and not _needs_body(call)):
        return
    if request.body is not None and "in_reply_to" in request.body:  # nothing else is needed then
        return
    problem = best_match(validator.iter_errors({} if request.body is None else request.body))
    if problem is not None:
        raise invalid_request(_words(problem), docs=docs)


def _needs_body(call: str) -> bool:
    return bool(description()["calls"][call]["body"].get("required"))


def _check_inner(call: str, body: JSON, keys: tuple[str, ...], docs: str) -> None:
    """Unknown keys in the objects of a body are refused, too."""
    schema: JSON = description()["calls"][call]["body"]
    values: list[Any] = [body]
    for key in keys:
        schema = schema.get("properties", {}).get(key, {})
        values = [value.get(key) for value in values if isinstance(value, dict)]
        if schema.get("type") == "array":
            schema = schema["items"]
            values = [one for value in values if isinstance(value, list) for one in value]
        for value in values:
            if "properties" in schema and isinstance(value, dict):
                _no_others(value, frozenset(schema["properties"]), docs)


def _no_others(body: JSON, permitted: frozenset[str], docs: str) -> None:
    others = [f'"{key}"' for key in body if key not in permitted]
    if others:
        verb = "is not a permitted key" if len(others) == 1 else "are not permitted keys"
        raise invalid_request(f"{', '.join(others)} {verb}.", docs=docs)


def _words(problem: ValidationError) -> str:
    path = "/".join(
        "items" if isinstance(part, int) else f"properties/{part}" for part in problem.absolute_path
    )
    where = f"For '{path}', " if path else ""
    value = "nil" if problem.instance is None else json.dumps(problem.instance)[:200]
    limit: Any = problem.validator_value
    instance: Any = problem.instance
    if problem.validator == "required":
        missing = [key for key in limit if key not in instance]
        return f'{where}"{missing[0]}" wasn\'t supplied.'
    if problem.validator == "type":
        wanted = limit[0] if isinstance(limit, list) else limit
        return f"{where}{value} is not {_TYPES.get(wanted, wanted)}."
    if problem.validator == "enum":
        return f"{where}{value} is not a member of [{', '.join(map(str, limit))}]."
    if problem.validator == "maxItems":
        return f"No more than {limit} items are allowed; {len(instance)} were supplied."
    if problem.validator == "maxLength":
        return f"Only {limit} characters are allowed; {len(instance)} were supplied."
    return f"{where}{problem.message}"


def unknown_parameters(call: str, request: Recorded) -> list[str]:
    """Query parameters that the call does not have; GitHub ignores them."""
    known = description()["calls"].get(call, {}).get("query")
    return [] if known is None else [name for name in request.query if name not in known]


def complaints_of_answer(call: str, answer: Answer) -> list[str]:
    """Where an answer of the fake is not as GitHub describes its own."""
    validator = _validator(call, str(answer.status))
    if validator is None or isinstance(answer.body, bytes):
        return []
    return [
        f"{call}: {'/'.join(map(str, error.absolute_path))}: {error.message[:300]}"
        for error in validator.iter_errors(answer.body)
        if error.instance is not None or error.absolute_path[-1] not in _NULL_ALL_THE_SAME
    ]


def must_be_object(request: Recorded, not_json: Any) -> None:
    """What GitHub says of bodies that it cannot read."""
    if request.body is not_json:
        raise Refused(400, "Problems parsing JSON")
    if request.body is not None and not isinstance(request.body, dict):
        raise Refused(400, "Body should be a JSON object")

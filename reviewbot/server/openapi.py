"""The OpenAPI 3.1 document of the API, which ``/openapi.json`` returns.

``reviewbot/schemas/openapi.yaml`` describes the calls. This module adds the parts that are defined
elsewhere, so that the document cannot differ. They are the options of a review, the events, the
version, and the responses of every call.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from reviewbot import __version__
from reviewbot.core.findings.finding import CATEGORIES
from reviewbot.jobs.options import (
    BODY_ONLY,
    LIST_LIMIT,
    LISTS,
    MOST_CHARACTERS,
    MOST_VALUES,
    options_schema,
)
from reviewbot.rules.folders import CUSTOM
from reviewbot.rules.load import rule_ids
from reviewbot.rules.names import PREFIXES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]

ALWAYS: Final = {
    "400": "BadRequest",
    "403": "Forbidden",
    "421": "Misdirected",
    "500": "Fault",
}
"""Error responses of every call: see :mod:`reviewbot.server.http.guard`."""
WITH_KEY: Final = {"401": "Unauthorized", "403": "WrongScope", "503": "Unavailable"}
"""Additional error responses of calls that use a key."""
BUDGET: Final = ("X-Tokens-Used", "X-Tokens-Remaining", "X-Tokens-Reset")
_METHODS: Final = frozenset({"delete", "get", "post"})
_ENVELOPE: Final = frozenset({"type", "seq", "review_id", "at"})
_NAMES: Final = {"finding": "FindingEvent", "finding_body": "Finding"}
_WHOLE: Final = "#/components/schemas/"


@cache
def openapi_json(*, need_key: bool) -> bytes:
    """Return the document as encoded JSON.

    Args:
        need_key: whether every call of ``/v1`` needs a key on this server.
    """
    document = openapi_document(need_key=need_key)
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode()


def openapi_document(*, need_key: bool = False) -> Json:
    """Return the document.

    Args:
        need_key: whether every call of ``/v1`` needs a key on this server.
    """
    document = _written()
    document["info"]["version"] = __version__
    schemas: Json = document["components"]["schemas"]
    schemas.update(_event_schemas())
    schemas.update(_option_schemas())
    security: list[Json] = [{"key": []}] if need_key else [{}, {"key": []}]
    for path, operation in _operations(document):
        _complete(operation, path, security)
    for path in ("/v1/reviews", "/v1/estimates"):
        document["paths"][path]["post"]["parameters"] += _option_parameters()
    return document


def _written() -> Json:
    """Return the YAML document, with anchors resolved to copies that can be changed separately."""
    import yaml

    text = files("reviewbot").joinpath("schemas/openapi.yaml").read_text(encoding="utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document: Json = json.loads(json.dumps(yaml.load(text, Loader=loader)))  # noqa: S506 - safe
    return document


def _operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield path, operation


def _complete(operation: Json, path: str, security: list[Json]) -> None:
    """Add the parts that all calls have in common, and the parts of all calls with a key."""
    of_reviews = path.startswith("/v1/")
    keyed = of_reviews or path == "/metrics"
    operation["security"] = security if keyed else []
    responses: Json = operation["responses"]
    for status, name in (ALWAYS | WITH_KEY if keyed else ALWAYS).items():
        responses.setdefault(status, {"$ref": f"#/components/responses/{name}"})
    operation["responses"] = dict(sorted(responses.items()))
    if of_reviews:
        budget_headers = {name: {"$ref": f"#/components/headers/{name}"} for name in BUDGET}
        for status, response in responses.items():
            if status.startswith("2"):
                response["headers"] = response.get("headers", {}) | budget_headers


def _event_schemas() -> Json:
    """Return a named schema for each event of ``events.schema.json``, and for the stream."""
    text = files("reviewbot").joinpath("schemas/events.schema.json").read_text(encoding="utf-8")
    published: Json = json.loads(text)
    kinds = [branch["$ref"].removeprefix("#/$defs/") for branch in published["oneOf"]]

    def name(defined: str) -> str:
        plain = "".join(map(str.capitalize, re.split("[._]", defined)))
        return _NAMES.get(defined, f"{plain}Event" if defined in kinds else plain)

    def elsewhere(reference: str) -> str:
        return _WHOLE + name(reference.removeprefix("#/$defs/"))

    found: Json = {
        name(defined): _with_references(schema, elsewhere)
        for defined, schema in published["$defs"].items()
    }
    found["Summary"] = _without_envelope(found[name("review.summary")])
    found["Verdict"] = _without_envelope(found[name("finding.verified")])
    found["Answer"] = _without_envelope(found[name("review.answer")])
    found["Event"] = {
        "description": published["description"],
        "oneOf": [{"$ref": _WHOLE + name(kind)} for kind in kinds],
        "discriminator": {
            "propertyName": "type",
            "mapping": {kind: _WHOLE + name(kind) for kind in kinds},
        },
    }
    # OpenAPI 3.1 does not define what the schema of a stream describes. This schema describes one
    # event, which OpenAPI 3.2 calls `itemSchema`, in the form of 3.2 for server-sent events
    # ("Special Considerations for text/event-stream Content").
    found["StreamedEvent"] = {
        "description": "A server-sent event. A stream has any number of them.",
        "type": "object",
        "required": ["event", "id", "data"],
        "properties": {
            "event": {"enum": kinds, "description": "The `type` of the event."},
            "id": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "Its `seq`."},
            "data": {
                "type": "string",
                "description": "The event, as JSON on one line.",
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": f"{_WHOLE}Event"},
            },
        },
    }
    return found


def _without_envelope(schema: Json) -> Json:
    """Return the schema of an event without the envelope, as a review contains it."""
    properties = schema["properties"]
    return {
        **schema,
        "required": [key for key in schema["required"] if key not in _ENVELOPE],
        "properties": {key: properties[key] for key in properties if key not in _ENVELOPE},
    }


def _option_schemas() -> Json:
    """Return the schema ``Options``, and the schemas that it refers to."""
    schema = options_schema()
    defined: Json = schema.pop("$defs", {})

    def elsewhere(reference: str) -> str:
        return _WHOLE + reference.removeprefix("#/$defs/").capitalize()

    found = {name.capitalize(): _with_references(one, elsewhere) for name, one in defined.items()}
    bounds = f"At most {MOST_CHARACTERS:,} characters and {MOST_VALUES:,} values in all."
    options = {"description": f"How to review. {bounds}", **_with_references(schema, elsewhere)}
    properties = options["properties"]
    for model in (properties["model"], properties["fallback_models"]["items"]):
        model["format"] = "model-name"
        model.pop("examples", None)
    properties["model"]["examples"] = ["offline"]
    found["Patterns"]["items"]["format"] = "gitignore-pattern"
    known = [*sorted(rule_ids()), *CATEGORIES]
    prefixes = "|".join(prefix.removesuffix("/") for prefix in (*PREFIXES, f"{CUSTOM}/"))
    named = {"type": "string", "pattern": f"^({prefixes})/", "maxLength": 200}
    for levels in (properties["rules"], found["Levels"]):
        levels["propertyNames"] = {"anyOf": [{"enum": known}, named]}
    return {"Options": options, **found}


def _option_parameters() -> list[Json]:
    """Return the options as query parameters, except options that need a body."""
    options: Json = _option_schemas()["Options"]["properties"]
    return [_parameter(name, one) for name, one in options.items() if name not in BODY_ONLY]


_PATTERNS: Final = {"exclude": "vendor/,*.snap", "accept_unread": "cobol,legacy/**"}


def _parameter(name: str, schema: Json) -> Json:
    """Return a query parameter; see :func:`~reviewbot.jobs.options.options_from_query`."""
    description = schema["description"]
    kept = {key: value for key, value in schema.items() if key != "description"}
    found = {"name": name, "in": "query", "description": description, "schema": kept}
    if name in _PATTERNS:
        # Not a list: the schema of a list cannot limit the total number of characters.
        found["description"] = f"{description} Separated by commas."
        found["schema"] = {"type": "string", "maxLength": LIST_LIMIT}
        found["example"] = _PATTERNS[name]
    elif name in LISTS:
        found["description"] = f"{description} Separated by commas."
        found |= {"style": "form", "explode": False}
    return found


def _with_references(value: Any, elsewhere: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON
    """Return a copy in which ``elsewhere`` has replaced the target of every ``$ref``."""
    match value:
        case dict():
            return {
                key: elsewhere(item) if key == "$ref" else _with_references(item, elsewhere)
                for key, item in value.items()
            }
        case list():
            return [_with_references(item, elsewhere) for item in value]
        case _:
            return value

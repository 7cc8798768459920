"""Options of a review request, and the resulting settings."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from reviewbot.core.decode import decoder
from reviewbot.core.prompt.purpose import ClosingIssue
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jsonschema import Draft202012Validator

    from reviewbot.config.settings import Settings

SETTABLE: Final = (
    "model",
    "fallback_models",
    "budget_usd",
    "summary",
    "instructions",
    "path_instructions",
    "exclude",
    "accept_unread",
    "linters",
    "rules",
    "path_rules",
    "confidence",
    "max_notes",
)
"""The settings of ``.reviewbot.yml`` that a request may set, in the same form."""

STORED: Final = (*SETTABLE, "guidelines", "lookups")
"""The settings that are stored with a review. The App alone sets those that are not settable."""

_OWN: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "cancel_on_disconnect": {
            "type": "boolean",
            "default": False,
            "description": "Cancel the review when the response that streams it is closed.",
        },
        "cache": {
            "type": "boolean",
            "default": True,
            "description": "Whether findings may be taken from the review cache.",
        },
        "truncate": {
            "enum": ["off", "middle"],
            "default": "off",
            "description": "What to do with a diff above the tokens that a request may take:"
            " refuse it, or leave out its middle, which makes the review incomplete.",
        },
    }
)


BODY_ONLY: Final = frozenset({"path_instructions", "path_rules", "rules"})
"""Options with nested values, which only a JSON body can carry."""
LISTS: Final = frozenset({"exclude", "accept_unread", "fallback_models"})
LIST_LIMIT: Final = 1_000
"""Maximum characters of a list in a query."""
MOST_CHARACTERS: Final = 65_536
"""Maximum characters of all texts in the options of a request, as in a ``.reviewbot.yml``."""
MOST_VALUES: Final = 2_000
"""Maximum number of values in the options of a request; each pattern is matched against each
path."""


@dataclass(frozen=True, slots=True)
class ReviewOptions:
    """The options of a request. ``settings`` holds the given options of :data:`SETTABLE`."""

    settings: Mapping[str, Any]
    cancel_on_disconnect: bool = False
    cache: bool = True
    truncate: Literal["off", "middle"] = "off"


def options_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``options``."""
    from reviewbot.config.file import schema

    known = schema()
    properties = {name: known["properties"][name] for name in SETTABLE}
    # A model is only a name: its address, and the environment variable that holds its key, are
    # configured by the operator of the server.
    properties["fallback_models"] = {
        **properties["fallback_models"],
        "items": {key: properties["model"][key] for key in ("type", "minLength", "maxLength")},
    }
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties | dict(_OWN),
        "$defs": {name: known["$defs"][name] for name in ("levels", "patterns")},
    }


def parse_options(values: Mapping[str, Any]) -> ReviewOptions:
    """Return the options of a request.

    Raises:
        ConfigError: an option is unknown, or its value is invalid. The error names the option.
    """
    _check_size(values)
    unknown = sorted(set(values) - set(SETTABLE) - set(_OWN))
    if unknown:
        raise ConfigError(
            f"there is no such option; supported are {', '.join((*SETTABLE, *_OWN))}",
            key=f"options.{unknown[0]:.60}",
        )
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):  # JSON can write 1e999
            raise ConfigError("is too large a number", key=f"options.{name}")
    for error in _validator().iter_errors(dict(values)):
        path = ".".join(map(str, error.absolute_path))
        raise ConfigError(_shorter(error.message), key=f"options.{path}")
    return ReviewOptions(
        settings={name: values[name] for name in SETTABLE if name in values},
        cancel_on_disconnect=values.get("cancel_on_disconnect", False),
        cache=values.get("cache", True),
        truncate=cast('Literal["off", "middle"]', values.get("truncate", "off")),
    )


def stored_options(values: Mapping[str, Any]) -> ReviewOptions:
    """Return the options that are stored with a review, to repeat it.

    ``cancel_on_disconnect`` is not stored: it belongs to a connection.
    """
    return ReviewOptions(
        settings={name: values[name] for name in STORED if name in values},
        cache=values.get("cache", True),
        truncate=values.get("truncate", "off"),  # missing in reviews of earlier versions
    )


def issues_to_json(issues: Sequence[ClosingIssue]) -> dict[str, Any]:
    """Return what is stored with a review of the issues that its change closes, by name."""
    return {"closing_issues": [asdict(issue) for issue in issues]} if issues else {}


def issues_from_json(stored: Mapping[str, Any]) -> tuple[ClosingIssue, ...]:
    """Return the issues of a stored review, whose other options are ignored.

    Raises:
        ValueError: a value is not of its type.
    """
    issues = decoder(tuple[ClosingIssue, ...])(stored.get("closing_issues", []), "closing_issues")
    return cast("tuple[ClosingIssue, ...]", issues)


@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(options_schema())


def _check_size(values: Mapping[str, Any]) -> None:
    """Check the size of the options, before slower checks.

    Raises:
        ConfigError: there are too many characters or values.
    """
    characters = number = 0
    waiting: list[object] = [dict(values)]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            characters += len(one)
        elif isinstance(one, dict | list):
            number += len(one)
            if number <= MOST_VALUES:
                waiting += [*one, *one.values()] if isinstance(one, dict) else one
        if characters > MOST_CHARACTERS or number > MOST_VALUES:
            raise ConfigError(
                f"have at most {MOST_CHARACTERS:,} characters and {MOST_VALUES:,} values in all",
                key="options",
            )


def options_from_query(query: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of a query string, as JSON values.

    A text is used as is, items of a list are separated by commas, and other values are JSON.

    Raises:
        ConfigError: a value cannot be read.
    """
    known = options_schema()["properties"]
    return {name: _read(name, text, known.get(name, {})) for name, text in query.items()}


def _read(name: str, text: str, schema: Mapping[str, Any]) -> object:
    if name in BODY_ONLY:
        raise ConfigError("does not fit into a query; send JSON", key=f"options.{name}")
    if name in LISTS:
        if len(text) > LIST_LIMIT:
            raise ConfigError(
                f"is longer than {LIST_LIMIT:,} characters; send JSON", key=f"options.{name}"
            )
        return [one.strip() for one in text.split(",") if one.strip()]
    if schema.get("type", "string") == "string":
        return text
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ConfigError(
            "is written as in JSON, such as true or 0.5", key=f"options.{name}"
        ) from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


def settings_for(
    load: Callable[[Mapping[str, object]], Settings], values: Mapping[str, Any]
) -> Settings:
    """Return the node's settings, overridden by the settings of a request.

    Raises:
        ConfigError: a model that the request names cannot be used.
    """
    settings = load({name: values[name] for name in STORED if name in values})
    for choice in settings.choices:
        if choice.problem:
            raise ConfigError(choice.problem, key="options.model")
    return settings


def _shorter(message: str) -> str:
    return message if len(message) <= 200 else message[:200] + "..."

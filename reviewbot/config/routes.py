"""Routes and the A/B split, from the file or a variable. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from reviewbot.config.model_choice import ModelChoice

Choose: TypeAlias = Callable[[str | Mapping[str, str]], "ModelChoice"]
"""Function from a model in the settings to the model with its address and key."""

Place: TypeAlias = Callable[[tuple[str | int, ...]], str]
"""Function that returns the location of a part of a setting, for messages."""

BOUNDS: Final = ("lines", "change_lines")
"""Conditions with a ``min_`` and a ``max_`` key each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """A route: the models for files that meet every condition; see the schema.

    Attributes:
        name: name of the route in messages and events, such as ``routes[0]``.
        source: location of the route in the settings.
        model: model that reviews.
        fallback_models: models to use if ``model`` fails; None uses those of the settings.
    """

    name: str
    source: str
    model: ModelChoice
    fallback_models: tuple[ModelChoice, ...] | None = None
    paths: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    min_lines: int | None = None
    max_lines: int | None = None
    min_change_lines: int | None = None
    max_change_lines: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSettings:
    """A second model for a share of the files without a route. Attributes as in RouteSettings."""

    name: str = "ab_split"
    source: str
    model: ModelChoice
    fallback_models: tuple[ModelChoice, ...] | None = None
    share: float
    by: Literal["file", "change"] = "file"


def read_routes(
    items: list[dict[str, Any]], choose: Choose, place: Place
) -> tuple[RouteSettings, ...]:
    """Return the routes of a value that satisfies the schema.

    Raises:
        ConfigError: a route can never match, or ``choose`` refuses its model.
    """
    return tuple(_route(item, index, choose, place) for index, item in enumerate(items))


def _route(item: dict[str, Any], index: int, choose: Choose, place: Place) -> RouteSettings:
    name = f"routes[{index}]"
    for bound in BOUNDS:
        low, high = item.get(f"min_{bound}"), item.get(f"max_{bound}")
        if low is not None and high is not None and low > high:
            raise ConfigError(
                f"must be at least min_{bound} ({low}), or the route matches no file",
                source=place((index, f"max_{bound}")),
                key=f"{name}.max_{bound}",
            )
    conditions: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else int(value)
        for key, value in item.items()
        if key not in ("model", "fallback_models")
    }
    return RouteSettings(name=name, source=place((index,)), **_who(item, choose), **conditions)


def read_split(item: dict[str, Any], choose: Choose, place: Place) -> SplitSettings | None:
    """Return the split of a value that satisfies the schema; None for a share of 0.

    Raises:
        ConfigError: ``choose`` refuses its model.
    """
    if item["share"] == 0:
        return None
    return SplitSettings(
        source=place(()),
        **_who(item, choose),
        share=float(item["share"]),
        by=item.get("by", "file"),
    )


def _who(item: dict[str, Any], choose: Choose) -> dict[str, Any]:
    fallbacks = item.get("fallback_models")
    return {
        "model": choose(item["model"]),
        "fallback_models": None if fallbacks is None else tuple(map(choose, fallbacks)),
    }


def routes_text(text: str, source: str) -> list[dict[str, Any]]:
    """Return the routes of ``docs=MODEL,security=MODEL``, one per category.

    Raises:
        ConfigError: the text does not have this form, or names an unknown category.
    """
    items: list[dict[str, Any]] = []
    for part in text.split(","):
        category, equals, model = (piece.strip() for piece in part.partition("="))
        if not (category and equals and model):
            raise ConfigError(
                f"must be CATEGORY=MODEL, several separated by commas, not {part.strip()!r:.60}",
                source=source,
            )
        items.append({"categories": [category], "model": model})
    _check("routes", items, source)
    return items


def split_text(text: str, source: str) -> dict[str, Any]:
    """Return the split of ``MODEL=SHARE``.

    Raises:
        ConfigError: the text does not have this form, or the share is not from 0 to 1.
    """
    model, _, share = (piece.strip() for piece in text.rpartition("="))
    try:
        number = float(share)
    except ValueError:
        number = -1.0
    if not model or not 0 <= number <= 1:
        message = f"must be MODEL=SHARE with a share from 0 to 1, not {text!r:.60}"
        raise ConfigError(message, source=source)
    item: dict[str, Any] = {"model": model, "share": number}
    _check("ab_split", item, source)
    return item


def _check(key: str, value: object, source: str) -> None:
    from reviewbot.config.file import check_value

    check_value(key, value, source)

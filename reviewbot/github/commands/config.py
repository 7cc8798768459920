"""Table of the settings of a repository's reviews, with their origins. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.render.markdown_text import cell, code_span, literal
from reviewbot.core.safety.redact import redact_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reviewbot.config.routes import RouteSettings, SplitSettings
    from reviewbot.config.settings import Settings
    from reviewbot.core.findings.levels import PathRules

_SHOWN = (
    "model",
    "fallback_models",
    "routes",
    "ab_split",
    "budget_usd",
    "summary",
    "exclude",
    "accept_unread",
    "linters",
    "verify",
    "verify_model",
    "lookups",
    "cross_file",
    "examples",
    "guidelines",
    "rules",
    "path_rules",
    "confidence",
    "max_notes",
    "max_inline",
    "rounds",
    "replies",
    "instructions",
    "path_instructions",
    "context_lines",
    "chunk_tokens",
    "batch_tokens",
    "reuse_similarity",
    "fail_on",
    "if_incomplete",
    "link_hosts",
)
_CONDITIONS = (
    "paths",
    "categories",
    "min_lines",
    "max_lines",
    "min_change_lines",
    "max_change_lines",
)
_LONGEST = 200


def settings_table(settings: Settings, *, origin: Callable[[str], str]) -> str:
    """Return a table of settings. ``origin`` returns the origin of a setting by its name."""
    values = {name: _value(settings, name) for name in _SHOWN}
    lines = [
        f"| {code_span(name)} | {cell(code_span(redact_text(value)))} |"
        f" {cell(literal(origin(name)))} |"
        for name, value in values.items()
    ]
    return "\n".join(["| Setting | Value | From |", "| --- | --- | --- |", *lines])


def _value(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if name in _WORDS:
        return _WORDS[name](value) or "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    text = "none" if value in (None, "", {}) else str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


def _models(one: RouteSettings | SplitSettings) -> str:
    chain = (one.model, *(one.fallback_models or ()))
    return ", then ".join(model.name for model in chain)


def _conditions(route: RouteSettings) -> str:
    met = {name: getattr(route, name) for name in _CONDITIONS}
    return ", ".join(
        f"{name} {' '.join(value) if isinstance(value, tuple) else value}"
        for name, value in met.items()
        if value is not None
    )


def _routes(routes: Iterable[RouteSettings]) -> str:
    return "; ".join(f"{_conditions(one)}: {_models(one)}" for one in routes)


def _split(split: SplitSettings | None) -> str:
    return f"{split.share:g} by {split.by}: {_models(split)}" if split else ""


def _path_rules(entries: Iterable[PathRules]) -> str:
    text = "; ".join(f"{', '.join(one.paths)}: {one.rules}" for one in entries)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


def _tokens(number: int | None) -> str:
    return "as the model permits" if number is None else f"{number:,}"


_WORDS: Final[dict[str, Callable[[Any], str]]] = {
    "model": lambda model: model.name,
    "fallback_models": lambda models: ", ".join(one.name for one in models),
    "verify_model": lambda model: model.name if model else "the model that reviewed",
    "routes": _routes,
    "ab_split": _split,
    "path_rules": _path_rules,
    "path_instructions": lambda these: "; ".join(", ".join(one.paths) for one in these),
    "chunk_tokens": _tokens,
    "batch_tokens": _tokens,
}

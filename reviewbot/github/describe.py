"""The settings that apply to a repository's reviews, and where each comes from. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.redact import redact_text
from reviewbot.core.render.markdown_text import cell, code_span, literal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from reviewbot.settings import Settings

_SHOWN = (
    "model",
    "fallback_models",
    "budget_usd",
    "summary",
    "exclude",
    "rules",
    "confidence",
    "max_notes",
    "instructions",
    "path_instructions",
)
_LONGEST = 200


def described(
    settings: Settings,
    *,
    fail_on: str,
    if_incomplete: str,
    link_hosts: Collection[str],
    origin: Callable[[str], str],
) -> str:
    """A table of settings.

    Args:
        settings: those of a review.
        fail_on: from which severity on the check fails.
        if_incomplete: how the check of an incomplete review ends.
        link_hosts: the hosts that links may lead to.
        origin: where a setting comes from, by its name.
    """
    values = {name: _value(settings, name) for name in _SHOWN}
    values |= {"fail_on": fail_on, "if_incomplete": if_incomplete}
    values["link_hosts"] = ", ".join(link_hosts) or "none"
    lines = [
        f"| {code_span(name)} | {cell(code_span(redact_text(value)))} |"
        f" {cell(literal(origin(name)))} |"
        for name, value in values.items()
    ]
    return "\n".join(["| Setting | Value | From |", "| --- | --- | --- |", *lines])


def _value(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    if name == "model":
        return str(value.name)
    if name == "fallback_models":
        return ", ".join(one.name for one in value) or "none"
    if name == "path_instructions":
        return "; ".join(", ".join(one.paths) for one in value) or "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    text = "none" if value in (None, "", {}) else str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."

"""The settings that apply to a repository's reviews, and where each comes from. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.redact import redact_text
from reviewbot.core.render.markdown_text import cell, code_span, literal

if TYPE_CHECKING:
    from collections.abc import Collection

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
    link_hosts: Collection[str] | None,
    file: str | None,
    of_file: Collection[str],
) -> str:
    """A table of settings.

    Args:
        settings: those of a review.
        fail_on: from which severity on the check fails.
        if_incomplete: how the check of an incomplete review ends.
        link_hosts: the hosts of the repository's file; None if it names none.
        file: the name of the repository's file; None if it has none.
        of_file: the settings that it says.
    """
    rows = [
        (name, _value(settings, name), _origin(settings, name, file, of_file)) for name in _SHOWN
    ]
    for name, value in (("fail_on", fail_on), ("if_incomplete", if_incomplete)):
        rows.append((name, value, file if file and name in of_file else "the default"))
    hosts = settings.link_hosts if link_hosts is None else link_hosts
    rows.append(
        ("link_hosts", ", ".join(hosts) or "none", _origin(settings, "link_hosts", file, of_file))
    )
    lines = [
        f"| {code_span(name)} | {cell(code_span(redact_text(value)))} | {cell(literal(origin))} |"
        for name, value, origin in rows
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


def _origin(settings: Settings, name: str, file: str | None, of_file: Collection[str]) -> str:
    if file and name in of_file:
        return file
    if name == "model" and name not in settings.origins:
        return f"the server: {settings.model_source}"
    return "the server" if name in settings.origins else "the default"

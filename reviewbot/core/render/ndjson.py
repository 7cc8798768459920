"""Newline-delimited JSON, one record per line (https://github.com/ndjson/ndjson-spec). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.render.inert import json_text

if TYPE_CHECKING:
    from reviewbot.core.events.records import Json


def render(record: Json) -> str:
    r"""Return the line of one record with ``\n``. Paths that are not UTF-8 are preserved."""
    return json_text(record) + "\n"

"""The whole review, or its plan, as one JSON object, for scripts: format ``json``. Pure.

Its values have the same fields as in the events, see ``schemas/events.schema.json``.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from reviewbot.core.render.inert import json_text

if TYPE_CHECKING:
    from reviewbot.core.events.events import Event
    from reviewbot.core.events.report import Report


def render(report: Report) -> str:
    """Return all of ``report``, and ``counts``: findings that are not held back, by severity."""
    return json_text({**asdict(report), "counts": report.counts}, indent=2) + "\n"


def plan_document(plan: Event, *skipped: Event) -> str:
    """Return the events that open a review: the plan, and the skipped files in ``skipped``."""
    return json_text({**asdict(plan), "skipped": list(map(asdict, skipped))}, indent=2) + "\n"

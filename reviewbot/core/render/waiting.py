"""Write and parse the activity of a review that waits for its next attempt. Pure."""

from __future__ import annotations

import re
from typing import Final

from reviewbot.core.render.author import cause

OVERLOADED: Final = "overloaded"
"""Kind of the failure of a model service that is overloaded (HTTP 529)."""
_OVERLOADED_UNTIL: Final = re.compile(
    rf"{cause(OVERLOADED)}; the next attempt is at ([0-9]{{2}}:[0-9]{{2}}) UTC"
)


def next_attempt(reason: str, time: str) -> str:
    """Return an activity; ``reason`` has no full stop, and ``time`` is UTC, such as ``14:05``."""
    return f"{reason}; the next attempt is at {time} UTC"


def overloaded_until(activity: str | None) -> str | None:
    """Return the time in an activity that waits for an overloaded service; None for any other."""
    match = _OVERLOADED_UNTIL.fullmatch(activity or "")
    return match[1] if match else None

"""The line that names the code a finding rests on, for every format. Pure.

It names checked places only, at most :data:`PLACES` of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.findings.finding import Finding, RestsOn

LABEL: Final = "Rests on"
PLACES: Final = 3
"""Most places that the line names; more are counted."""
OLD: Final = " (old version)"


def places_of(finding: Finding) -> tuple[RestsOn, ...]:
    """Return the places that a finding rests on, those outside the diff first.

    Lines of the finding's own file are left out if the diff shows them, beside the finding.
    """
    places = (
        place for place in finding.rests_on if not (place.is_shown and place.path == finding.path)
    )
    return tuple(sorted(places, key=lambda place: place.is_shown))


def path_and_lines(place: RestsOn) -> str:
    """Return path and lines of a place, such as ``src/a.py:12`` or ``src/b.py:30-31``."""
    last = f"-{place.end_line}" if place.end_line > place.line else ""
    return f"{place.path}:{place.line}{last}"


def rests_on(finding: Finding, name: Callable[[RestsOn], str] = path_and_lines) -> str:
    """Return the places, such as ``src/a.py:12, src/b.py:30-31 (old version) and 2 more``.

    The text is empty if the finding rests on nothing.

    Args:
        finding: the finding.
        name: function that returns path and lines of a place, safe in its format.
    """
    places = places_of(finding)
    named = ", ".join(f"{name(place)}{OLD if place.base else ''}" for place in places[:PLACES])
    more = len(places) - PLACES
    return f"{named} and {more} more" if more > 0 else named

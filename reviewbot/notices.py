"""What a user is told of a plan before anything is sent. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.languages import language_of
from reviewbot.settings import OFFLINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reviewbot.core.chunks import Plan
    from reviewbot.settings import Settings


def plan_notices(settings: Settings, planned: Plan, *, offline: bool) -> Iterator[str]:
    """What of ``planned`` will be reviewed in part alone, and what the offline rules cannot do."""
    paths = list(dict.fromkeys(chunk.path for chunk in planned.chunks if chunk.cut))
    if paths:
        yield f"A line is too long to be shown whole, so it is shown in part: {_which(paths)}."
    if offline:
        yield from _offline_notices(settings, planned)


def _offline_notices(settings: Settings, planned: Plan) -> Iterator[str]:
    from reviewbot.rules import FOLDERS_OF  # loads the engine: not for a review by a model

    if "model" not in settings.origins:  # nobody asked for it
        yield f"Reviewed {OFFLINE}: {settings.model_source}."
    foreign = [
        file.path
        for file in planned.files
        if file.reason is None and language_of(file.path) not in FOLDERS_OF
    ]
    if foreign:
        yield (
            f"There are no offline syntax rules for {_which(foreign)};"
            " only secrets and text were checked."
        )


def _which(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"

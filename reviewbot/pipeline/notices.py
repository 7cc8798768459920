"""Notices about a plan, shown before anything is sent. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.config.settings import OFFLINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.core.plan.chunks import Batch, Plan


def plan_notices(settings: Settings, planned: Plan, first: Callable[[Batch], str]) -> Iterator[str]:
    """Yield notices about truncated lines, replaced models, and a review without a model.

    Args:
        settings: the loaded settings.
        planned: the plan.
        first: function that returns the first model of a batch.
    """
    paths = list(dict.fromkeys(chunk.path for chunk in planned.chunks if chunk.cut))
    if paths:
        yield f"A line is too long to be shown whole, so it is shown in part: {_which(paths)}."
    asked = [(batch, first(batch)) for batch in planned.batches]
    gone = {(batch.chain.models[0], name) for batch, name in asked if batch.chain.models}
    for wanted, instead in sorted((old, new) for old, new in gone if old != new):
        yield f"This was planned for {wanted}, which is no longer set: {instead} reviews it."
    if settings.model.name == OFFLINE and "model" not in settings.origins:  # not chosen by the user
        yield f"Reviewed {OFFLINE}: {settings.model_source}."


def _which(paths: Sequence[str]) -> str:
    return paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"

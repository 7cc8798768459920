"""The models that a request can name, with their prices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reviewbot.config.settings import OFFLINE
from reviewbot.models.catalog import known_models, lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reviewbot.config.settings import Settings
    from reviewbot.models.catalog import ModelInfo


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models of a server.

    Attributes:
        default: name of the model that reviews if a request names none.
        others: names of models that review some files instead of ``default``.
        models: the usable models, ``default`` first.
        offline_reason: why the offline rules review although nobody chose them; None otherwise.
        budget_usd: most dollars of a review; None without a limit.
    """

    default: str
    others: tuple[str, ...]
    models: tuple[ModelInfo, ...]
    offline_reason: str | None
    budget_usd: float | None


def list_models(load: Callable[[Mapping[str, object]], Settings]) -> ModelList:
    """Return the models of a server. ``load`` returns the settings for the options of a request.

    A model of the catalogue is listed if its key is known. The catalogue has the models of
    Anthropic's own API, so with another server only the configured models are listed.
    """
    settings = load({})
    default = settings.model.name
    first = (chain[0].name for setting, chain in settings.chains() if setting != "verify_model")
    chosen = [choice.name for choice in settings.choices]
    catalogue = load({"fallback_models": [*settings.models, *known_models()]})
    usable = (
        choice.name
        for choice in catalogue.choices
        if choice.problem is None and (choice.base_url is None or choice.name in settings.models)
    )
    by_default = default == OFFLINE and "model" not in settings.origins
    return ModelList(
        default=default,
        others=tuple(name for name in dict.fromkeys(first) if name != default),
        models=tuple(
            lookup(name, settings.models) for name in dict.fromkeys((*chosen, *usable, OFFLINE))
        ),
        offline_reason=settings.model_source if by_default else None,
        budget_usd=settings.budget_usd,
    )

"""The clients of the models that the settings name."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from reviewbot.config.settings import OFFLINE
from reviewbot.errors import ConfigError
from reviewbot.models.catalog import lookup
from reviewbot.pipeline.planner import Chains

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.config.settings import ModelChoice, Settings
    from reviewbot.core.plan.routing import Chain
    from reviewbot.models.anthropic.claude import Claude
    from reviewbot.models.anthropic.deadlines import Frame
    from reviewbot.models.base import Model
    from reviewbot.models.offline.parser import Parser
    from reviewbot.rules.rule import Rule


def check_choices(settings: Settings) -> None:
    """Check that each model of the settings has the key that it needs.

    Raises:
        ConfigError: a model has no key. The error names the route.
    """
    places = {route.name: route.source for route in settings.routes}
    if settings.ab_split:
        places[settings.ab_split.name] = settings.ab_split.source
    for setting, choices in settings.chains():
        for problem in (choice.problem for choice in choices if choice.problem):
            key = setting if setting in places else None
            raise ConfigError(problem, source=places.get(setting), key=key)


class ModelClients:
    """Clients of the models of the settings; chains that contain the same model share a client.

    ``parser`` parses source code for the offline rules, to which ``custom_rules`` are added.
    ``client_of`` may return the client of a model in place of the usual one.

    Raises:
        ConfigError: a model has no key. The error names the route.
    """

    def __init__(
        self,
        settings: Settings,
        parser: Parser,
        custom_rules: Sequence[Rule] = (),
        client_of: Callable[[ModelChoice], Model | None] | None = None,
    ) -> None:
        if client_of is None:
            check_choices(settings)
        self.chains = Chains(settings)
        self._clients: dict[ModelChoice, Model] = {}
        self._settings, self._parser = settings, parser
        self._custom_rules, self._client_of = tuple(custom_rules), client_of

    def chain(self, chain: Chain) -> tuple[Model, ...]:
        """Return the models of ``chain``, best first."""
        return tuple(map(self.client, self.chains.choices(chain)))

    def online(self) -> tuple[Model, ...]:
        """Return the models of the default chain except the offline rules."""
        return tuple(model for model in self.chain(self.chains.rest) if not model.info.offline)

    def named(self, name: str) -> Model | None:
        """Return the client of the model ``name``; None if the settings do not name it."""
        found = (choice for choice in self._settings.choices if choice.name == name)
        return next(map(self.client, found), None)

    def client(self, choice: ModelChoice) -> Model:
        """Return the client of a model."""
        if choice not in self._clients:
            self._clients[choice] = self._new_client(choice)
        return self._clients[choice]

    def _new_client(self, choice: ModelChoice) -> Model:
        if self._client_of and (client := self._client_of(choice)) is not None:
            return client
        if choice.name == OFFLINE:
            from reviewbot.models.offline.model import OfflineModel

            return OfflineModel(self._parser, self._custom_rules)
        return claude_of(choice, self._settings)

    async def aclose(self) -> None:
        """Close every client."""
        async with AsyncExitStack() as stack:
            for client in self._clients.values():
                stack.push_async_callback(client.aclose)


def claude_of(
    choice: ModelChoice, settings: Settings, *, on_frame: Callable[[Frame], None] | None = None
) -> Claude:
    """Return the client of a model on a server, without a request.

    Args:
        choice: the model.
        settings: the loaded settings.
        on_frame: function that sees each event of a response.

    Raises:
        ConfigError: the model has no key, or its overrides are invalid.
    """
    if choice.problem:
        raise ConfigError(choice.problem)
    info = lookup(choice.name, settings.models)
    from reviewbot.models.anthropic.claude import Claude, ModelTimeouts

    limits = settings.timeouts
    return Claude(
        info,
        api_key=choice.api_key.reveal() if choice.api_key else None,
        base_url=choice.base_url,
        timeouts=ModelTimeouts(
            first_content_s=limits.first_content_s, idle_s=limits.idle_s, total_s=limits.total_s
        ),
        on_frame=on_frame,
    )

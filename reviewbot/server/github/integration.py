"""GitHub on a server: the App at work, or the set-up that makes one."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from reviewbot.github.app.bot import Bot
from reviewbot.server.github.setup import GitHubSetup, SetupConfig, setup_routes
from reviewbot.server.github.webhook import webhook_routes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from starlette.routing import Route

    from reviewbot.config.settings import SecretText, Settings
    from reviewbot.github.app.credentials import AppConfig
    from reviewbot.github.app.inbox import Inbox
    from reviewbot.jobs.service import ReviewService
    from reviewbot.store.keys import Limits


class GitHubSide:
    """See the module. Use as an async context manager, within that of the service.

    Args:
        app: the App, if there is one.
        setup: where one would be stored, and where GitHub and people reach this server.
        service: the reviews of the server.
        load: makes settings of options, as the server's own.
        limits: what each installation may use.

    Raises:
        ConfigError: the App cannot be used.
    """

    def __init__(
        self,
        app: AppConfig | None,
        setup: SetupConfig,
        service: ReviewService,
        load: Callable[[Mapping[str, object]], Settings],
        limits: Limits,
    ) -> None:
        self._service, self._load, self._public_url = service, load, setup.public_url
        self._limits = limits
        self._first = self._made(app) if app else None
        self._setup = GitHubSetup(setup, self._begin) if app is None else None
        self._bot: Bot | None = None
        self._ended = AsyncExitStack()

    @property
    def routes(self) -> list[Route]:
        """The webhook, and the pages of the set-up while there is no App."""
        return [
            *webhook_routes(self._current),
            *(setup_routes(self._setup) if self._setup else []),
        ]

    def invitation(self, address: str) -> str | None:
        """The line that leads to the set-up, if there is one; ``address`` is where we listen."""
        return self._setup.invitation(address) if self._setup else None

    def _current(self) -> tuple[Inbox, Sequence[SecretText]] | None:
        return (self._bot.inbox, self._bot.secrets) if self._bot else None

    async def _begin(self, app: AppConfig) -> None:
        self._bot = await self._ended.enter_async_context(self._made(app))

    def _made(self, app: AppConfig) -> Bot:
        return Bot(app, self._service, self._load, public_url=self._public_url, limits=self._limits)

    async def __aenter__(self) -> Self:
        if self._first is not None:
            self._bot = await self._ended.enter_async_context(self._first)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ended.aclose()

"""GitHub on a server: the running App, or the set-up that creates an App."""

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
    """The GitHub App of a server, or its set-up.

    Use as an async context manager, inside the context of the service.

    Args:
        app: the App; None starts the set-up.
        setup: where an App is stored, and where GitHub and people reach this server.
        service: the review service.
        load: function that turns options into settings, based on the server's own settings.
        limits: limits of each installation.
        clone_bytes: maximum size of the clones in the state folder; 0 keeps none.

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
        *,
        clone_bytes: int = 0,
    ) -> None:
        self._service, self._load, self._public_url = service, load, setup.public_url
        self._limits, self._clone_bytes = limits, clone_bytes
        self._first = self._made(app) if app else None
        self._setup = GitHubSetup(setup, self._begin) if app is None else None
        self._bot: Bot | None = None
        self._ended = AsyncExitStack()

    @property
    def routes(self) -> list[Route]:
        """Routes of the webhook, and of the set-up if the server started without an App."""
        return [
            *webhook_routes(self._current),
            *(setup_routes(self._setup) if self._setup else []),
        ]

    def invitation(self, address: str) -> str | None:
        """Return the line with the link to the set-up; None without a set-up.

        Args:
            address: where the server listens, ``http://HOST:PORT``.
        """
        return self._setup.invitation(address) if self._setup else None

    def _current(self) -> tuple[Inbox, Sequence[SecretText]] | None:
        return (self._bot.inbox, self._bot.config.webhook_secrets) if self._bot else None

    async def _begin(self, app: AppConfig) -> None:
        self._bot = await self._ended.enter_async_context(self._made(app))

    def _made(self, app: AppConfig) -> Bot:
        return Bot(
            app,
            self._service,
            self._load,
            public_url=self._public_url,
            limits=self._limits,
            clone_bytes=self._clone_bytes,
        )

    async def __aenter__(self) -> Self:
        if self._first is not None:
            self._bot = await self._ended.enter_async_context(self._first)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ended.aclose()

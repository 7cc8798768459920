"""Authentication at GitHub as an App, an installation, or the holder of a given token.

The token of an installation is valid for an hour. The token is created on first use, shared by all
callers, and replaced before it expires.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol

from reviewbot.config.settings import SecretText
from reviewbot.errors import ConfigError
from reviewbot.github.client.errors import NotFoundError
from reviewbot.github.client.exchange import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from reviewbot.github.client.caller import AccountClient, Record
    from reviewbot.github.client.clock import GitHubClock

EARLY_S: Final = 300.0
"""Seconds before its end at which a token is replaced; half its life if that is shorter."""
_IN_A_HEADER: Final = re.compile(r"[!-~]+")
AS_ASKED_S: Final = 60.0
"""Age in seconds below which a refused token is not replaced: a new one would be refused, too."""


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """A GitHub App: its id, or its client id, and its private key as PEM."""

    app_id: str
    private_key: SecretText

    def __post_init__(self) -> None:
        if not self.app_id.strip():
            raise ConfigError("the App's id is empty", source="REVIEWBOT_GITHUB_APP_ID")


class Identity(Protocol):
    """Source of the token of each request."""

    async def token(self) -> SecretText | None:
        """Return the token of the next request; None to send no token."""
        ...

    def renewed(self, refused: SecretText | None, /) -> bool:
        """Return whether another token is available after GitHub rejected ``refused``."""
        ...


class GivenToken:
    """A given token, or no token.

    Raises:
        ConfigError: the text cannot be a token.
    """

    def __init__(self, token: SecretText | None) -> None:
        if token is not None and not _IN_A_HEADER.fullmatch(token.reveal()):
            raise ConfigError(
                "this is not a token: it is empty or has spaces", source="GITHUB_TOKEN"
            )
        self._token = token

    async def token(self) -> SecretText | None:
        """Return the token."""
        return self._token

    def renewed(self, _refused: SecretText | None, /) -> bool:
        """Return False: there is no other token."""
        return False


class AppToken:
    """The App itself: a JWT for each request, signed with its key."""

    def __init__(self, sign: Callable[[], Awaitable[SecretText]]) -> None:
        self._sign = sign

    async def token(self) -> SecretText | None:
        """Return a new one."""
        return await self._sign()

    def renewed(self, _refused: SecretText | None, /) -> bool:
        """Return True: each token is new, and GitHub's clock is known better after a response."""
        return True


class InstallationToken:
    """The token of an installation, shared by all callers. ``app`` authenticates as the App."""

    def __init__(self, installation: int, *, app: AccountClient, clock: GitHubClock) -> None:
        self._installation, self._app, self._clock = installation, app, clock
        self._lock = asyncio.Lock()
        self._token: SecretText | None = None
        self._made_at = self._good_until = 0.0

    async def token(self) -> SecretText | None:
        """Return the current token, or a new one."""
        async with self._lock:
            if self._token is None or asyncio.get_running_loop().time() >= self._good_until:
                await self._make()
            return self._token

    def renewed(self, refused: SecretText | None, /) -> bool:
        """Return whether to retry with a new token. A recent token is not worth a retry."""
        if refused != self._token:
            return True
        if asyncio.get_running_loop().time() - self._made_at < AS_ASKED_S:
            return False
        self._token = None
        return True

    async def _make(self) -> None:
        # The request may be repeated: a token in a lost response does no harm.
        path = f"/app/installations/{self._installation}/access_tokens"
        request = Request(verb="POST", path=path, body={})
        try:
            token, ends = await self._app.one(request, _made)
        except NotFoundError:
            raise NotFoundError(
                f"GitHub does not know installation {self._installation} of this App: it was"
                " removed, or belongs to another App",
                status=404,
            ) from None
        life = ends - self._clock.now()
        self._token, self._made_at = token, asyncio.get_running_loop().time()
        self._good_until = self._made_at + max(life - EARLY_S, life / 2)


def _made(found: Record) -> tuple[SecretText, float]:
    """Return a token and the time of its end."""
    return SecretText(found["token"]), datetime.fromisoformat(found["expires_at"]).timestamp()

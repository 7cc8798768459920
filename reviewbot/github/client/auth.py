"""Who we are at GitHub: an App, one of its installations, or the holder of a given token.

The token of an installation lives an hour. It is made when it is first needed, used by all who
ask, and replaced before it ends.
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
"""A token is replaced so long before it ends, or after half its life if that is short."""
_IN_A_HEADER: Final = re.compile(r"[!-~]+")
AS_ASKED_S: Final = 60.0
"""A token that is refused while it is younger than this is not replaced: another would be, too."""


@dataclass(frozen=True, slots=True)
class AppCredentials:
    """A GitHub App: its id, or its client id, and its private key as PEM."""

    app_id: str
    private_key: SecretText

    def __post_init__(self) -> None:
        if not self.app_id.strip():
            raise ConfigError("the App's id is empty", source="REVIEWBOT_GITHUB_APP_ID")


class Identity(Protocol):
    """Where the token of each request comes from."""

    async def token(self) -> SecretText | None:
        """What the next request is sent with; None: nothing."""
        ...

    def renewed(self, refused: SecretText | None) -> bool:
        """GitHub did not accept ``refused``: whether there will be another."""
        ...


class GivenToken:
    """A token that we were given, or none at all.

    Raises:
        ConfigError: it cannot be one.
    """

    def __init__(self, token: SecretText | None) -> None:
        if token is not None and not _IN_A_HEADER.fullmatch(token.reveal()):
            raise ConfigError("this is no token: it is empty or has spaces", source="GITHUB_TOKEN")
        self._token = token

    async def token(self) -> SecretText | None:
        """Return the token."""
        return self._token

    def renewed(self, refused: SecretText | None) -> bool:
        """There is no other."""
        del refused
        return False


class AppToken:
    """The App itself: a JWT for each request, signed with its key."""

    def __init__(self, sign: Callable[[], Awaitable[SecretText]]) -> None:
        self._sign = sign

    async def token(self) -> SecretText | None:
        """Return a new one."""
        return await self._sign()

    def renewed(self, refused: SecretText | None) -> bool:
        """It is another each time, and by then our idea of GitHub's clock is better."""
        del refused
        return True


class InstallationToken:
    """The token of an installation, for all who ask.

    Args:
        installation: its id.
        app: what sends as the App.
        clock: GitHub's.
    """

    def __init__(self, installation: int, *, app: AccountClient, clock: GitHubClock) -> None:
        self._installation, self._app, self._clock = installation, app, clock
        self._lock = asyncio.Lock()
        self._token: SecretText | None = None
        self._made_at = self._good_until = 0.0

    async def token(self) -> SecretText | None:
        """Return the present one, or the next.

        Raises:
            GitHubError: GitHub makes none.
        """
        async with self._lock:
            if self._token is None or asyncio.get_running_loop().time() >= self._good_until:
                await self._make()
            return self._token

    def renewed(self, refused: SecretText | None) -> bool:
        """One that was fine a while ago may have been revoked; a new one is not the reason."""
        if refused != self._token:
            return True
        if asyncio.get_running_loop().time() - self._made_at < AS_ASKED_S:
            return False
        self._token = None
        return True

    async def _make(self) -> None:
        # It changes nothing, and may be sent again: a token that nobody got to know does no harm.
        path = f"/app/installations/{self._installation}/access_tokens"
        request = Request(verb="POST", path=path, body={})
        try:
            token, ends = await self._app.one(request, _made)
        except NotFoundError:
            raise NotFoundError(
                f"GitHub knows no installation {self._installation} of this App: it was removed, or"
                " belongs to another App",
                status=404,
            ) from None
        life = ends - self._clock.now()
        self._token, self._made_at = token, asyncio.get_running_loop().time()
        self._good_until = self._made_at + max(life - EARLY_S, life / 2)


def _made(found: Record) -> tuple[SecretText, float]:
    """Return a token, and when it ends."""
    return SecretText(found["token"]), datetime.fromisoformat(found["expires_at"]).timestamp()

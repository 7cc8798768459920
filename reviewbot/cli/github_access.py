"""Access to GitHub with the user's own token, for commands that only read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from reviewbot.cli.waiting import WaitIndicator
from reviewbot.config.load import read_variable
from reviewbot.config.settings import SecretText
from reviewbot.config.variables import GITHUB_ADDRESS, TOKENS
from reviewbot.errors import SourceError
from reviewbot.github.api.gateway import API_URL, Gateway
from reviewbot.github.client.errors import NotFoundError, RateLimitedError
from reviewbot.github.client.rate_limit import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from reviewbot.github.api.gateway import Api

PATIENCE_S: Final = 60.0
"""Seconds to wait for a rate limit, since a user is waiting."""

T = TypeVar("T")


def access() -> tuple[str, SecretText | None]:
    """Return the address of the API, and the token for it.

    Raises:
        ConfigError: the address comes from ``.env``, which is untrusted, and the token does not.
    """
    address = (read_variable(GITHUB_ADDRESS) or API_URL).strip().rstrip("/")
    token = next(filter(None, ((read_variable(name) or "").strip() for name in TOKENS)), None)
    return address or API_URL, SecretText(token) if token else None


async def fetch(
    what: str,
    address: str,
    token: SecretText | None,
    read: Callable[[Api, WaitIndicator], Coroutine[Any, Any, T]],
) -> T:
    """Return what ``read`` fetches from GitHub; show the progress meanwhile.

    ``what`` names the pull request or the repository for the user.

    Raises:
        SourceError: there is no such thing, or a token is needed to see it.
        GitHubError: GitHub refuses a request, or does not respond.
    """
    gateway = Gateway(token, base_url=address, pace=Pace(patience_s=PATIENCE_S))
    async with gateway:
        waiting = WaitIndicator(f"fetching {what}")
        try:
            return await waiting.until(read(gateway.holder(), waiting))
        except NotFoundError as error:
            if token is not None:
                raise
            message = f"there is no {what}, or it is not public: set {TOKENS[0]} to read it"
            raise SourceError(message) from error
        except RateLimitedError as error:
            if token is not None:
                raise
            message = f"{error}; set {TOKENS[0]}, since with a token the limit is higher"
            raise RateLimitedError(message, seconds=error.seconds) from error

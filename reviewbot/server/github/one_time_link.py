"""A link that lets one browser in: its token works once, and becomes a cookie.

Whoever can read the terminal of the server is its owner. The token leaves the address at once, so
that neither the history nor a screen shows one that still opens something.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LIFE_S: Final = 3600.0
"""How long link and cookie are good for: as long as GitHub gives a manifest's flow."""
TOKEN: Final = "token"  # noqa: S105 - the name of the parameter


class OneTimeLink:
    """A link, who came in by it, and what proves that an answer of another site is for them.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._ends = clock, clock() + LIFE_S
        self._token = secrets.token_urlsafe(32)
        self._cookie: str | None = None
        self._state: str | None = None

    def address(self, page: str) -> str:
        """Return the link to ``page``; a secret."""
        return f"{page}?{TOKEN}={self._token}"

    @property
    def is_over(self) -> bool:
        """Whether its time is over, for who came in, too."""
        return self._clock() >= self._ends

    @property
    def is_used(self) -> bool:
        """Whether somebody came in by it."""
        return self._cookie is not None

    @property
    def state(self) -> str:
        """What another site is to send back, so that its answer is known to be asked for.

        Raises:
            ValueError: nobody came in yet.
        """
        if self._state is None:
            raise ValueError("nobody came in by the link")
        return self._state

    def enter(self, token: str) -> str | None:
        """The value of the cookie for who has the token and comes first; None for all others."""
        if self.is_over or self.is_used or not _same(token, self._token):
            return None
        self._cookie, self._state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        return self._cookie

    def knows(self, cookie: str | None) -> bool:
        """Return whether this is the cookie of who came in."""
        if self.is_over or self._cookie is None or cookie is None:
            return False
        return _same(cookie, self._cookie)

    def expects(self, state: str) -> bool:
        """Return whether this is the state that the other site was given."""
        return self._state is not None and _same(state, self._state)


def _same(given: str, secret: str) -> bool:
    """In a time that tells nothing of the secret."""
    return secrets.compare_digest(given.encode("utf-8", "replace"), secret.encode())

"""A link that admits one browser: its token works once, and is exchanged for a cookie.

Whoever can read the terminal of the server counts as its owner. The token leaves the address at
once, so neither the history nor a screen shows a token that still works.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

LIFE_S: Final = 3600.0
"""Seconds that link and cookie are valid: as long as GitHub allows for the manifest flow."""
TOKEN: Final = "token"  # noqa: S105 - the name of the parameter


class OneTimeLink:
    """A link, the cookie of the browser that used the link, and the state for another site.

    ``clock`` returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._ends = clock, clock() + LIFE_S
        self._token = secrets.token_urlsafe(32)
        self._cookie: str | None = None
        self._state: str | None = None

    def address(self, page: str) -> str:
        """Return the link to ``page``; the link is a secret."""
        return f"{page}?{TOKEN}={self._token}"

    @property
    def is_over(self) -> bool:
        """True once the link and the cookie have expired."""
        return self._clock() >= self._ends

    @property
    def is_used(self) -> bool:
        """True once a browser has used the link."""
        return self._cookie is not None

    @property
    def state(self) -> str:
        """Value that another site must send back, to prove that its response was requested.

        Raises:
            ValueError: no browser has used the link.
        """
        if self._state is None:
            raise ValueError("nobody has opened the link")
        return self._state

    def enter(self, token: str) -> str | None:
        """Return the cookie for the first browser with the token; None for all others."""
        if self.is_over or self.is_used or not _same(token, self._token):
            return None
        self._cookie, self._state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        return self._cookie

    def knows(self, cookie: str | None) -> bool:
        """Return whether ``cookie`` is valid and belongs to the browser that used the link."""
        if self.is_over or self._cookie is None or cookie is None:
            return False
        return _same(cookie, self._cookie)

    def expects(self, state: str) -> bool:
        """Return whether ``state`` is the value that the other site was given."""
        return self._state is not None and _same(state, self._state)


def _same(given: str, secret: str) -> bool:
    """Compare in a time that does not depend on the secret."""
    return secrets.compare_digest(given.encode("utf-8", "replace"), secret.encode())

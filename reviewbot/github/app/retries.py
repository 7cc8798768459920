"""Whether a delivery that went wrong is tried again, when, and what is told of it. Pure."""

from __future__ import annotations

from typing import Final

from reviewbot.errors import ConfigError, DiffError, ReviewbotError
from reviewbot.github.errors import (
    BlockedError,
    DiffTooLargeError,
    IncompleteListError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
)
from reviewbot.store.budgets import OverLimitError

LONGEST_PAUSE_S: Final = 600.0
LONGEST_LIMIT_S: Final = 3600.0
"""The most that a rate limit is waited for: GitHub counts by the hour."""
MOST_TRIES: Final = 20
"""With the pauses between them that is an hour and three quarters, and longer only while GitHub
itself asks us to wait. Tries are counted and not hours, so that a delivery is not given up for the
time in which no server ran."""
LIMITED_TRIES: Final = 200
"""Those that a limit of GitHub refused: it counts for many at once, and passes."""
FEW_TRIES: Final = 5
"""Half a minute."""
REASON_LIMIT: Final = 1_000
"""Characters of a reason that is stored."""


class OtherHeadError(ReviewbotError):
    """GitHub tells of another head than the one that it told us of, which it may not have yet."""


HOPELESS: Final = (ConfigError, DiffError)
"""The same input leads to the same error; a person has to change it, and that is a new event."""
REFUSED: Final = (
    *(BlockedError, DiffTooLargeError, IncompleteListError, InvalidError, NotFoundError),
    TooLargeError,
    OtherHeadError,
)
"""GitHub has answered, and will say the same later. Not at first, though: its copies follow its
webhooks by some seconds, in which what is new is not there yet, or not valid."""
# All else is tried for long: what passes by itself (no answer, limits, the database), what an
# operator or an owner can mend meanwhile (credentials, permissions), and what nobody expected.


def pause_after(error: Exception | None, tries: int) -> float | None:
    """Seconds to the next try, or None: there is none.

    Args:
        error: what the try ended with; None if it broke off with its node.
        tries: how many there were.
    """
    if isinstance(error, HOPELESS) or tries >= _most_tries(error):
        return None
    pause = min(2.0 ** (tries - 1), LONGEST_PAUSE_S)
    if isinstance(error, RateLimitedError):
        return max(pause, min(error.seconds, LONGEST_LIMIT_S))
    return pause


def _most_tries(error: Exception | None) -> int:
    if isinstance(error, OverLimitError):
        return 1  # until tomorrow, and then somebody asks again
    if isinstance(error, RateLimitedError):
        return LIMITED_TRIES
    return FEW_TRIES if isinstance(error, REFUSED) else MOST_TRIES


def sentence(error: Exception | None) -> str:
    """What is stored of it: the words of our own errors, and of others the kind alone."""
    if error is None:
        return "the server ended while it worked on this"
    if isinstance(error, ReviewbotError):
        return str(error)[:REASON_LIMIT].replace("\0", "\ufffd")
    if isinstance(error, TimeoutError):
        return "it was not done in time"
    return f"{type(error).__name__}; the server's log has more"

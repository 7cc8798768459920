"""Retries of failed tasks: how often, after which pause, and the stored reason. Pure."""

from __future__ import annotations

from typing import Final

from reviewbot.errors import ConfigError, DiffError, ReviewbotError
from reviewbot.github.client.errors import (
    BlockedError,
    DiffTooLargeError,
    GitHubError,
    IncompleteListError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    TooLargeError,
)
from reviewbot.store.budgets import OverLimitError
from reviewbot.store.encryption import UnreadableError

LONGEST_PAUSE_S: Final = 600.0
LONGEST_LIMIT_S: Final = 3600.0
"""Longest wait for a rate limit: GitHub counts by the hour."""
MOST_TRIES: Final = 20
"""Attempts for other errors. With their pauses they take an hour and three quarters, or longer if
GitHub asks us to wait. The limit counts attempts, not hours: time without a running server does not
count."""
LIMITED_TRIES: Final = 200
"""Attempts that a rate limit of GitHub may refuse, or that wait for something else."""
FEW_TRIES: Final = 5
"""Attempts for refusals that GitHub would repeat: they take half a minute."""
REASON_LIMIT: Final = 1_000
"""Maximum characters of a stored reason."""


class OtherHeadError(ReviewbotError):
    """GitHub returns another head than its webhook named: a replica may lag."""


class WaitError(ReviewbotError):
    """The task waits for something else, and looks again after ``seconds``."""

    def __init__(self, message: str, *, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(message)


HOPELESS: Final = (ConfigError, DiffError, UnreadableError)
"""Errors that the same input causes again."""
REFUSED: Final = (
    *(BlockedError, DiffTooLargeError, IncompleteListError, InvalidError, NotFoundError),
    TooLargeError,
    OtherHeadError,
)
"""Refusals that GitHub repeats later. The first attempts may fail for another reason: its replicas
lag behind its webhooks by some seconds."""
# All other errors are retried for long: outages, limits, and errors that an operator can repair.


def pause_after(error: Exception | None, tries: int) -> float | None:
    """Return the seconds until the next attempt; None if there is none.

    ``error`` is None if the node of the attempt ended. ``tries`` is the number of attempts so far.
    """
    if isinstance(error, HOPELESS) or tries >= _most_tries(error):
        return None
    if isinstance(error, WaitError):
        return error.seconds
    pause = min(2.0 ** (tries - 1), LONGEST_PAUSE_S)
    if isinstance(error, RateLimitedError):
        return max(pause, min(error.seconds, LONGEST_LIMIT_S))
    return pause


def _most_tries(error: Exception | None) -> int:
    if isinstance(error, OverLimitError):
        return 1  # the budget is renewed tomorrow; then somebody must ask again
    if isinstance(error, RateLimitedError | WaitError):
        return LIMITED_TRIES
    return FEW_TRIES if isinstance(error, REFUSED) else MOST_TRIES


def sentence(error: Exception | None) -> str:
    """Return the stored reason: the message of our own errors, only the type of others."""
    if error is None:
        return "the server stopped while it processed this"
    if isinstance(error, ReviewbotError):
        return str(error)[:REASON_LIMIT].replace("\0", "\ufffd")
    if isinstance(error, TimeoutError):
        return "it timed out"
    return f"{type(error).__name__}; see the server's log"


def for_log(error: Exception) -> str:
    """Return the kind of an error, and of GitHub's the reason. A message may quote a request."""
    kind = type(error).__name__
    return f"{kind}: {error.for_author}" if isinstance(error, GitHubError) else kind


def for_author(error: Exception) -> str:
    """Return the reason for the author of a pull request. The log has the operator's details."""
    if isinstance(error, GitHubError):
        return error.for_author
    if isinstance(error, ReviewbotError | TimeoutError):
        return sentence(error)
    return "reviewbot failed; its operator finds the reason in the log"

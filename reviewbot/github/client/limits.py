"""GitHub's rate limits, read from responses (docs, "Rate limits for the REST API"). Pure.

The primary limit counts requests per hour: ``x-ratelimit-remaining`` is 0 until
``x-ratelimit-reset``. The secondary limit refuses bursts: ``retry-after`` states the wait, or else
the wait is at least a minute, and longer each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.github.client.exchange import Answer

Scope = Literal["core", "graphql", "all"]

FIRST_WAIT_S: Final = 60.0
SHORTEST_S: Final = 1.0
"""Shortest wait in seconds, even if GitHub states 0."""
LONGEST_WAIT_S: Final = 900.0
"""Maximum wait in seconds if GitHub states no time. The wait doubles up to this maximum."""
_MARGIN_S: Final = 1.0
"""Seconds to add to a stated time, because clocks count whole seconds."""
_WORDS: Final = (
    "rate limit",
    "abuse detection",
    "please retry your request again later",
    "please wait a few minutes",
)
_GRAPHQL: Final = ("RATE_LIMITED", "RATE_LIMIT")
_PERMISSION: Final = "resource not accessible"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that blocks ``scope`` for ``seconds``; None if GitHub does not state the time."""

    scope: Scope
    seconds: float | None


def refused_by(answer: Answer, *, graphql: bool, now: float) -> Limit | None:
    """Return the rate limit that refused a request; None if no rate limit did.

    ``graphql`` is True for a response of GraphQL. ``now`` is the time of GitHub's clock in seconds
    since 1970.
    """
    status, said = answer.status, answer.message.lower()
    if status == 200 and graphql and answer.error_has("type", *_GRAPHQL):
        return used_up(answer.headers, graphql=graphql, now=now) or Limit("graphql", None)
    abuse = status == 422 and answer.error_has("code", "abuse")
    refused = status == 429 or abuse or (status == 403 and not said.startswith(_PERMISSION))
    if not refused:
        return None
    wait = retry_after(answer.headers)
    if wait is not None:
        return Limit("all", wait)
    unnamed = abuse or status == 429 or any(word in said for word in _WORDS)
    return used_up(answer.headers, graphql=graphql, now=now) or (
        Limit("all", None) if unnamed else None
    )


def used_up(headers: Mapping[str, str], *, graphql: bool, now: float) -> Limit | None:
    """Return the limit that begins with this response, the last one of the hour."""
    reset = _seconds(headers.get("x-ratelimit-reset"))
    if _seconds(headers.get("x-ratelimit-remaining")) != 0 or reset is None:
        return None
    return Limit("graphql" if graphql else "core", max(0.0, reset - now) + _MARGIN_S)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that GitHub asks to wait."""
    return _seconds(headers.get("retry-after"))


def unnamed_wait(times: int) -> float:
    """Return the wait in seconds if GitHub states none, for the ``times``-th time in a row."""
    return min(FIRST_WAIT_S * 2.0 ** (times - 1), LONGEST_WAIT_S)


def _seconds(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return max(0.0, number) if number < 1e12 else None

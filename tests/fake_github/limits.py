"""Rate limits: calls an hour, points and new content a minute, and how GitHub says so."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.fake_github.wire import Refused

if TYPE_CHECKING:
    from tests.fake_github.access import Actor
    from tests.fake_github.wire import JSON, Recorded

HOUR, MINUTE = 3_600.0, 60.0
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If "
    "you reach out to GitHub Support for help, please include the request ID 0000:FAKE."
)
SECONDARY_DOCS = (
    "https://docs.github.com/rest/using-the-rest-api/"
    "rate-limits-for-the-rest-api#about-secondary-rate-limits"
)
_CONTENT = re.compile(r"/(comments|reviews|replies|events)$")


@dataclass(slots=True)
class Bucket:
    """What one payer has left this hour of one resource."""

    limit: int
    resets: float
    used: int = 0

    def headers(self, resource: str) -> dict[str, str]:
        left = max(self.limit - self.used, 0)
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(left),
            "x-ratelimit-reset": str(int(self.resets) + 1),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-resource": resource,
        }


@dataclass
class Limits:
    """Counts calls, and refuses those above the limits.

    Args:
        secondary: whether the secondary limits hold.
        points: points a minute: 1 for a read, 5 for a write.
        content_a_minute: requests that create content.
        content_an_hour: the same in an hour.
        concurrent: requests under way at once.
        refused: requests that were refused for any of these, for tests that want none.
    """

    secondary: bool = True
    points: int = 900
    content_a_minute: int = 80
    content_an_hour: int = 500
    concurrent: int = 100
    under_way: int = 0
    refused: list[Recorded] = field(default_factory=list)
    buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)
    _points: defaultdict[str, deque[tuple[float, int]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    _content: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def bucket(self, actor: Actor, resource: str, now: float) -> Bucket:
        key = (actor.name, resource)
        found = self.buckets.get(key)
        if found is None or found.resets <= now:
            limit = found.limit if found is not None else actor.limit
            found = self.buckets[key] = Bucket(limit, now + HOUR)
        return found

    def charge(self, actor: Actor, request: Recorded, bucket: Bucket) -> None:
        """Counts a call, or refuses it."""
        if bucket.used >= bucket.limit:
            self.refused.append(request)
            raise Refused(
                403,
                f"API rate limit exceeded for {actor.name}. If you reach out to GitHub Support for "
                "help, please include the request ID 0000:FAKE.",
                docs="https://docs.github.com/rest/overview/rate-limits-for-the-rest-api",
            )
        if self.secondary and self._too_fast(actor.name, request):
            self.refused.append(request)
            raise Refused(403, SECONDARY, docs=SECONDARY_DOCS, headers={"retry-after": "60"})
        bucket.used += 1

    def _too_fast(self, payer: str, request: Recorded) -> bool:
        now, write = request.at, request.method != "GET"
        if request.path.endswith("/graphql"):
            write = b"mutation" in request.raw  # a query is a read
        points, content = self._points[payer], self._content[payer]
        while points and points[0][0] <= now - MINUTE:
            points.popleft()
        while content and content[0] <= now - HOUR:
            content.popleft()
        creates = request.method == "POST" and _CONTENT.search(request.path) is not None
        if (
            self.under_way > self.concurrent
            or sum(cost for _, cost in points) >= self.points
            or (creates and len(content) >= self.content_an_hour)
            or (creates and sum(at > now - MINUTE for at in content) >= self.content_a_minute)
        ):
            return True
        points.append((now, 5 if write else 1))
        if creates:
            content.append(now)
        return False

    def exhaust(self, actor_name: str, *, left: int = 0, resource: str = "core") -> None:
        """Leaves a payer (``installation ID 7``, ``user mona``) so many calls until the reset."""
        for (name, kind), bucket in self.buckets.items():
            if name == actor_name and kind == resource:
                bucket.used = bucket.limit - left

    def overview(self, actor: Actor, now: float) -> JSON:
        """The body of GET /rate_limit."""
        shown = {}
        for resource in ("core", "search", "graphql"):
            bucket = self.bucket(actor, resource, now)
            shown[resource] = {
                "limit": bucket.limit,
                "remaining": max(bucket.limit - bucket.used, 0),
                "reset": int(bucket.resets) + 1,
                "used": bucket.used,
                "resource": resource,
            }
        return {"resources": shown, "rate": shown["core"]}

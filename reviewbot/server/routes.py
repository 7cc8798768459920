"""Routes of paths that the page must not answer for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Match, Route

if TYPE_CHECKING:
    from starlette.types import Scope


class OnlyRoute(Route):
    """Route that handles each method of its path: 405 where the page would respond with 404."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match like any route, but claim the path for other methods too."""
        match, found = super().matches(scope)
        return (Match.FULL if match is Match.PARTIAL else match), found

"""Waiting for the work of the App, and responses of GitHub that are lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.fake_github import Fault, faults

if TYPE_CHECKING:
    from tests.fake_github import Recorded
    from tests.github.app_runs import AppServer


async def settle(server: AppServer, seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        await server.settle()


def lost_and_late(path: str, nothing: bytes, *, times: int) -> tuple[Fault, Fault]:
    """The answer to a POST is lost, and the list does not have what it made for some looks."""
    lost = faults.error_after("POST", path)

    class Late(Fault):
        def takes(self, request: Recorded) -> bool:
            return bool(lost.hit) and super().takes(request)

    json = {"content-type": "application/json"}
    return lost, Late("GET", path, 200, nothing, json, times=times)

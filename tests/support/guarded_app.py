"""An application behind the guard, and requests to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from reviewbot.server.http.guard import Guard, GuardMiddleware

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

LOCAL = Guard(loopback=True)
PUBLIC = Guard(loopback=False)
FRIEND = "https://friend.example"
OPEN = Guard(loopback=True, cors_origins=(FRIEND,))


async def inner(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"in"})


class Reply:
    def __init__(self, messages: list[Message]) -> None:
        start, *rest = messages
        self.status: int = start["status"]
        self.raw = [(name.decode(), value.decode()) for name, value in start["headers"]]
        self.headers = dict(self.raw)
        self.body = b"".join(message.get("body", b"") for message in rest)

    @property
    def came_in(self) -> bool:
        return self.body == b"in"


def ask(
    guard: Guard,
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    *,
    method: str = "POST",
    path: str = "/v1/reviews",
    version: str = "1.1",
    app: Any = inner,
) -> Reply:
    """What a request is answered with; ``Host: localhost:8000`` where ``headers`` has none."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers or [])
    if all(name != "host" for name, _ in pairs):
        pairs.insert(0, ("host", "localhost:8000"))
    scope = {
        "type": "http",
        "http_version": version,
        "method": method,
        "path": path,
        "headers": [
            (name.encode(), value.encode("latin-1")) for name, value in pairs if value != "absent"
        ],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(GuardMiddleware(app, guard)(scope, receive, send))
    return Reply(sent)

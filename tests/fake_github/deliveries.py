"""Webhook deliveries: signed, posted, remembered, and posted again when asked for."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from tests.fake_github.people import App
    from tests.fake_github.wire import JSON
    from tests.fake_github.world import World

PATIENCE_S = 10.0
"""How long GitHub waits for an answer."""


@dataclass(frozen=True)
class Delivery:
    """One event for one App. A redelivery is the same, with the same ``guid``."""

    app: App
    event: str
    payload: JSON
    guid: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def body(self) -> bytes:
        """The bytes that are signed and sent."""
        return json.dumps(self.payload, separators=(",", ":"), ensure_ascii=False).encode()

    def headers(self, secret: str | None = None) -> dict[str, str]:
        """The headers, signed with the App's secret or another."""
        headers = {
            "accept": "*/*",
            "content-type": "application/json",
            "user-agent": "GitHub-Hookshot/fa4e5e5",
            "x-github-delivery": self.guid,
            "x-github-event": self.event,
            "x-github-hook-id": str(self.app.id + 400_000_000),
            "x-github-hook-installation-target-id": str(self.app.id),
            "x-github-hook-installation-target-type": "integration",
        }
        secret = secret or self.app.webhook_secret
        if secret is not None:
            for name, kind in (("", "sha1"), ("-256", "sha256")):
                digest = hmac.new(secret.encode(), self.body, getattr(hashlib, kind)).hexdigest()
                headers[f"x-hub-signature{name}"] = f"{kind}={digest}"
        return headers


@dataclass(frozen=True)
class Sent:
    """One attempt to deliver, as ``GET /app/hook/deliveries`` has it."""

    id: int
    delivery: Delivery
    url: str
    at: float
    duration: float
    status_code: int
    status: str
    answer: str
    redelivery: bool

    @property
    def ok(self) -> bool:
        return 200 <= self.status_code < 300

    def short(self, world: World) -> JSON:
        """The form of the list."""
        payload = self.delivery.payload
        return {
            "id": self.id,
            "guid": self.delivery.guid,
            "delivered_at": world.clock.stamp(self.at),
            "redelivery": self.redelivery,
            "duration": round(self.duration, 2),
            "status": self.status,
            "status_code": self.status_code,
            "event": self.delivery.event,
            "action": payload.get("action"),
            "installation_id": payload.get("installation", {}).get("id"),
            "repository_id": payload.get("repository", {}).get("id"),
            "throttled_at": None,
        }

    def full(self, world: World) -> JSON:
        """The form of one, with what was sent and answered."""
        return self.short(world) | {
            "url": self.url,
            "request": {"headers": self.delivery.headers(), "payload": self.delivery.payload},
            "response": {"headers": {}, "payload": self.answer},
        }


class Postman:
    """Sends deliveries. ``client`` may be one that leads into an ASGI application."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.client: httpx2.AsyncClient | None = None
        self.waiting: list[Delivery] = []

    async def send(
        self,
        delivery: Delivery,
        to: str | None = None,
        *,
        secret: str | None = None,
        headers: dict[str, str] | None = None,
        redelivery: bool = False,
    ) -> Sent:
        """Posts a delivery to ``to``, or to where the App's webhook leads, and notes what came."""
        url = to or delivery.app.webhook_url
        assert url is not None, "the App has no webhook_url, and none was given"
        began, code, status, answer = time.monotonic(), 0, "OK", ""
        sent_headers = delivery.headers(secret) | (headers or {})
        try:
            response = await self._post(url, delivery.body, sent_headers)
            code, answer = response.status_code, response.text
            status = "OK" if response.is_success else f"Invalid HTTP Response: {code}"
        except httpx2.TimeoutException:
            status = "timed out"
        except httpx2.TransportError:
            code, status = 502, "failed to connect to host"
        sent = Sent(
            self._world.identity("D")[0],
            delivery,
            url,
            self._world.clock.now(),
            time.monotonic() - began,
            code,
            status,
            answer,
            redelivery,
        )
        delivery.app.deliveries.append(sent)
        return sent

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> httpx2.Response:
        if self.client is not None:
            return await self.client.post(url, content=body, headers=headers)
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
            return await client.post(url, content=body, headers=headers)

    async def send_waiting(self, to: str | None = None) -> list[Sent]:
        """Posts all that has happened since the last time, in its order."""
        waiting, self.waiting = self.waiting, []
        return [await self.send(delivery, to) for delivery in waiting]

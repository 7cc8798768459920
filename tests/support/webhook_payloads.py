"""Payloads that GitHub has sent, and tasks made of them."""

from __future__ import annotations

import copy
import json
import lzma
from pathlib import Path
from typing import Any

from reviewbot.github.webhook.parse import read
from reviewbot.github.webhook.payload import App
from reviewbot.github.webhook.tasks import IgnoredDelivery, Task

PAYLOADS = Path(__file__).parents[2] / "fixtures" / "github" / "webhooks" / "payloads.jsonl.xz"
REAL: list[tuple[str, Any]] = [
    (delivery["event"], delivery["payload"])
    for delivery in map(json.loads, lzma.decompress(PAYLOADS.read_bytes()).splitlines())
]
DELIVERY = "72d3162e-cc78-11e3-81ab-4c9367dc0958"
US = App(id="29310", slug="octocoders-linter")


def sent(event: str, payload: object, app: App | None = US) -> Task:
    return read(event, DELIVERY, json.dumps(payload).encode(), app)


def real(event: str, action: str | None = None) -> Any:
    """A real payload, of our App."""
    found = next(p for name, p in REAL if name == event and p.get("action") == action)
    return copy.deepcopy(found) | {"installation": {"id": 1, **found.get("installation", {})}}


def on_pull_request() -> Any:
    payload = real("issue_comment", "created")
    payload["issue"]["pull_request"] = {"url": "https://api.github.com/repos/a/b/pulls/1"}
    return payload


def reason(task: Task) -> str:
    assert isinstance(task, IgnoredDelivery), task
    return task.reason


def rerun(event: str, action: str = "rerequested") -> Any:
    payload = real(event, action)
    payload[event]["app"] = {"id": 29310, "slug": "octocoders-linter"}
    payload[event]["pull_requests"] = [
        {"number": 2, "base": {"repo": {"id": payload["repository"]["id"]}}},
        {"number": 3, "base": {"repo": {"id": 4711}}},
    ]
    payload["sender"] = {"login": "octocat", "type": "User"}
    return payload

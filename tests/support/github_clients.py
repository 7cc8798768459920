"""Clients of the fake GitHub, and what its tests send."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import httpx2
import jwt
from github import Auth, Github

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fake_github import FakeGitHub, PullRequest
    from tests.fake_github.people import App, Token

BASE: dict[str, str] = {"app.py": "".join(f"line {n}\n" for n in range(1, 41)), "old.py": "gone\n"}
HEAD = BASE | {
    "app.py": BASE["app.py"].replace("line 5\n", "line five\nline 5b\n").replace("line 30\n", ""),
    "new.py": "a = 1\nb = 2\n",
}


@contextlib.contextmanager
def pygithub(github: FakeGitHub, token: Token | str) -> Iterator[Github]:
    secret = token if isinstance(token, str) else token.value
    client = Github(
        base_url=github.url,
        auth=Auth.Token(secret),
        lazy=True,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )
    try:
        yield client
    finally:
        client.close()


def http(github: FakeGitHub, token: Token | str | None, **more: Any) -> httpx2.AsyncClient:
    secret = token if isinstance(token, str) or token is None else token.value
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    return httpx2.AsyncClient(base_url=github.url, headers=headers, trust_env=False, **more)


def app_jwt(app: App, *, issued: float = 0, life: float = 300) -> str:
    now = int(time.time())
    claims = {"iss": app.client_id, "iat": int(now + issued), "exp": int(now + issued + life)}
    return jwt.encode(claims, app.private_key, algorithm="RS256")


def path_of(pull: PullRequest, rest: str = "") -> str:
    return f"/repos/{pull.repo.full_name}/pulls/{pull.number}{rest}"


def comment(path: str, line: int, **more: Any) -> dict[str, Any]:
    return {"path": path, "line": line, "side": "RIGHT", "body": "A word."} | more


RUN = {"name": "reviewbot"}


async def receive(
    github: FakeGitHub, answer: Callable[[httpx2.Request], int]
) -> list[httpx2.Request]:
    """Has deliveries come to a function in place of a server."""
    got: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        got.append(request)
        return httpx2.Response(answer(request))

    github.app.webhook_url = "http://bot.test/webhooks/github"
    github.postman.client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    return got

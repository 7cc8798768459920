"""A browser for the set-up pages of the App."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
from starlette.applications import Starlette

from reviewbot.server.faults import HANDLERS
from reviewbot.server.github.setup import GitHubSetup, SetupConfig, setup_routes
from reviewbot.server.http.guard import Guard, GuardMiddleware
from tests.server import serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from reviewbot.server.github.one_time_link import OneTimeLink
    from tests.fake_github import FakeGitHub

PUBLIC = "https://reviews.example"


class Html(HTMLParser):
    """What of a page a user can act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.fields: dict[str, str] = {}
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        assert not [name for name in has if name == "style" or name.startswith("on")]
        if tag == "form":
            self.forms.append(has)
        elif tag == "a":
            self.links.append(has["href"])
        elif tag == "input" and (has["type"] != "radio" or "checked" in has):
            self.fields[has["name"]] = has["value"]

    def handle_data(self, data: str) -> None:
        self.text += f" {' '.join(data.split())}"


@dataclass
class Browser:
    """One browser at the server. It keeps cookies, and every page that it saw."""

    client: httpx.AsyncClient
    setup: GitHubSetup
    url: str
    seen: list[httpx.Response] = field(default_factory=list)

    @property
    def link(self) -> str:
        return self.setup.invitation(self.url).split()[-1]

    async def get(self, address: str, **query: str) -> httpx.Response:
        answer = await self.client.get(address, params=query or None)
        self.seen.append(answer)
        return answer

    async def page(self, address: str = "/github/setup", **query: str) -> Html:
        answer = await self.get(address, **query)
        assert answer.status_code == 200, answer.text
        return Html(answer.text)

    async def enter(self) -> Html:
        entered = await self.get(self.link)
        assert entered.status_code == 303, entered.text
        return await self.page()

    async def confirm(self, **changes: str) -> Html:
        """From the link to what GitHub is asked for."""
        form = await self.enter()
        return await self.page(**form.fields | {"step": "confirm"} | changes)

    async def refused(self, address: str, status: int, **query: str) -> str:
        answer = await self.get(address, **query)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"].startswith("text/html")
        return Html(answer.text).text


@asynccontextmanager
async def browsing(
    folder: Path,
    api_url: str = "https://api.github.com",
    *,
    on_app: Any = None,
    link: OneTimeLink | None = None,
    public_url: str | None = None,
) -> AsyncGenerator[Browser]:
    setup = GitHubSetup(SetupConfig(folder, api_url, public_url), on_app, link)
    app = Starlette(routes=setup_routes(setup), exception_handlers=HANDLERS)
    async with serving(GuardMiddleware(app, Guard(loopback=True))) as port:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield Browser(client, setup, url)


def asked(confirm: Html) -> tuple[dict[str, Any], str]:
    """What GitHub is sent: the manifest and the state."""
    (form,) = confirm.forms
    (state,) = parse_qs(urlsplit(form["action"]).query)["state"]
    manifest: dict[str, Any] = json.loads(confirm.fields["manifest"])
    return manifest, state


def no_variables(_name: str) -> str | None:
    return None


async def back(browser: Browser, github: FakeGitHub, confirm: Html) -> dict[str, str]:
    """What GitHub sends the browser back with, after the click on its page."""
    manifest, state = asked(confirm)
    assert manifest["redirect_url"] == f"{browser.url}/github/setup/done"
    return {"code": github.manifest_code(manifest), "state": state}

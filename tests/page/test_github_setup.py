"""The set-up of the GitHub App in a real browser: to GitHub and back, with its policy in force."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import async_playwright, expect
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from reviewbot.github.app.credentials import read_app_config
from reviewbot.server.github.setup import GitHubSetup, SetupConfig, setup_routes
from tests.fake_github import FakeGitHub
from tests.page.conftest import ARGUMENTS, chromium
from tests.page.scripted_server import PAGE
from tests.server import serving
from tests.support.accessibility import AXE, CONTRAST, DRAWN, STRUCTURE

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from playwright.async_api import BrowserContext, ConsoleMessage, Page
    from playwright.async_api import Route as Asked

pytestmark = pytest.mark.slow

GITHUB: Final = "https://github.com"
PHONE: Final = {"width": 360, "height": 740}
DESKTOP: Final = {"width": 1360, "height": 900}
OVERFLOW: Final = """() => [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth)
    .map((one) => one.tagName + "." + one.className)"""


class GitHubPages:
    """What the browser sees of github.com: the form's target, and the click that makes the App."""

    def __init__(self, github: FakeGitHub) -> None:
        self._github = github
        self.posted: list[dict[str, Any]] = []

    async def answer(self, asked: Asked) -> None:
        request = asked.request
        address = urlsplit(request.url)
        if request.method == "POST" and address.path.endswith("/settings/apps/new"):
            (manifest,) = parse_qs(request.post_data or "", strict_parsing=True)["manifest"]
            (state,) = parse_qs(address.query)["state"]
            found = {"path": address.path, "manifest": json.loads(manifest), "state": state}
            self.posted.append(found | {"headers": await request.all_headers()})
            page = "<form method=post action=/made><button>Create GitHub App</button></form>"
            await asked.fulfill(content_type="text/html", body=page)
        elif request.method == "POST" and address.path == "/made":
            manifest, state = self.posted[-1]["manifest"], self.posted[-1]["state"]
            code = self._github.manifest_code(manifest)
            location = f"{manifest['redirect_url']}?code={code}&state={state}"
            await asked.fulfill(status=302, headers={"location": location})
        else:
            await asked.fulfill(content_type="text/html", body="<h1>An App's page</h1>")


@asynccontextmanager
async def served(folder: Path, github: FakeGitHub) -> AsyncGenerator[tuple[GitHubSetup, str]]:
    setup = GitHubSetup(SetupConfig(folder, github.url))
    setup._web_url = GITHUB  # another site than the server, as it is for users
    app = Starlette(
        routes=[
            *setup_routes(setup),
            Route("/{path:path}", StaticFiles(directory=PAGE, html=True)),
        ]
    )
    async with serving(app) as port:
        yield setup, f"http://127.0.0.1:{port}"


@asynccontextmanager
async def browsing(**options: Any) -> AsyncGenerator[tuple[BrowserContext, Page]]:
    """A page of a real browser; at its end, nothing went wrong on it."""
    wrong: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        context = await browser.new_context(**options)
        context.on("console", lambda message: _note(message, wrong))
        context.on("weberror", lambda error: wrong.append(f"error: {error.error}"))
        yield context, await context.new_page()
        await browser.close()
    assert not wrong


def _note(message: ConsoleMessage, wrong: list[str]) -> None:
    # The browser's own line for each answer that is an error.
    if not message.text.startswith("Failed to load resource"):
        wrong.append(f"{message.type}: {message.text}")


async def assert_fit_to_be_seen(page: Page) -> None:
    assert await page.evaluate(OVERFLOW) == []
    assert await page.evaluate(STRUCTURE) == []
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)
        await page.evaluate(DRAWN)
        assert await page.evaluate(CONTRAST) == []
        assert await page.evaluate(AXE) == []


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_an_app_is_made_from_the_link_in_the_terminal(
    viewport: dict[str, int], tmp_path: Path
) -> None:
    async with (
        FakeGitHub() as github,
        served(tmp_path, github) as (setup, url),
        browsing(viewport=viewport) as (context, page),
    ):
        pages = GitHubPages(github)
        await context.route(f"{GITHUB}/**", pages.answer)
        await page.goto(setup.invitation(url).split()[-1])
        assert page.url == f"{url}/github/setup"
        await expect(page.get_by_role("heading", name="Set up the GitHub App")).to_be_visible()
        await expect(page.get_by_text("Only this machine can reach")).to_be_visible()
        await assert_fit_to_be_seen(page)
        await page.get_by_label("Name of the App").fill("our-reviews")
        await page.get_by_label("An organization").check()
        await page.get_by_label("Name of the organization").fill("octo")
        address = page.get_by_label("Address at which GitHub reaches this server")
        await address.fill("https://reviews.example.com")
        await address.press("Enter")
        await expect(page.get_by_role("heading", name="Create the GitHub App")).to_be_visible()
        await expect(page.get_by_text("checks: write")).to_be_visible()
        await assert_fit_to_be_seen(page)
        await page.get_by_role("button", name="Create the App on github.com").click()
        await page.get_by_role("button", name="Create GitHub App").click()
        await expect(page.get_by_role("heading", name="The GitHub App was created")).to_be_visible()
        await assert_fit_to_be_seen(page)
        (posted,) = pages.posted
        assert posted["path"] == "/organizations/octo/settings/apps/new"
        assert "referer" not in posted["headers"]
        assert posted["manifest"]["name"] == "our-reviews"
        hook = posted["manifest"]["hook_attributes"]
        assert hook == {"url": "https://reviews.example.com/webhooks/github", "active": True}
        install = page.get_by_role("link", name="Install the App")
        assert await install.get_attribute("href") == f"{GITHUB}/apps/our-reviews/installations/new"
        assert await context.cookies() == []
        assert read_app_config(lambda _: None, tmp_path) is not None


async def test_it_takes_no_script(tmp_path: Path) -> None:
    async with (
        FakeGitHub() as github,
        served(tmp_path, github) as (setup, url),
        browsing(java_script_enabled=False) as (context, page),
    ):
        await context.route(f"{GITHUB}/**", GitHubPages(github).answer)
        await page.goto(setup.invitation(url).split()[-1])
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("link", name="Change this").click()
        await page.get_by_label("Name of the App").fill("x" * 30)
        await page.get_by_role("button", name="Continue").click()
        await page.get_by_role("button", name="Create the App on github.com").click()
        await page.get_by_role("button", name="Create GitHub App").click()
        await expect(page.get_by_text("Its keys are in")).to_be_visible()
        await expect(page.get_by_text("turn its webhook on")).to_be_visible()


async def test_a_link_that_was_used_is_told_on_a_page(tmp_path: Path) -> None:
    async with (
        FakeGitHub() as github,
        served(tmp_path, github) as (setup, url),
        browsing(viewport=PHONE) as (context, page),
    ):
        await page.goto(setup.invitation(url).split()[-1])
        await context.clear_cookies()
        await page.goto(f"{url}/github/setup")
        await expect(page.get_by_role("alert")).to_contain_text("The link was already opened.")
        await assert_fit_to_be_seen(page)

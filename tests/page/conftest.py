"""A real browser, and what holds for the page whatever a test does with it."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.page.scripted_server import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

NAMES: Final = ("chromium-headless-shell", "chromium")

# A machine with other work is slow; a test that fails is not made faster by failing early.
expect.set_options(timeout=60_000)


def chromium() -> str:
    """Return the path of the browser. Without one, skip the test, or fail it where CI runs it.

    Debian's Chromium without a user interface takes half the time of the whole one.
    """
    path = os.environ.get("REVIEWBOT_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), None
    )
    if path is None:
        says = "the tests of the page need Chromium: apt-get install chromium-headless-shell"
        if os.environ.get("CI") == "true":
            pytest.fail(says)
        pytest.skip(says)
    return path


# Of the module, since Playwright's event loop must not be there when others' async tests run.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


class Watch:
    """Notes what no page of ours may do: fail, break its policy, or ask another server."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.wrong: list[str] = []

    def over(self, context: BrowserContext) -> None:
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.wrong.append(f"error: {error.error}"))
        context.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self._url, "data:")):
            self.wrong.append(f"asked {request.url}")

    def _console(self, message: ConsoleMessage) -> None:
        # The browser's own line for each answer that is a problem or never came.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.wrong.append(f"console: {message.text}")


@pytest.fixture
def context(browser: Browser, server: ScriptedServer) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    watch = Watch(server.url)
    watch.over(context)
    yield context
    context.close()
    assert not watch.wrong


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()

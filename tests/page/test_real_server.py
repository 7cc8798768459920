"""The page on the real server: what a developer sees from the pasted diff to the end."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import async_playwright, expect

from tests.fake_anthropic import Answer, FakeAnthropic, StatusError
from tests.page.conftest import ARGUMENTS, chromium
from tests.server.nodes import APART, file_of, findings_for, long_diff, node, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Locator, Page

    from tests.fake_anthropic import Reply
    from tests.fake_anthropic.requests import Recorded

pytestmark = pytest.mark.slow

WAIT_MS = 30_000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        page = await browser.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                wrong.append(asked.url) if not asked.url.startswith((url, "data:")) else None
            ),
        )
        await page.goto(url)
        yield page
        await browser.close()
    assert not wrong


def cards(page: Page) -> Locator:
    return page.locator(".finding")


async def test_a_review_is_watched_through_the_death_of_its_server(tmp_path: Path) -> None:
    def answer(request: Recorded) -> Answer:
        return Answer(findings_for(file_of(request)), delta_size=20, pace=0.05)

    async with (
        FakeAnthropic(answer) as fake,
        node(tmp_path, "--port", str(free_port()), fake=fake, settings=APART) as one,
        opened(one.url) as page,
    ):
        await page.get_by_role("textbox").first.fill(long_diff(2).decode())
        await page.keyboard.press("Control+Enter")
        await expect(cards(page).first).to_be_visible(timeout=WAIT_MS)
        above = cards(page).first.locator("xpath=ancestor::tr/preceding-sibling::tr[1]")
        await expect(above.locator(".number.new")).to_have_text("1")
        await expect(page.locator("#state-pill")).to_have_text("Running")
        await one.kill()
        await one.start()
        await expect(page.locator("#state-pill")).to_have_text("Findings", timeout=WAIT_MS)
        await expect(cards(page)).to_have_count(6)
        await page.reload()  # the address leads to the review
        await expect(cards(page)).to_have_count(6, timeout=WAIT_MS)


async def test_a_review_is_cancelled_from_the_page_and_listed_there(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(
            lambda request: Answer(findings_for(file_of(request)), delta_size=5, pace=0.2)
        ) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
        opened(one.url) as page,
    ):
        await page.get_by_role("textbox").first.fill(long_diff(1).decode())
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#state-pill")).to_have_text("Running", timeout=WAIT_MS)
        await until(lambda: len(fake.requests) == 1)
        await page.locator("#cancel-button").click()
        await page.get_by_role("button", name="Cancel the review").click()
        await expect(page.locator("#state-pill")).to_have_text("Cancelled", timeout=WAIT_MS)
        await until(lambda: fake.requests[0].ended == "client closed")
        await page.goto(one.url)
        await expect(page.get_by_text("Cancelled").first).to_be_visible(timeout=WAIT_MS)


async def test_the_example_is_reviewed_exported_and_reviewed_again_without_a_model(
    tmp_path: Path,
) -> None:
    async with node(tmp_path, settings=APART) as one, opened(one.url) as page:
        await page.get_by_role("button", name="See a live example").click()
        await expect(page.locator("#state-pill")).to_have_text("Findings", timeout=WAIT_MS)
        await expect(page.get_by_role("article", name="A value is pasted into")).to_be_visible()
        first = page.url
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Download Markdown").click()
        text = await (await download.value).path()
        assert text.read_text("utf-8").startswith("**")
        await page.get_by_role("button", name="Review again").click()
        await expect(page).not_to_have_url(first)
        await expect(page.locator("#state-pill")).to_have_text("Findings", timeout=WAIT_MS)
        await page.goto(one.url)
        await expect(page.locator("#recent-list")).to_contain_text("$0.00")


async def test_a_refused_key_is_one_cause_and_only_the_failed_file_is_sent_again(
    tmp_path: Path,
) -> None:
    refused = True

    def answer(request: Recorded) -> Reply:
        if refused and file_of(request) == "file_1.py":
            return StatusError(401, "invalid x-api-key", delay=0.5)
        return Answer(findings_for(file_of(request)))

    async with (
        FakeAnthropic(answer) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
        opened(one.url) as page,
    ):
        await page.get_by_role("textbox").first.fill(long_diff(2).decode())
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#state-pill")).to_have_text("Incomplete", timeout=WAIT_MS)
        outcome = page.get_by_role("region", name="Outcome")
        await expect(outcome.locator(".cause summary")).to_have_text(
            ["1 file: The model service refused the API key."]
        )
        await expect(outcome).not_to_contain_text("127.0.0.1")
        await expect(outcome).not_to_contain_text("request req_")
        await expect(cards(page)).to_have_count(3)
        await outcome.get_by_text("Check the key").click()
        refused = False
        sent = len(fake.requests)
        await outcome.get_by_role("button", name="Review the failed files again").click()
        await expect(page.locator("#state-pill")).to_have_text("Findings", timeout=WAIT_MS)
        await expect(cards(page)).to_have_count(6)
        assert [file_of(request) for request in fake.requests[sent:]] == ["file_1.py"]

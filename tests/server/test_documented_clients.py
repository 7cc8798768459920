"""The clients that ``docs/http-api.md`` shows, run as they stand there."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import async_playwright

from tests.page.conftest import ARGUMENTS, chromium
from tests.server.nodes import DEMO, ROOT, node

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs" / "http-api.md").read_text("utf-8")


def block(language: str) -> str:
    """The one block of the page in that language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.mark.slow
async def test_the_python_client_follows_a_review_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "change.diff").write_bytes(DEMO)
    async with node(tmp_path / "state") as one:
        script = block("python").replace("import httpx ", "import httpx2 as httpx ")
        script = script.replace("http://localhost:8000", one.url)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script.replace('"Authorization": f"Bearer {key}"', "")),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, _ = await process.communicate()
    lines = out.decode().splitlines()
    assert process.returncode == 0
    assert lines[0].strip() == "review.started"
    assert lines[-1].strip() == "review.finished"
    assert any(line.startswith("finding ") for line in lines)


@pytest.mark.slow
async def test_the_browser_client_sees_each_event_and_stops_at_the_end(tmp_path: Path) -> None:
    async with node(tmp_path) as one, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        page = await browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        await page.goto(f"{one.url}/healthz")
        streams: list[str] = []
        page.on("request", lambda asked: streams.append(asked.url))
        await page.evaluate(
            f"async (diff) => {{ {block('js')}; globalThis.source = source; }}", DEMO.decode()
        )
        await page.wait_for_function("source.readyState === EventSource.CLOSED")
        assert len(said) >= 2
        assert len([url for url in streams if url.endswith("/events")]) == 1
        await browser.close()

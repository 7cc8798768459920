"""Records ``docs/images/page.webp``: ``python -m tests.record_page``.

The page in Chromium, as it plays a recorded review event by event; each step is photographed. The
clock of the page stands still, so that the same page makes the same pictures.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests.page.conftest import ARGUMENTS, chromium
from tests.page.scripted_server import ROOT, Review, ScriptedServer, recorded
from tests.page.story import DEMO

if TYPE_CHECKING:
    from playwright.sync_api import Page

RECORDING: Final = ROOT / "docs" / "images" / "page.webp"

DIFF: Final = ROOT / "fixtures" / "demo.diff"
SIZE: Final = (1120, 720)
STREAM: Final = "recorded-claude"
NOW: Final = "2026-11-25T10:00:30Z"


def main() -> None:
    """Play, photograph, and put together."""
    with ScriptedServer() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        page = browser.new_page(
            viewport={"width": SIZE[0], "height": SIZE[1]}, reduced_motion="reduce"
        )
        page.clock.install(time=NOW)
        steps = played(page, server)
        browser.close()
    pictures = [Image.open(io.BytesIO(data)).convert("RGB") for data, _ in steps]
    pictures[0].save(
        RECORDING,
        save_all=True,
        append_images=pictures[1:],
        duration=[milliseconds for _, milliseconds in steps],
        loop=0,
        quality=80,
        method=6,
        minimize_size=True,
    )


def played(page: Page, server: ScriptedServer) -> list[tuple[bytes, int]]:
    """Each picture, and for how many milliseconds it is shown."""
    steps: list[tuple[bytes, int]] = []

    def photograph(milliseconds: int) -> None:
        page.clock.run_for(1_000)
        steps.append((page.screenshot(animations="disabled"), milliseconds))

    events = recorded(STREAM)
    numbers = {
        name: [e["seq"] for e in events if e["type"] == name]
        for name in ("finding", "finding.verified")
    }
    review = Review(
        "demo", events, DEMO, title="Totals with tax", released=numbers["finding"][0] - 1
    )
    server.next_review = review
    page.goto(server.url)
    photograph(1_200)
    page.get_by_label("Diff", exact=True).fill(DIFF.read_text("utf-8"))
    page.get_by_label("Title").fill("Totals with tax")
    photograph(1_500)
    page.get_by_role("button", name="Start the review").click()
    expect(page.locator(".file")).to_have_count(len(DEMO["files"]))
    photograph(1_200)
    server.release(review, numbers["finding"][0])
    expect(page.locator(".finding")).to_have_count(1)
    photograph(1_500)
    page.keyboard.press("j")
    photograph(2_000)
    server.release(review, numbers["finding.verified"][0] - 1)
    expect(page.locator(".finding")).to_have_count(len(numbers["finding"]))
    photograph(1_200)
    page.keyboard.press("j")
    photograph(2_000)
    server.release(review, numbers["finding.verified"][-1])
    expect(page.locator(".chip.verified")).not_to_have_count(0)
    photograph(2_000)
    server.release(review)
    expect(page.locator("#outcome")).to_be_visible()
    page.evaluate("window.scrollTo(0, 0)")
    photograph(3_500)
    return steps


if __name__ == "__main__":
    main()

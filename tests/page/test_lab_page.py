"""The page of the lab in a real browser, from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from reviewbot.lab.page import render_page
from reviewbot.lab.temperature import INVENTED, Sampler, entropy, probabilities
from tests.support.accessibility import AXE, CONTRAST, STRUCTURE
from tests.support.lab_studies import studies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


@pytest.fixture
def lab(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page, which asks nobody and reports no error."""
    wrong: list[str] = []
    path = tmp_path / "lab.html"
    path.write_text(render_page(studies()), "utf-8")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.on("console", lambda message: wrong.append(message.text))
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    context.on("request", lambda request: wrong.append(request.url))
    page = context.new_page()
    page.goto(path.as_uri())
    yield page
    context.close()
    assert wrong == [path.as_uri()]


def test_the_sliders_show_what_the_sampler_computes(lab: Page) -> None:
    for sampler in (Sampler(1), Sampler(0), Sampler(0.5, top_k=3), Sampler(1.5, top_p=0.7)):
        for name, value in (("t", sampler.temperature), ("k", sampler.top_k), ("p", sampler.top_p)):
            lab.locator(f"#{name}").fill(str(value))
        shares = probabilities(INVENTED.logits, sampler)
        shown = [f"{100 * share:.1f} %" if share else "\u2013" for share in shares]
        expect(lab.locator("#distribution tbody td:nth-child(2)")).to_have_text(shown)
        expect(lab.locator("#bits")).to_have_text(f"{entropy(shares):.1f} bits of choice")


def test_drawn_tokens_are_those_that_are_possible(lab: Page) -> None:
    lab.locator("#t").fill("0")
    lab.get_by_role("button", name="Draw 20 tokens").click()
    expect(lab.locator("#drawn")).to_have_text(" ".join([INVENTED.tokens[0]] * 20))


def test_the_replay_shows_findings_as_they_stream_and_all_at_the_end(lab: Page) -> None:
    lab.locator("#speed").select_option("10")
    lab.get_by_role("button", name="Play").click()
    expect(lab.locator("#streamed li")).to_have_count(2)
    expect(lab.locator("#buffered li")).to_have_text(["4.3 s: First", "4.3 s: Second"])
    expect(lab.locator("#wire")).to_contain_text('"outcome": "complete"')


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_readable_at_any_width_in_both_themes(lab: Page, width: int) -> None:
    lab.set_viewport_size({"width": width, "height": 900})
    for summary in lab.locator("summary").all():
        summary.click()
    for theme in ("light", "dark"):
        lab.emulate_media(color_scheme=theme)
        assert lab.evaluate(CONTRAST) == []
        assert lab.evaluate(AXE) == []
    assert lab.evaluate(STRUCTURE) == []
    assert lab.evaluate("document.documentElement.scrollWidth") <= width

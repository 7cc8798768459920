"""The lists beside the diff: the order of findings, what is held back, filters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.page.story import DEMO, PATHS, finding, finished, numbered, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.scripted_server import Json, ScriptedServer

pytestmark = pytest.mark.slow

UNSURE: Final = {"kind": "outside", "reason": "Its confidence of 0.6 is below 0.7.", "held": True}


def at(id_: str, line: int, severity: str, confidence: float, **changes: Any) -> Json:
    changes = {"line": line, "end_line": line, "title": f"Title of {id_}", **changes}
    return finding(id_, severity=severity, confidence=confidence, **changes)


STORY: Final = (
    started(),
    at("held-error", 35, "error", 0.6, placement=UNSURE),
    at("note", 28, "note", 0.9),
    at("held-note", 28, "note", 0.6, placement=UNSURE),
    at("unsure", 30, "error", 0.8),
    at("warning", 36, "warning", 0.9),
    at("later", 44, "error", 0.9),
    at("sure", 37, "error", 0.9),
    at("first-file", 13, "error", 0.9, path="shop/money.py"),
    finished(),
)
BY_SEVERITY: Final = ["first-file", "sure", "later", "unsure", "warning", "note"]
BY_FILE: Final = ["first-file", "note", "unsure", "warning", "sure", "later"]


def open_story(page: Page, server: ScriptedServer) -> None:
    server.add("r", numbered(*STORY), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#outcome")).to_be_visible()
    expect(page.locator(".finding")).to_have_count(8)


def listed(page: Page, where: str) -> list[str]:
    ids: list[str] = page.locator(f"{where} > li").evaluate_all(
        "items => items.map((item) => item.dataset.id)"
    )
    return ids


def walked(page: Page, count: int) -> list[str]:
    """Return the findings that j leads to."""
    found = []
    for _ in range(count):
        page.keyboard.press("j")
        found.append(page.evaluate("document.activeElement.dataset.id"))
    return found


def test_findings_go_by_severity_confidence_and_place_or_by_file_if_the_reader_wants(
    page: Page, server: ScriptedServer
) -> None:
    open_story(page, server)
    assert listed(page, "#finding-list") == BY_SEVERITY
    assert walked(page, 8) == [*BY_SEVERITY, "held-error", "held-note"]
    page.get_by_label("Order of the findings").select_option("By file")
    assert listed(page, "#finding-list") == BY_FILE
    page.evaluate("history.replaceState(null, '', '#r=r')")
    page.reload()
    expect(page.locator(".finding")).to_have_count(8)
    assert listed(page, "#finding-list") == BY_FILE
    assert walked(page, 8) == [*BY_FILE, "held-note", "held-error"]


def test_findings_that_are_held_back_come_last_and_folded(
    page: Page, server: ScriptedServer
) -> None:
    open_story(page, server)
    expect(page.locator("#finding-count")).to_have_text("6")
    group = page.locator("#held-group")
    expect(group.locator("summary")).to_have_text("Held back: below your threshold 2")
    expect(group.locator("li").first).to_be_hidden()
    group.locator("summary").click()
    assert listed(page, "#held-list") == ["held-error", "held-note"]
    expect(group.locator(".entry-place").first).to_contain_text("orders.py:35")

    section = page.get_by_role("region", name="Held back: below your threshold")
    assert section.evaluate("one => one.previousElementSibling.id === 'files-section'")
    expect(section.locator(".finding")).to_have_count(2)
    expect(section.get_by_text("Pass both values").first).to_be_hidden()
    expect(page.locator("#beside")).to_be_hidden()
    group.get_by_role("link").first.click()
    card = page.locator("#finding-held-error")
    expect(card).to_be_focused()
    expect(card).to_contain_text("Held back: Its confidence of 0.6 is below 0.7.")
    expect(card.locator(".facts")).to_contain_text("shop/orders.py")
    expect(card.locator(".facts")).to_contain_text("35")


def test_a_review_whose_findings_are_all_held_back_says_so(
    page: Page, server: ScriptedServer
) -> None:
    server.add("r", numbered(started(), STORY[1], finished()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#no-findings")).to_have_text("No finding reaches your threshold.")
    assert page.title() == "5 files: shop/money.py, shop/orders.py and 3 others · reviewbot"


def test_the_list_of_files_can_be_filtered(page: Page, server: ScriptedServer) -> None:
    open_story(page, server)
    expect(page.locator("#file-count")).to_have_text(str(len(PATHS)))
    field = page.get_by_label("Filter the files")
    field.fill("SHOP py")
    expect(page.locator("#file-list li:visible")).to_have_count(3)
    expect(page.locator("#file-count")).to_have_text(f"3 of {len(PATHS)}")
    field.fill("nowhere")
    expect(page.locator("#no-files")).to_be_visible()
    field.press("Escape")
    expect(page.locator("#file-list li:visible")).to_have_count(len(PATHS))

"""How a reader has the code shown: old and new side by side, and files that were viewed folded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.story import DEMO, finding, finished, numbered, started, withdrawn
from tests.support.accessibility import assert_accessible

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.page.scripted_server import ScriptedServer

pytestmark = pytest.mark.slow

FILE = "shop/orders.py"


@pytest.fixture
def file(page: Page, server: ScriptedServer) -> Locator:
    """Shows a review; this file has a finding on each side, and one that was withdrawn."""
    events = numbered(
        started(),
        finding("f1"),
        finding(
            "f2",
            severity="note",
            side="LEFT",
            line=32,
            end_line=33,
            title="The parameters are lost",
        ),
        finding("f3", line=44, end_line=46),
        withdrawn("f3"),
        finished(),
    )
    server.add("r", events, diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#outcome")).to_be_visible()
    return page.get_by_role("region", name=FILE)


def rows(file: Locator) -> list[list[str]]:
    """The numbers and code of each row that is not a hunk's head, and the titles of findings."""
    expect(file.locator("tr .code").first).to_be_attached()  # the diff comes after the outcome
    found: list[list[str]] = file.locator("tr:not(.hunk)").evaluate_all(
        """rows => rows.map((row) => [...row.querySelectorAll(
            ".number, .code, .finding-title, .withdrawn s"
        )].map((cell) => cell.textContent.trim()))"""
    )
    return found


def selected(page: Page, first: Locator, last: Locator) -> str:
    """What is copied after the mouse selects from the start of one cell to the end of another."""
    # A drag near the edge of the window would scroll, and select more.
    last.evaluate("cell => cell.scrollIntoView({block: 'center', behavior: 'instant'})")
    start, end = first.bounding_box(), last.bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 1, start["y"] + 10)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] - 2, end["y"] + end["height"] - 4)
    page.mouse.up()
    text: str = page.evaluate("getSelection().toString()")
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def test_side_by_side_faces_the_lines_of_both_sides_and_keeps_findings_under_theirs(
    page: Page, file: Locator
) -> None:
    unified = rows(file)
    page.get_by_label("Side by side").check()
    expect(file.locator("table.split").first).to_be_visible()
    split = rows(file)
    query = (
        "f\"SELECT id, customer FROM orders WHERE customer = '{customer}' AND status = '{status}'\""
    )
    at = split.index(
        [
            "32",
            '"SELECT id, customer FROM orders WHERE customer = ? ORDER BY id DESC",',
            "36",
            query,
        ]
    )
    assert split[at + 1 : at + 4] == [
        ["SQL built from the caller's text"],
        ["33", "(customer,),", "37", '" ORDER BY id DESC"'],
        ["The parameters are lost"],
    ]
    assert ["31", "rows = db.execute(", "35", "rows = db.execute("] in split
    marked = file.locator("td.marked")
    expect(marked).to_have_text(["32", "36", "33"])
    colours = file.locator(".hl-k")
    expect(colours.first).to_be_visible()
    assert_accessible(page)
    new = file.locator("td.code.new")
    first, last = new.filter(has_text="rows = db.execute("), new.filter(has_text=query)
    assert selected(page, first, last) == f"rows = db.execute(\n{query}"
    page.keyboard.press("j")
    expect(page.locator("#finding-f1")).to_be_focused()

    page.set_viewport_size({"width": 899, "height": 900})
    expect(file.locator("table.split")).to_have_count(0)
    expect(page.locator("#finding-f1")).to_be_focused()
    expect(page.get_by_label("Side by side")).to_be_hidden()
    assert rows(file) == unified
    page.set_viewport_size({"width": 900, "height": 900})
    expect(file.locator("table.split").first).to_be_visible()
    assert rows(file) == split
    page.set_viewport_size({"width": 1360, "height": 900})

    page.reload()
    expect(file.locator("table.split").first).to_be_visible()
    expect(page.locator(".withdrawn")).to_have_count(1)
    assert rows(file) == split
    page.get_by_role("button", name="Dismiss this note").click()
    page.get_by_label("Side by side").uncheck()
    expect(file.locator("table.split")).to_have_count(0)
    expect(page.locator(".withdrawn")).to_have_count(0)


def test_a_viewed_file_is_folded_and_remembered_for_its_review_alone(
    page: Page, server: ScriptedServer, file: Locator
) -> None:
    file.get_by_label("Viewed").check()
    expect(file.locator(".file-body")).to_be_hidden()
    assert_accessible(page)
    page.reload()
    expect(page.locator("#outcome")).to_be_visible()
    expect(file.get_by_label("Viewed")).to_be_checked()
    expect(file.locator(".file-body")).to_be_hidden()
    page.keyboard.press("j")
    expect(page.locator("#finding-f1")).to_be_focused()
    file.get_by_label("Viewed").uncheck()
    expect(file.locator(".file-body")).to_be_visible()
    file.get_by_label("Viewed").check()
    server.add("other", numbered(started(), finding(), finished()), diff=DEMO)
    page.goto(f"{server.url}/#r=other")
    expect(page.get_by_label("Viewed: shop/orders.py")).not_to_be_checked()
    expect(file.locator(".file-body")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 820])
def test_no_window_is_too_narrow_for_the_buttons_of_the_page(
    page: Page, file: Locator, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("sessionStorage.setItem('reviewbot.key', 'k')")
    page.reload()
    expect(page.get_by_role("button", name="Key", exact=True)).to_be_visible()
    page.get_by_role("button", name="Notes").click()
    expect(page.locator("#clear-filters")).not_to_have_attribute("hidden", "")
    expect(file.locator("#finding-f1")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width

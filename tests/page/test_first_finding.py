"""What a reader sees first, and that nothing that is read moves while a review runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.page.story import (
    DEMO,
    chunk_started,
    finding,
    finished,
    numbered,
    progress,
    started,
    summary,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.scripted_server import Json, Review, ScriptedServer

pytestmark = pytest.mark.slow

SIZES: Final = [(1440, 900), (1024, 768), (390, 844)]
FRAMES: Final = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))"
"""Waits until the page is drawn."""


def in_cart(id_: str = "cart") -> Json:
    """Return a finding in the last file of the diff."""
    place = {"path": "web/src/cart.ts", "line": 20, "end_line": 20}
    return finding(id_, **place, severity="warning", title="In the cart", chunk="c4")


def view_of(page: Page, id_: str) -> Json:
    """Return where a card and its line are, and where the page shows code."""
    found: Json = page.locator(f"#finding-{id_}").evaluate(
        """card => {
            const rect = (element) => element.getBoundingClientRect();
            const stepper = document.querySelector(".stepper");
            const isDocked = getComputedStyle(stepper).position === "fixed";
            return {
                line: rect(card.closest("tr").previousElementSibling).top,
                bottom: rect(card).bottom,
                from: rect(card.closest(".file").querySelector(".file-head")).bottom,
                to: isDocked ? rect(stepper).top : innerHeight,
            };
        }"""
    )
    return found


def wait_for_view(page: Page, id_: str) -> None:
    """Wait until a card and its line of code are in view."""
    for _ in range(200):
        view = view_of(page, id_)
        if view["from"] <= view["line"] and view["bottom"] <= view["to"]:
            return
        page.wait_for_timeout(50)
    pytest.fail(f"the finding is not in view: {view_of(page, id_)}")


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_finished_review_opens_on_the_code_of_its_first_finding(
    page: Page, server: ScriptedServer, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    story = numbered(started(), summary(), in_cart(), finding("f1"), finished())
    server.add("r", story, diff=DEMO, title="Orders")
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#finding-f1")).to_be_visible()
    wait_for_view(page, "f1")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert page.url.endswith("#r=r")
    page.keyboard.press("j")
    expect(page.locator("#finding-f1")).to_be_focused()


def test_files_with_findings_come_first_in_the_order_of_the_diff(
    page: Page, server: ScriptedServer
) -> None:
    server.add("r", numbered(started(), in_cart(), finding("f1"), finished()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".finding")).to_have_count(2)
    order = ["shop/orders.py", "web/src/cart.ts", "shop/money.py", "shop/sync.py"]
    names = page.locator("#files .file-name").all_inner_texts()
    assert names[:4] == order
    listed = page.locator("#file-list .entry-path").all_inner_texts()
    assert listed == names
    parts = page.locator("#files > *").evaluate_all("all => all.map((one) => one.className)")
    assert [name.split()[0] for name in parts].index("files-rest") == 2
    page.evaluate("scrollTo(0, 0)")
    for name in order[:3]:
        page.keyboard.press("n")
        expect(page.get_by_role("region", name=name)).to_be_focused()


def running(page: Page, server: ScriptedServer, *events: Json) -> Review:
    review = server.add("r", numbered(started(), *events), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".file")).to_have_count(5)
    expect(page.locator("#state-pill")).to_have_text("Running")
    page.evaluate(FRAMES)
    return review


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_the_first_finding_of_a_running_review_comes_into_view(
    page: Page, server: ScriptedServer, width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    review = running(page, server)
    server.extend(review, in_cart())
    expect(page.locator("#finding-cart")).to_be_visible()
    wait_for_view(page, "cart")
    # The findings after it do not take its place.
    server.extend(review, finding("f1"), finding("f2", line=28, end_line=28, title="Other"))
    expect(page.locator("#finding-f2")).to_be_attached()
    page.evaluate(FRAMES)
    wait_for_view(page, "cart")


@pytest.mark.parametrize("act", ["scrolls", "has the focus elsewhere", "presses a key"])
def test_the_page_does_not_scroll_for_a_reader_who_has_chosen_a_place(
    page: Page, server: ScriptedServer, act: str
) -> None:
    review = running(page, server)
    if act == "scrolls":
        page.evaluate("scrollTo(0, 120)")
    elif act == "presses a key":
        page.keyboard.press("Shift")
    else:
        page.locator("#word-filter").focus()
    page.evaluate(FRAMES)
    line = page.get_by_text("def with_tax(amount", exact=False).first
    before = line.bounding_box()
    server.extend(review, in_cart(), finished())
    expect(page.locator("#outcome")).to_be_visible()
    page.evaluate(FRAMES)
    after = line.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2


def test_what_is_read_does_not_move_while_findings_files_and_the_summary_arrive_above(
    page: Page, server: ScriptedServer
) -> None:
    page.set_viewport_size({"width": 1360, "height": 6_000})  # all is drawn, and keeps its height
    review = running(page, server, finding("f1", line=59, end_line=59))
    page.evaluate(FRAMES)
    page.set_viewport_size({"width": 1360, "height": 500})
    page.evaluate(FRAMES)
    line = page.get_by_text("export function", exact=False).first
    line.evaluate("element => element.scrollIntoView({ block: 'center' })")
    page.mouse.move(700, 300)
    page.mouse.wheel(0, 20)
    page.evaluate(FRAMES)
    page.wait_for_timeout(300)
    place = line.bounding_box()
    assert place is not None
    many: list[dict[str, Any]] = [
        {"line": 28, "end_line": 28, "title": "First"},
        {"path": "shop/money.py", "line": 13, "end_line": 13, "title": "Second"},
        {"path": "shop/sync.py", "line": 12, "end_line": 12, "title": "Third"},
        {"line": 28, "end_line": 28, "title": "Fourth", "severity": "note"},
    ]
    steps = [
        chunk_started("shop/orders.py"),
        progress(0, "reading shop/db.py 20-60", batch="b1"),
        *(finding(f"m{number}", **changes) for number, changes in enumerate(many)),
        summary(),
        finished(),
    ]
    for step in steps:
        server.extend(review, step)
        page.evaluate(FRAMES)
        now = line.bounding_box()
        assert now is not None
        assert abs(now["y"] - place["y"]) < 2, step["type"]
    expect(page.locator(".finding")).to_have_count(5)

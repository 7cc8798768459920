"""What a screen reader, a keyboard and weak eyes need, on every view in both themes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.scripted_server import Refusal, recorded
from tests.page.story import (
    DEMO,
    REVIEWED,
    finding,
    finished,
    numbered,
    progress,
    started,
    summary,
    withdrawn,
)
from tests.support.accessibility import AXE, assert_accessible, assert_readable

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.page.scripted_server import ScriptedServer

pytestmark = pytest.mark.slow


def test_the_first_view(page: Page, server: ScriptedServer) -> None:
    for name in ("sample", "clean", "cut", "findings"):
        server.add(name, recorded(name), title=name)
    page.goto(server.url)
    expect(page.locator("#recent-list li")).to_have_count(4)
    page.get_by_text("Options", exact=True).click()
    assert_accessible(page)


def test_a_running_review(page: Page, server: ScriptedServer) -> None:
    events = numbered(started(), finding(), progress(1, "thinking"))
    server.add("r", events, diff=DEMO, title="Round totals")
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".finding")).to_have_count(1)
    expect(page.locator(".hl-k").first).to_be_visible()
    page.locator("#coverage summary").click()
    refusals = [Refusal(503, "Busy.", {"Retry-After": "600"})] * 2
    server.refuse("GET", "/v1/reviews/r/events", *refusals)
    server.cut()
    expect(page.locator("#connection")).to_contain_text("Busy.")
    assert_accessible(page)


@pytest.mark.parametrize("outcome", ["clean", "findings", "incomplete", "cancelled", "superseded"])
def test_a_finished_review_of_all_sorts(page: Page, server: ScriptedServer, outcome: str) -> None:
    held = {"kind": "outside", "reason": "Its confidence is below 0.7.", "held": True}
    bad = {REVIEWED[0]: ("failed", "Overloaded."), REVIEWED[1]: ("partly", "Cut.")}
    code = "Say:\n\n```python\nx = 1\n```\n\n- a `b`\n- c\n\n> quote"
    begin = {**started(), "notices": ["A secret was not sent."]}
    server.add(
        "r",
        numbered(
            begin,
            finding("f1", suggestion="    rows = db.execute(query)  # new", message=code),
            finding("f2", severity="warning", line=44, end_line=46, title="With `code` in it"),
            finding("f3", severity="note", placement=held),
            finding("f4", placement={"kind": "file", "reason": "Not in the diff."}),
            finding("f5", line=59, end_line=59, message="Hidden \u202e here"),
            finding("f6"),
            withdrawn("f6", "It was `wrong`."),
            summary(claim_mismatch="It does more."),
            finished(outcome, bad if outcome == "incomplete" else None),
        ),
        diff=DEMO,
        title="Round totals",
    )
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#outcome")).to_be_visible()
    expect(page.locator(".hl-k").first).to_be_visible()
    page.locator("#finding-f3 summary").click()
    page.locator("#summary-title").click()
    page.get_by_text("File by file").click()
    page.keyboard.press("j")
    assert_accessible(page)


def test_a_problem_and_the_dialogs(page: Page, server: ScriptedServer) -> None:
    server.key = "rb_right"
    page.goto(f"{server.url}/#r=r")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert_readable(page)
    page.get_by_role("button", name="Not now").click()
    expect(page.locator("#review-problem")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Help")).to_be_visible()
    assert_readable(page)


@pytest.mark.parametrize(
    ("html", "rule"),
    [
        ("<button></button>", "button-name"),
        ("<input>", "label"),
        ("<img src='data:,'>", "image-alt"),
        ("<h6>Too deep</h6>", "heading-order"),
        ("<h2></h2>", "empty-heading"),
        ("<ul><p>Here</p></ul>", "list"),
        ("<button>One <a href='#a'>two</a></button>", "nested-interactive"),
        ("<p style='color: #999; background: #fff'>Pale</p>", "color-contrast"),
    ],
)
def test_axe_finds_a_fault(browser: Browser, html: str, rule: str) -> None:
    page = browser.new_page()
    page.set_content(f"<html lang=en><title>T</title><main><h1>One</h1>{html}</main></html>")
    assert {found for found, _ in page.evaluate(AXE)} == {rule}
    page.close()


def test_what_happens_is_said_politely_and_not_each_finding_on_its_own(
    page: Page, server: ScriptedServer
) -> None:
    review = server.add("r", numbered(started()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".file")).to_have_count(5)
    page.evaluate(
        """() => {
            window.said = [];
            const region = document.getElementById("announcer");
            new MutationObserver(() => region.textContent && said.push(region.textContent))
                .observe(region, { childList: true, characterData: true, subtree: true });
        }"""
    )
    for number in range(12):
        server.extend(review, finding(f"f{number}"))
    expect(page.locator("#announcer")).to_have_text("12 new findings.")
    server.extend(review, finished("incomplete", {REVIEWED[0]: ("failed", "Overloaded.")}))
    says = "The review has ended. incomplete. 1 of 4 files was not fully reviewed; 12 errors found."
    expect(page.locator("#announcer")).to_have_text(says)
    assert page.evaluate("said.length") == 2
    live = page.locator("[aria-live], [role=status], [role=alert]").locator("visible=true")
    assert page.locator("#announcer").get_attribute("aria-live") == "polite"
    expect(live).to_have_count(1)


def test_a_finding_tells_where_it_is_and_what_it_is_by_its_roles(
    page: Page, server: ScriptedServer
) -> None:
    server.add("r", numbered(started(), finding()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    file = page.get_by_role("region", name="shop/orders.py")
    article = file.get_by_role("article", name="SQL built from the caller's text")
    expect(article).to_be_visible()
    expect(article).to_contain_text("Error")
    expect(article.get_by_role("heading", level=4)).to_be_visible()
    table = file.get_by_role("table", name="Lines 25 to 49 of the new file")
    expect(table.get_by_role("row").first).to_be_visible()


def test_everything_can_be_reached_with_the_tab_key_and_the_focus_is_seen(
    page: Page, server: ScriptedServer
) -> None:
    server.add("r", numbered(started(), finding(), finished()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#outcome")).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        outline, name = page.evaluate(
            """() => {
                const style = getComputedStyle(document.activeElement);
                const element = document.activeElement;
                const name = element.id || element.className || element.tagName;
                return [`${style.outlineStyle} ${style.outlineWidth}`, name];
            }"""
        )
        reached.append(name)
        if name != "BODY":
            assert outline.startswith(("solid 2px", "auto")), name
    for wanted in ("skip-link", "theme-button", "help-button", "word-filter", "next-finding"):
        assert wanted in reached
    assert any("entry error" in name for name in reached)
    assert any("fold" in name for name in reached)
    assert any("permalink" in name for name in reached)


def test_the_skip_link_leads_to_the_content_and_keeps_the_review(
    page: Page, server: ScriptedServer
) -> None:
    server.add("r", numbered(started(), finished("clean")), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#outcome")).to_be_visible()
    page.get_by_role("link", name="Skip to the content").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#outcome")).to_be_visible()

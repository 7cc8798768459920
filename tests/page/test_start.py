"""The first view: giving a diff, options, the list of recent reviews."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.scripted_server import ROOT, Refusal, Review
from tests.page.story import DEMO, finding, finished, numbered, started

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.page.scripted_server import Call, ScriptedServer

pytestmark = pytest.mark.slow

DIFF = (ROOT / "fixtures" / "demo.diff").read_text("utf-8")


@pytest.fixture(autouse=True)
def _next_review(server: ScriptedServer) -> None:
    events = numbered(started(), finding(), finished())
    server.next_review = Review("new", events, DEMO, released=len(events))


def posted(server: ScriptedServer) -> list[Call]:
    return server.called("POST", "/v1/reviews")


def paste(page: Page, text: str) -> None:
    page.get_by_label("Diff", exact=True).evaluate(
        """(field, text) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text/plain", text);
            field.focus();
            const init = { clipboardData, bubbles: true, cancelable: true };
            const event = new ClipboardEvent("paste", init);
            if (field.dispatchEvent(event)) document.execCommand("insertText", false, text);
        }""",
        text,
    )


def test_a_pasted_diff_starts_a_review_with_the_options(page: Page, server: ScriptedServer) -> None:
    page.goto(server.url)
    start = page.get_by_role("button", name="Start the review")
    expect(start).to_be_disabled()
    paste(page, DIFF)
    page.get_by_label("Title").fill("Round totals")
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Model").select_option("offline")
    page.get_by_label("Budget in dollars").fill("0.5")
    page.get_by_label("Purpose of the change").fill("Tax is due.")
    start.click()
    expect(page.locator(".finding")).to_have_count(1)
    assert page.url.endswith("/#r=new")
    (call,) = posted(server)
    assert call.headers["content-type"] == "application/json"
    assert json.loads(call.body) == {
        "diff": DIFF,
        "title": "Round totals",
        "description": "Tax is due.",
        "options": {"model": "offline", "budget_usd": 0.5},
    }


def test_a_pasted_diff_keeps_its_line_ends(page: Page, server: ScriptedServer) -> None:
    page.goto(server.url)
    text = DIFF.replace("\n", "\r\n")
    paste(page, text)
    page.get_by_role("button", name="Start the review").click()
    expect(page.locator("#review")).to_be_visible()
    assert json.loads(posted(server)[0].body) == {"diff": text}


def test_a_picked_file_is_sent_byte_for_byte(
    page: Page, server: ScriptedServer, tmp_path: Path
) -> None:
    data = DIFF.encode().replace(b"customer", b"cust\xf6mer\r")
    file = tmp_path / "change.diff"
    file.write_bytes(data)
    page.goto(server.url)
    page.locator("#file-picker").set_input_files(file)
    expect(page.locator("#attached")).to_contain_text("change.diff")
    page.get_by_label("Title").fill("Ä title")
    page.get_by_role("button", name="Start the review").click()
    expect(page.locator(".finding")).to_have_count(1)
    (call,) = posted(server)
    assert call.headers["content-type"] == "text/x-diff"
    assert call.query == "title=%C3%84+title"
    assert call.body == data


def test_a_dropped_file_is_taken_on_any_view(page: Page, server: ScriptedServer) -> None:
    server.add("r", numbered(started(), finished("clean")), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#outcome")).to_be_visible()
    page.evaluate(
        """text => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([text], "dropped.patch"));
            const init = { dataTransfer, bubbles: true, cancelable: true };
            for (const type of ["dragenter", "dragover", "drop"]) {
                document.body.dispatchEvent(new DragEvent(type, init));
            }
        }""",
        DIFF,
    )
    expect(page.locator("#attached")).to_contain_text("dropped.patch")
    expect(page.get_by_role("button", name="Start the review")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".finding")).to_have_count(1)
    assert posted(server)[0].body == DIFF.encode()


def test_a_very_long_paste_is_kept_aside_like_a_file(page: Page, server: ScriptedServer) -> None:
    page.goto(server.url)
    long = DIFF + " x\n" * 200_000
    paste(page, long)
    expect(page.locator("#attached")).to_contain_text("Pasted text")
    page.get_by_role("button", name="Start the review").click()
    expect(page.locator("#review")).to_be_visible()
    assert posted(server)[0].body == long.encode()


def test_a_refused_diff_is_said_in_the_servers_words(page: Page, server: ScriptedServer) -> None:
    page.goto(server.url)
    refusal = Refusal(400, "There is no diff in this input.", members={"line": 3})
    server.refuse("POST", "/v1/reviews", refusal)
    paste(page, "hello")
    page.get_by_role("button", name="Start the review").click()
    problem = page.locator("#start-problem")
    expect(problem).to_contain_text("There is no diff in this input.")
    expect(problem).to_contain_text("line 3")
    expect(problem).to_be_focused()
    expect(page.get_by_label("Diff", exact=True)).to_have_value("hello")


def test_too_many_reviews_says_when_to_try_again(page: Page, server: ScriptedServer) -> None:
    page.goto(server.url)
    refusal = Refusal(429, "The day's budget is spent.", {"Retry-After": "90"})
    server.refuse("POST", "/v1/reviews", refusal)
    paste(page, DIFF)
    page.get_by_role("button", name="Start the review").click()
    expect(page.locator("#start-problem")).to_contain_text("Try again in 1:30 min.")


def test_a_repeat_after_a_lost_answer_starts_nothing_twice(
    page: Page, server: ScriptedServer
) -> None:
    page.goto(server.url)
    paste(page, DIFF)
    lost: list[str | None] = []

    def lose(route: object) -> None:
        lost.append(route.request.headers.get("idempotency-key"))  # type: ignore[attr-defined]
        route.abort()  # type: ignore[attr-defined]

    page.route("**/v1/reviews", lose)
    start = page.get_by_role("button", name="Start the review")
    start.click()
    expect(page.locator("#start-problem")).to_contain_text("The server cannot be reached.")
    page.unroute_all()
    start.click()
    expect(page.locator(".finding")).to_have_count(1)
    assert lost[0]
    assert posted(server)[0].headers["idempotency-key"] == lost[0]


def test_leaving_the_page_cancels_the_review_only_if_that_was_wanted(
    page: Page, server: ScriptedServer
) -> None:
    for wanted in (False, True):
        server.next_review = Review(f"new-{wanted}", numbered(started()), DEMO, released=1)
        page.goto(server.url)
        paste(page, DIFF)
        page.get_by_text("Options", exact=True).click()
        page.get_by_label("Cancel the review when I close this page").set_checked(wanted)
        page.get_by_role("button", name="Start the review").click()
        expect(page.locator(".file")).to_have_count(5)
        page.goto("about:blank")
        page.wait_for_timeout(300)
        for _ in range(100):
            if server.called("DELETE", f"/v1/reviews/new-{wanted}") or not wanted:
                break
            page.wait_for_timeout(50)
        assert len(server.called("DELETE", f"/v1/reviews/new-{wanted}")) == wanted


@pytest.mark.parametrize("written", ["r", "  r ", "{url}/#r=r&f=f1", "{url}/v1/reviews/r/events"])
def test_a_review_is_opened_by_its_id_or_a_link(
    page: Page, server: ScriptedServer, written: str
) -> None:
    server.add("r", numbered(started(), finished("clean")), diff=DEMO)
    page.goto(server.url)
    page.get_by_label("Id of a review, or a link to it").fill(written.format(url=server.url))
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#outcome")).to_be_visible()
    assert page.url.endswith("/#r=r")


def test_what_is_no_id_is_not_asked_for(page: Page, server: ScriptedServer) -> None:
    page.goto(server.url)
    page.get_by_label("Id of a review, or a link to it").fill("../../etc/passwd?")
    page.get_by_role("button", name="Open").click()
    expect(page.locator("#open-problem")).to_contain_text("This is not the id of a review")


def test_recent_reviews_lead_to_each_and_older_ones_can_be_shown(
    page: Page, server: ScriptedServer
) -> None:
    for number in range(25):
        events = numbered(started(), finding(), finished())
        server.add(f"r{number:02}", events, diff=DEMO, title=f"Change {number}")
    page.goto(server.url)
    entries = page.locator("#recent-list li")
    expect(entries).to_have_count(20)
    expect(entries.first).to_contain_text("Change 24")
    expect(entries.first).to_contain_text("Findings · 1 error · 5 files · $0.25")
    page.get_by_role("button", name="Show older ones").click()
    expect(entries).to_have_count(25)
    expect(page.get_by_role("button", name="Show older ones")).to_be_hidden()
    entries.last.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Change 0", exact=True)).to_be_visible()
    page.go_back()
    expect(entries).to_have_count(20)


def test_one_click_reviews_the_example_and_asks_no_model(
    page: Page, server: ScriptedServer
) -> None:
    page.goto(server.url)
    page.get_by_role("button", name="See a live example").click()
    expect(page.locator("#review")).to_be_visible()
    sent = json.loads(posted(server)[0].body)
    assert sent["options"] == {"model": "offline"}
    assert "shop/orders.py" in sent["diff"]

"""The page of statistics: pictures with numbers, for a period, in every state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from reviewbot.server.statistics import statistics_document
from reviewbot.store.statistics import DAY_MS, EndedReview, Statistics, Totals
from tests.page.scripted_server import Refusal
from tests.support.accessibility import assert_accessible, assert_readable

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.scripted_server import ScriptedServer

pytestmark = pytest.mark.slow

TODAY = 20_788  # 2026-12-01


def ended(number: int = 1, **changes: Any) -> EndedReview:
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "title": f"Change {number}",
        "subject": f"acme/shop#{number}",
        "outcome": "findings",
        "created_at": TODAY * DAY_MS,
        "started_at": TODAY * DAY_MS,
        "finished_at": TODAY * DAY_MS + 75_000,
        "first_finding_s": 4.2,
        "reasons": (),
        **changes,
    }
    return EndedReview(**values)


SOME = Statistics(
    totals=(
        Totals(TODAY, "acme/shop#", "findings", 12, 9, 20, 4, 1.25, 0),
        Totals(TODAY, "acme/shop#", "clean", 7, 0, 0, 0, 0.5, 0),
        Totals(TODAY - 1, "acme/api#", "shallow", 2, 0, 0, 0, 0.25, 0),
        Totals(TODAY - 3, "", "incomplete", 3, 1, 1, 0, 0.05, 1),
        Totals(TODAY - 3, "", "answered", 1, 0, 0, 0, 0.01, 0),
        Totals(TODAY - 4, "", "superseded", 1, 0, 0, 0, 0.01, 0),
        Totals(TODAY - 5, "", "cancelled", 1, 0, 0, 0, 0.01, 0),
        Totals(TODAY, "", None, 2, 0, 0, 0, 0.0, 0),
    ),
    slowest=(ended(), ended(2, first_finding_s=None, subject=None, title="")),
    failed=(ended(3, outcome="incomplete", reasons=("The model is overloaded.", "Cut.")),),
    truncated=True,
)
NONE = Statistics((), (), (), truncated=False)


def shown(
    page: Page, server: ScriptedServer, found: Statistics = SOME, *, address: str = "reviews"
) -> None:
    for days in (7, 30, 90):
        server.statistics[days] = statistics_document(found, days=days, today=TODAY, kept_days=30)
    page.goto(f"{server.url}/{address}")
    expect(page.locator("#statistics-loading")).to_be_hidden()


def rows(page: Page, table: str) -> list[str]:
    found: list[str] = page.locator(f"#{table} tbody tr").all_inner_texts()
    return [" ".join(row.split()) for row in found]


def test_every_picture_has_its_numbers_as_text(page: Page, server: ScriptedServer) -> None:
    shown(page, server)
    figures = " ".join(page.locator("#statistics-figures").inner_text().split())
    assert figures == "Reviews 29 Running or queued 2 Findings 35 Incomplete 3 Cost $2.08"
    assert rows(page, "outcome-bars")[:2] == ["Findings 12", "No findings 7"]
    assert rows(page, "severity-bars") == ["Errors 10", "Warnings 21", "Notes 4"]
    assert rows(page, "repository-bars") == [
        "acme/shop 19 reviews, 33 findings $1.75",
        "acme/api 2 reviews, 0 findings $0.25",
        "local 8 reviews, 2 findings $0.0800",
    ]
    page.get_by_text("Numbers by day").click()
    assert rows(page, "day-rows")[:2] == [
        "2026-12-01 21 9 20 4 $1.75",
        "2026-11-30 2 0 0 0 $0.25",
    ]
    assert len(rows(page, "day-rows")) == 30
    first = page.locator("#reviews-by-day rect").last
    assert first.evaluate("one => one.textContent") == "2026-12-01: 21 reviews"
    widths = page.locator("#outcome-bars rect").evaluate_all(
        "all => all.map((one) => Number(one.getAttribute('width')))"
    )
    assert widths[0] == 100
    assert widths[1] == pytest.approx(100 * 7 / 12)


def test_notes_say_what_the_numbers_leave_out(page: Page, server: ScriptedServer) -> None:
    shown(page, server, address="reviews#days=90")
    expect(page.locator("#statistics-notes li")).to_have_text(
        [
            "This server deletes finished reviews after 30 days; they are not included.",
            "There are too many reviews in this period: the oldest are not included.",
            "The cost of 1 review is not known and not included.",
        ]
    )


def test_slow_and_failed_reviews_lead_to_their_page(page: Page, server: ScriptedServer) -> None:
    shown(page, server)
    assert rows(page, "slowest-rows")[0].startswith("Change 1 acme/shop#1 1:15 min 4.2 s")
    assert "no finding" in rows(page, "slowest-rows")[1]
    failed = page.locator("#failed-list > li")
    expect(failed.locator("li")).to_have_text(["The model is overloaded.", "Cut."])
    failed.get_by_role("link", name="Change 3").click()
    expect(page).to_have_url(f"{server.url}/#r={3:032x}")


def test_a_period_is_chosen_by_keyboard_announced_and_kept_in_the_address(
    page: Page, server: ScriptedServer
) -> None:
    shown(page, server)
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="7 days")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#announcer")).to_have_text("7 days: 29 reviews.")
    assert page.url.endswith("/reviews#days=7")
    page.reload()
    expect(page.get_by_role("button", name="7 days")).to_have_attribute("aria-pressed", "true")
    queries = [call.query for call in server.called("GET", "/v1/statistics")]
    assert queries == ["days=30", "days=7", "days=7"]


def test_without_any_review_one_sentence_and_the_way_home_are_shown(
    page: Page, server: ScriptedServer
) -> None:
    shown(page, server, NONE)
    none = page.locator("#statistics-none")
    expect(none).to_contain_text("There is no review in the last 30 days.")
    expect(page.locator("#statistics")).to_be_hidden()
    assert_accessible(page)
    none.get_by_role("link", name="Review a diff").click()
    expect(page.get_by_role("heading", name="Review a diff")).to_be_visible()


def test_a_key_is_asked_for_and_another_key_shows_its_own_numbers(
    page: Page, server: ScriptedServer
) -> None:
    server.key = "rb_right"
    for days in (7, 30, 90):
        server.statistics[days] = statistics_document(SOME, days=days, today=TODAY, kept_days=None)
    page.goto(f"{server.url}/reviews")
    dialog = page.get_by_role("dialog", name="API key")
    dialog.get_by_label("Key", exact=True).fill("rb_right")
    page.keyboard.press("Enter")
    expect(page.locator("#statistics")).to_be_visible()
    server.key = "rb_other"
    page.get_by_role("button", name="Key", exact=True).click()
    dialog.get_by_label("Key", exact=True).fill("rb_other")
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    expect(page.locator("#statistics")).to_be_visible()
    sent = [call.headers.get("authorization") for call in server.called("GET", "/v1/statistics")]
    assert sent == [None, "Bearer rb_right", "Bearer rb_other"]


def test_a_problem_hides_the_numbers_of_before(page: Page, server: ScriptedServer) -> None:
    shown(page, server)
    server.refuse("GET", "/v1/statistics", Refusal(429, "Too many.", {"Retry-After": "30"}))
    page.get_by_role("button", name="90 days").click()
    expect(page.locator("#statistics-problem")).to_contain_text("Too many.")
    expect(page.locator("#statistics")).to_be_hidden()
    assert_readable(page)


def test_texts_of_strangers_are_only_text(page: Page, server: ScriptedServer) -> None:
    evil = '<img src=x onerror="alert(1)">\u202e'
    review = ended(1, title=evil, subject=evil, outcome="incomplete", reasons=(evil,))
    totals = (Totals(TODAY, "a/b#", "incomplete", 1, 0, 0, 0, 0.0, 0),)
    shown(page, server, Statistics(totals, (review,), (review,), truncated=False))
    expect(page.locator("main img")).to_have_count(0)
    expect(page.locator("#failed-list a")).to_contain_text("<img src=x")
    expect(page.locator("#failed-list .code-point").first).to_have_text("U+202E")


def test_the_page_is_accessible_in_both_themes_and_sizes(
    page: Page, server: ScriptedServer
) -> None:
    shown(page, server)
    page.get_by_text("Numbers by day").click()
    assert_accessible(page)


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_nothing_is_wider_than_the_window(page: Page, server: ScriptedServer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    shown(page, server)
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_print_has_all_numbers_and_no_buttons(page: Page, server: ScriptedServer) -> None:
    shown(page, server)
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.locator("#periods")).to_be_hidden()
    expect(page.locator(".topbar")).to_be_hidden()
    expect(page.locator("#day-rows")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(31, 36, 48)"

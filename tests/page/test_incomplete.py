"""An incomplete review: one sentence for each cause, and the control that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from reviewbot.models.base import Fault
from tests.page.scripted_server import Refusal, Review
from tests.page.story import (
    DEMO,
    REVIEWED,
    chunk_started,
    finding,
    finished,
    numbered,
    progress,
    started,
)
from tests.support.accessibility import assert_accessible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Locator, Page

    from tests.page.scripted_server import Json, ScriptedServer

pytestmark = pytest.mark.slow

REFUSED = "api.example:443 answered 401 authentication_error: invalid; check the API key"
LIMITED = "api.example:443 answered 429 rate_limit_error: slow down until 2026-11-25T10:00:00Z"
PHONE = {"width": 390, "height": 844}


def failed(paths: Iterable[str], reason: str, fault: str) -> dict[str, tuple[str, str | None]]:
    """Return files that failed for the same reason, each with a request id of its own."""
    return {path: (f"{reason} (request req_{path})", fault) for path in paths}


def incomplete(reasons: dict[str, tuple[str, str | None]]) -> list[Json]:
    """Return a review whose files failed for a reason, with the kind of the model failure."""
    bad = {path: ("failed", reason) for path, (reason, _) in reasons.items()}
    end = finished("incomplete", bad)
    end["reasons"] = [f"{path} not reviewed: {reason}" for path, (reason, _) in reasons.items()]
    events = numbered(started(), finding(), end)
    for entry in events[-1]["coverage"]:
        entry["fault"] = reasons.get(entry["path"], (None, None))[1]
    return events


def open_review(page: Page, server: ScriptedServer, events: list[Json]) -> Locator:
    server.add("r", events, diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    outcome = page.get_by_role("region", name="Outcome")
    expect(outcome).to_be_visible()
    return outcome


def test_each_kind_of_model_failure_has_a_sentence_of_its_own(
    page: Page, server: ScriptedServer
) -> None:
    page.goto(server.url)
    sentences: list[str] = page.evaluate(
        """async (faults) => {
            const { causesOf } = await import("./js/causes.js");
            const file = { path: "a", status: "failed", reason: "Raw." };
            return faults.map((fault) => causesOf([{ ...file, fault }])[0].sentence);
        }""",
        [*(fault.value for fault in Fault), "of a newer version", "__proto__", None],
    )
    assert sentences[-3:] == ["Raw."] * 3
    assert len({*sentences}) == len(Fault) + 1


def test_a_refused_key_is_one_sentence_and_the_key_is_what_to_check(
    page: Page, server: ScriptedServer
) -> None:
    bad = failed(REVIEWED[:3], REFUSED, "auth")
    outcome = open_review(page, server, incomplete(bad))
    expect(outcome.locator(".cause")).to_have_count(1)
    cause = outcome.locator(".cause summary")
    expect(cause).to_have_text("3 files: The model service refused the API key.")
    assert outcome.inner_text().count("refused the API key") == 1
    expect(outcome).not_to_contain_text("api.example")
    expect(outcome.locator(".cause li").first).to_be_hidden()
    cause.click()
    expect(outcome.locator(".cause li")).to_have_text([f"{path} not reviewed" for path in bad])
    # Another try without another key helps nobody.
    again = outcome.get_by_role("button", name="Review the failed files again")
    expect(again).to_be_hidden()
    outcome.get_by_text("Check the key").click()
    expect(outcome.locator(".help")).to_contain_text("reviewbot doctor")
    expect(again).to_be_visible()
    # The details are in the ledger, which is folded.
    expect(page.locator("#coverage-rows")).to_be_hidden()
    page.locator("#coverage summary").click()
    expect(page.locator("#coverage-rows")).to_contain_text("api.example:443 answered 401")
    assert_accessible(page)


def test_causes_are_counted_and_the_failed_files_reviewed_again(
    page: Page, server: ScriptedServer
) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type] # a plain dict is what it takes
    bad = failed(REVIEWED[:2], LIMITED, "rate_limited")
    bad[REVIEWED[2]] = ("Part 1 of 2: The answer was cut at 2026-11-25T10:00:00.123Z.", None)
    bad[REVIEWED[3]] = ("Part 2 of 2: The answer was cut at 2026-11-25T10:00:00.123Z.", None)
    outcome = open_review(page, server, incomplete(bad))
    causes = outcome.locator(".cause summary")
    expect(causes.nth(0)).to_have_text("2 files: The model service limits the rate of requests.")
    expect(causes.nth(1)).to_contain_text("2 files: The answer was cut at ")
    expect(causes).to_have_count(2)
    page.locator("#coverage summary").click()
    expect(page.locator("main")).not_to_contain_text("2026-11-25T")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert_accessible(page)

    again = outcome.get_by_role("button", name="Review the failed files again")
    server.refuse("POST", "/v1/reviews/r/rerun", Refusal(429, "The budget of today is spent."))
    again.click()
    expect(page.get_by_role("alert")).to_contain_text("The budget of today is spent.")
    expect(page.locator("#finding-f000000000000001")).to_be_visible()
    events = numbered(started(), finished("clean"))
    server.next_review = Review("new", events, DEMO, released=len(events))
    again.click()
    expect(page.locator("#state-pill")).to_have_text("No findings")
    assert page.url.endswith("#r=new")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_without_a_connection_nothing_says_that_the_review_runs(
    page: Page, server: ScriptedServer
) -> None:
    activity = "waiting until 2026-11-25T10:00:00.000Z for a model: overloaded"
    events = numbered(started(), chunk_started(REVIEWED[0]), progress(1, activity))
    review = server.add("r", events, diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#activity")).to_contain_text("for a model: overloaded")
    expect(page.locator("#activity")).not_to_contain_text("2026-")
    server.refuse("GET", "/v1/reviews/r/events", Refusal(503, "Busy."))
    server.cut()
    expect(page.locator("#state-pill")).to_have_text("Not connected")
    expect(page.locator("#activity")).to_have_text("")
    expect(page.locator("#connection")).to_contain_text("Trying again in")
    assert page.locator(".icon-spin").first.evaluate(
        "one => getComputedStyle(one).animationName === 'none'"
    )
    server.extend(review, finished("clean"))
    expect(page.locator("#state-pill")).to_have_text("No findings")

    # What cannot be tried again stays like this.
    server.add("gone", numbered(started(), finding()), diff=DEMO)
    page.goto(f"{server.url}/#r=gone")
    expect(page.locator("#state-pill")).to_have_text("Running")
    server.refuse("GET", "/v1/reviews/gone/events", Refusal(404, "It was deleted."))
    server.cut()
    expect(page.get_by_role("alert")).to_contain_text("It was deleted.")
    expect(page.locator("#state-pill")).to_have_text("Not connected")
    time = page.locator("#figure-time").inner_text()
    page.wait_for_timeout(2_100)
    assert page.locator("#figure-time").inner_text() == time

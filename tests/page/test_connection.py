"""The stream over lost connections, keys, refusals, waiting and cancelling."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError as NotInTime
from playwright.sync_api import expect

from tests.page.scripted_server import Refusal
from tests.page.story import DEMO, chunk_started, finding, finished, numbered, progress, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.scripted_server import ScriptedServer

pytestmark = pytest.mark.slow

EVENTS = "/v1/reviews/r/events"


def last_ids(server: ScriptedServer) -> list[str | None]:
    return [call.headers.get("last-event-id") for call in server.called("GET", EVENTS)]


def test_after_a_lost_connection_it_goes_on_where_it_was(
    page: Page, server: ScriptedServer
) -> None:
    review = server.add("r", numbered(started(), finding()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".finding")).to_have_count(1)
    server.cut()
    expect(page.locator("#connection-text")).to_contain_text("The connection was lost.")
    server.extend(review, finding("f000000000000002", title="Another"), finished())
    expect(page.locator(".finding")).to_have_count(2)
    expect(page.locator("#state-pill")).to_have_text("Findings")
    expect(page.locator("#connection")).to_be_hidden()
    assert last_ids(server) == [None, "2"]


def test_it_tries_again_and_again_with_longer_pauses(page: Page, server: ScriptedServer) -> None:
    page.goto(server.url)
    pauses: list[float] = page.evaluate(
        """async () => {
            const { follow } = await import("./js/follow.js");
            window.fetch = () => Promise.reject(new TypeError("no network"));
            const pauses = [];
            const end = new AbortController();
            const connection = (state) => {
                pauses.push(state.retryInMs);
                // As soon as it waits.
                setTimeout(() => (pauses.length < 12 ? state.retry() : end.abort()));
            };
            await follow("r", { event: () => {}, connection }, end.signal);
            return pauses;
        }"""
    )
    assert len(pauses) == 12
    assert 350 <= pauses[0] <= 650
    # Doubled each time, give or take a quarter, up to half a minute.
    for number, pause in enumerate(pauses):
        wanted = min(500 * 2**number, 30_000)
        assert wanted * 0.75 <= pause <= wanted * 1.25
    assert len({round(pause) for pause in pauses[-5:]}) > 1


def test_a_lost_review_can_be_asked_for_at_once(page: Page, server: ScriptedServer) -> None:
    review = server.add("r", numbered(started()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".file")).to_have_count(5)
    server.refuse("GET", EVENTS, *(Refusal(502, "A proxy failed.") for _ in range(4)))
    server.cut()
    expect(page.locator("#connection-text")).to_contain_text("A proxy failed. Trying again in")
    server.extend(review, finished("clean"))
    while page.locator("#outcome").is_hidden():
        retry = page.get_by_role("button", name="Try now")
        if retry.is_visible():
            with suppress(NotInTime):  # it tried again by itself meanwhile
                retry.click(timeout=1_000)
        page.wait_for_timeout(20)
    expect(page.locator("#state-pill")).to_have_text("No findings")


def test_a_busy_server_is_asked_again_when_it_says(page: Page, server: ScriptedServer) -> None:
    server.add("r", numbered(started(), finished("clean")), diff=DEMO)
    busy = Refusal(503, "The server is shutting down.", {"Retry-After": "25"})
    server.refuse("GET", EVENTS, busy)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#connection-text")).to_contain_text("The server is shutting down.")
    expect(page.locator("#connection-text")).to_contain_text("Trying again in 2")
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#state-pill")).to_have_text("No findings")


def test_an_event_that_is_sent_again_is_shown_once(page: Page, server: ScriptedServer) -> None:
    events = numbered(started(), finding())
    server.add("r", [*events, {**events[1]}, *numbered(started(), finding(), finished())[2:]])
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#outcome")).to_be_visible()
    expect(page.locator(".finding")).to_have_count(1)


def test_an_event_that_is_missing_is_asked_for(page: Page, server: ScriptedServer) -> None:
    whole = numbered(started(), progress(1), finding(), finished())
    review = server.add("r", [whole[0], whole[2], whole[3]], diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#connection-text")).to_contain_text("The connection was lost.")
    review.events = whole
    server.release(review)
    expect(page.locator("#outcome")).to_be_visible()
    assert set(last_ids(server)[1:]) == {"1"}


def test_the_end_is_not_asked_for_again(page: Page, server: ScriptedServer) -> None:
    server.add("r", numbered(started(), finished("clean")), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#outcome")).to_be_visible()
    page.wait_for_timeout(2_000)
    assert len(last_ids(server)) == 1


def test_204_is_the_end_even_if_the_last_event_never_came(
    page: Page, server: ScriptedServer
) -> None:
    review = server.add("r", numbered(started()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".file")).to_have_count(5)
    # The last connection ends after its last event was stored and before it was sent.
    review.events = numbered(started(), finished("clean"))
    review.released = 2
    server.refuse("GET", EVENTS, Refusal(204))
    server.cut()
    expect(page.locator("#state-pill")).to_have_text("No findings")
    expect(page.locator("#connection")).to_be_hidden()


def test_without_a_key_it_asks_for_one_and_keeps_it_for_the_tab(
    page: Page, server: ScriptedServer
) -> None:
    server.key = "rb_right"
    server.add("r", numbered(started(), finding(), finished()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    dialog = page.get_by_role("dialog", name="API key")
    expect(dialog).to_contain_text("Send a key.")
    dialog.get_by_label("Key", exact=True).fill("rb_wrong")
    dialog.get_by_role("button", name="Use the key").click()
    expect(dialog).to_contain_text("The server did not accept this key. This key is not known.")
    dialog.get_by_label("Key", exact=True).fill("rb_right")
    dialog.get_by_role("button", name="Use the key").click()
    expect(page.locator(".finding")).to_have_count(1)
    expect(dialog).to_be_hidden()
    assert page.evaluate("JSON.stringify(localStorage)").find("rb_right") < 0

    page.reload()
    expect(page.locator(".finding")).to_have_count(1)
    page.get_by_role("button", name="Key", exact=True).click()
    page.get_by_role("button", name="Forget the key").click()
    page.reload()
    expect(dialog).to_be_visible()


def test_a_key_that_no_header_can_hold_is_not_sent(page: Page, server: ScriptedServer) -> None:
    server.key = "rb_right"
    page.goto(server.url)
    dialog = page.get_by_role("dialog", name="API key")
    dialog.get_by_label("Key", exact=True).fill("schlüssel")
    dialog.get_by_role("button", name="Use the key").click()
    expect(dialog).to_contain_text("A key has only letters, digits and signs")


def test_who_has_no_key_sees_why_nothing_is_shown(page: Page, server: ScriptedServer) -> None:
    server.key = "rb_right"
    page.goto(f"{server.url}/#r=r")
    page.get_by_role("button", name="Not now").click()
    expect(page.get_by_role("alert").filter(has_text="Send a key.")).to_be_visible()


def test_an_unknown_review_is_said_in_the_servers_words(page: Page, server: ScriptedServer) -> None:
    page.goto(f"{server.url}/#r=nothing")
    expect(page.get_by_role("alert")).to_contain_text("There is no such review.")
    expect(page.locator(".toolbar")).to_be_hidden()
    page.get_by_role("link", name="New review").click()
    expect(page.get_by_role("heading", name="Review a diff")).to_be_visible()


def test_a_server_that_is_gone_is_said(page: Page, server: ScriptedServer) -> None:
    page.goto(server.url)
    expect(page.locator("#recent-none")).to_be_visible()
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="Refresh").click()
    expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached.")


def test_a_review_that_waits_for_its_turn_says_how_many_are_before_it(
    page: Page, server: ScriptedServer
) -> None:
    state = {"state": "queued", "queue_position": 2}
    review = server.add("r", numbered(progress(0, "2 reviews are before this one")), state=state)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#state-pill")).to_have_text("Queued")
    expect(page.locator("#activity")).to_contain_text("2 reviews are before this one")
    review.state.clear()
    server.extend(review, started(), chunk_started("shop/money.py"))
    expect(page.locator("#state-pill")).to_have_text("Running")


def test_a_review_that_waits_for_its_models_says_when_it_goes_on(
    page: Page, server: ScriptedServer
) -> None:
    page.clock.install(time="2026-11-25T10:00:00Z")
    state = {"state": "waiting", "next_try_at": "2026-11-25T10:01:30.000Z"}
    events = numbered(started(), progress(0, "every model is overloaded"))
    review = server.add("r", events, state=state, diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#state-pill")).to_have_text("Waiting")
    expect(page.locator("#activity")).to_contain_text("every model is overloaded; next try in 1:")
    review.state.clear()
    server.extend(review, chunk_started("shop/money.py"))
    expect(page.locator("#state-pill")).to_have_text("Running")
    expect(page.locator("#activity")).not_to_contain_text("next try")


def test_a_review_can_be_cancelled_and_what_was_found_stays(
    page: Page, server: ScriptedServer
) -> None:
    server.add("r", numbered(started(), finding()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".finding")).to_have_count(1)
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Continue the review").click()
    assert not server.called("DELETE", "/v1/reviews/r")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel the review").click()
    expect(page.locator("#state-pill")).to_have_text("Cancelled")
    expect(page.locator("#outcome")).to_contain_text("Someone cancelled it.")
    expect(page.locator(".finding")).to_have_count(1)
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_hidden()
    assert len(server.called("DELETE", "/v1/reviews/r")) == 1


def test_a_stream_in_odd_pieces_is_read_right(page: Page, server: ScriptedServer) -> None:
    page.goto(server.url)
    events = page.evaluate(
        r"""async () => {
            const { SseParser } = await import("./js/sse.js");
            const text =
                "\ufeff: comment\r\nid: 1\r\nevent: a\r\ndata: x\r\ndata:  y\r\n\r\n" +
                "id:2\revent:b\rdata:z\r\rdata\n\nid: bad\0id\ndata: 3\n\n" +
                "retry: 70\nevent: c\n\ndata: cut";
            const runs = [];
            for (let size = 1; size < 9; size += 1) {
                const seen = [];
                const parser = new SseParser((event) => seen.push(event), (ms) => seen.push(ms));
                for (let at = 0; at < text.length; at += size) {
                    parser.push(text.slice(at, at + size));
                }
                runs.push(JSON.stringify(seen));
            }
            return [...new Set(runs)].map(JSON.parse);
        }"""
    )
    assert events == [
        [
            {"type": "a", "data": "x\n y", "id": "1"},
            {"type": "b", "data": "z", "id": "2"},
            {"type": "message", "data": "", "id": "2"},
            {"type": "message", "data": "3", "id": "2"},
            70,
        ]
    ]

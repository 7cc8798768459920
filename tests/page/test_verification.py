"""Verdicts on the page: while the review runs, at its end, and when it is opened later."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.page.scripted_server import Refusal, recorded
from tests.page.story import (
    DEMO,
    EVIDENCE,
    TALLY,
    finding,
    finished,
    numbered,
    pending,
    started,
    trivial,
    verified,
    withdrawn,
)
from tests.support.accessibility import assert_accessible

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.page.scripted_server import Json, Review, ScriptedServer

pytestmark = pytest.mark.slow

EACH: Final = (
    pending("f1"),
    pending("f2", line=28, end_line=28, title="Doubtful"),
    pending("f3", line=44, end_line=44, title="Trivial", severity="warning"),
    pending("f4", line=59, end_line=59, title="Refuted"),
    finding("f5", line=13, end_line=13, path="shop/money.py", rule="secrets/key", title="A secret"),
)
VERDICTS: Final = (
    verified("f1"),
    verified("f2", "cannot_tell"),
    trivial("f3"),
    withdrawn("f4", "The verifier refuted it with the code in shop/orders.py:36.", EVIDENCE),
)
FRAMES: Final = "() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))"
"""Waits until the page is drawn."""
TALLY_OF_EACH: Final = {**TALLY, "supported": 2, "wrong": 1}


def running(page: Page, server: ScriptedServer, *events: Json) -> Review:
    """A review that runs, opened."""
    review = server.add("r", numbered(started(), *events), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".finding")).to_have_count(sum("finding" in one for one in events))
    return review


def card(page: Page, id_: str = "f000000000000001") -> Locator:
    return page.locator(f"#finding-{id_}")


def chips(page: Page, where: str) -> list[str]:
    return page.locator(f"{where} .chip").all_inner_texts()


def test_a_finding_is_pending_until_its_verdict(page: Page, server: ScriptedServer) -> None:
    review = running(page, server, pending())
    expect(card(page).locator(".chip")).to_have_text("Being verified")
    expect(page.locator("#finding-list .chip")).to_have_text("Being verified")
    expect(card(page).locator(".verdict")).to_have_count(0)
    server.extend(review, verified())
    expect(card(page).locator(".chip")).to_have_text("Verified")
    expect(page.locator("#finding-list .chip")).to_have_text("Verified")
    verdict = card(page).locator(".verdict")
    expect(verdict).to_contain_text("Verified: The verifier traced it to the code in")
    expect(verdict.locator("figcaption")).to_have_text("Evidence: shop/orders.py:36")
    expect(verdict.locator(".code-line")).to_have_text(EVIDENCE["quote"])


def test_a_finding_that_is_not_verified_has_no_chip(page: Page, server: ScriptedServer) -> None:
    running(page, server, finding())
    assert chips(page, ".finding-head") == []


def test_a_finding_that_a_model_explains_later_is_replaced_in_its_place(
    page: Page, server: ScriptedServer
) -> None:
    rule = {"rule": "python/sql-injection", "model": "offline", "severity": "warning"}
    review = running(page, server, finding(**rule), finding("f2", title="Another on this line"))
    order = page.locator(".finding").evaluate_all("cards => cards.map((card) => card.id)")
    card(page).get_by_role("button", name="Copy").focus()
    sources = ["python/sql-injection", "claude-sonnet-5-5"]
    again = finding(**{**rule, "severity": "error"}, message="The model says why.", sources=sources)
    server.extend(review, again)
    expect(card(page)).to_contain_text("The model says why.")
    expect(card(page)).to_contain_text("offline, claude-sonnet-5-5")
    expect(card(page).locator(".severity")).to_have_text("Error")
    expect(page.locator(".finding")).to_have_count(2)
    now = page.locator(".finding").evaluate_all("cards => cards.map((card) => card.id)")
    assert now == order
    assert page.evaluate("document.activeElement.id") == "finding-f000000000000001"


def test_an_error_that_is_held_back_folds_under_its_line_and_does_not_count(
    page: Page, server: ScriptedServer
) -> None:
    review = running(page, server, pending(), finding("f2", line=59, end_line=59))
    expect(page.locator(".filter.error .amount")).to_have_text("2")
    expect(page.locator("tr.marked")).to_have_count(2)
    page.set_viewport_size({"width": 1360, "height": 300})  # so that the card is not seen
    page.evaluate("scrollTo(0, 0)")
    server.extend(review, trivial())
    expect(card(page).locator(".chip")).to_have_text("Held back")
    assert not card(page).locator("details").evaluate("details => details.open")
    above = card(page).locator("xpath=ancestor::tr/preceding-sibling::tr[1]")
    expect(above.locator(".number.new")).to_have_text("36")
    expect(page.locator(".filter.error .amount")).to_have_text("1")
    expect(page.locator(".filter.held .amount")).to_have_text("1")
    expect(page.locator("tr.marked")).to_have_count(1)
    card(page).locator("summary").click()
    expect(card(page).locator(".verdict")).to_contain_text(
        "Held back: It is true, but the verifier does not find it worth a fix."
    )


def test_a_held_finding_gives_the_reason_of_its_placement(
    page: Page, server: ScriptedServer
) -> None:
    running(page, server, pending(), trivial())
    expect(card(page).locator(".chip")).to_have_text("Held back")
    card(page).locator("summary").click()
    expect(card(page).locator(".verdict p").first).to_have_text(
        "Held back: It is true, but the verifier does not find it worth a fix."
    )


def test_a_finding_about_which_the_verifier_cannot_tell_counts(
    page: Page, server: ScriptedServer
) -> None:
    running(page, server, pending(), verified(verdict="cannot_tell"))
    expect(card(page).locator(".chip")).to_have_text("Not verified")
    expect(page.locator(".filter.error .amount")).to_have_text("1")


def test_a_finding_that_is_partly_true_is_shown_with_its_new_texts(
    page: Page, server: ScriptedServer
) -> None:
    review = running(page, server, pending())
    server.extend(review, pending(title="Half true"), verified(verdict="partly"))
    expect(page.locator(".finding")).to_have_count(1)
    expect(card(page)).to_contain_text("Half true")
    expect(card(page).locator(".chip")).to_have_text("Verified")


def test_a_finding_whose_verification_failed_counts(page: Page, server: ScriptedServer) -> None:
    running(page, server, pending(), verified(verdict="unverified"))
    expect(card(page).locator(".chip")).to_have_text("Not verified")
    expect(card(page).locator(".verdict")).to_contain_text("Not verified: Verification failed:")
    expect(card(page).locator(".evidence")).to_have_count(0)
    expect(page.locator(".filter.error .amount")).to_have_text("1")


def test_a_refuted_finding_leaves_a_note_with_the_evidence(
    page: Page, server: ScriptedServer
) -> None:
    review = running(page, server, pending())
    server.extend(review, withdrawn(reason="The verifier refuted it.", evidence=EVIDENCE))
    note = page.locator(".withdrawn")
    expect(note).to_contain_text("The verifier refuted it.")
    expect(note.locator("figcaption")).to_have_text("Evidence: shop/orders.py:36")
    expect(note.locator(".code-line")).to_have_text(EVIDENCE["quote"])


def test_a_verdict_about_an_unknown_or_withdrawn_finding_changes_nothing(
    page: Page, server: ScriptedServer
) -> None:
    review = running(page, server, pending())
    server.extend(review, verified("f9"), withdrawn(), verified(), finding("f2"))
    expect(card(page, "f2")).to_be_visible()
    expect(page.locator(".finding")).to_have_count(1)
    assert chips(page, ".finding-head") == []


def test_focus_scroll_position_and_order_survive_a_verdict(
    page: Page, server: ScriptedServer
) -> None:
    review = running(page, server, *EACH)
    for _ in range(3):
        page.keyboard.press("j")
    expect(page.locator("#finding-position")).to_have_text("3 / 5")
    expect(card(page, "f1")).to_be_focused()
    copy = card(page, "f1").get_by_role("button", name="Copy", exact=True)
    copy.focus()
    before = card(page, "f1").bounding_box()
    order = page.locator(".finding").evaluate_all("cards => cards.map((card) => card.id)")
    server.extend(review, verified("f1"), verified("f3"), trivial("f2"))
    expect(card(page, "f2").locator(".chip")).to_have_text("Held back")
    expect(copy).to_be_focused()
    after = card(page, "f1").bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2
    assert order == page.locator(".finding").evaluate_all("cards => cards.map((card) => card.id)")
    # What is held back comes last among the findings to go through.
    expect(page.locator("#finding-position")).to_have_text("2 / 4")
    for id_ in ("f4", "f3", "f2"):
        page.keyboard.press("j")
        expect(card(page, id_)).to_be_focused()


def test_what_is_read_stays_where_it_is_when_a_card_above_changes(
    page: Page, server: ScriptedServer
) -> None:
    page.set_viewport_size({"width": 1360, "height": 6_000})  # all is drawn, and keeps its height
    review = running(page, server, *EACH)
    page.evaluate(FRAMES)
    page.set_viewport_size({"width": 1360, "height": 500})
    page.evaluate(FRAMES)
    line = page.get_by_text("subprocess.run(f", exact=False).first
    line.evaluate("element => element.scrollIntoView({ block: 'center' })")
    page.evaluate(FRAMES)
    before = line.bounding_box()
    server.extend(review, *VERDICTS[:3])
    expect(card(page, "f3").locator(".chip")).to_have_text("Held back")
    page.evaluate(FRAMES)
    after = line.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2


def test_a_card_that_the_reader_is_at_stays_open_when_it_is_held_back(
    page: Page, server: ScriptedServer
) -> None:
    review = running(page, server, pending())
    link = card(page).locator(".permalink")
    link.focus()
    server.extend(review, trivial())
    expect(card(page).locator(".chip")).to_have_text("Held back")
    assert card(page).locator("details").evaluate("details => details.open")
    expect(link).to_be_focused()


def test_a_verdict_is_not_announced(page: Page, server: ScriptedServer) -> None:
    review = running(page, server, *EACH)
    expect(page.locator("#announcer")).to_have_text("")
    server.extend(review, *VERDICTS, finding("f6", line=15, end_line=15, path="shop/money.py"))
    expect(card(page, "f6")).to_be_visible()
    expect(page.locator("#announcer")).to_have_text("1 new finding.")


def test_the_filters_find_a_state_by_its_word(page: Page, server: ScriptedServer) -> None:
    running(page, server, *EACH[:3], *VERDICTS[:3])
    page.locator("#word-filter").fill("not verified")
    expect(page.locator(".finding:visible")).to_have_count(1)
    expect(card(page, "f2")).to_be_visible()


def test_the_end_counts_the_verdicts_and_their_cost(page: Page, server: ScriptedServer) -> None:
    running(page, server, *EACH, *VERDICTS[:0])
    server.extend(server.reviews["r"], *VERDICTS, finished(verification=TALLY_OF_EACH))
    outcome = page.locator("#outcome")
    expect(outcome).to_contain_text("3 errors are open in 4 files.")
    expect(outcome).to_contain_text("1 finding held back, not counted.")
    about = page.get_by_role("region", name="About this review")
    expect(about).to_contain_text("Verification2 supported, 1 wrong, 1 undecided ($0.0123)")


def test_the_end_of_a_review_without_verification_says_nothing_of_it(
    page: Page, server: ScriptedServer
) -> None:
    running(page, server, finding(), finished())
    expect(page.locator("#outcome")).to_be_visible()
    expect(page.locator("#about")).not_to_contain_text("Verification")


def test_a_finding_without_verdict_at_the_end_is_not_verified(
    page: Page, server: ScriptedServer
) -> None:
    running(page, server, pending(), finished("cancelled"))
    expect(card(page).locator(".chip")).to_have_text("Not verified")
    expect(card(page)).to_contain_text("The review ended before the verdict.")


def state(page: Page) -> list[object]:
    """All that a reader can see of the findings, but for what is folded."""
    shown: list[object] = page.evaluate(
        """() => [...document.querySelectorAll(
            "#outcome, #about, .finding, .withdrawn, #finding-list"
        )].map((one) => [one.id, one.className.replace(" arrives", ""), one.textContent])"""
    )
    return shown


def test_a_reload_and_a_replay_show_the_same(page: Page, server: ScriptedServer) -> None:
    review = running(page, server, *EACH)
    server.extend(review, *VERDICTS[:2])
    expect(card(page, "f2").locator(".chip")).to_have_text("Not verified")
    server.cut()  # the browser goes on after the last event that it has
    server.extend(review, *VERDICTS[2:], finished(verification=TALLY_OF_EACH))
    expect(page.locator("#about")).to_contain_text("Verification")
    live = state(page)
    page.reload()
    expect(page.locator("#about")).to_contain_text("Verification")
    expect(page.locator(".finding, .withdrawn")).to_have_count(5)
    assert state(page) == live


def test_the_object_of_a_review_has_the_verdicts_that_the_stream_lost(
    page: Page, server: ScriptedServer
) -> None:
    review = running(page, server, pending(), pending("f2", line=59, end_line=59))
    server.refuse("GET", "/v1/reviews/r/events", Refusal(204))
    review.events += numbered(
        started(), *EACH[:2], trivial(), verified("f2"),
        finished(verification=TALLY),
    )[3:]  # fmt: skip
    review.released = len(review.events)
    server.cut()
    expect(page.locator("#about")).to_contain_text("Verification3 supported")
    expect(card(page).locator(".chip")).to_have_text("Held back")
    expect(card(page, "f2").locator(".chip")).to_have_text("Verified")
    above = card(page).locator("xpath=ancestor::tr/preceding-sibling::tr[1]")
    expect(above.locator(".number.new")).to_have_text("36")


@pytest.mark.parametrize("width", [1360, 390])
def test_every_state_is_accessible(page: Page, server: ScriptedServer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    others = (pending("f6", line=30, end_line=30), pending("f7", line=33, end_line=33))
    failed = verified("f6", "unverified")
    running(page, server, *EACH, *others, *VERDICTS[:3], failed)
    server.extend(server.reviews["r"], VERDICTS[3])
    expect(page.locator(".withdrawn")).to_be_visible()
    for folded in page.locator(".held-details > summary").all():
        folded.click()
    words = {"Verified", "Held back", "Not verified", "Being verified"}
    for word in words:
        chip = page.locator(".finding-head .chip").get_by_text(word, exact=True)
        expect(chip.first).to_be_attached()
    assert set(chips(page, ".finding-head")) == words
    assert_accessible(page)


def test_the_recorded_stream_is_shown_without_its_diff(page: Page, server: ScriptedServer) -> None:
    server.add("verified", recorded("verified"))
    page.goto(f"{server.url}/#r=verified")
    expect(page.locator("#about")).to_contain_text("Verification1 supported, 1 partly true")
    expect(page.locator(".finding")).to_have_count(11)
    assert sorted(chips(page, ".finding-head")) == ["Not verified", "Verified", "Verified"]
    expect(page.locator(".withdrawn .evidence")).to_have_count(1)

"""What is seen of a review while it runs, and at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.scripted_server import recorded
from tests.page.story import (
    DEMO,
    REVIEWED,
    answer,
    chunk_finished,
    chunk_retrying,
    chunk_started,
    finding,
    finished,
    numbered,
    progress,
    started,
    summary,
    withdrawn,
)

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.page.scripted_server import Json, ScriptedServer

pytestmark = pytest.mark.slow


def play(page: Page, server: ScriptedServer, *events: Json, diff: Json | None = DEMO) -> None:
    """A whole review, opened."""
    server.add("r", numbered(*events), diff=diff)
    page.goto(f"{server.url}/#r=r")


def card(page: Page, id_: str = "f000000000000001") -> Locator:
    return page.locator(f"#finding-{id_}")


def line_above(found: Locator) -> Locator:
    return found.locator("xpath=ancestor::tr/preceding-sibling::tr[1]")


def hue(locator: Locator, what: str = "background-color") -> str:
    """Which of red, green and blue there is most of; empty if none stands out."""
    text: str = locator.evaluate(
        """(element, what) => {
            const context = new OffscreenCanvas(1, 1).getContext("2d");
            context.fillStyle = getComputedStyle(element).getPropertyValue(what);
            context.fillRect(0, 0, 1, 1);
            return [...context.getImageData(0, 0, 1, 1).data].join(" ");
        }""",
        what,
    )
    red, green, blue, alpha = map(int, text.split())
    shades = {"red": red, "green": green, "blue": blue}
    if not alpha or max(shades.values()) - min(shades.values()) < 8:
        return ""
    return max(shades, key=lambda shade: shades[shade])


def test_a_finding_appears_under_its_line_while_the_review_runs(
    page: Page, server: ScriptedServer
) -> None:
    review = server.add("r", numbered(started(), finding()), released=1, diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#state-pill")).to_have_text("Running")
    expect(page.locator(".file")).to_have_count(5)
    expect(card(page)).to_have_count(0)

    server.release(review)
    expect(card(page)).to_be_visible()
    expect(line_above(card(page)).locator(".number.new")).to_have_text("36")
    expect(card(page)).to_contain_text("SQL built from the caller's text")
    expect(card(page)).to_contain_text("Pass both values as parameters.")
    expect(page.locator("#state-pill")).to_have_text("Running")
    assert "arrive" in card(page).evaluate("card => getComputedStyle(card).animationName")


def test_what_was_found_before_the_page_was_opened_does_not_slide_in(
    page: Page, server: ScriptedServer
) -> None:
    play(page, server, started(), finding())
    assert card(page).evaluate("card => getComputedStyle(card).animationName") == "none"


def test_a_finding_on_a_removed_line_is_under_that_line(page: Page, server: ScriptedServer) -> None:
    play(page, server, started(), finding(side="LEFT", line=32, end_line=32))
    row = line_above(card(page))
    expect(row.locator(".number.old")).to_have_text("32")
    expect(row.locator(".sign")).to_have_text("-")
    expect(card(page)).to_contain_text("32 of the old file")


def test_a_finding_over_several_lines_is_under_the_last_and_marks_all(
    page: Page, server: ScriptedServer
) -> None:
    play(page, server, started(), finding(line=35, end_line=37))
    expect(line_above(card(page)).locator(".number.new")).to_have_text("37")
    marked = page.locator("tr.marked .number.new")
    expect(marked).to_have_text(["35", "36", "37"])


def test_two_findings_on_a_line_stand_one_below_the_other(
    page: Page, server: ScriptedServer
) -> None:
    other = finding("f000000000000002", severity="note", title="Another")
    play(page, server, started(), finding(), other)
    slot = page.locator(".finding-slot")
    expect(slot).to_have_count(1)
    expect(slot.locator(".finding")).to_have_count(2)


def test_a_withdrawn_finding_goes_and_leaves_a_note(page: Page, server: ScriptedServer) -> None:
    review = server.add("r", numbered(started(), finding()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(card(page)).to_be_visible()
    server.extend(review, withdrawn(reason="`find_orders` is not called."))
    expect(card(page)).to_have_count(0)
    note = page.locator(".withdrawn")
    expect(note).to_contain_text("Withdrawn: SQL built from the caller's text")
    expect(note.locator("code")).to_have_text("find_orders")
    expect(page.locator("tr.marked")).to_have_count(0)
    expect(page.locator("#finding-list li")).to_have_count(0)

    server.extend(review, finding(title="It is back"))
    expect(card(page)).to_contain_text("It is back")
    expect(note).to_have_count(0)


def test_a_withdrawn_note_can_be_dismissed(page: Page, server: ScriptedServer) -> None:
    play(page, server, started(), finding(), withdrawn())
    page.get_by_role("button", name="Dismiss this note").click()
    expect(page.locator(".finding-slot")).to_have_count(0)


def test_findings_without_a_line_say_why(page: Page, server: ScriptedServer) -> None:
    play(
        page,
        server,
        started(),
        finding("f1", placement={"kind": "file", "reason": "The quoted code is not in the diff."}),
        finding(
            "f2",
            path="app/settings.py",
            placement={"kind": "outside", "reason": "app/settings.py is not in the diff."},
        ),
    )
    in_file = page.locator(".file-slot #finding-f1")
    expect(in_file).to_contain_text("Not on a line: The quoted code is not in the diff.")
    expect(in_file.locator(".code-block")).to_contain_text("SELECT id, customer")
    beside = page.get_by_role("region", name="Outside the diff").locator("#finding-f2")
    expect(beside).to_contain_text("app/settings.py is not in the diff.")


def test_an_inline_finding_whose_line_is_not_shown_is_at_the_head_of_its_file(
    page: Page, server: ScriptedServer
) -> None:
    play(page, server, started(), finding(line=999, end_line=999))
    head = page.locator(".file-slot #finding-f000000000000001")
    expect(head).to_contain_text("Its lines are not in the part of the file that is shown.")


def test_what_is_held_back_is_folded_and_not_counted(page: Page, server: ScriptedServer) -> None:
    why = "Its confidence of 0.6 is below 0.7."
    held = finding(placement={"kind": "outside", "reason": why, "held": True})
    play(page, server, started(), held, finished())
    expect(card(page).locator(".finding-head .chip")).to_have_text("Held back")
    message = card(page).get_by_text("Pass both values")
    expect(message).to_be_hidden()
    expect(page.locator("#outcome")).to_contain_text("1 finding held back, not counted.")
    expect(page.locator(".filter.error .amount")).to_have_text("0")
    card(page).locator("summary").click()
    expect(message).to_be_visible()
    expect(card(page)).to_contain_text(f"Held back: {why}")


def test_a_suggestion_is_a_small_diff_with_a_button_that_copies_it(
    page: Page, server: ScriptedServer
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    suggestion = "    for order_id, order in list(orders.items()):"
    play(
        page,
        server,
        started(),
        finding(line=44, end_line=44, suggestion=suggestion, suggestion_applies=True),
    )
    box = card(page).locator(".suggestion")
    expect(box.locator("tr.removed .code")).to_have_text(
        "    for order_id, order in orders.items():"
    )
    expect(box.locator("tr.added .code")).to_have_text(suggestion)
    expect(box.locator("tr.added .changed").first).to_be_visible()
    expect(box).not_to_contain_text("Does not apply")
    box.get_by_role("button", name="Copy suggestion").click()
    expect(box.locator(".copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == suggestion


def test_a_suggestion_that_does_not_apply_says_so(page: Page, server: ScriptedServer) -> None:
    play(page, server, started(), finding(suggestion="x", suggestion_applies=False))
    expect(card(page).locator(".suggestion")).to_contain_text("Does not apply as is")


def test_an_empty_suggestion_removes_the_lines(page: Page, server: ScriptedServer) -> None:
    play(page, server, started(), finding(suggestion="", suggestion_applies=True))
    box = card(page).locator(".suggestion")
    expect(box).to_contain_text("Suggested change: remove")
    expect(box.locator("tr.added")).to_have_count(0)
    expect(box.locator("tr.removed")).to_have_count(1)


def test_progress_tokens_and_cost_are_shown_as_they_grow(
    page: Page, server: ScriptedServer
) -> None:
    review = server.add("r", numbered(started(), progress(1)), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#so-far")).to_have_text("No findings so far; 1 of 4 files done")
    expect(page.locator("#about")).to_contain_text("9,200 in (8,000 from the cache), 340 out")
    expect(page.locator("#figure-cost")).to_have_text("$0.0123")
    bar = page.get_by_role("progressbar", name="Progress of the review")
    expect(bar).to_have_js_property("value", 1)
    server.extend(review, progress(3, "claude-sonnet-5-5 is thinking"))
    expect(page.locator("#activity")).to_have_text("claude-sonnet-5-5 is thinking…")
    expect(bar).to_have_js_property("value", 3)
    server.extend(review, progress(3, cost=None))
    expect(page.locator("#figure-cost")).to_have_text("cost unknown")
    server.extend(review, finished("clean"))
    expect(page.locator("#figure-cost")).to_have_text("$0.25")
    expect(page.locator("#figure-time")).to_have_text("12.5 s")
    expect(bar).to_be_hidden()


def test_the_ledger_follows_every_file(page: Page, server: ScriptedServer) -> None:
    events = numbered(started(), chunk_started(REVIEWED[0]))
    review = server.add("r", events, diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    page.locator("#coverage summary").click()

    def row(path: str) -> Locator:
        return page.locator("#coverage-rows tr").filter(has_text=path)

    expect(row(REVIEWED[0])).to_contain_text("Reviewing")
    expect(row(REVIEWED[1])).to_contain_text("Waiting")
    expect(row("package-lock")).to_contain_text("Skipped")
    server.extend(review, chunk_retrying(REVIEWED[0], "the server is overloaded (529)", 2.4))
    expect(row(REVIEWED[0])).to_contain_text("in 2.4 s: the server is overloaded (529)")
    bad = {REVIEWED[1]: ("partly", "The answer was cut."), REVIEWED[2]: ("failed", "Overloaded.")}
    server.extend(
        review,
        chunk_finished(REVIEWED[0]),
        chunk_finished(REVIEWED[1], "partly", "The answer was cut."),
        chunk_finished(REVIEWED[3], cached=True),
    )
    expect(row(REVIEWED[0])).to_contain_text("Reviewed")
    expect(row(REVIEWED[1])).to_contain_text("Partly reviewed")
    server.extend(review, finished("incomplete", bad))
    expect(row(REVIEWED[2])).to_contain_text("Not reviewed")
    expect(row(REVIEWED[2])).to_contain_text("Overloaded.")
    expect(row(REVIEWED[3])).to_contain_text("Unchanged since an earlier review")
    expect(page.locator("#coverage-line")).to_have_text(
        "2 of 4 files reviewed, 1 partly, 1 not reviewed and 1 skipped."
    )


def test_an_incomplete_review_is_shouted_and_nothing_of_it_is_green(
    page: Page, server: ScriptedServer
) -> None:
    bad = {REVIEWED[2]: ("failed", "Overloaded.")}
    play(page, server, started(), finished("incomplete", bad))
    outcome = page.get_by_role("region", name="Outcome")
    expect(outcome).to_contain_text("Incomplete. 1 of 4 files was not fully reviewed")
    expect(outcome).to_contain_text("1 file: Overloaded.")
    expect(page.locator("#state-pill")).to_have_text("Incomplete")
    assert hue(outcome, "border-left-color") == "red"
    assert hue(page.locator("#state-pill")) == "red"
    assert hue(page.locator("#coverage-mark")) == "red"


@pytest.mark.parametrize("outcome", ["clean", "findings"])
def test_an_outcome_that_its_coverage_denies_is_incomplete(
    page: Page, server: ScriptedServer, outcome: str
) -> None:
    bad = {REVIEWED[2]: ("failed", "Overloaded.")}
    play(page, server, started(), finished(outcome, bad))
    expect(page.locator("#state-pill")).to_have_text("Incomplete")
    assert hue(page.locator("#outcome"), "border-left-color") == "red"


def test_a_shallow_review_names_its_unread_files_and_is_not_green(
    page: Page, server: ScriptedServer
) -> None:
    unread = {REVIEWED[2]: ("unread", "There are no offline rules for COBOL.")}
    depth = "25 rules for Python ran; no model read this."
    end = {**finished("shallow", unread), "reasons": [], "depth": depth}
    play(page, server, started(), end)
    outcome = page.locator("#outcome")
    expect(outcome).to_contain_text("Shallow. No findings in 4 files, of which 1 was not read.")
    expect(outcome).to_contain_text(depth)
    expect(outcome).to_contain_text("1 file: There are no offline rules for COBOL.")
    expect(outcome.locator("li")).to_have_text("shop/sync.py not read")
    expect(page.locator("#state-pill")).to_have_text("Shallow")
    expect(page.locator("#coverage-line")).to_contain_text("3 of 4 files reviewed, 1 not read")
    for part in (outcome, page.locator("#state-pill")):
        assert hue(part) != "green"


def test_a_review_of_unread_files_alone_is_incomplete(page: Page, server: ScriptedServer) -> None:
    unread = dict.fromkeys(REVIEWED, ("unread", "There are no offline rules for COBOL."))
    play(page, server, started(), finished("incomplete", unread))
    expect(page.locator("#outcome")).to_contain_text("Incomplete. 4 of 4 files were not read")
    expect(page.locator("#outcome").get_by_role("button")).to_have_count(0)


def test_only_a_clean_review_is_green(page: Page, server: ScriptedServer) -> None:
    play(page, server, started(), finished("clean"))
    expect(page.locator("#outcome")).to_have_text(
        "Done: nothing blocks this; no findings in 4 files."
    )
    assert hue(page.locator("#outcome")) == "green"


def test_a_review_of_nothing_is_not_green(page: Page, server: ScriptedServer) -> None:
    end = finished("clean")
    end["coverage"] = [{**end["coverage"][-1], "path": "yarn.lock"}]
    play(page, server, started(paths=(), skipped=("yarn.lock",)), end, diff={"files": []})
    expect(page.locator("#outcome")).to_contain_text("Nothing of this diff was reviewed")
    assert hue(page.locator("#outcome")) != "green"
    assert hue(page.locator("#state-pill")) != "green"


def test_a_superseded_review_says_so(page: Page, server: ScriptedServer) -> None:
    play(page, server, started(), finding(), finished("superseded"))
    expect(page.locator("#outcome")).to_contain_text(
        "Superseded. A newer version of the change replaced it; 1 error until then."
    )


def test_summary_and_notices_are_shown(page: Page, server: ScriptedServer) -> None:
    begin = {**started(), "notices": ["A secret was found and not sent."]}
    what = "Orders gain tax. See https://tax.example/a?b=1, `http://old.example/` and javascript:x."
    told = summary(what=what, claim_mismatch="The title says less.")
    play(page, server, begin, told)
    expect(page.get_by_role("region", name="Notices")).to_contain_text("A secret")
    box = page.get_by_role("region", name="Summary")
    expect(box).to_contain_text("Orders gain tax.")
    expect(box).to_contain_text("Description and change disagree: The title says less.")
    links = box.locator("a")
    expect(links).to_have_text(["https://tax.example/a?b=1", "http://old.example/"])
    for link in links.all():
        expect(link).to_have_attribute("href", link.inner_text())
        expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    mismatch = box.locator("#summary-line")
    expect(mismatch).to_contain_text("Description and change disagree.")
    box.get_by_text("File by file").click()
    expect(box.locator("dd code")).to_have_text("with_tax")


def test_an_answer_is_shown_as_it_is_written_and_nothing_looks_reviewed(
    page: Page, server: ScriptedServer
) -> None:
    told = numbered(
        started(question="Why is `x` wrong?"),
        answer("Line 36 joins"),
        answer("Line 36 joins `customer`:\n\n```python\nrun(sql)\n```"),
        answer("Line 36 joins `customer`.", complete=True),
        finished("answered"),
    )
    review = server.add("r", told, released=2, diff=DEMO, title="Explain: SQL")
    page.goto(f"{server.url}/#r=r")
    box = page.get_by_role("region", name="Answer")
    expect(box.locator(".question code")).to_have_text("x")
    expect(box.locator(".markdown")).to_have_text("Line 36 joins")
    expect(box).to_contain_text("is writing this answer.")
    expect(page.locator("#activity")).to_have_text("Answering\u2026")
    server.release(review, 3)
    expect(box.locator(".code-block")).to_contain_text("run(sql)")
    server.release(review)
    expect(box.locator(".markdown")).to_have_text("Line 36 joins customer.")
    expect(box).to_contain_text("wrote this answer.")
    expect(page.locator("#outcome")).to_contain_text("The question was answered.")
    expect(page.locator("#actions")).to_be_hidden()
    expect(page.locator("#state-pill")).to_have_text("Answered")
    assert hue(page.locator("#state-pill")) == "green"
    expect(page.locator("#no-findings")).to_contain_text("nothing is reviewed")


@pytest.mark.parametrize("outcome", ["incomplete", "cancelled"])
def test_what_was_written_of_an_answer_that_failed_is_not_left_standing(
    page: Page, server: ScriptedServer, outcome: str
) -> None:
    bad = {REVIEWED[0]: ("failed", "The model declined.")}
    end = {**finished(outcome, bad), "reasons": ["The model declined."]}
    play(page, server, started(question="Why?"), answer("Because "), end)
    box = page.get_by_role("region", name="Answer")
    expect(box).to_contain_text("There is no answer.")
    expect(box.locator(".markdown")).to_have_count(0)
    expect(page.locator("#outcome")).to_contain_text("The question was not answered.")
    expect(page.locator("#outcome")).to_contain_text("The model declined.")
    expect(page.locator("#outcome").get_by_role("button")).to_have_count(0)


def test_without_the_diff_findings_are_listed_by_file_with_their_code(
    page: Page, server: ScriptedServer
) -> None:
    server.add("sample", recorded("sample"))
    page.goto(f"{server.url}/#r=sample")
    expect(page.locator("#no-diff")).to_contain_text("The diff is not available.")
    file = page.get_by_role("region", name="app/db.py")
    expect(file.locator(".finding")).to_have_count(2)
    expect(file.locator(".finding").first.locator(".code-block")).to_contain_text("cur.execute")
    expect(file.locator(".suggestion tr.removed")).to_contain_text("% name")
    beside = page.get_by_role("region", name="Outside the diff")
    expect(beside.locator(".finding")).to_have_count(1)
    expect(page.get_by_role("region", name="Held back").locator(".finding")).to_have_count(1)
    expect(page.locator(".withdrawn")).to_contain_text("useSubmit")


@pytest.mark.parametrize("name", ["recorded-claude", "recorded-offline"])
def test_a_recorded_review_is_shown_whole(page: Page, server: ScriptedServer, name: str) -> None:
    events = recorded(name)
    server.add(name, events, diff=DEMO)
    page.goto(f"{server.url}/#r={name}")
    found = [event["finding"] for event in events if event["type"] == "finding"]
    expect(page.locator(".finding")).to_have_count(len(found))
    for one in found:
        if one["placement"]["kind"] == "inline":
            row = line_above(card(page, one["id"]))
            expect(row.locator(".number.new")).to_have_text(str(one["end_line"]))
    expect(page.locator("#outcome")).to_be_visible()


def test_code_has_colours(page: Page, server: ScriptedServer) -> None:
    play(page, server, started(), finding())
    keyword = page.locator(".diff-table .hl-k", has_text="def").first
    expect(keyword).to_be_visible()
    text = page.locator(".diff-table .hl-s", has_text="What the customer owes").first
    assert keyword.evaluate("one => getComputedStyle(one).color") != text.evaluate(
        "one => getComputedStyle(one).color"
    )
    # A file of another language has its own; what is far away has none yet.
    page.get_by_role("region", name="web/src/cart.ts").scroll_into_view_if_needed()
    expect(page.locator(".diff-table .hl-k", has_text="export").first).to_be_visible()


def test_the_same_path_twice_shows_a_finding_where_its_line_says_what_it_quotes(
    page: Page, server: ScriptedServer
) -> None:
    def file(text: str) -> Json:
        hunk = {
            "old_start": 0,
            "old_count": 0,
            "new_start": 1,
            "new_count": 1,
            "section": "",
            "lines": [["added", None, 1, text]],
        }
        names = {"path": "a.py", "old_path": "a.py", "new_path": "a.py", "status": "modified"}
        return {**names, "binary": False, "added": 1, "removed": 0, "hunks": [hunk]}

    play(
        page,
        server,
        started(paths=("a.py",)),
        finding(path="a.py", line=1, end_line=1, quote="second = 2"),
        diff={"files": [file("first = 1"), file("second = 2")]},
    )
    expect(line_above(card(page)).locator(".code")).to_have_text("second = 2")

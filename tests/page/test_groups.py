"""Many findings: on one line, with one title, behind a filter; and counts that agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.page.scripted_server import parsed_diff
from tests.page.story import DEMO, finding, finished, numbered, started, verified, withdrawn
from tests.support.accessibility import assert_accessible

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.scripted_server import Json, ScriptedServer

pytestmark = pytest.mark.slow

UNSURE: Final = {"kind": "outside", "reason": "Its confidence of 0.6 is below 0.7.", "held": True}
EXAMPLE: Final = "It repeats an example of the prompt, not this code."
FILES: Final = tuple(f"src/module_{number:02}.py" for number in range(20))
TITLE: Final = "Debug output is left in the code"


def test_several_findings_on_a_line_are_one_card_the_most_severe_first(
    page: Page, server: ScriptedServer
) -> None:
    found = [
        finding("note", severity="note", title="Third"),
        finding("error", title="First"),
        finding("warning", severity="warning", title="Second"),
    ]
    review = server.add("r", numbered(started(), *found), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    stack = page.locator(".stack.several")
    expect(stack).to_have_count(1)
    expect(stack.locator(".stack-head")).to_have_text("3 findings on this line")
    expect(stack.locator(".finding-title")).to_have_text(["First", "Second", "Third"])
    assert_accessible(page)
    server.extend(review, verified("error"), withdrawn("warning"), withdrawn("note"))
    expect(page.locator(".withdrawn")).to_have_count(2)
    expect(page.locator(".stack-head")).to_have_count(0)
    page.get_by_role("button", name="Errors 1").click()
    expect(page.locator("#finding-error")).to_be_hidden()


def repeated(server: ScriptedServer) -> None:
    """Add a review with 200 findings of the same title in 20 files."""
    lines = "".join(f"+print({number})\n" for number in range(10))
    text = "".join(
        f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
        f"@@ -0,0 +1,10 @@\n{lines}"
        for path in FILES
    )
    found = [
        finding(
            f"f{number}x{line}", path=path, line=line, end_line=line, quote=f"print({line - 1})",
            severity="note", title=TITLE, scenario="", chunk=f"c{number + 1}",
        )
        for number, path in enumerate(FILES)
        for line in range(1, 11)
    ]  # fmt: skip
    other = finding("other", path=FILES[3], line=5, end_line=5, title="Another")
    end = finished() | {"coverage": []}
    server.add(
        "r", numbered(started(FILES, ()), *found, other, end), diff=parsed_diff(text.encode())
    )


def test_equal_titles_are_grouped_with_their_places(page: Page, server: ScriptedServer) -> None:
    repeated(server)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".finding")).to_have_count(201)
    entries = page.locator("#finding-list > li")
    expect(entries).to_have_count(2)
    group = entries.nth(1)
    expect(group.locator("summary")).to_contain_text(TITLE)
    expect(group.locator("summary")).to_contain_text("200 places in 20 files")
    expect(group.locator(".places a")).to_have_count(200)
    expect(group.locator(".places a").first).to_be_hidden()
    expect(page.locator("#finding-count")).to_have_text("201")
    expect(page.locator("#finding-position")).to_have_text("201 findings")
    # Of the same text, two cards are unfolded.
    expect(page.locator(".finding.note > .finding-body")).to_have_count(2)
    expect(page.locator(".finding.note .repeated")).to_have_count(198)
    assert_accessible(page)


def test_a_place_of_a_group_is_reached_and_read_by_keyboard_alone(
    page: Page, server: ScriptedServer
) -> None:
    repeated(server)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".finding")).to_have_count(201)
    group = page.locator("#finding-list summary")
    group.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.locator(".places a").nth(3)).to_be_focused()
    page.keyboard.press("Enter")
    card = page.locator("#finding-f0x4")
    expect(card).to_be_focused()
    expect(card.get_by_text("Pass both values")).to_be_visible()
    outline = card.evaluate("card => getComputedStyle(card).outlineStyle")
    assert outline == "solid"
    expect(page.locator("#finding-position")).to_have_text("5 / 201")
    page.keyboard.press("j")
    expect(page.locator("#finding-f0x5")).to_be_focused()


def story(*more: Json) -> list[Json]:
    return numbered(
        started(),
        finding("f1", title="In orders"),
        finding("f2", path="web/src/cart.ts", line=20, end_line=20, severity="note", title="Cart"),
        *more,
        finished(),
    )


def test_a_filter_hides_files_without_a_match_and_says_what_is_hidden(
    page: Page, server: ScriptedServer
) -> None:
    server.add("r", story(), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".file:visible")).to_have_count(5)
    note = page.locator("#filter-note")
    expect(note).to_be_hidden()
    page.get_by_role("button", name="Errors 1").click()
    expect(note).to_contain_text("The filters hide 1 finding and 4 files.")
    expect(page.locator(".file:visible .file-name")).to_have_text(["web/src/cart.ts"])
    expect(page.locator("#file-list li:visible")).to_have_count(1)
    expect(page.locator("#file-count")).to_have_text("1 of 5")
    expect(page.locator("#finding-count")).to_have_text("1 of 2")
    expect(page.locator("#finding-position")).to_have_text("1 finding")
    expect(page.locator("#announcer")).to_contain_text("The filters hide 1 finding and 4 files.")
    assert_accessible(page)
    page.keyboard.press("n")
    expect(page.get_by_role("region", name="web/src/cart.ts")).to_be_focused()
    page.get_by_label("Words in findings").fill("nothing like that")
    expect(note).to_contain_text("The filters hide 2 findings and 5 files.")
    expect(page.locator(".file:visible")).to_have_count(0)
    note.get_by_role("button", name="Show all").click()
    expect(page.locator(".file:visible")).to_have_count(5)
    expect(note).to_be_hidden()


def test_a_file_is_shown_when_a_finding_that_matches_arrives(
    page: Page, server: ScriptedServer
) -> None:
    review = server.add("r", story()[:-1], diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".finding")).to_have_count(2)
    page.get_by_role("button", name="Notes 1").click()
    expect(page.locator(".file:visible")).to_have_count(1)
    new = finding("f3", path="shop/money.py", line=13, end_line=13, title="New")
    server.extend(review, new)
    expect(page.locator(".file:visible")).to_have_count(2)


@pytest.mark.parametrize(
    ("reasons", "title", "says"),
    [
        ([UNSURE["reason"]] * 2, "Held back: below your threshold", True),
        ([UNSURE["reason"], EXAMPLE], "Held back", False),
    ],
)
def test_only_findings_below_the_threshold_are_said_to_be(
    page: Page, server: ScriptedServer, reasons: list[str], title: str, says: bool
) -> None:
    held = [
        finding(f"h{line}", line=line, end_line=line, placement={**UNSURE, "reason": reason})
        for line, reason in zip((28, 30), reasons, strict=True)
    ]
    server.add("r", numbered(started(), *held, finished()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#held-title")).to_have_text(title)
    expect(page.locator("#held-group summary")).to_have_text(f"{title} 2")
    none = "No finding reaches your threshold." if says else "All findings are held back."
    expect(page.locator("#no-findings")).to_have_text(none)
    expect(page.locator("#finding-position")).to_have_text("0 findings")
    page.keyboard.press("j")
    expect(page.locator("#finding-position")).to_have_text("held back: 1 / 2")

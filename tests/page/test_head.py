"""The head of a review: title, verdict, model, cost and time, and what the batches do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect

from tests.page.story import (
    DEMO,
    MODEL,
    REVIEWED,
    chunk_finished,
    chunk_started,
    finding,
    finished,
    numbered,
    pending,
    progress,
    started,
    verified,
)
from tests.support.accessibility import assert_accessible

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.scripted_server import Json, ScriptedServer

pytestmark = pytest.mark.slow

ID: Final = "0199c3a2f4d57e0b9a6e3d1c5b7f2a48"
HOSTILE: Final = "<img src=x>\u202e.py"
EMPTY: Final = {"input": 0, "output": 0, "cache_read": 0, "cache_write": 0}


def show(page: Page, server: ScriptedServer, *events: Json, title: str | None = None) -> None:
    server.add(ID, numbered(*events), diff=DEMO, title=title)
    page.goto(f"{server.url}/#r={ID}")
    expect(page.locator(".file")).not_to_have_count(0)


def test_the_head_is_two_lines_with_verdict_model_cost_and_time(
    page: Page, server: ScriptedServer
) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    show(page, server, started(), finding("f1"), finished(), title="Orders by status")
    expect(page.locator("#outcome")).to_have_text("1 error is open in 4 files.")
    facts = page.locator("#review-facts")
    for text in (MODEL, "$0.25", "12.5 s"):
        expect(facts).to_contain_text(text)
    assert page.get_by_role("progressbar").count() == 0
    height = page.locator(".review-head").evaluate("head => head.offsetHeight")
    assert height <= 84
    assert_accessible(page)


def test_the_id_is_only_in_the_button_that_copies_it(page: Page, server: ScriptedServer) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    show(page, server, started(), finding("f1"), finished())
    assert ID not in page.locator("body").inner_text()
    assert ID not in page.title()
    page.get_by_role("button", name="Copy id").click()
    expect(page.locator("#announcer")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == ID


@pytest.mark.parametrize(
    ("paths", "title"),
    [
        (("a.py",), "a.py"),
        (("a.py", "b.py"), "2 files: a.py and b.py"),
        (("a.py", "b.py", "c.py"), "3 files: a.py, b.py and 1 other"),
        (("a.py", "b.py", "c.py", "d.py"), "4 files: a.py, b.py and 2 others"),
        ((HOSTILE,), "<img src=x>U+202E.py"),
    ],
)
def test_a_review_without_a_title_is_named_after_its_files(
    page: Page, server: ScriptedServer, paths: tuple[str, ...], title: str
) -> None:
    server.add(ID, numbered(started(paths, ())), diff=DEMO)
    page.goto(f"{server.url}/#r={ID}")
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    assert page.locator("img[src=x]").count() == 0


RULES: Final = {"reason": "The pull request has no key.", "is_incomplete": False}
BY_RULES: Final = [{"model": "offline", "chunks": 4, "findings": 0, "usage": EMPTY, "cost_usd": 0}]


ONE: Final = finding("f1")
OTHER: Final = finding("f2", severity="warning", title="Other")
CLEAN: Final = finished("clean")


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([started(), CLEAN], "Done: nothing blocks this; no findings in 4 files."),
        ([started(), ONE, finished()], "1 error is open in 4 files."),
        ([started(), ONE, OTHER, finished()], "1 error and 1 warning are open in 4 files."),
        (
            [started() | {"rules_only": RULES}, finished("shallow")],
            "Shallow. Reviewed by rules and linters only. No findings in 4 files.",
        ),
        ([started(), CLEAN | {"by_model": BY_RULES}], "No findings in 4 files."),
    ],
)
def test_the_verdict_has_the_words_of_the_summary_and_reads_no_better_than_the_outcome(
    page: Page, server: ScriptedServer, events: list[Json], says: str
) -> None:
    show(page, server, *events)
    expect(page.locator("#outcome")).to_have_text(says)


def batched() -> list[Json]:
    """Return the start of a review with two batches, of the first two files and of the others."""
    begin = started()
    for number, chunk in enumerate(begin["chunks"]):
        chunk["batch"] = f"b{number // 2 + 1}"
    starts = [chunk_started(path) for path in REVIEWED]
    for number, event in enumerate(starts):
        event["batch"] = f"b{number // 2 + 1}"
    return [begin, *starts]


def test_each_running_batch_says_what_it_does(page: Page, server: ScriptedServer) -> None:
    review = server.add("r", numbered(*batched()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    rows = page.get_by_role("list", name="Running batches").get_by_role("listitem")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("shop/money.py and 1 more")
    expect(rows.nth(0)).to_contain_text(f"waiting for {MODEL}")
    height = "box => box.offsetHeight"
    before = page.locator("#progress-box").evaluate(height)

    def step(row: int, text: str) -> None:
        expect(rows.nth(row).locator(".step")).to_have_text(text)

    server.extend(review, progress(0, "reading <b>shop</b>/db.py 20-60", batch="b2"))
    step(1, "reading <b>shop</b>/db.py 20-60")
    step(0, f"waiting for {MODEL}")
    server.extend(review, progress(0, "searching `charge`", batch="b1"))
    step(0, "searching `charge`")
    step(1, "reading <b>shop</b>/db.py 20-60")
    server.extend(review, pending("f1"))
    step(0, "writing findings (1 finding so far)")
    server.extend(review, *(chunk_finished(path) for path in REVIEWED[2:]))
    expect(rows).to_have_count(1)
    server.extend(review, *(chunk_finished(path) for path in REVIEWED[:2]))
    step(0, "verifying findings")
    assert page.locator("#progress-box").evaluate(height) == before
    assert_accessible(page)
    server.extend(review, verified("f1"), finished())
    expect(rows).to_have_count(0)


def test_a_long_answer_shows_time_and_the_expected_cost_and_no_zero(
    page: Page, server: ScriptedServer
) -> None:
    thinking: dict[str, Any] = progress(0, f"{MODEL} is thinking", cost=0.0, batch="b1")
    thinking["usage"] = EMPTY
    review = server.add("r", numbered(*batched(), thinking), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#figure-cost")).to_have_text("about $0.0100 expected")
    expect(page.locator(".activities .step").first).to_have_text(f"{MODEL} is thinking")
    expect(page.locator(".activities .elapsed").first).to_have_text(re.compile(r"^\d+:\d\d$"))
    expect(page.locator("#about")).to_be_hidden()
    server.extend(review, progress(1, batch="b1"))
    expect(page.locator("#figure-cost")).to_have_text("$0.0123")
    expect(page.locator("#about")).to_contain_text("9,200 in (8,000 from the cache), 340 out")
    expect(page.locator("#so-far")).to_have_text("No findings so far; 1 of 4 files done")

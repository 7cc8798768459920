"""All code is in the document, however long the diff: for find-in-page and for printing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.story import DEMO, SKIPPED, finding, finished, numbered, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.scripted_server import Json, ScriptedServer

pytestmark = pytest.mark.slow


def long_diff(files: int, lines: int) -> Json:
    def file(number: int) -> Json:
        path = f"src/module_{number:03}.py"
        text = [["added", None, at, f"    x = f({at}, 'text')"] for at in range(1, lines + 1)]
        hunk = {"old_start": 0, "old_count": 0, "new_start": 1, "new_count": lines, "section": ""}
        return {
            "path": path,
            "old_path": None,
            "new_path": path,
            "status": "added",
            "binary": False,
            "added": lines,
            "removed": 0,
            "hunks": [{**hunk, "lines": text}],
        }

    return {"files": [file(number) for number in range(files)]}


def in_view(page: Page, selector: str) -> bool:
    seen: bool = page.locator(selector).evaluate(
        """element => {
            const { top, bottom } = element.getBoundingClientRect();
            return bottom > 0 && top < innerHeight;
        }"""
    )
    return seen


@pytest.mark.parametrize(("files", "lines", "all_made"), [(400, 180, True), (2, 51_000, False)])
def test_a_long_diff_is_in_the_document_up_to_100_000_lines_and_stays_usable(
    page: Page, server: ScriptedServer, files: int, lines: int, all_made: bool
) -> None:
    diff = long_diff(files, lines)
    paths = tuple(file["path"] for file in diff["files"])
    found = [
        finding(f"f{at}", path=paths[-1], line=at, end_line=at)
        for at in range(10, lines, lines // 9)
    ]
    server.add("r", numbered(started(paths, ()), *found), diff=diff)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".finding")).to_have_count(len(found))
    page.keyboard.press("j")
    expect(page.locator("#finding-f10")).to_be_focused()
    assert in_view(page, "#finding-f10")
    page.keyboard.press("j")
    expect(page.locator(".finding").nth(1)).to_be_focused()
    segments = math.ceil(lines / 200)
    # The file with findings is the last of the diff, and the first that is shown.
    made = page.locator(".file:last-child .diff-table")
    expect(made).to_have_count(segments)
    last = page.locator(".file").first.locator(".diff-table")
    if all_made:
        expect(last).to_have_count(segments)
    else:
        assert last.count() < segments
    # Only what is near has colours.
    assert page.locator(".segment:has(.hl-n)").count() < files * segments / 2


def test_a_line_without_end_is_cut(page: Page, server: ScriptedServer) -> None:
    diff = long_diff(1, 1)
    diff["files"][0]["hunks"][0]["lines"] = [["added", None, 1, "x" * 3_000_000]]
    server.add("r", numbered(started((diff["files"][0]["path"],), ())), diff=diff)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("tr.added .cut")).to_have_text("(2,996,000 more characters)")


def test_files_fold_alone_and_together_and_what_is_found_in_them_unfolds_them(
    page: Page, server: ScriptedServer
) -> None:
    server.add("r", numbered(started(), finding("f1"), finished()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#finding-f1")).to_be_visible()
    lock = page.get_by_role("region", name=SKIPPED)
    fold = lock.get_by_role("button", name="Show or hide")
    # What policy skips is folded from the start.
    expect(fold).to_have_attribute("aria-expanded", "false")
    expect(lock.locator(".diff-table").first).to_be_hidden()
    lock.locator(".file-body").dispatch_event("beforematch")  # finding in the page sends it
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(lock.locator(".diff-table").first).to_be_visible()
    fold.press("Enter")
    expect(lock.locator(".diff-table").first).to_be_hidden()

    page.get_by_role("button", name="Expand all").click()
    expect(page.locator(".fold[aria-expanded=true]")).to_have_count(5)
    page.get_by_role("button", name="Collapse all").click()
    expect(page.locator(".fold[aria-expanded=false]")).to_have_count(5)
    expect(page.locator("#finding-f1")).to_be_hidden()
    assert page.locator(".file-body[hidden=until-found]").count() == 5
    page.keyboard.press("j")
    expect(page.locator("#finding-f1")).to_be_focused()
    expect(page.locator(".fold[aria-expanded=true]")).to_have_count(1)


def test_print_has_the_code_and_the_findings_and_nothing_to_press(
    page: Page, server: ScriptedServer
) -> None:
    diff = long_diff(40, 180)
    paths = tuple(file["path"] for file in diff["files"])
    found = finding("f1", path=paths[-1], line=170, end_line=170)
    server.add("r", numbered(started(paths, ()), found, finished()), diff=diff)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#outcome")).to_be_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".diff-table tr.added").count() == 40 * 180
    page.emulate_media(media="print", color_scheme="dark")
    for selector in (".diff-table tr.added", ".finding .markdown", "#outcome"):
        drawn = page.locator(selector).last.evaluate(
            "one => one.checkVisibility({ contentVisibilityAuto: true })"
        )
        assert drawn, selector
    pressed = page.locator("button, input, select, progress, dialog")
    expect(pressed.locator("visible=true")).to_have_count(0)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"

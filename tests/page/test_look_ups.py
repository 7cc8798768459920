"""Look-ups of models on the page: a folded count, and the code that findings rest on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.page.story import DEMO, finding, finished, numbered, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.scripted_server import Json, ScriptedServer

pytestmark = pytest.mark.slow


def test_the_end_counts_look_ups_and_folds_what_they_read(
    page: Page, server: ScriptedServer
) -> None:
    read = "reading <img src=x> 300-420"
    end = finished() | {"lookups": {"count": 5, "activities": [read, "searching rate_of"]}}
    server.add("r", numbered(started(), finding(), end), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    folded = page.locator("#about details", has_text="5 look-ups")
    expect(folded.get_by_text(read)).to_be_hidden()
    folded.locator("summary").click()
    expect(folded.get_by_text(read)).to_be_visible()
    assert page.locator("img[src='x']").count() == 0


def place(path: str, line: int, end_line: int, *, base: bool = False) -> Json:
    code = {"path": path, "line": line, "end_line": end_line}
    return {**code, "quote": "some code", "base": base, "is_shown": False}


RESTS_ON: Final = [
    place("lib/<img src=x>.py", 12, 12),
    place("lib/tax.py", 30, 31, base=True),
    *(place(f"lib/more/{number}.py", number, number) for number in (1, 2, 3)),
]


def test_a_card_names_the_code_that_its_finding_rests_on(
    page: Page, server: ScriptedServer
) -> None:
    beside = place("shop/orders.py", 36, 36) | {"is_shown": True}
    other = finding("f000000000000002", line=37, end_line=37, rests_on=[beside])
    events = numbered(started(), finding(rests_on=[*RESTS_ON, beside]), other, finished())
    server.add("r", events, diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    facts = page.locator("#finding-f000000000000001 .facts div", has_text="Rests on")
    line = "lib/<img src=x>.py:12, lib/tax.py:30-31 (old version), lib/more/1.py:1 and 2 more"
    expect(facts.locator("dd")).to_have_text(line)
    assert page.locator("img[src='x']").count() == 0
    expect(page.locator("#finding-f000000000000002 .facts")).not_to_contain_text("Rests on")


@pytest.mark.parametrize("width", [1280, 390])
def test_long_places_and_look_ups_stay_within_the_window(
    page: Page, server: ScriptedServer, width: int
) -> None:
    far = [place(f"packages/{'deep/' * 30}module_{n}.py", 1200, 1299) for n in range(3)]
    read = [f"reading packages/{'deep/' * 30}module_{n}.py 1200-1299" for n in range(24)]
    end = finished() | {"lookups": {"count": 24, "activities": read}}
    server.add("r", numbered(started(), finding(rests_on=far), end), diff=DEMO)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{server.url}/#r=r")
    page.locator("#about summary", has_text="24 look-ups").click()
    expect(page.locator(".finding .facts", has_text="module_2.py:1200-1299")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width

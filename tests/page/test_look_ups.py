"""Look-ups of models on the page: a count, and what they read folded below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.story import DEMO, finding, finished, numbered, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.scripted_server import ScriptedServer

pytestmark = pytest.mark.slow


def test_the_end_counts_look_ups_and_folds_what_they_read(
    page: Page, server: ScriptedServer
) -> None:
    read = "reading <img src=x> 300-420"
    end = finished() | {"lookups": {"count": 5, "activities": [read, "searching rate_of"]}}
    server.add("r", numbered(started(), finding(), end), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    folded = page.locator("#outcome details", has_text="5 look-ups")
    expect(folded.get_by_text(read)).to_be_hidden()
    folded.locator("summary").click()
    expect(folded.get_by_text(read)).to_be_visible()
    assert page.locator("img[src='x']").count() == 0

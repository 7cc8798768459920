"""The first view before the start: the model, its cost, the list of models, ways home."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from reviewbot.config.load import read_settings
from reviewbot.pipeline.prepare import prepare
from tests.page.scripted_server import ESTIMATE, MODELS, ROOT, Refusal, Review
from tests.page.story import DEMO, finding, finished, numbered, started
from tests.page.test_start import DIFF, paste
from tests.support.accessibility import PHONE, assert_accessible

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.page.scripted_server import Call, ScriptedServer

pytestmark = pytest.mark.slow

OFFLINE: dict[str, Any] = {
    **MODELS,
    "default": "offline",
    "offline_reason": "no ANTHROPIC_API_KEY is set, so the offline rules review",
    "models": [MODELS["models"][2]],
}


def estimated(server: ScriptedServer) -> list[Call]:
    return server.called("POST", "/v1/estimates")


# --- The model


def test_the_model_and_its_price_are_named_before_a_diff_is_given(
    page: Page, server: ScriptedServer
) -> None:
    server.models = {**MODELS, "others": ["claude-haiku-5-5"], "budget_usd": 0.5}
    page.goto(server.url)
    expect(page.locator("#model-line")).to_have_text(
        "claude-sonnet-5-5 reviews, and some files claude-haiku-5-5: $3 in, $15 out per million"
        " tokens. A review costs at most $0.5."
    )
    expect(page.locator("#estimate")).to_have_text("Paste a diff to see what its review may cost.")


def test_without_a_model_a_chip_says_so_with_the_reason(page: Page, server: ScriptedServer) -> None:
    server.models = OFFLINE
    page.goto(server.url)
    expect(page.locator("#model-line .model-chip")).to_have_text("Built-in rules")
    expect(page.locator("#model-line")).to_have_text(
        "Built-in rules review; no model is used."
        " No ANTHROPIC_API_KEY is set, so the offline rules review. It costs nothing."
    )
    assert_accessible(page)


def test_models_are_a_list_with_prices(page: Page, server: ScriptedServer) -> None:
    unpriced = {"name": "qwen", "offline": False, "prices": None}
    server.models = {**MODELS, "models": [*MODELS["models"], unpriced]}
    page.goto(server.url)
    page.get_by_text("Options", exact=True).click()
    expect(page.get_by_label("Model").locator("option")).to_have_text(
        [
            "The server's choice: claude-sonnet-5-5",
            "claude-sonnet-5-5 ($3 in, $15 out)",
            "claude-haiku-5-5 ($1 in, $5 out)",
            "offline (built-in rules, free)",
            "qwen (price unknown)",
        ]
    )


def test_without_a_list_the_servers_choice_and_the_rules_can_be_chosen(
    page: Page, server: ScriptedServer
) -> None:
    server.refuse("GET", "/v1/models", Refusal(503, "Busy."))
    page.goto(server.url)
    page.get_by_text("Options", exact=True).click()
    options = page.get_by_label("Model").locator("option")
    expect(options).to_have_text(["The server's choice", "offline (built-in rules, free)"])
    expect(page.locator("#model-line")).to_be_hidden()


# --- The estimate


def test_a_pasted_diff_is_estimated_once_with_its_options(
    page: Page, server: ScriptedServer
) -> None:
    server.estimate = {**ESTIMATE, "verification_usd": 0.012, "budget_usd": 0.5}
    page.goto(server.url)
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Budget in dollars").fill("0.5")
    page.get_by_label("Model").select_option("claude-haiku-5-5")
    paste(page, DIFF)
    expect(page.locator("#estimate")).to_have_text(
        "About $0.0432 with claude-sonnet-5-5 for 4 files: about 12,400 tokens read and up to"
        " 2,100 tokens written. Verification may add $0.0120. Thinking is not included."
        " At most $0.50, the budget."
    )
    (call,) = estimated(server)
    assert json.loads(call.body) == {
        "diff": DIFF,
        "options": {"model": "claude-haiku-5-5", "budget_usd": 0.5},
    }
    assert_accessible(page)


def test_typing_is_estimated_after_a_pause_and_not_for_each_key(
    page: Page, server: ScriptedServer
) -> None:
    page.goto(server.url)
    text = "diff --git a/app.py b/app.py"
    page.get_by_label("Diff", exact=True).press_sequentially(text, delay=20)
    expect(page.locator("#estimate")).to_contain_text("About $0.0432")
    assert len(estimated(server)) < len(text) / 4  # one, unless the machine is slow


def test_another_model_is_estimated_again_and_no_diff_no_longer(
    page: Page, server: ScriptedServer
) -> None:
    page.goto(server.url)
    paste(page, DIFF)
    expect(page.locator("#estimate")).to_contain_text("No budget is set")
    page.get_by_text("Options", exact=True).click()
    server.estimate = {**ESTIMATE, "models": ["offline"], "output_tokens": 0, "cost_usd": 0.0}
    page.get_by_label("Model").select_option("offline")
    expect(page.locator("#estimate")).to_have_text(
        "4 files, reviewed by built-in rules: it costs nothing."
    )
    page.get_by_label("Diff", exact=True).fill("")
    expect(page.locator("#estimate")).to_contain_text("Paste a diff")
    assert len(estimated(server)) == 2


def test_an_estimate_that_is_refused_says_why_and_the_review_can_start(
    page: Page, server: ScriptedServer
) -> None:
    page.goto(server.url)
    server.refuse("POST", "/v1/estimates", Refusal(400, "There is no diff in this input."))
    paste(page, "hello")
    expect(page.locator("#estimate")).to_have_text(
        "There is no estimate: There is no diff in this input."
    )
    expect(page.get_by_role("button", name="Start the review")).to_be_enabled()


def test_a_review_that_has_started_is_not_estimated(page: Page, server: ScriptedServer) -> None:
    server.next_review = Review("new", numbered(started(), finished("clean")), DEMO, released=2)
    page.goto(server.url)
    paste(page, DIFF)
    page.get_by_role("button", name="Start the review").click()
    expect(page.locator("#outcome")).to_be_visible()
    before = len(estimated(server))  # none, unless the machine is slow
    page.wait_for_timeout(1_500)
    assert len(estimated(server)) == before
    page.go_back()
    expect(page.locator("#estimate")).to_contain_text("About $0.0432")


def test_a_cost_that_is_unknown_is_not_called_free(page: Page, server: ScriptedServer) -> None:
    server.estimate = {**ESTIMATE, "models": ["qwen"], "cost_usd": None}
    page.goto(server.url)
    paste(page, DIFF)
    expect(page.locator("#estimate")).to_contain_text("The price of qwen is not known. 4 files:")


def test_a_large_file_is_estimated_only_if_someone_asks(
    page: Page, server: ScriptedServer, tmp_path: Path
) -> None:
    file = tmp_path / "change.diff"
    file.write_bytes(DIFF.encode() + b" x\n" * 400_000)
    page.goto(server.url)
    page.locator("#file-picker").set_input_files(file)
    ask = page.get_by_role("button", name="Estimate the cost")
    expect(ask).to_be_visible()
    assert not estimated(server)
    ask.click()
    expect(page.locator("#estimate")).to_contain_text("About $0.0432")
    assert estimated(server)[0].body == file.read_bytes()


def test_names_of_models_are_only_text(page: Page, server: ScriptedServer) -> None:
    evil = "<img src=x onerror=alert(1)>\u202e"
    model = {"name": evil, "offline": False, "prices": None}
    server.models = {**MODELS, "default": evil, "others": [evil], "models": [model]}
    server.estimate = {**ESTIMATE, "models": [evil]}
    page.goto(server.url)
    paste(page, DIFF)
    expect(page.locator("#estimate")).to_contain_text("<img src=x")
    expect(page.locator("#model-line .code-point").first).to_have_text("U+202E")
    expect(page.locator("#home img")).to_have_count(0)


# --- Ways home, and the notice that no model reviewed


def test_an_unknown_review_has_ways_home(page: Page, server: ScriptedServer) -> None:
    page.goto(f"{server.url}/#r=unknown")
    problem = page.locator("#review-problem")
    expect(problem).to_contain_text("There is no such review.")
    reviews = problem.get_by_role("link", name="See your reviews")
    assert reviews.evaluate("link => link.href") == f"{server.url}/reviews"
    assert_accessible(page)
    problem.get_by_role("link", name="Start a review").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Review a diff")).to_be_visible()


def test_that_no_model_reviewed_is_a_chip_and_other_notices_stay_in_their_box(
    page: Page, server: ScriptedServer, tmp_path: Path
) -> None:
    settings = read_settings({}, cwd=tmp_path, env={})
    (notice,) = prepare((ROOT / "fixtures" / "demo.diff").read_bytes(), settings).job.notices
    begin = {**started(), "notices": [notice, "A secret was not sent."]}
    server.add("r", numbered(begin, finding(), finished()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    chip = page.locator("#offline-notice .model-chip")
    expect(chip).to_have_text(
        "Reviewed offline: no ANTHROPIC_API_KEY is set, so the offline rules review."
    )
    expect(page.locator("#notice-list li")).to_have_text(["A secret was not sent."])
    server.add("s", numbered(started(), finished("clean")), diff=DEMO)
    page.goto(f"{server.url}/#r=s")
    expect(page.locator("#outcome")).to_be_visible()
    expect(page.locator("#offline-notice")).to_be_hidden()
    expect(page.locator("#notices")).to_be_hidden()


def test_only_the_notice_that_no_model_reviewed_needs_no_box(
    page: Page, server: ScriptedServer
) -> None:
    notice = "Reviewed offline: no ANTHROPIC_API_KEY is set, so the offline rules review."
    begin = {**started(), "notices": [notice]}
    server.add("r", numbered(begin, finished("clean")), diff=DEMO)
    page.set_viewport_size(PHONE)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#offline-notice")).to_be_visible()
    expect(page.locator("#notices")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_the_first_view_fits_its_window_and_nothing_floats_over_it(
    page: Page, server: ScriptedServer, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(server.url)
    page.get_by_text("Options", exact=True).click()
    paste(page, DIFF)
    expect(page.locator("#estimate")).to_contain_text("About $0.0432")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    floating = """() => [...document.querySelectorAll("body *")].filter((one) =>
        one.checkVisibility() && ["fixed", "sticky"].includes(getComputedStyle(one).position)
        && one.getBoundingClientRect().right > 0).map((one) => one.id || one.className)"""
    assert page.evaluate(floating) == []


def test_a_review_is_started_by_keyboard_alone_with_the_model_of_the_list(
    page: Page, server: ScriptedServer
) -> None:
    page.goto(server.url)
    expect(page.locator("#model-line")).to_be_visible()
    page.get_by_label("Diff", exact=True).focus()
    page.keyboard.insert_text(DIFF)
    for _ in range(3):  # the button for a file, the title, the options
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Model")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Model")).to_have_value("claude-haiku-5-5")
    expect(page.locator("#estimate")).to_contain_text("About $0.0432")
    assert json.loads(estimated(server)[-1].body)["options"] == {"model": "claude-haiku-5-5"}

"""Finding one's way: keys, filters, links to findings, large diffs, phones, themes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.page.conftest import Watch
from tests.page.story import DEMO, finding, finished, numbered, started, withdrawn

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.page.scripted_server import Json, ScriptedServer

pytestmark = pytest.mark.slow

PHONE = {"width": 390, "height": 844}
STORY = (
    started(),
    finding("f1", line=35, end_line=35, title="First of orders"),
    finding("f2", line=44, end_line=44, severity="warning", category="bug", title="Second"),
    finding(
        "f3",
        path="web/src/cart.ts",
        line=20,
        end_line=20,
        severity="note",
        category="docs",
        title="In the cart",
        message="It is *misspelt*.",
    ),
)


def open_story(page: Page, server: ScriptedServer, *more: Json, rest: str = "") -> None:
    server.add("r", numbered(*STORY, *more), diff=DEMO)
    page.goto(f"{server.url}/#r=r{rest}")
    if not rest:
        expect(page.locator(".finding")).to_have_count(3)


def comes_into_view(page: Page, selector: str) -> bool:
    """Return whether an element is in view within seconds: the page may scroll slowly."""
    for _ in range(100):
        if page.locator(selector).evaluate(
            """element => {
                const box = element.getBoundingClientRect();
                return box.top >= 40 && box.bottom <= innerHeight;
            }"""
        ):
            return True
        page.wait_for_timeout(50)
    return False


def test_j_and_k_go_through_the_findings(page: Page, server: ScriptedServer) -> None:
    open_story(page, server)
    for id_ in ("f1", "f2", "f3"):
        page.keyboard.press("j")
        expect(page.locator(f"#finding-{id_}")).to_be_focused()
        assert comes_into_view(page, f"#finding-{id_}")
        assert page.url.endswith(f"#r=r&f={id_}")
        current = page.locator("#finding-list a[aria-current]")
        expect(current).to_have_attribute("href", f"#r=r&f={id_}")
    expect(page.locator("#finding-position")).to_have_text("3 / 3")
    page.keyboard.press("j")
    expect(page.locator("#announcer")).to_have_text("This is the last finding.")
    page.keyboard.press("k")
    expect(page.locator("#finding-f2")).to_be_focused()
    page.get_by_role("button", name="Previous finding").click()
    expect(page.locator("#finding-f1")).to_be_focused()


def test_n_and_p_go_through_the_files(page: Page, server: ScriptedServer) -> None:
    open_story(page, server)
    page.evaluate("scrollTo(0, 0)")
    page.keyboard.press("n")
    expect(page.locator(".file").nth(0)).to_be_focused()
    page.keyboard.press("n")
    page.keyboard.press("n")
    expect(page.locator(".file").nth(2)).to_be_focused()
    page.keyboard.press("p")
    expect(page.locator(".file").nth(1)).to_be_focused()


def test_c_copies_the_finding(page: Page, server: ScriptedServer) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_story(page, server)
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.locator("#finding-f1 .finding-tools .copy")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("error: First of orders\nshop/orders.py:35\n")
    assert "Pass both values as parameters." in copied


def test_copying_works_where_the_clipboard_api_is_not_there(
    page: Page, server: ScriptedServer
) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    open_story(page, server)
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.locator("#finding-f1 .finding-tools .copy")).to_have_text("Copied")
    expect(page.locator("#finding-f1")).to_be_focused()


def test_help_lists_the_keys_and_can_switch_them_off(page: Page, server: ScriptedServer) -> None:
    open_story(page, server)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Help")
    for key in ("j", "k", "n", "p", "f", "c", "?", "Esc"):
        expect(dialog.locator("kbd", has_text=key).first).to_be_visible()
    dialog.get_by_label("Use single keys").uncheck()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.reload()
    expect(page.locator(".finding")).to_have_count(3)
    page.keyboard.press("j")
    expect(page.locator("#finding-position")).to_have_text("3 findings so far")


def test_keys_are_letters_again_while_something_is_typed(
    page: Page, server: ScriptedServer
) -> None:
    open_story(page, server)
    page.keyboard.press("f")
    field = page.get_by_label("Words in findings")
    expect(field).to_be_focused()
    page.keyboard.type("jkc")
    expect(field).to_have_value("jkc")
    page.keyboard.press("Escape")
    expect(field).to_have_value("")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.locator("#finding-f1")).to_be_focused()


def test_filters_by_severity_kind_and_words(page: Page, server: ScriptedServer) -> None:
    open_story(page, server)
    shown = page.locator(".finding").locator("visible=true")
    page.get_by_role("button", name="Errors 1").click()
    expect(shown).to_have_count(2)
    expect(page.locator("#finding-count")).to_have_text("2 of 3")
    expect(page.locator("#finding-position")).to_have_text("2 findings so far")
    page.get_by_label("Kind of finding").select_option("docs")
    expect(shown).to_have_count(1)
    page.get_by_role("button", name="Show all").click()
    expect(shown).to_have_count(3)
    page.get_by_label("Words in findings").fill("CART misspelt")
    expect(shown).to_have_count(1)
    page.get_by_label("Words in findings").fill("nothing like that")
    expect(shown).to_have_count(0)
    expect(page.locator("#no-findings")).to_have_text("No finding matches the filters.")
    expect(page.locator(".finding-slot").locator("visible=true")).to_have_count(0)


def test_a_filter_holds_for_findings_that_come_later(page: Page, server: ScriptedServer) -> None:
    review = server.add("r", numbered(*STORY), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    page.get_by_role("button", name="Errors 1").click()
    server.extend(review, finding("f4", line=46, end_line=46), finished())
    expect(page.locator("#outcome")).to_be_visible()
    expect(page.locator("#finding-f4")).to_be_hidden()
    expect(page.get_by_role("button", name="Errors 2")).to_be_visible()


def test_a_link_to_a_finding_leads_to_it(page: Page, server: ScriptedServer) -> None:
    open_story(page, server, finished(), rest="&f=f3")
    expect(page.locator("#finding-f3")).to_be_focused()
    page.wait_for_timeout(800)
    assert comes_into_view(page, "#finding-f3")


def test_a_link_to_a_finding_waits_for_it(page: Page, server: ScriptedServer) -> None:
    review = server.add("r", numbered(*STORY), released=3, diff=DEMO)
    page.goto(f"{server.url}/#r=r&f=f3")
    expect(page.locator(".finding")).to_have_count(2)
    server.release(review)
    expect(page.locator("#finding-f3")).to_be_focused()


def test_a_link_to_a_finding_that_is_gone_says_so(page: Page, server: ScriptedServer) -> None:
    open_story(page, server, withdrawn("f2", "It was wrong."), finished(), rest="&f=f2")
    says = page.locator("#missing-finding")
    expect(says).to_contain_text("That finding was withdrawn: It was wrong.")
    page.goto(f"{server.url}/#r=r&f=unknown")
    expect(says).to_contain_text("That finding is not in this review.")


def test_each_finding_has_a_link_that_others_can_open(page: Page, server: ScriptedServer) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_story(page, server)
    link = page.locator("#finding-f2").get_by_role("link", name="Link to this finding")
    expect(link).to_have_attribute("href", "#r=r&f=f2")
    link.click()
    expect(page.locator("#announcer")).to_have_text("The link was copied.")
    assert page.evaluate("navigator.clipboard.readText()") == f"{server.url}/#r=r&f=f2"
    assert page.url == f"{server.url}/#r=r&f=f2"


def test_the_lists_beside_lead_to_findings_and_files(page: Page, server: ScriptedServer) -> None:
    open_story(page, server)
    page.locator("#finding-list").get_by_role("link", name="In the cart").click()
    expect(page.locator("#finding-f3")).to_be_focused()
    page.locator("#file-list").get_by_role("button", name="shop/sync.py").click()
    expect(page.get_by_role("region", name="shop/sync.py")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_usable_on_a_phone(browser: Browser, server: ScriptedServer, scheme: str) -> None:
    watch = Watch(server.url)
    context = browser.new_context(
        viewport=PHONE,  # type: ignore[arg-type] # a plain dict is what it takes
        has_touch=True,
        is_mobile=True,
        color_scheme="dark" if scheme == "dark" else "light",
    )
    watch.over(context)
    page = context.new_page()
    long = finding("f4", line=46, end_line=46, title="W" * 200, message="M" * 500)
    open_story(page, server, rest="&f=f1")
    expect(page.locator("#finding-f1")).to_be_focused()
    server.extend(server.reviews["r"], long, finished())
    expect(page.locator(".finding")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    page.get_by_role("button", name="Next finding").tap()
    expect(page.locator("#finding-f4")).to_be_focused()
    page.get_by_role("button", name="Next finding").tap()
    expect(page.locator("#finding-f2")).to_be_focused()
    assert comes_into_view(page, "#finding-f2")

    side = page.get_by_role("complementary")
    expect(side).to_be_hidden()
    page.get_by_role("button", name="Lists").tap()
    side.get_by_role("link", name="In the cart").tap()
    expect(side).to_be_hidden()
    expect(page.locator("#finding-f3")).to_be_focused()
    # What is touched is large enough for a finger.
    for name in ("Next finding", "Lists", "Filter", "Errors 2"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 32

    page.goto(server.url)
    expect(page.get_by_role("heading", name="Review a diff")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    context.close()
    assert not watch.wrong


def background(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


def test_the_theme_is_the_systems_until_it_is_chosen_and_then_stays(
    page: Page, server: ScriptedServer
) -> None:
    page.goto(server.url)
    light = background(page)
    page.emulate_media(color_scheme="dark")
    dark = background(page)
    assert light != dark
    button = page.get_by_role("button", name="Theme")
    button.click()
    assert background(page) == light
    button.click()
    page.emulate_media(color_scheme="light")
    assert background(page) == dark
    page.reload()
    assert background(page) == dark
    button.click()
    assert background(page) == light


def test_it_works_where_nothing_can_be_stored(page: Page, server: ScriptedServer) -> None:
    page.add_init_script(
        """for (const name of ["localStorage", "sessionStorage"]) {
            Object.defineProperty(window, name, { get() { throw new DOMException("denied"); } });
        }"""
    )
    server.key = "rb_right"
    open_story(page, server, rest="&f=f1")
    page.get_by_label("Key", exact=True).fill("rb_right")
    page.get_by_role("button", name="Use the key").click()
    expect(page.locator("#finding-f1")).to_be_focused()
    page.get_by_role("button", name="Theme").click()
    expect(page.get_by_role("button", name="Theme: Light")).to_be_visible()


def test_nothing_moves_for_who_does_not_want_it(page: Page, server: ScriptedServer) -> None:
    page.emulate_media(reduced_motion="reduce")
    review = server.add("r", numbered(*STORY), released=1, diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".file")).to_have_count(5)
    server.release(review)
    expect(page.locator("#finding-f1")).to_be_visible()
    longest = page.evaluate(
        "Math.max(...document.getAnimations().map((one) => one.effect.getTiming().duration), 0)"
    )
    assert longest < 1


def test_going_from_review_to_review_leaves_nothing_of_the_first(
    page: Page, server: ScriptedServer
) -> None:
    server.add("other", numbered(started(), finished("clean")), diff=DEMO, title="Other")
    open_story(page, server, rest="&f=f1")
    expect(page.locator("#finding-f1")).to_be_focused()
    page.evaluate("location.hash = '#r=other'")
    expect(page.get_by_role("heading", name="Other")).to_be_visible()
    expect(page.locator("#outcome")).to_be_visible()
    expect(page.locator(".file")).to_have_count(5)
    expect(page.locator(".finding, .marked, #finding-list li")).to_have_count(0)
    page.go_back()
    expect(page.locator(".finding")).to_have_count(3)
    expect(page.locator("#outcome")).to_be_hidden()

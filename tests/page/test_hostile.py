"""Everything in a diff and in a review is hostile: it stays text, and nothing in it hides."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.page.scripted_server import Refusal, parsed_diff, recorded
from tests.page.story import (
    DEMO,
    answer,
    finding,
    finished,
    numbered,
    progress,
    started,
    summary,
    verified,
    withdrawn,
)

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.page.scripted_server import Json, ScriptedServer

pytestmark = pytest.mark.slow

ATTACKS = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "<iframe srcdoc='<script>parent.alert(1)</script>'>",
    "[click](javascript:alert(1)) <a href=javascript:alert(1)>x</a>",
    "</textarea></style></script><b id=planted class=planted>",
    "{{constructor.constructor('alert(1)')()}}",
    "![x](https://evil.example/x.png) <style>*{display:none}</style>",
)
PLANTED = "img[src='x'], script:not([src]), svg[onload], iframe, #planted, b, style, [onerror]"

WRITTEN_BY_US = {
    *("type", "id", "path", "side", "severity", "status", "outcome", "source", "kind"),
    *("verdict", "verification"),
}
"""Values out of a closed list, and what joins findings to files; the paths are attacked apart."""


def attacked(value: Any, attack: str, name: str = "") -> Any:
    """The same with every text in it replaced."""
    if isinstance(value, dict):
        return {key: attacked(one, attack, key) for key, one in value.items()}
    if isinstance(value, list):
        return [attacked(one, attack, name) for one in value]
    if (
        isinstance(value, str)
        and name not in WRITTEN_BY_US
        and name not in ("chunk", "batch", "at")
    ):
        return attack
    return value


def test_an_answer_is_text_too(page: Page, server: ScriptedServer) -> None:
    attack = "\n\n".join(ATTACKS)
    told = numbered(started(question=attack), answer(attack, complete=True), finished("answered"))
    server.add("r", told, diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#answer .question")).to_be_visible()
    expect(page.locator("#answer .markdown")).to_be_visible()
    assert page.locator(PLANTED).count() == 0


def hostile_diff(attack: str) -> Json:
    """The demo, each line and heading of it replaced, and a file with a hostile name."""
    diff = copy.deepcopy(DEMO)
    diff["files"].append(
        {**diff["files"][0], "path": attack, "old_path": attack + "2", "new_path": attack}
    )
    for file in diff["files"]:
        for hunk in file["hunks"]:
            hunk["section"] = attack
            hunk["lines"] = [[*line[:3], attack] for line in hunk["lines"]]
    return diff


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_becomes_markup_whatever_field_it_is_in(
    page: Page, server: ScriptedServer, attack: str
) -> None:
    suggested = finding("f1", suggestion=attack, suggestion_applies=True)
    outside = finding("f2", path=attack, placement={"kind": "outside", "reason": attack})
    in_file = finding("f3", path=attack, placement={"kind": "file", "reason": attack})
    evidence = {"path": attack, "line": 3, "quote": attack, "base": False}
    gone = withdrawn("f4", attack, evidence)
    proved = verified("f1", reason=attack, evidence=evidence)
    doubted = verified("f2", "cannot_tell", evidence=evidence)
    begin = started()
    begin["notices"] = [attack]
    begin["files"].append({**begin["files"][0], "path": attack})
    end = finished("incomplete", {attack: ("failed", attack)})
    end["reasons"] = [attack]
    failed = {
        "path": attack,
        "status": "failed",
        "reason": attack,
        "checks": [attack],
        "fault": attack,
        "by_policy": False,
    }
    end["coverage"].append(failed)
    told = summary(claim_mismatch=attack, look_at=[attack], reason=attack)
    told["files"] = [{"path": attack, "summary": attack}]
    told["asked_for"] = [{"what": attack, "path": attack}, {"what": attack, "path": None}]
    found = [suggested, outside, in_file, finding("f4", line=20, end_line=20), gone]
    found += [proved, doubted]
    whole = numbered(begin, progress(1, attack), *found, told, end)
    events = [attacked(event, attack) for event in whole]
    server.add(
        "r",
        events,
        diff=hostile_diff(attack),
        title=attack,
        state={"subject": attack, "models": [attack]},
    )
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("#outcome")).to_be_visible()
    expect(page.locator(".finding")).to_have_count(3)
    page.locator("#finding-f1").scroll_into_view_if_needed()
    expect(page.locator("#review-title")).to_have_text(attack)
    expect(page.locator("#finding-f1 .suggestion tr.added .code")).to_have_text(attack)
    for where in ("#finding-f1", ".withdrawn"):
        expect(page.locator(f"{where} .evidence figcaption code")).to_have_text(f"{attack}:3")
        expect(page.locator(f"{where} .evidence .code-line")).to_have_text(attack)
    expect(page.locator("#finding-f1 .verdict bdi").first).to_have_text(attack)
    assert page.locator(PLANTED).count() == 0
    links = page.locator("a").evaluate_all("links => links.map((link) => link.href)")
    told_links = page.locator("#summary a")
    leading_out = [link for link in links if not link.startswith(server.url)]
    # A link of the summary says where it leads.
    assert leading_out == told_links.all_text_contents()
    for link in told_links.all():
        expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")

    page.get_by_role("link", name="New review").click()
    expect(page.locator("#recent-list bdi").first).to_have_text(attack)
    assert page.locator(PLANTED).count() == 0


@pytest.mark.parametrize("attack", ATTACKS[:3])
def test_a_problem_is_text_too(page: Page, server: ScriptedServer, attack: str) -> None:
    server.refuse("GET", "/v1/reviews/r", Refusal(418, attack))
    page.goto(f"{server.url}/#r=r")
    expect(page.get_by_role("alert").first).to_contain_text(attack)
    assert page.locator(PLANTED).count() == 0


@pytest.mark.parametrize(
    "where", ["#r=<img src=x onerror=alert(1)>", "#r=r&f=%22%3E%3Cb%3E", "#r=../.."]
)
def test_the_address_is_text_too(page: Page, server: ScriptedServer, where: str) -> None:
    server.add("r", numbered(started(), finished("clean")), diff=DEMO)
    page.goto(f"{server.url}/{where}")
    expect(page.locator("#recent-list, #outcome").locator("visible=true")).to_be_visible()
    assert page.locator(PLANTED).count() == 0
    assert all(call.path.startswith(("/v1/reviews", "/v1/models")) for call in server.calls)
    assert all(".." not in call.path for call in server.calls)


def test_hidden_characters_are_seen_in_every_text(page: Page, server: ScriptedServer) -> None:
    hidden = "a\u202eb\u200bc\x1b[31md\x00e\udc80f\U000e0041g"
    shown = ["U+202E", "U+200B", "U+001B", "U+0000", "0x80", "U+E0041"]
    diff = hostile_diff(hidden)
    begin = started()
    begin["notices"] = [hidden]
    begin["files"].append({**begin["files"][0], "path": hidden})
    found = finding(title=hidden, message=hidden, suggestion=hidden, suggestion_applies=True)
    told = summary(what=hidden)
    server.add("r", numbered(begin, found, told), diff=diff, title=hidden)
    page.goto(f"{server.url}/#r=r")
    places = (
        "#review-title",
        "#notice-list",
        ".finding-title",
        ".finding .markdown",
        ".suggestion tr.added .code",
        "#finding-list .entry-title",
        "#summary-body .what",
        ".finding-slot >> xpath=preceding-sibling::tr[1] >> .code",
        ".file:last-child .file-name > bdi:last-child",
    )
    for place in places:
        boxes = page.locator(place).first.locator(".code-point")
        expect(boxes).to_have_text(shown)
    expect(page.locator(".finding-title .code-point").first).to_have_attribute(
        "title", "right-to-left override"
    )
    raw = page.locator("body").evaluate(
        "body => /[\\u202e\\u200b\\u001b]/.test(body.textContent + document.title)"
    )
    assert not raw


def test_a_diff_that_looks_like_others_code_shows_what_it_really_says(
    page: Page, server: ScriptedServer
) -> None:
    line = "a = 1 \u202e# }\u2066if admin\u2069"
    diff = parsed_diff(f"--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-a = 1\n+{line}\n".encode())
    server.add("r", numbered(started(paths=("x.py",), skipped=())), diff=diff)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator("tr.added .code")).to_have_text("a = 1 U+202E# }U+2066if adminU+2069")


def test_the_nasty_stream_is_shown(page: Page, server: ScriptedServer) -> None:
    server.add("nasty", recorded("nasty"))
    page.goto(f"{server.url}/#r=nasty")
    expect(page.locator("#outcome")).to_contain_text("Incomplete.")
    expect(page.locator(".finding")).to_have_count(3)


def test_a_message_has_only_the_markup_that_is_harmless(page: Page, server: ScriptedServer) -> None:
    message = (
        "Use `a < b` and **bold *both***, *soft* and snake_case_name.\n"
        "Second line\\\nthird \\*not soft\\*.\n\n"
        "- one\n- two\n  - inner `x`\n\n3. three\n4. four\n\n> quoted\n\n"
        "```python\ndef f():\n    return '<b>'\n```\n\n"
        "[good](https://github.com/a) [bad](javascript:alert) [plain](http://a.example) "
        "<https://github.com/b> [data](data:text/html,x) [user](https://a@github.com/)"
    )
    server.add("r", numbered(started(), finding(message=message)), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    box = page.locator(".finding .markdown")
    expect(box.locator("p").first.locator("> code")).to_have_text("a < b")
    expect(box.locator("strong")).to_have_text("bold both")
    expect(box.locator("strong em")).to_have_text("both")
    expect(box.locator("p").first).to_contain_text("snake_case_name")
    expect(box.locator("p").first).to_contain_text("third *not soft*.")
    expect(box.locator("br")).to_have_count(1)
    expect(box.locator("> ul > li")).to_have_count(2)
    expect(box.locator("> ul ul code")).to_have_text("x")
    expect(box.locator("> ol")).to_have_attribute("start", "3")
    expect(box.locator("blockquote")).to_have_text("quoted")
    expect(box.locator("pre code")).to_have_text("def f():\n    return '<b>'")
    expect(box.locator("pre .hl-k").first).to_have_text("def")
    links = box.locator("a")
    hrefs = links.evaluate_all("links => links.map((link) => [link.href, link.rel])")
    safe = "noopener noreferrer nofollow"
    assert hrefs == [["https://github.com/a", safe], ["https://github.com/b", safe]]
    # What a link says is not where it leads.
    expect(box).to_contain_text("good (github.com)")
    expect(box).to_contain_text("bad (javascript:alert)")


SLOW = (
    *("`" * 20_000, "*a " * 7_000, "**a*" * 5_000, "[" * 20_000, "> " * 10_000, "- " * 10_000),
    *("_a" * 10_000, "[a](b" * 4_000, "".join("`" * n + " " for n in range(1, 190))),
    "<https://" * 2_200,
)


def test_markdown_that_is_made_to_be_slow_is_not(page: Page, server: ScriptedServer) -> None:
    page.goto(server.url)
    took = page.evaluate(
        """async (texts) => {
            const { markdown } = await import("./js/markdown.js");
            return Object.fromEntries(texts.map((text) => {
                const start = performance.now();
                markdown(text);
                return [text.slice(0, 8), performance.now() - start];
            }));
        }""",
        list(SLOW),
    )
    assert len(took) == len(SLOW)
    assert {text: ms for text, ms in took.items() if ms >= 1_500} == {}


def test_code_that_is_slow_to_colour_is_given_up_and_the_page_goes_on(
    page: Page, server: ScriptedServer
) -> None:
    # A worker that never answers.
    page.route(
        "**/highlight-worker.js",
        lambda route: route.fulfill(body="for (;;);", content_type="text/javascript"),
    )
    server.add("r", numbered(started(), finding()), diff=DEMO)
    page.goto(f"{server.url}/#r=r")
    expect(page.locator(".finding")).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator(".finding")).to_be_focused()
    expect(page.locator(".diff-table .code").first).to_be_visible()

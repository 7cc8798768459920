"""Comments on lines: nothing that GitHub must refuse is made, and no finding is lost."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.finding import Finding, Placement, RestsOn, Severity
from reviewbot.github.markers import MAX_FINDINGS, Marker, Noted, parse, write
from reviewbot.github.publish.comment_text import HELP, HELP_WITH_REPLIES, MAX_BODY
from reviewbot.github.publish.listed_findings import MAX_TEXT, review_text
from reviewbot.github.publish.review_comments import CommentPlan, plan_comments, review_payload
from tests.github.diff_strategies import FORGED, PULL, Change, changes
from tests.github.github_rules import acting, html, links, review_refusals, suggestions
from tests.support.documents import report_of
from tests.support.github_comments import DIFF, FILES, LINKS
from tests.support.reports import FINDING, HELD


def fold_of(finding: Finding) -> list[str]:
    """HTML around the details of a comment. People can discuss what a model reported."""
    small = HELP_WITH_REPLIES if finding.is_from_model else HELP
    return [f"<details>\n<summary>{small}</summary>", "</details>"]


def marker_of(finding: Finding) -> Marker:
    noted = (Noted(finding.id, finding.severity),)
    return Marker("finding", "a" * 40, "b" * 40, findings=noted)


def marked(finding: Finding) -> str:
    return write(marker_of(finding), PULL)


def planned(*findings: Finding, diff: str = DIFF, **options: Any) -> CommentPlan:
    return plan_comments(findings, parse_diff(diff.encode()), marker=marked, links=LINKS, **options)


def comment(**changes: Any) -> dict[str, Any]:
    """The one comment on a finding that has these fields."""
    plan = planned(replace(FINDING, **changes))
    assert not plan.rest
    (one,) = plan.inline
    assert review_refusals(review_payload(plan.inline, commit_id="c", body="b"), DIFF) == []
    return one.comment


def reason(*findings: Finding, **options: Any) -> str:
    """Why the one finding has no comment."""
    plan = planned(*findings, **options)
    assert not plan.inline
    (one,) = plan.rest
    return one.reason


@settings(deadline=None)
@given(changes(), st.sampled_from((0, 1, 30, 99)))
def test_github_never_has_to_refuse_a_review_and_no_finding_is_lost(
    change: Change, most: int
) -> None:
    plan = plan_comments(change.findings, change.files, marker=marked, links=LINKS, most=most)
    report = report_of(*change.findings)
    for below in ((), plan.rest):
        said = review_text(report, inline=len(plan.inline), below=below)
        assert set(said.listed) <= set(below)
        payload = review_payload(plan.inline, commit_id="c" * 40, body=said.text)
        assert review_refusals(payload, change.text) == []
    ids = [one.finding.id for one in plan.inline] + [one.finding.id for one in plan.rest]
    assert sorted(ids) == [one.id for one in change.findings]
    too_many = sum(not one.reason for one in plan.rest)
    assert too_many == 0 or len(plan.inline) == min(most, 30)


@settings(deadline=None)
@given(changes())
def test_a_comment_is_on_lines_of_its_finding_and_a_suggestion_replaces_exactly_those(
    change: Change,
) -> None:
    for one in plan_comments(change.findings, change.files, marker=marked, links=LINKS).inline:
        finding, last = one.finding, int(one.comment["line"])
        first = int(one.comment.get("start_line", last))
        assert finding.line <= first <= last <= max(finding.line, finding.end_line)
        assert one.comment["side"] == finding.side
        for content in suggestions(one.comment["body"]):
            assert (first, last) == (finding.line, finding.end_line)
            assert finding.suggestion_applies
            assert content.removesuffix("\n") == (finding.suggestion or "").removesuffix("\n")


@settings(deadline=None)
@given(changes())
def test_nothing_that_a_model_wrote_acts_in_a_comment(change: Change) -> None:
    for one in plan_comments(change.findings, change.files, marker=marked, links=LINKS).inline:
        body = one.comment["body"]
        assert html(body) == [*fold_of(one.finding), marked(one.finding)]
        assert body.endswith(f"\n\n{marked(one.finding)}")
        assert parse(body, PULL) == marker_of(one.finding)
        assert acting(body) == []
        assert set(links(body)) <= {LINKS.of_rests_on(place) for place in one.finding.rests_on}


def test_added_and_unchanged_lines_are_on_the_right() -> None:
    assert comment(line=2, end_line=4) | {"body": ""} == {
        "path": "app/db.py",
        "body": "",
        "start_line": 2,
        "start_side": "RIGHT",
        "line": 4,
        "side": "RIGHT",
    }
    assert (comment(line=5, end_line=5)["line"], comment(line=21, end_line=21)["line"]) == (5, 21)


def test_one_line_has_no_start() -> None:
    assert comment(line=3, end_line=3).keys() == {"path", "body", "line", "side"}


def test_only_removed_lines_are_on_the_left() -> None:
    found = comment(side="LEFT", line=1, end_line=4)  # lines 1 and 4 did not change
    assert (found["start_line"], found["line"], found["start_side"]) == (2, 3, "LEFT")
    assert reason(replace(FINDING, side="LEFT", line=1, end_line=1)).startswith("Its lines are not")


def test_of_a_range_the_part_in_the_diff_is_commented_and_nothing_is_offered_there() -> None:
    found = comment(line=4, end_line=12, suggestion="x", suggestion_applies=True)
    assert (found["start_line"], found["line"]) == (4, 5)
    assert suggestions(found["body"]) == []
    assert "> x" in found["body"]


@pytest.mark.parametrize(
    ("finding", "why"),
    [
        (
            replace(FINDING, line=9, end_line=9),
            "Its lines are not in the diff of the pull request.",
        ),
        (replace(FINDING, path="other.py"), "Its file is not in the diff of the pull request."),
        (
            replace(FINDING, placement=Placement("file", "The code it quotes is not in the diff.")),
            "Not placed on a line: The code it quotes is not in the diff.",
        ),
        (replace(FINDING, placement=HELD), "Held back: Its confidence is below 0.7."),
    ],
)
def test_what_cannot_be_on_a_line_comes_back_with_its_reason(finding: Finding, why: str) -> None:
    assert reason(finding) == why


def test_a_file_that_stands_in_the_diff_twice_has_no_lines() -> None:
    assert "more than once" in reason(FINDING, diff=DIFF + DIFF)
    link = """\
diff --git a/app/db.py b/app/db.py
deleted file mode 100644
--- a/app/db.py
+++ /dev/null
@@ -1 +0,0 @@
-x
diff --git a/app/db.py b/app/db.py
new file mode 120000
--- /dev/null
+++ b/app/db.py
@@ -0,0 +1,3 @@
+x
+y
+z
"""
    assert "more than once" in reason(FINDING, diff=link)


def test_a_name_that_is_not_utf8_is_not_sent() -> None:
    diff = DIFF.encode().replace(b"app/db.py", b"app/\xff.py")
    finding = replace(FINDING, path="app/\udcff.py")
    (one,) = plan_comments([finding], parse_diff(diff), marker=marked, links=LINKS).rest
    assert one.reason == "The name of its file is not UTF-8, which GitHub does not accept."
    assert one.link == f"https://github.com/o/r/blob/{'a' * 40}/app/%FF.py#L3"


def test_at_most_thirty_and_the_worst_come_first() -> None:
    levels: tuple[Severity, ...] = ("note", "warning", "error")
    many = [replace(FINDING, id=f"{n:016x}", severity=levels[n % 3]) for n in range(99)]
    plan = planned(*many)
    assert [one.finding.severity for one in plan.inline] == ["error"] * 30
    assert {one.reason for one in plan.rest} == {""}
    assert [one.finding.severity for one in plan.rest] == ["error"] * 3 + ["warning"] * 33 + [
        "note"
    ] * 33


def test_a_comment_says_what_is_wrong_and_ends_with_its_marker() -> None:
    found = comment(
        severity="error",
        title="Wrong",
        scenario="It fails.",
        message="Do `this`:\n\n```python\nx = 1\n\ny = 2\n```",
        suggestion="x = 1\n",
        suggestion_applies=True,
    )
    assert found["body"] == (
        "**🛑 error: Wrong**\n\nIt fails. Do `this`:\n\n```python\nx = 1\n\ny = 2\n```\n\n"
        "```suggestion\nx = 1\n```\n\n"
        f"<details>\n<summary>{HELP_WITH_REPLIES}</summary>\n\n"
        f"bug, `m`, confidence 0.80, id `{FINDING.id}`\n\n</details>\n\n"
        f"{marked(replace(FINDING, severity='error'))}"
    )


@pytest.mark.parametrize(
    ("suggestion", "content"),
    [
        ("", ""),  # the lines go
        ("\n", "\n"),  # a blank line instead
        ("x = 1", "x = 1\n"),
        ("x = 1\n\n", "x = 1\n\n"),
        ("\tx\r\n  y\r\n", "\tx\n  y\n"),
        ("a\n```\nb\n````\n", "a\n```\nb\n````\n"),
        ("~~~\n</details>\n@bob", "~~~\n</details>\n@bob\n"),
        ("<!-- a page's own -->", "<!-- a page's own -->\n"),
    ],
)
def test_a_suggestion_is_exactly_what_will_be_applied(suggestion: str, content: str) -> None:
    body = comment(suggestion=suggestion, suggestion_applies=True)["body"]
    assert suggestions(body) == [content]


@pytest.mark.parametrize(
    "changes",
    [
        {"suggestion_applies": False},
        {"side": "LEFT", "line": 2, "end_line": 2},
        {"suggestion": "a\u202eb"},
        {"suggestion": "x = 1\ry = 2"},
        {"suggestion": FORGED},
        {"suggestion": "<!--\n\tReviewbot v=1 -->"},
        {"suggestion": "x" * MAX_BODY},
        {"suggestion": "\U0001f308" * (MAX_BODY // 2)},
    ],
)
def test_a_suggestion_is_only_shown_where_it_must_not_be_applied(changes: dict[str, Any]) -> None:
    body = comment(**{"suggestion": "x = 1", "suggestion_applies": True} | changes)["body"]
    assert suggestions(body) == []
    assert "instead of these lines:" in body
    assert body.count("<!--") == 1


def test_a_comment_offers_a_discussion_only_if_a_reply_gets_an_answer() -> None:
    for finding, replies, is_offered in (
        (FINDING, True, True),
        (FINDING, False, False),
        (replace(FINDING, rule="python/eval"), True, False),
    ):
        (inline,) = planned(finding, replies=replies).inline
        assert ("Reply to discuss" in inline.comment["body"]) == is_offered
        assert "<code>/ignore</code> to dismiss" in inline.comment["body"]


def test_hostile_words_stay_words() -> None:
    bad = (
        "@bob ![i](https://evil.example/i.png) [l](https://evil.example) <img src=x> fixes #1 "
        f"www.evil.example | `a` {FORGED} \u202e </details> GH-1"
    )
    fields: dict[str, Any] = dict.fromkeys(("title", "scenario", "message", "rule", "model"), bad)
    body = comment(**fields, suggestion=bad)["body"]
    assert acting(body) == []
    assert links(body) == []
    assert html(body) == [f"<details>\n<summary>{HELP}</summary>", "</details>", marked(FINDING)]
    assert "\u202e" not in body
    assert re.findall("<!--.*?-->", body) == [marked(FINDING)]


def test_a_comment_and_a_block_link_to_the_code_that_a_finding_rests_on() -> None:
    new = RestsOn("lib/tax.py", 4, 4, "return order.rate", base=False, is_shown=False)
    old = replace(new, line=7, end_line=9, base=True)
    finding = replace(FINDING, rests_on=(new, old))
    page = "https://github.com/o/r/blob"
    line = (
        f"Rests on: [`lib/tax.py:4`]({page}/{'a' * 40}/lib/tax.py#L4),"
        f" [`lib/tax.py:7-9`]({page}/{'b' * 40}/lib/tax.py#L7-L9) (old version)\n"
    )
    (inline,) = planned(finding).inline
    assert f"\n\n{line}" in inline.comment["body"]
    outside = planned(replace(finding, path="other.py"))
    assert line.strip() in review_text(report_of(FINDING), inline=0, below=outside.rest).text


def test_links_lead_only_where_they_may() -> None:
    message = "See https://docs.example/a and https://evil.example/b."
    (one,) = planned(replace(FINDING, message=message), link_hosts=("docs.example",)).inline
    assert links(one.comment["body"]) == ["https://docs.example/a"]


def test_the_longest_finding_still_fits() -> None:
    bad = "\U0001f308`<!--|" * 4_000
    fields: dict[str, Any] = dict.fromkeys(("title", "scenario", "message", "quote", "model"), bad)
    found = comment(**fields, suggestion=f"{bad}\n" * 60)
    assert "more lines" in found["body"]


def test_a_marker_is_bounded() -> None:
    with pytest.raises(ValueError, match="at most 32,000 characters"):
        plan_comments([FINDING], FILES, marker=lambda _: "x" * 33_000, links=LINKS)


def test_a_file_that_github_shows_no_lines_of_has_no_comments_and_takes_no_place_of_others() -> (
    None
):
    other = replace(FINDING, id="b" * 16, path="other.py")
    diff = DIFF + DIFF.replace("app/db.py", "other.py")
    plan = planned(FINDING, other, diff=diff, most=1, unshown=[FINDING.path])
    assert [one.finding for one in plan.inline] == [other]
    [one] = plan.rest
    assert one.reason == "GitHub shows no lines of its file, and accepts no comment there."
    assert one.link == LINKS.of(FINDING, FILES[0])


def test_a_review_says_what_came_of_it_and_where_the_rest_is() -> None:
    outside = replace(FINDING, id="b" * 16, path="other.py", title="Far away")
    held = replace(FINDING, id="c" * 16, placement=HELD)
    plan = planned(FINDING, outside, held)
    report = report_of(FINDING, outside, held)
    said = review_text(report, inline=1, elsewhere=plan.rest)
    assert said.text == (
        "**2 warnings in 1 file.** 1 comment on lines. 1 more finding is in the summary comment."
    )
    assert said.listed == ()
    said = review_text(report, inline=1, below=plan.rest)
    assert "1 comment on lines. 1 more finding is below.\n\n### Not on a line" in said.text
    assert "### Not on a line\n\n**⚠️ warning: Far away**\n\n`other.py:3`, bug" in said.text
    assert "<summary>Held back (1)</summary>" in said.text
    assert f"id `{'b' * 16}`" in said.text
    assert said.listed == plan.rest


def test_findings_beyond_the_comments_are_listed_by_file_worst_first() -> None:
    severities: tuple[Severity, ...] = ("note", "warning", "error")
    few = [replace(FINDING, id=name[0] * 16, severity=name) for name in severities]
    plan = planned(*few, most=1)
    assert [inline.finding.severity for inline in plan.inline] == ["error"]
    assert [unposted.finding.severity for unposted in plan.rest] == ["warning", "note"]
    many = [replace(FINDING, id=f"{n:016x}", title=f"Number {n}") for n in range(50)]
    plan = planned(*many)
    assert len(plan.inline) == 30
    said = review_text(report_of(FINDING), inline=30, below=plan.rest)
    head = "30 comments on lines. 20 more findings are below.\n\n### More findings (20)\n\n"
    assert f"{head}- `{FINDING.path}`\n  - ⚠️ warning: " in said.text
    assert re.findall(r"\(id `0*(\w+)`\)", said.text) == [f"{n:x}" for n in range(30, 50)]
    assert "Not on a line" not in said.text
    assert said.listed == plan.rest


@pytest.mark.parametrize("max_notes", [0, 1, 2])
def test_as_many_notes_as_the_setting_says_get_a_comment(max_notes: int) -> None:
    notes = [replace(FINDING, id=f"{n:016x}", severity="note") for n in range(2)]
    plan = planned(*notes, FINDING, max_notes=max_notes)
    assert [inline.finding for inline in plan.inline] == [FINDING, *notes[:max_notes]]
    assert [unposted.finding for unposted in plan.rest] == notes[max_notes:]
    said = review_text(report_of(*notes), inline=1, below=plan.rest).text
    assert ("<details>" in said) == (max_notes < 2)
    assert said.count(f"note: {FINDING.title}") == 2 - max_notes
    assert said.count(FINDING.message) == 2 - max_notes


def test_a_review_counts_more_findings_than_its_marker_can_name() -> None:
    many = [replace(FINDING, id=f"{n:016x}") for n in range(MAX_FINDINGS + 60)]
    said = review_text(report_of(FINDING), inline=30, below=planned(*many).rest)
    assert f"{MAX_FINDINGS + 30} more findings are below." in said.text
    assert f"### More findings ({MAX_FINDINGS + 30})" in said.text
    assert len(said.listed) == MAX_FINDINGS


def test_the_marker_of_a_review_names_findings_beyond_its_comments() -> None:
    many = [replace(FINDING, id=f"{n:016x}") for n in range(31)]
    far = replace(FINDING, id="b" * 16, path="other.py")
    said = review_text(report_of(FINDING), inline=30, elsewhere=planned(*many, far).rest)
    assert "2 more findings are in the summary comment." in said.text
    assert [one.finding for one in said.listed] == [many[30]]


def test_what_is_told_in_a_review_is_cut_visibly_and_never_inside_a_fence() -> None:
    fence = "```python\n" + "x = 1\n\n" * 300 + "```"
    far = [
        replace(FINDING, id=f"{n:016x}", path="other.py", message=fence, quote="a\n" * 99)
        for n in range(99)
    ]
    said = review_text(report_of(*far), inline=0, below=planned(*far).rest)
    assert MAX_TEXT // 2 < len(said.text) <= MAX_TEXT
    shown = re.findall(r"id `([0-9a-f]{16})`", said.text)
    assert 0 < len(shown) < 99
    assert shown == [one.id for one in far[: len(shown)]]
    assert said.text.endswith(f"\n\n{99 - len(shown)} more findings: no room here.")
    assert html(said.text) == []


@pytest.mark.parametrize(
    ("changes", "link"),
    [
        ({}, f"{'a' * 40}/app/db.py#L3"),
        ({"end_line": 5}, f"{'a' * 40}/app/db.py#L3-L5"),
        ({"line": 9, "end_line": 12}, f"{'a' * 40}/app/db.py#L9-L12"),
        ({"side": "LEFT"}, f"{'b' * 40}/app/db.py#L3"),
        ({"placement": HELD}, f"{'a' * 40}/app/db.py#L3"),
        ({"placement": Placement("file", "x")}, f"{'a' * 40}/app/db.py"),
        ({"placement": Placement("outside", "x")}, f"{'a' * 40}/app/db.py"),
        ({"path": "invented.py"}, None),
    ],
)
def test_every_finding_links_to_its_code_if_that_is_known(
    changes: dict[str, Any], link: str | None
) -> None:
    plan = planned(replace(FINDING, **changes))
    (found,) = [one.link for one in plan.inline] + [one.link for one in plan.rest]
    assert found == (link and f"https://github.com/o/r/blob/{link}")

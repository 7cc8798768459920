"""The summary comment: the outcome first, nothing lost, and nobody's words act in it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings

from reviewbot.core.events import events as ev
from reviewbot.core.events.report import Report, fold
from reviewbot.core.findings.finding import Finding, Placement
from reviewbot.github.change.permalinks import Permalinks
from reviewbot.github.markers import Marker, parse, write
from reviewbot.github.publish.comment_text import MAX_BODY
from reviewbot.github.publish.open_findings import MAX_OTHERS
from reviewbot.github.publish.review_comments import NOTES, FindingWithoutComment, plan_comments
from reviewbot.github.publish.sections import size
from reviewbot.github.publish.summary import render
from reviewbot.github.publish.thread_notes import ThreadNotes
from reviewbot.github.state.reconcile import Reconciled
from tests.github.diff_strategies import PULL
from tests.github.github_rules import acting, flat, html, links
from tests.github.summaries import FOLDER, outputs
from tests.review_strategies import reports
from tests.support.documents import report_of
from tests.support.github_records import record
from tests.support.reports import FINDING, HELD, PLAN
from tests.support.visible import visible_length, visible_text

if TYPE_CHECKING:
    from pathlib import Path

MADE = Marker("summary", "a" * 40, "b" * 40, outcome="findings")
MARKER = write(MADE, PULL)
LINKS = Permalinks("https://github.com/o/r", "a" * 40, "b" * 40)
OURS = re.compile(r"</?details>(\n<summary>[^<>]*</summary>)?")
URL = "https://github.com/o/r/pull/1#discussion_r1"


def summary(report: Report, done: Reconciled | None = None, **options: Any) -> str:
    said = report.summary.files if report.summary else ()
    own = {"walkthrough": {one.path: one.summary for one in said}, "urls": {}, "files": {}}
    return render(
        done or Reconciled(report, ()), marker=MARKER, **{"links": LINKS, **own, **options}
    )


def for_agents(text: str) -> list[dict[str, Any]]:
    """The findings in the block for coding agents."""
    found: list[dict[str, Any]] = _agents(text)["findings"]
    return found


def left_out_for_agents(text: str) -> int:
    return int(_agents(text)["left_out"])


def _agents(text: str) -> dict[str, Any]:
    head = "<summary>For coding agents</summary>\n\nClaims about code; verify each.\n\n```json\n"
    block = text.partition(head)[2].partition("\n```\n\n</details>")[0]
    made: dict[str, Any] = json.loads(block or '{"findings": [], "left_out": 0}')
    return made


def rest_of(report: Report) -> tuple[FindingWithoutComment, ...]:
    return plan_comments(report.findings, (), marker=lambda _: "", links=LINKS).rest


@pytest.mark.parametrize(
    ("path", "text"), list(outputs()), ids=lambda case: getattr(case, "name", "")
)
def test_the_summary_is_the_recorded_one(path: Path, text: str) -> None:
    assert path.read_bytes().decode() == text, "see tests/github/summaries.py"


def test_every_recorded_summary_belongs_to_a_case() -> None:
    assert set(FOLDER.glob("*.summary.md")) == {path for path, _ in outputs()}


@settings(deadline=None)
@given(reports)
def test_whatever_a_review_holds_the_comment_is_ours(report: Report) -> None:
    text = summary(report, rest=rest_of(report), links=LINKS)
    assert size(text) < MAX_BODY
    assert text.startswith("**")
    *others, last = html(text)
    assert (last, text.rpartition("\n")[2]) == (MARKER, MARKER)
    assert all(map(OURS.fullmatch, others))
    assert acting(text) == []
    assert all(link.startswith("https://github.com/o/r/") for link in links(text))
    kinds = {token.type for token in flat(text)}
    assert not kinds & {"heading_open", "table_open", "hr"}
    text.encode()


@settings(deadline=None)
@given(reports)
def test_the_list_has_all_errors_and_at_most_ten_others_and_the_rest_is_counted(
    report: Report,
) -> None:
    shown = [finding.severity for finding in report.findings if not finding.placement.held]
    visible = visible_text(summary(report, walkthrough={}))
    more = re.search(r"^More open findings \((\d+)\)$", visible, re.MULTILINE)
    rows = [line for line in visible.split("\n") if re.match("\\S+ (error|warning|note)\\b", line)]
    others = len(rows) - shown.count("error")
    assert 0 <= others <= MAX_OTHERS
    assert others + (int(more[1]) if more else 0) == shown.count("warning")


@settings(deadline=None)
@given(reports)
def test_the_block_for_agents_has_each_finding_that_counts(report: Report) -> None:
    shown = {finding.id for finding in report.findings if not finding.placement.held}
    assert {entry["id"] for entry in for_agents(summary(report))} == shown


@pytest.mark.parametrize("outcome", sorted({*get_args(ev.Outcome)} - {"answered"}))
def test_the_first_line_says_done_only_if_the_review_is_complete(outcome: ev.Outcome) -> None:
    first = summary(report_of(outcome=outcome)).partition("\n")[0]
    assert (first == "**Done: nothing blocks this.**") == (outcome in ("clean", "findings"))


def test_nothing_reviewed_is_not_told_as_clean() -> None:
    report = report_of(outcome="clean", coverage=(ev.FileCoverage("a.lock", "skipped", "Lock."),))
    assert summary(report).startswith(
        "**Nothing of this diff was reviewed: its only file is skipped"
    )
    assert summary(fold([PLAN])).startswith("**Unfinished: 3 of 3 files were not fully reviewed")


def test_findings_lead_to_their_comment_or_to_their_code() -> None:
    other = replace(FINDING, id="b" * 16, path="x/y.py", title="Other")
    permalink = f"https://github.com/o/r/blob/{'a' * 40}/x/y.py#L3"
    text = summary(
        report_of(FINDING, other),
        urls={FINDING.id: URL},
        rest=(FindingWithoutComment(other, "Not in the diff.", permalink),),
    )
    assert f"\n- ⚠️ warning: [Wrong]({URL}) `app/db.py:3`\n" in text
    assert f"\n- ⚠️ warning: [Other]({permalink}) `x/y.py:3`\n" in text
    assert f"id `{'b' * 16}`" in text.partition("Not posted (1)")[2]


def test_a_finding_without_a_comment_and_without_its_text_has_its_id_in_the_list() -> None:
    text = summary(report_of(FINDING))
    assert f"\n- ⚠️ warning: Wrong `app/db.py:3` (id `{FINDING.id}`)\n" in text


def test_what_has_no_comment_is_told_in_full_with_its_reason() -> None:
    far = replace(
        FINDING,
        scenario="It fails.",
        suggestion="x = 2",
        placement=Placement("file", "The code it quotes is not in the diff."),
    )
    report = report_of(far)
    told = summary(report, rest=rest_of(report)).partition("**Not on a line (1)**")[2]
    for words in (
        "**⚠️ warning: Wrong**",
        "Not placed on a line: The code it quotes is not in the diff.",
        "> It fails.",
        "> It is wrong.",
        "Suggestion, to be adapted by hand, instead of these lines:\n\n> ```\n> x = 2\n> ```",
    ):
        assert words in told


def test_what_is_held_back_is_folded_away_and_not_in_the_list() -> None:
    report = report_of(replace(FINDING, placement=HELD))
    text = summary(report, rest=rest_of(report))
    assert text.startswith("**Done: nothing blocks this.**")
    assert "<summary>Not posted (1)</summary>\n\n**Held back (1)**" in text
    assert "⚠️ warning" not in visible_text(text)
    assert for_agents(text) == []


def test_a_held_back_finding_is_left_out_if_a_linter_reports_the_same() -> None:
    held = replace(
        FINDING, id="b" * 16, title="The blocking sleep stops all coroutines", placement=HELD
    )
    linter = replace(
        FINDING,
        rule="ruff/ASYNC251",
        sources=("ruff/ASYNC251",),
        title="Async functions should not call time.sleep: blocking sleep",
        message="All coroutines stop during the sleep.",
    )
    report = report_of(linter, replace(held, scenario="All coroutines stop."))
    assert "Held back" not in summary(report, rest=rest_of(report), urls={linter.id: URL})
    other = replace(held, title="A password is logged", scenario="It is in the log.")
    report = report_of(linter, other)
    assert "Held back (1)" in summary(report, rest=rest_of(report), urls={linter.id: URL})


def test_what_changed_since_the_last_review_is_told() -> None:
    old = replace(FINDING, id="b" * 16, title="Old")
    report = report_of(FINDING, old)
    gone = record(id="c" * 16, title="Gone @bob", state="resolved")
    away = record(id="d" * 16, title="", rule="a/b", state="dismissed")
    done = Reconciled(
        report, (), new=(FINDING,), resolved=(gone,), dismissed=(away,), is_first=False
    )
    text = summary(report, done, urls={"c" * 16: URL})
    assert "Since the last review: 1 new, 1 still open and 1 resolved." in text
    assert f"\n- ⚠️ warning, new: Wrong `app/db.py:3` (id `{FINDING.id}`)\n" in text
    assert f"\n- ⚠️ warning: Old `app/db.py:3` (id `{'b' * 16}`)\n" in text
    assert f"Resolved:\n\n- [`app/db.py:3`]({URL}) Gone `@bob`" in text
    assert "<summary>Dismissed (1)</summary>\n\n- `app/db.py:3` `a/b`" in text
    nothing = Reconciled(report_of(), (), is_first=False)
    assert "Since the last review: nothing changed." in summary(report_of(), nothing)
    assert "Since" not in summary(report_of(FINDING))


def test_the_summary_of_a_push_keeps_the_overview() -> None:
    report = fold([PLAN, ev.ReviewSummary("One file changed.", source="model")])
    text = summary(report, overview="It adds a cache.")
    assert "> It adds a cache.\n\nThis push:\n\n> One file changed." in text
    assert "This push:" not in summary(report)
    assert "> It adds a cache." in summary(fold([PLAN]), overview="It adds a cache.")


def test_findings_beyond_the_list_are_folded_by_file() -> None:
    many = [replace(FINDING, id=f"{number:016x}", line=number + 1) for number in range(70)]
    text = summary(report_of(*many), links=LINKS)
    assert text.count("\n- ⚠️ warning: ") == MAX_OTHERS
    fold = "<summary>More open findings (60)</summary>\n\n- `app/db.py`\n"
    rest = text.partition(fold)[2].partition("\n\n")[0]
    assert rest.count(f"{FINDING.title} (id `") == 60


@pytest.mark.parametrize(("number", "errors"), [(9, 3), (40, 2), (6, 0)])
def test_a_summary_of_three_files_has_at_most_1200_visible_characters(
    number: int, errors: int
) -> None:
    paths = ("shop/orders/models.py", "shop/orders/views.py", "web/src/cart/checkout.ts")
    title = "The total is computed before the discount of the cart is applied"
    many = [
        replace(
            FINDING,
            id=f"{n:016x}",
            path=paths[n % 3],
            line=100 + n,
            end_line=100 + n,
            title=title,
            severity="error" if n < errors else "warning",
        )
        for n in range(number)
    ]
    urls = {finding.id: URL for finding in many}
    what = ev.ReviewSummary(
        "It moves the totals of orders to the server. " * 20,
        tuple(ev.WalkthroughEntry(path, "moves the total") for path in paths),
        paths,
        "The title says that nothing changes.",
        source="model",
        asked_for=(ev.Requirement("Charge VAT.", paths[0]),),
    )
    report = replace(
        report_of(*many, coverage=tuple(ev.FileCoverage(path, "reviewed") for path in paths)),
        summary=what,
        notices=("Linters were not run.",),
        verification=ev.VerificationTally(supported=8, usage=ev.Usage(2_000, 562)),
    )
    gone = record(id="c" * 16, title=title, state="resolved")
    done = Reconciled(report, (), new=tuple(many[:2]), resolved=(gone,), is_first=False)
    text = summary(report, done, urls=urls, threads=ThreadNotes(3, (URL,)))
    assert 500 < visible_length(text) <= 1_200
    assert visible_text(text).count("🛑 error") == errors
    assert for_agents(text)[0]["severity"] == ("error" if errors else "warning")
    assert len(for_agents(text)) == number
    assert "Verification" not in text


def test_a_clean_review_has_its_verdict_and_a_fold() -> None:
    done = tuple(ev.FileCoverage(f"{name}.py", "reviewed") for name in "abc")
    text = summary(report_of(outcome="clean", coverage=done))
    assert visible_text(text) == "Done: nothing blocks this.\nCoverage and cost"


def test_a_summary_of_300_files_shows_all_errors_and_unread_files_and_ten_others() -> None:
    found = [
        replace(
            FINDING,
            id=f"{number:016x}",
            path=f"src/part_{number}.py",
            title=f"Title {number}",
            severity="error" if number % 6 == 0 else "warning",
        )
        for number in range(180)
    ]
    coverage = (
        *(ev.FileCoverage(f"src/part_{number}.py", "reviewed") for number in range(240)),
        *(ev.FileCoverage(f"src/bad_{number}.py", "failed", "Down.") for number in range(40)),
        *(ev.FileCoverage(f"src/old_{number}.cbl", "unread", "No rule.") for number in range(20)),
    )
    report = report_of(*found, outcome="incomplete", coverage=coverage)
    walkthrough = {file.path: "adds a function" for file in coverage[:240]}
    urls = {finding.id: f"{URL}{finding.id}" for finding in found[:10]}
    text = summary(report, urls=urls, walkthrough=walkthrough)
    shown = visible_text(text)
    assert shown.count("error: Title ") == 30
    assert shown.count("warning: Title ") == MAX_OTHERS
    assert "More open findings (140)" in shown
    assert all(f"src/bad_{number}.py" in shown for number in range(40))
    assert all(f"src/old_{number}.cbl" in shown for number in range(20))
    more = text.partition("More open findings (140)")[2].partition("</details>")[0]
    [left] = map(int, re.findall(r"\n(\d+) more findings: no room here\.", more))
    assert more.count(" (id `") == 140 - left
    assert left < 100
    assert size(text) < MAX_BODY
    assert len(for_agents(text)) + left_out_for_agents(text) == 180


def test_notes_without_a_comment_are_folded_in_full_by_file() -> None:
    places = (("1" * 16, "a.py"), ("2" * 16, "b.py"), ("3" * 16, "a.py"), ("4" * 16, "a.py"))
    notes = [
        replace(FINDING, id=id_, path=path, severity="note", title=f"Title {id_[0]}")
        for id_, path in places
    ]
    rest = [FindingWithoutComment(note, NOTES) for note in notes[:3]]
    text = summary(report_of(*notes), rest=rest, urls={notes[3].id: "https://example.org/c"})
    folded = text.partition("**Notes (3)**")[2].partition("</details>")[0]
    assert re.findall(r"note: (Title \d)\*\*\n\n`(\S+):3`", folded) == [
        ("Title 1", "a.py"),
        ("Title 3", "a.py"),
        ("Title 2", "b.py"),
    ]
    assert folded.count(FINDING.message) == 3
    shown = visible_text(text)
    assert ["Title 4" in shown, "Title 1" in shown] == [True, False]


def test_a_note_of_an_earlier_review_without_a_comment_stays_listed() -> None:
    text = summary(report_of(replace(FINDING, severity="note")))
    assert FINDING.title in text.partition("**Notes (1)**")[2]


def test_coverage_names_every_file_and_what_was_not_read_is_visible() -> None:
    coverage = (
        *(ev.FileCoverage(f"s{n}.lock", "skipped", "A lockfile.") for n in range(30)),
        ev.FileCoverage("a.py", "reviewed"),
        ev.FileCoverage("b.py", "partly", "Cut."),
        ev.FileCoverage("c.py", "failed", "Refused."),
    )
    text = summary(report_of(outcome="incomplete", coverage=coverage, reasons=("Quota.",)))
    assert (
        "33 files: 1 reviewed, 1 reviewed in part, 1 not reviewed and 30 skipped by policy." in text
    )
    assert "- c.py not reviewed: Refused.\n- b.py reviewed in part only: Cut.\n- Quota." in text
    assert "Not fully reviewed" not in text
    assert "c.py not reviewed: Refused." in visible_text(text)
    assert "lock" not in visible_text(text)
    assert "Skipped by policy:\n\n- `s0.lock` (skipped): A lockfile." in text
    assert "Reviewed:\n\n- `a.py`" in text


def test_no_file_is_listed_twice_as_reviewed() -> None:
    done = (ev.FileCoverage("a.py", "reviewed"), ev.FileCoverage("b.py", "reviewed"))
    report = report_of(coverage=done)
    whole = summary(report, walkthrough={"a.py": "Adds a rate.", "b.py": "Uses it."})
    assert [whole.count(f"`{one.path}`") for one in done] == [1, 1]
    assert "2 files: 2 reviewed." in whole
    assert "\nReviewed:\n\n- `a.py`" in summary(report, walkthrough={"a.py": "Adds."})


def test_tokens_cost_and_the_commit_come_last() -> None:
    end = ev.ReviewFinished("clean", (), ev.Usage(1_000, 20), 0.5, 3.0, None)
    *_, spent, _, marker = summary(fold([PLAN, end]), links=LINKS).split("\n\n")
    assert marker == MARKER
    assert spent == (
        f"commit [`aaaaaaa`](https://github.com/o/r/commit/{'a' * 40}); `m`, `offline`; "
        "1,000 tokens in, 20 out; $0.50; 3.0 s"
    )


def test_a_computed_summary_is_left_out() -> None:
    why = "The model wrote no summary: it was busy."
    text = summary(fold([PLAN, ev.ReviewSummary("3 files changed, +3 -0.", reason=why)]))
    assert "Walkthrough" not in text
    assert "busy" not in text
    assert "+3 -0" not in text


BAD = (
    "@bob ![i](https://evil.example/i.png) [l](https://evil.example) <img src=x> fixes #1 | a "
    f"`b {MARKER} \u202e </details> <summary> www.evil.example GH-1 ``` # x"
)


def hostile(number: int, placement: Placement) -> Finding:
    fields: dict[str, Any] = dict.fromkeys(
        ("title", "scenario", "message", "path", "rule", "model", "suggestion", "quote"), BAD
    )
    return replace(FINDING, **fields, id=f"{number:016x}", placement=placement)


def hostile_report(times: int, text: str = BAD) -> Report:
    places = (Placement("inline"), Placement("outside", text), Placement("file", text, held=True))
    statuses: tuple[ev.CoverageStatus, ...] = get_args(ev.CoverageStatus)
    return fold(
        [
            replace(PLAN, models=(text,) * times, notices=(text,) * times),
            *(ev.FindingRaised(hostile(n, places[n % 3])) for n in range(3 * times)),
            ev.ReviewSummary(
                text,
                (ev.WalkthroughEntry(text, text),) * times,
                (text,) * times,
                text,
                source="model",
                reason=text,
                asked_for=(ev.Requirement(text, text), ev.Requirement(text)) * times,
            ),
            ev.ReviewFinished(
                "incomplete",
                tuple(ev.FileCoverage(text, status, text) for status in statuses) * times,
                ev.Usage(1, 2),
                0.1,
                1.0,
                None,
                {},
                tuple(f"{number} {text}" for number in range(times)),
                tuple(ev.ModelShare(text, 1, 1, ev.Usage(1, 1), 0.1) for _ in range(times)),
            ),
        ]
    )


@pytest.mark.sample(1)
@pytest.mark.parametrize("times", [1, 2, 150])
def test_hostile_words_stay_words_and_within_the_limit(times: int) -> None:
    report = hostile_report(times)
    gone = record(id=BAD, title=BAD, path=BAD, rule=BAD, state="resolved")
    done = Reconciled(
        report, (), resolved=(gone,) * times, dismissed=(gone,) * times, is_first=False
    )
    text = summary(
        report,
        done,
        rest=rest_of(report),
        urls={BAD: BAD},
        overview=BAD,
        walkthrough={BAD: BAD},
        links=LINKS,
    )
    assert size(text) < MAX_BODY
    assert acting(text) == []
    assert parse(text, PULL) == MADE
    assert re.findall("<!--.*?-->", text) == [MARKER]
    assert {entry["path"] for entry in for_agents(text)} == {BAD}
    assert "\u202e" not in text
    assert all(map(OURS.fullmatch, html(text)[:-1]))
    assert set(links(text)) <= {LINKS.commit()}


def test_what_has_no_room_is_cut_the_least_important_first_and_counted() -> None:
    report = hostile_report(150)
    text = summary(report, rest=rest_of(report), links=LINKS, walkthrough={})
    assert text.startswith("**Incomplete: 450 of 600 files were not fully reviewed; ")
    assert re.search(r"\d+ more reasons: no room here\.", text)
    for heading in ("Not fully reviewed", "More open findings", "**Not on a line", "Reviewed:"):
        part = text.partition(heading)[2]
        assert re.search(r"[\d,]+ more (files|findings): no room here\.", part)
    assert text.count("\n- ⚠️ warning: ") == MAX_OTHERS
    assert "By model:" in text


def test_what_the_change_is_asked_for_is_folded_with_what_is_not_found_first() -> None:
    requirements = (
        ev.Requirement("Charge VAT in `total`.", "a.py"),
        ev.Requirement("See [the rules](https://evil.example/b), @octo/team."),
    )
    event = ev.ReviewSummary("It charges VAT.", source="model", asked_for=requirements)
    text = summary(fold([PLAN, event]))
    folded = text.partition("<details>\n<summary>Asked for (1 found, 1 not found)</summary>\n\n")[2]
    missing, found = folded.partition("\n\n</details>")[0].split("\n")
    assert missing.startswith("- Not found: See ")
    assert found == "- Found in `a.py`: Charge VAT in `total`."
    assert links(text) == [LINKS.commit()]
    assert "Asked for" not in summary(fold([PLAN, replace(event, asked_for=())]))


def test_links_lead_only_where_they_may() -> None:
    what = ev.ReviewSummary(
        "See https://docs.example/a and https://evil.example/b.", source="model"
    )
    text = summary(fold([PLAN, what]), link_hosts=("docs.example",))
    assert links(text) == ["https://docs.example/a", LINKS.commit()]

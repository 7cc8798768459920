"""The summary comment: the outcome first, nothing lost, and nobody's words act in it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings

from reviewbot.core.events import events as ev
from reviewbot.core.events.report import Report, fold
from reviewbot.core.findings.finding import Finding, Placement
from reviewbot.github.change.permalinks import Permalinks
from reviewbot.github.markers import Marker, parse, write
from reviewbot.github.publish.comment_text import MAX_BODY
from reviewbot.github.publish.review_comments import NOTES, FindingWithoutComment, plan_comments
from reviewbot.github.publish.sections import size
from reviewbot.github.publish.summary import MAX_ROWS, render
from reviewbot.github.state.reconcile import Reconciled
from tests.github.diff_strategies import PULL
from tests.github.github_rules import acting, flat, html, links
from tests.github.summaries import FOLDER, outputs
from tests.review_strategies import reports
from tests.support.documents import report_of
from tests.support.github_records import record
from tests.support.reports import FINDING, HELD, PLAN

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
    headings = [token.content for token in headings_of(text)]
    names = {re.sub(r" \(.*", "", one) for one in headings}
    own = {"Summary", "Findings", "More findings", "Not on a line", "Coverage"}
    assert names <= own | {"Unproven errors, not counted"}
    text.encode()


def headings_of(text: str) -> list[Any]:
    tokens = list(flat(text))
    return [
        after
        for before, after in pairwise(tokens)
        if before.type == "heading_open" and before.level == 0
    ]


@settings(deadline=None)
@given(reports)
def test_the_table_has_a_row_for_each_finding_that_counts_and_is_no_note(report: Report) -> None:
    shown = [finding for finding in report.findings if not finding.placement.held]
    rows = [finding for finding in shown if finding.severity != "note"]
    kinds = [token.type for token in flat(summary(report)) if token.level < 4]
    assert kinds.count("tr_open") == len(rows) + bool(rows)
    assert kinds.count("td_open") == 3 * len(rows)


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
    assert f"| ⚠️ warning | [`app/db.py:3`]({URL}) | Wrong |" in text
    assert f"| ⚠️ warning | [`x/y.py:3`]({permalink}) | Other (id `{'b' * 16}`) |" in text


def test_what_has_no_comment_is_told_in_full_with_its_reason() -> None:
    far = replace(
        FINDING,
        scenario="It fails.",
        suggestion="x = 2",
        placement=Placement("file", "The code it quotes is not in the diff."),
    )
    report = report_of(far)
    told = summary(report, rest=rest_of(report)).partition("### Not on a line")[2]
    for words in (
        "**⚠️ warning: Wrong**",
        "Not placed on a line: The code it quotes is not in the diff.",
        "> It fails.",
        "> It is wrong.",
        "Suggestion, to be adapted by hand, instead of these lines:\n\n> ```\n> x = 2\n> ```",
    ):
        assert words in told


def test_what_is_held_back_is_folded_away_and_in_no_table() -> None:
    report = report_of(replace(FINDING, placement=HELD))
    text = summary(report, rest=rest_of(report))
    assert text.startswith("**Done: nothing blocks this.**")
    assert "<summary>Held back (1)</summary>" in text
    assert "| ⚠️ warning |" not in text


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
    assert f"| Wrong (id `{FINDING.id}`) | new |" in text
    assert f"| Old (id `{'b' * 16}`) | still open |" in text
    assert f"Resolved:\n\n- [`app/db.py:3`]({URL}) Gone `@bob`" in text
    assert "Dismissed:\n\n- `app/db.py:3` `a/b`" in text
    nothing = Reconciled(report_of(), (), is_first=False)
    assert "Since the last review: nothing changed." in summary(report_of(), nothing)
    assert "Since" not in summary(report_of(FINDING))


def test_the_summary_of_a_push_keeps_the_overview() -> None:
    report = fold([PLAN, ev.ReviewSummary("One file changed.", source="model")])
    text = summary(report, overview="It adds a cache.")
    assert "> It adds a cache.\n\nThis push:\n\n> One file changed." in text
    assert "This push:" not in summary(report)
    assert "> It adds a cache." in summary(fold([PLAN]), overview="It adds a cache.")


def test_findings_beyond_the_table_are_listed_by_file() -> None:
    many = [replace(FINDING, id=f"{number:016x}", line=number + 1) for number in range(70)]
    text = summary(report_of(*many), links=LINKS)
    assert text.count("\n| ⚠️ warning |") == MAX_ROWS
    rest = text.partition("### More findings (20)\n\n- `app/db.py`\n")[2].partition("\n\n")[0]
    assert rest.count(f"{FINDING.title} (id `") == 20


def test_notes_without_a_comment_are_folded_in_full_by_file() -> None:
    places = (("1" * 16, "a.py"), ("2" * 16, "b.py"), ("3" * 16, "a.py"), ("4" * 16, "a.py"))
    notes = [
        replace(FINDING, id=id_, path=path, severity="note", title=f"Title {id_[0]}")
        for id_, path in places
    ]
    rest = [FindingWithoutComment(note, NOTES) for note in notes[:3]]
    text = summary(report_of(*notes), rest=rest, urls={notes[3].id: "https://example.org/c"})
    folded = text.partition("<summary>Notes (3)</summary>")[2].partition("</details>")[0]
    assert re.findall(r"note: (Title \d)\*\*\n\n`(\S+):3`", folded) == [
        ("Title 1", "a.py"),
        ("Title 3", "a.py"),
        ("Title 2", "b.py"),
    ]
    assert folded.count(FINDING.message) == 3
    table = text.partition("<summary>Notes")[0]
    assert ["Title 4" in table, "Title 1" in table] == [True, False]


def test_a_note_of_an_earlier_review_without_a_comment_stays_listed() -> None:
    text = summary(report_of(replace(FINDING, severity="note")))
    assert "<summary>Notes (1)</summary>" in text
    assert FINDING.title in text.partition("<summary>Notes (1)</summary>")[2]


def test_coverage_names_every_file_and_folds_long_lists() -> None:
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
    assert "<summary>Skipped by policy (30)</summary>\n\n- `s0.lock` (skipped): A lockfile." in text
    assert "<summary>Reviewed (1)</summary>\n\n- `a.py`" in text


def test_no_file_is_listed_twice_as_reviewed() -> None:
    done = (ev.FileCoverage("a.py", "reviewed"), ev.FileCoverage("b.py", "reviewed"))
    report = report_of(coverage=done)
    whole = summary(report, walkthrough={"a.py": "Adds a rate.", "b.py": "Uses it."})
    assert [whole.count(f"`{one.path}`") for one in done] == [1, 1]
    assert "2 files: 2 reviewed." in whole
    assert "<summary>Reviewed (2)</summary>" in summary(report, walkthrough={"a.py": "Adds."})


def test_tokens_cost_and_the_commit_come_last() -> None:
    end = ev.ReviewFinished("clean", (), ev.Usage(1_000, 20), 0.5, 3.0, None)
    *_, spent, marker = summary(fold([PLAN, end]), links=LINKS).split("\n\n")
    assert marker == MARKER
    assert spent == (
        f"commit [`aaaaaaa`](https://github.com/o/r/commit/{'a' * 40}); `m`, `offline`; "
        "1,000 tokens in, 20 out; $0.50; 3.0 s"
    )


def test_a_computed_summary_is_left_out() -> None:
    why = "The model wrote no summary: it was busy."
    text = summary(fold([PLAN, ev.ReviewSummary("3 files changed, +3 -0.", reason=why)]))
    assert "Summary" not in text
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
    assert "\u202e" not in text
    assert all(map(OURS.fullmatch, html(text)[:-1]))
    assert set(links(text)) <= {LINKS.commit()}


def test_what_has_no_room_is_cut_the_least_important_first_and_counted() -> None:
    report = hostile_report(150)
    text = summary(report, rest=rest_of(report), links=LINKS, walkthrough={})
    assert text.startswith("**Incomplete: 450 of 600 files were not fully reviewed; ")
    assert re.search(r"\d+ more reasons: no room here\.", text)
    for heading in ("Not fully reviewed", "### Findings", "### Not on a line", "Reviewed (150)"):
        part = text.partition(heading)[2]
        assert re.search(r"[\d,]+ more (files|findings): no room here\.", part)
    assert text.count("\n| ⚠️ warning |") >= 10
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

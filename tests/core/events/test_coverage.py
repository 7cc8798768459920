"""Coverage: any file that is partly or failed makes a review incomplete, and says why."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.events.coverage import (
    NOT_REACHED,
    ChunkEnd,
    answered,
    counted_files,
    coverage_of,
    depth_of,
    outcome_of,
    reasons_of,
)
from reviewbot.core.events.events import FileCoverage, PlannedFile, RulesOnly
from reviewbot.core.events.overview import computed_summary
from reviewbot.core.findings.finding import Placement
from tests.support.findings import finding
from tests.support.plans import plan_of

if TYPE_CHECKING:
    from reviewbot.core.events.events import ChunkStatus
    from reviewbot.core.plan.chunks import Plan


def covered(
    plan: Plan, **outcomes: tuple[ChunkStatus, str | None]
) -> list[tuple[str, str, str | None]]:
    ends = {chunk: ChunkEnd(*end) for chunk, end in outcomes.items()}
    return [(one.path, one.status, one.reason) for one in coverage_of(plan, ends)]


def test_every_file_is_in_the_ledger_with_its_reason() -> None:
    plan = plan_of(a=("c1",), b="Lockfile.", c=("c2", "c3"), d=("c4", "c5"), e=("c6",))
    assert covered(
        plan,
        c1=("reviewed", None),
        c2=("reviewed", None),
        c3=("partly", "It was cut."),
        c4=("failed", "Overloaded."),
        c5=("failed", "Refused."),
        c6=("failed", "Overloaded."),
    ) == [
        ("a", "reviewed", None),
        ("b", "skipped", "Lockfile."),
        ("c", "partly", "Part 2 of 2: It was cut."),
        ("d", "failed", "Part 1 of 2: Overloaded."),
        ("e", "failed", "Overloaded."),
    ]


def test_files_that_are_not_in_the_diff_stand_behind_those_that_are() -> None:
    lacking = FileCoverage("huge.py", "failed", "GitHub does not give it.")
    plan = replace(plan_of(a=("c1",)), beside=(lacking,))
    assert coverage_of(plan, {"c1": ChunkEnd("reviewed")}) == (
        FileCoverage("a", "reviewed"),
        lacking,
    )


def test_a_file_of_which_one_part_failed_is_partly_reviewed() -> None:
    plan = plan_of(a=("c1", "c2"))
    assert covered(plan, c1=("failed", "X."), c2=("reviewed", None)) == [
        ("a", "partly", "Part 1 of 2: X.")
    ]


def test_a_part_without_a_reason_says_that_none_was_given() -> None:
    plan = plan_of(a=("c1", "c2"))
    assert covered(plan, c1=("reviewed", None), c2=("partly", None)) == [
        ("a", "partly", "Part 2 of 2: No reason was given.")
    ]


def test_a_chunk_that_nobody_answered_for_has_failed() -> None:
    assert covered(plan_of(a=("c1",))) == [("a", "failed", NOT_REACHED)]


def test_the_outcome_is_clean_only_if_all_was_reviewed_and_nothing_found() -> None:
    clean = [FileCoverage("a", "reviewed"), FileCoverage("b", "skipped", "Lockfile.")]
    assert outcome_of(clean, []) == "clean"
    assert outcome_of(clean, [finding()]) == "findings"
    for status in ("partly", "failed"):
        gap = [*clean, FileCoverage("c", status, "X.")]
        assert outcome_of(gap, []) == outcome_of(gap, [finding()]) == "incomplete"


def test_a_review_with_unread_source_files_is_never_clean() -> None:
    unread = FileCoverage("a.cbl", "unread", "There are no rules.")
    read, prose = FileCoverage("a.py", "reviewed"), FileCoverage("README.md", "reviewed")
    data = FileCoverage("a.yml", "reviewed", checks=("21 rules for YAML",))
    assert outcome_of([read, unread], []) == "shallow"
    assert outcome_of([read, unread], [finding()]) == "findings"
    for nothing in ([unread], [prose, unread], [data, unread]):
        assert outcome_of(nothing, []) == outcome_of(nothing, [finding()]) == "incomplete"
    assert reasons_of([unread, read]) == ("a.cbl not read: There are no rules.",)


def test_files_that_the_policy_leaves_unread_make_a_review_shallow_and_never_incomplete() -> None:
    vendored = FileCoverage("vendor/a.py", "unread", "New, and vendored.", by_policy=True)
    cobol, prose = FileCoverage("a.cbl", "unread"), FileCoverage("README.md", "reviewed")
    for coverage in ([vendored], [prose, vendored], [FileCoverage("a.py", "reviewed"), vendored]):
        assert outcome_of(coverage, []) == "shallow"
        assert outcome_of(coverage, [finding()]) == "findings"
    assert outcome_of([vendored, cobol], []) == "incomplete"


def test_findings_that_are_only_listed_do_not_change_the_outcome_of_their_unread_file() -> None:
    vendored = FileCoverage("vendor/a.py", "unread", "New, and vendored.", by_policy=True)
    listed = replace(finding(), path="vendor/a.py", placement=Placement("outside", "X.", held=True))
    assert outcome_of([vendored], [listed]) == "shallow"
    assert outcome_of([vendored], [listed, finding()]) == "findings"
    assert outcome_of([vendored], [replace(listed, placement=Placement("inline"))]) == "findings"


@pytest.mark.parametrize(
    ("is_incomplete", "nothing", "some"),
    [
        (False, "shallow", "findings"),
        (True, "incomplete", "incomplete"),
    ],
)
def test_a_review_by_rules_in_place_of_a_model_is_never_clean(
    is_incomplete: bool, nothing: str, some: str
) -> None:
    read, why = [FileCoverage("a.py", "reviewed")], RulesOnly("No key.", is_incomplete)
    assert outcome_of(read, [], why) == nothing
    assert outcome_of(read, [finding()], why) == some
    assert outcome_of([FileCoverage("a.py", "failed", "Why.")], [], why) == "incomplete"


def test_a_script_that_a_linter_read_counts_as_a_source_file_that_was_read() -> None:
    unread, script = FileCoverage("a.cbl", "unread"), FileCoverage("bin/run", "reviewed")
    assert outcome_of([script, unread], []) == "incomplete"
    assert outcome_of([replace(script, checks=("shellcheck",)), unread], []) == "shallow"


def test_a_check_counts_for_a_file_if_it_read_every_part() -> None:
    outcomes = {"c1": ChunkEnd("reviewed"), "c2": ChunkEnd("reviewed")}
    checks = {"c1": ("2 rules for Go", "ruff"), "c2": ("2 rules for Go",)}
    (file,) = coverage_of(plan_of(a=("c1", "c2")), outcomes, checks)
    assert file.checks == ("2 rules for Go",)


def test_the_depth_names_files_that_no_linter_could_read() -> None:
    sentences = [f"ruff did not read {number}.py: it crashed." for number in range(5)]
    depth = depth_of(["ruff"], unmodelled=0, files=9, unlinted=sentences)
    assert depth == f"{' '.join(sentences[:3])} 2 more problems of linters."
    assert depth_of(["ruff"], unmodelled=9, files=9, unlinted=sentences[:1]) == (
        f"ruff ran; no model read this. {sentences[0]}"
    )


def test_an_accepted_file_that_nothing_read_is_skipped() -> None:
    plan = plan_of(a=("c1", "c2"))
    assert covered(plan, c1=("skipped", "Accepted."), c2=("reviewed", None)) == [
        ("a", "skipped", "Accepted.")
    ]


@pytest.mark.parametrize(
    ("checks", "unmodelled", "sentence"),
    [
        (
            ["6 rules for Go", "ruff", "6 rules for Go"],
            2,
            "6 rules for Go and ruff ran; no model read this.",
        ),
        (["ruff"], 1, "ruff ran; no model read 1 of 2 files."),
        ([], 2, "No model read this."),
        (["ruff"], 0, ""),
    ],
)
def test_the_depth_names_what_ran_instead_of_a_model(
    checks: list[str], unmodelled: int, sentence: str
) -> None:
    assert depth_of(checks, unmodelled=unmodelled, files=2) == sentence


def test_reasons_are_grouped_and_the_widest_comes_first() -> None:
    coverage = [
        FileCoverage("a", "reviewed"),
        FileCoverage("b", "partly", "It was cut."),
        FileCoverage("c", "failed", "Overloaded."),
        FileCoverage("d", "failed", "Overloaded."),
        FileCoverage("e", "failed"),
    ]
    assert reasons_of(coverage) == (
        "2 files not reviewed: Overloaded.",
        "b reviewed in part only: It was cut.",
        "e not reviewed: No reason was given.",
    )


def test_files_of_a_common_reason_are_counted_and_known_by_name() -> None:
    coverage = [
        FileCoverage("a", "partly", "It was cut."),
        FileCoverage("b", "failed", "Overloaded."),
        FileCoverage("c", "failed", "Overloaded."),
    ]
    assert counted_files(coverage) == ("b", "c")


def test_a_file_has_the_kind_of_the_failure_that_its_reason_describes() -> None:
    ends = {"c1": ChunkEnd("reviewed"), "c2": ChunkEnd("failed", "It is down.", "transient")}
    (file,) = coverage_of(plan_of(a=("c1", "c2")), ends)
    assert file.fault == "transient"


def test_a_question_is_answered_or_says_why_not() -> None:
    assert answered([FileCoverage("a", "reviewed")]) == ("answered", ())
    failed = [FileCoverage("a", "failed", "Overloaded."), FileCoverage("b", "failed")]
    assert answered([*failed, failed[0]]) == (
        "incomplete",
        ("Overloaded.", "No reason was given."),
    )


def test_the_computed_summary_is_the_size_and_what_a_model_said_about_files() -> None:
    files = [PlannedFile("a.py", "modified", 3, 1, ("c1",)), PlannedFile("b.lock", "added", 9, 0)]
    summary = computed_summary(files, {"a.py": "adds a rate"})
    assert summary.what == "2 files changed, +12 -1."
    assert [(one.path, one.summary) for one in summary.files] == [("a.py", "adds a rate")]
    assert (summary.look_at, summary.source) == ((), "computed")

"""Verdicts: which quotes count, and what becomes of a finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reviewbot.core.findings.finding import Evidence, Finding, Placement
from reviewbot.core.findings.verdicts import (
    Judge,
    KnownCode,
    RawVerdict,
    Verdict,
    parse_verdicts,
    placement_after,
    unverified,
)
from tests.support.findings import finding
from tests.support.views import hunk, view

CODE = """ def charge(order):
     # the rate is never None here
     if order.rate is None:
         return 0
-    return order.net
+    due = order.net * order.rate
+    return due
+    # checked upstream"""
RUNNING = {"a.py": {1, 3, 4, 5, 6}}
ADDED = {"a.py": frozenset({5, 6, 7})}
GUARD = RawVerdict("a.py", 3, "    if order.rate is None:", "refuted", worth_fixing=False)
FAULT = RawVerdict("a.py", 5, "due = order.net * order.rate", "supported", worth_fixing=True)


def verdict_on(raw: RawVerdict, found: Finding | None = None, **known: Any) -> Verdict:
    values: dict[str, Any] = {"views": [view(hunk(CODE))], "running": RUNNING, "added": ADDED}
    judge = Judge(KnownCode(**values | known))
    [made] = judge.verdicts([found or finding(severity="error", line=5)], {1: raw})
    return made


def test_a_guard_that_runs_refutes_a_finding() -> None:
    made = verdict_on(GUARD)
    assert made.verdict == "refuted"
    assert made.evidence == Evidence("a.py", 3, "    if order.rate is None:")
    assert made.reason == "The verifier refuted it with the code in a.py:3."


def test_a_finding_is_supported_by_the_line_that_goes_wrong() -> None:
    made = verdict_on(FAULT)
    assert (made.verdict, made.worth_fixing) == ("supported", True)
    assert made.reason == "The verifier traced it to the code in a.py:5."


@pytest.mark.parametrize("answer", ["refuted", "supported"])
@pytest.mark.parametrize(
    ("quote", "reason"),
    [
        ("if order.rate is not None:", "The verifier quotes no code that it was shown."),
        ("", "The verifier quotes no code that it was shown."),
        ("---", "The verifier quotes no code that it was shown."),
        ("\n".join(row[1:] for row in CODE.split("\n") if row[0] != "-"), "too many lines."),
    ],
)
def test_a_quote_that_does_not_exist_proves_nothing(answer: Any, quote: str, reason: str) -> None:
    made = verdict_on(RawVerdict("a.py", 3, quote, answer, worth_fixing=True))
    assert made.verdict == "unproven"
    assert not made.worth_fixing
    assert reason in made.reason


@pytest.mark.parametrize(
    ("quote", "line", "reason"),
    [
        (
            "# the rate is never None here",
            2,
            "a comment, a string, a document or code that never runs.",
        ),
        ("# checked upstream", 7, "a comment, a string, a document or code that never runs."),
        ("order.rate is None", 3, "only a part of a line."),
        ("    if order.rate is None:\n        return 1", 3, "only a part of a line."),
    ],
)
def test_what_does_not_run_or_is_cut_refutes_nothing(quote: str, line: int, reason: str) -> None:
    made = verdict_on(RawVerdict("a.py", line, quote, "refuted", worth_fixing=True))
    assert made.verdict == "unproven"
    assert reason in made.reason


def test_a_string_may_be_what_is_wrong() -> None:
    raw = RawVerdict("a.py", 7, "    # checked upstream", "supported", worth_fixing=True)
    assert verdict_on(raw).verdict == "supported"


def test_a_quote_from_another_file_proves_nothing() -> None:
    assert verdict_on(replace(GUARD, path="b.py")).verdict == "unproven"


def test_a_line_that_the_change_adds_does_not_refute_an_error() -> None:
    raw = replace(GUARD, line=6, quote="    return due")
    made = verdict_on(raw)
    assert (made.verdict, made.reason) == (
        "unproven",
        "The verifier quotes a line that this change adds.",
    )
    assert verdict_on(raw, finding(severity="warning", line=5)).verdict == "refuted"
    assert verdict_on(raw, added={}).verdict == "refuted"


def test_removed_lines_support_a_finding_about_them_and_refute_nothing() -> None:
    about = finding(severity="error", side="LEFT", line=5)
    raw = RawVerdict("a.py", 5, "    return order.net", "supported", worth_fixing=True)
    assert verdict_on(raw, about).verdict == "supported"
    assert verdict_on(raw).verdict == "unproven"
    assert verdict_on(replace(raw, answer="refuted"), about).verdict == "unproven"


def test_code_in_an_unknown_language_supports_and_does_not_refute() -> None:
    assert verdict_on(FAULT, running={}).verdict == "supported"
    assert verdict_on(GUARD, running={}).verdict == "unproven"


def test_a_verifier_without_proof_leaves_the_finding_unproven() -> None:
    made = verdict_on(replace(FAULT, answer="unproven"))
    assert made.reason == "The verifier could neither prove nor refute it."


def test_a_finding_without_a_verdict_counts_as_not_verified() -> None:
    known = KnownCode([view(hunk(CODE))], RUNNING, ADDED)
    [one, other] = Judge(known).verdicts([finding(), finding(id="g")], {2: FAULT})
    assert (one.verdict, one.worth_fixing) == ("unverified", None)
    assert other.verdict == "supported"


@pytest.mark.parametrize(("count", "verdict"), [(4, "refuted"), (5, "unverified")])
def test_a_verifier_that_refutes_everything_is_not_believed(count: int, verdict: str) -> None:
    known = KnownCode([view(hunk(CODE))], RUNNING, ADDED)
    many = [finding(id=str(number)) for number in range(count)]
    made = Judge(known).verdicts(many, dict.fromkeys(range(1, count + 1), GUARD))
    assert {one.verdict for one in made} == {verdict}


def test_findings_that_could_not_be_verified_say_why() -> None:
    [made] = unverified([finding()], "The model is down.")
    assert made == Verdict("f", "unverified", None, "The model is down.")


@pytest.mark.parametrize(
    ("verdict", "worth_fixing", "held"),
    [
        ("supported", True, False),
        ("supported", False, True),
        ("unproven", True, True),
        ("unproven", False, True),
        ("unverified", None, False),
    ],
)
@pytest.mark.parametrize("kind", ["inline", "file", "outside"])
def test_only_supported_and_unverified_findings_keep_their_place(
    verdict: Any, worth_fixing: bool | None, held: bool, kind: Any
) -> None:
    before = finding(placement=Placement(kind, None if kind == "inline" else "A reason."))
    after = placement_after(before, Verdict("f", verdict, worth_fixing, "Its reason."))
    assert after.held is held
    if held:
        assert after.kind == ("file" if kind == "file" else "outside")
        assert after.reason
    else:
        assert after == before.placement


ENTRY = {
    "finding": 1,
    "path": "a.py",
    "line": 3,
    "quote": "x",
    "verdict": "refuted",
    "worth_fixing": True,
}


def test_verdicts_are_read_by_the_number_of_their_finding() -> None:
    second = {**ENTRY, "finding": 2, "verdict": "supported", "more": 1}
    found = parse_verdicts({"verdicts": [ENTRY, second, {**ENTRY, "verdict": "unproven"}]}, 2)
    assert {number: one.answer for number, one in found.items()} == {1: "refuted", 2: "supported"}


@pytest.mark.parametrize(
    "entry",
    [
        {**ENTRY, "finding": 0},
        {**ENTRY, "finding": 3},
        {**ENTRY, "finding": "1"},
        {**ENTRY, "verdict": "REFUTED"},
        {**ENTRY, "worth_fixing": "yes"},
        {**ENTRY, "line": None},
        {key: value for key, value in ENTRY.items() if key != "quote"},
        [],
        None,
    ],
)
def test_an_invalid_verdict_is_left_out(entry: Any) -> None:
    good = {**ENTRY, "finding": 2}
    assert list(parse_verdicts({"verdicts": [entry, good]}, 2)) == [2]
    with pytest.raises(ValueError, match="no valid verdict"):
        parse_verdicts({"verdicts": [entry]}, 2)


@pytest.mark.parametrize("value", [{}, {"verdicts": None}, {"verdicts": {}}])
def test_an_answer_without_a_list_of_verdicts_is_refused(value: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no list of verdicts"):
        parse_verdicts(value, 1)


def test_a_line_that_the_change_adds_refutes_a_prior_finding() -> None:
    raw = replace(GUARD, line=6, quote="    return due")
    assert verdict_on(raw, priors={"f"}).verdict == "refuted"


def test_one_bad_quote_does_not_hide_that_everything_is_refuted() -> None:
    known = KnownCode([view(hunk(CODE))], RUNNING, ADDED)
    many = [finding(id=str(number)) for number in range(6)]
    raw = dict.fromkeys(range(1, 6), GUARD) | {6: replace(GUARD, quote="invented()")}
    assert {one.verdict for one in Judge(known).verdicts(many, raw)} == {"unverified"}


def test_a_yes_is_no_number_of_a_finding() -> None:
    with pytest.raises(ValueError, match="no valid verdict"):
        parse_verdicts({"verdicts": [{**ENTRY, "finding": True}]}, 1)

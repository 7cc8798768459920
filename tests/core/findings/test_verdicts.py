"""Verdicts: which quotes count, and what becomes of a finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reviewbot.core.decode import decoder
from reviewbot.core.findings.check_tool import ANSWERS, FOLLOW_UP_ANSWERS
from reviewbot.core.findings.finding import Evidence, Finding, Guideline
from reviewbot.core.findings.verdicts import (
    Judge,
    KnownCode,
    RawVerdict,
    Rewrite,
    RunningLines,
    Verdict,
    parse_verdicts,
    rewritten,
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
RUNNING: RunningLines = {("a.py", False): {1, 3, 4, 5, 6}, ("a.py", True): {1, 3, 4, 5}}
ADDED = {"a.py": frozenset({5, 6, 7})}
GUARD = RawVerdict("wrong", "a.py", 3, "    if order.rate is None:")
FAULT = RawVerdict("supported", "a.py", 5, "due = order.net * order.rate")
OLD = RawVerdict("not_introduced", "a.py", 5, "    return order.net")
TEXTS = Rewrite("The rate may be None", "When x, line 5 raises, so it fails.", "Check the rate.")


def verdict_on(
    raw: RawVerdict,
    found: Finding | None = None,
    running: RunningLines = RUNNING,
    **known: Any,
) -> Verdict:
    values: dict[str, Any] = {"views": [view(hunk(CODE))], "added": ADDED}
    judge = Judge(KnownCode(**values | known), ["github.com"])
    [made] = judge.verdicts([found or finding(severity="error", line=5)], {1: raw}, running)
    return made


def test_a_guard_that_runs_withdraws_a_finding() -> None:
    made = verdict_on(GUARD)
    assert made.verdict == "wrong"
    assert made.evidence == Evidence("a.py", 3, "    if order.rate is None:")
    assert made.reason == "The verifier found it wrong, by the code in a.py:3."


def test_an_old_line_shows_that_the_change_did_not_introduce_a_fault() -> None:
    made = verdict_on(OLD)
    assert made.verdict == "not_introduced"
    assert made.evidence == Evidence("a.py", 5, "    return order.net", base=True)
    assert verdict_on(replace(GUARD, answer="not_introduced")).verdict == "not_introduced"


def test_a_finding_is_supported_by_the_line_that_goes_wrong() -> None:
    made = verdict_on(replace(FAULT, why="The rate may be None."))
    assert made.verdict == "supported"
    assert made.reason == "The verifier traced it to the code in a.py:5: The rate may be None."


def test_an_explanation_is_made_safe_and_shortened() -> None:
    secret = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    made = verdict_on(replace(FAULT, why=f"{secret}\n" + 50_000 * "x"))
    assert secret not in made.reason
    assert "\n" not in made.reason
    assert len(made.reason) < 300


@pytest.mark.parametrize("answer", ["wrong", "not_introduced", "supported", "partly"])
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
    made = verdict_on(RawVerdict(answer, "a.py", 3, quote, rewrite=TEXTS))
    assert made.verdict == "cannot_tell"
    assert reason in made.reason
    assert made.rewrite is None


@pytest.mark.parametrize("answer", ["wrong", "not_introduced"])
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
def test_what_does_not_run_or_is_cut_withdraws_nothing(
    answer: Any, quote: str, line: int, reason: str
) -> None:
    made = verdict_on(RawVerdict(answer, "a.py", line, quote))
    assert made.verdict == "cannot_tell"
    assert reason in made.reason


def test_a_string_may_be_what_is_wrong() -> None:
    raw = RawVerdict("supported", "a.py", 7, "    # checked upstream")
    assert verdict_on(raw).verdict == "supported"


def test_a_quote_from_another_file_proves_nothing() -> None:
    assert verdict_on(replace(GUARD, path="b.py")).verdict == "cannot_tell"


def test_a_line_that_the_change_adds_does_not_withdraw_an_error() -> None:
    raw = replace(GUARD, line=6, quote="    return due")
    made = verdict_on(raw)
    assert (made.verdict, made.reason) == (
        "cannot_tell",
        "The verifier quotes a line that this change adds.",
    )
    assert verdict_on(raw, finding(severity="warning", line=5)).verdict == "wrong"
    assert verdict_on(raw, added={}).verdict == "wrong"


def test_a_line_that_the_change_adds_shows_no_fault_of_the_old_version() -> None:
    raw = replace(OLD, line=6, quote="    return due")
    assert verdict_on(raw, finding(severity="warning", line=5)).verdict == "cannot_tell"


FIXED = RawVerdict("fixed", "a.py", 6, "    return due")


def test_an_earlier_finding_is_fixed_by_a_running_line_that_was_added() -> None:
    made = verdict_on(FIXED)
    assert made.verdict == "fixed"
    assert made.evidence == Evidence("a.py", 6, "    return due")
    assert made.reason == "The verifier found it fixed, by the code in a.py:6."
    several = RawVerdict("fixed", "a.py", 4, "        return 0\n    due = order.net * order.rate")
    assert verdict_on(several).verdict == "fixed"


@pytest.mark.parametrize(
    ("quote", "line", "reason"),
    [
        ("    if order.rate is None:", 3, "no line that was added since the last review"),
        ("    return order.net", 5, "a line that this change removes"),
        ("    # checked upstream", 7, "a comment, a string, a document or code that never runs"),
        ("return due  # really", 6, "no code that it was shown"),
        ("due = order", 5, "only a part of a line"),
        ("", 6, "no code that it was shown"),
    ],
)
def test_no_other_quote_fixes_an_earlier_finding(quote: str, line: int, reason: str) -> None:
    made = verdict_on(replace(FIXED, quote=quote, line=line))
    assert made.verdict == "cannot_tell"
    assert made.reason == f"The verifier quotes {reason}."


def test_a_line_without_a_word_is_not_the_line_that_fixes_it() -> None:
    code = [view(hunk(" if (rate) {\n   stop();\n+}"))]
    raw = RawVerdict("fixed", "a.py", 2, "  stop();\n}")
    running: RunningLines = {("a.py", False): {1, 2, 3}}
    made = verdict_on(raw, views=code, added={"a.py": {3}}, running=running)
    assert made.verdict == "cannot_tell"


def test_an_earlier_finding_stays_open_by_any_line() -> None:
    made = verdict_on(replace(FIXED, answer="open", quote="    # checked upstream", line=7))
    assert (made.verdict, made.evidence is not None) == ("open", True)
    assert verdict_on(replace(FIXED, answer="open", quote="x")).verdict == "cannot_tell"


def test_five_earlier_findings_may_be_fixed_at_once() -> None:
    findings = [finding(id=str(number)) for number in range(5)]
    judge = Judge(KnownCode([view(hunk(CODE))], ADDED))
    made = judge.verdicts(findings, dict.fromkeys(range(1, 6), FIXED), RUNNING)
    assert [one.verdict for one in made] == ["fixed"] * 5


def test_only_the_allowed_answers_are_read() -> None:
    entries = {"answers": [ENTRY, {**ENTRY, "finding": 2, "answer": "fixed"}]}
    assert list(parse_verdicts(entries, 2, FOLLOW_UP_ANSWERS)) == [2]
    assert list(parse_verdicts(entries, 2, ANSWERS)) == [1]


def test_removed_lines_support_a_finding_and_do_not_make_it_wrong() -> None:
    raw = RawVerdict("supported", "a.py", 5, "    return order.net")
    made = verdict_on(raw)
    assert (made.verdict, made.evidence and made.evidence.base) == ("supported", True)
    assert verdict_on(replace(raw, answer="wrong")).verdict == "cannot_tell"


def test_code_in_an_unknown_language_supports_and_does_not_withdraw() -> None:
    assert verdict_on(FAULT, running={}).verdict == "supported"
    assert verdict_on(GUARD, running={}).verdict == "cannot_tell"


def test_an_old_comment_does_not_show_a_fault_of_the_old_version() -> None:
    assert verdict_on(OLD, running={("a.py", True): ()}).verdict == "cannot_tell"


def test_only_files_that_withdraw_a_finding_need_their_running_code() -> None:
    other = view(hunk(" x = 1"), path="b.py")
    judge = Judge(KnownCode([view(hunk(CODE)), other], ADDED))
    assert judge.withdrawing_paths([GUARD, OLD, replace(FAULT, path="b.py")]) == {"a.py"}
    assert judge.withdrawing_paths([replace(GUARD, path="c.py")]) == set()


def test_a_verifier_that_cannot_tell_leaves_the_finding() -> None:
    made = verdict_on(RawVerdict("cannot_tell", why="No caller is shown"))
    assert made.reason == "The verifier could not tell: No caller is shown."
    assert (made.verdict, made.evidence) == ("cannot_tell", None)
    assert verdict_on(replace(FAULT, answer="cannot_tell")).evidence is not None


def test_what_is_true_of_a_finding_replaces_its_texts() -> None:
    made = verdict_on(replace(FAULT, answer="partly", rewrite=TEXTS))
    assert (made.verdict, made.rewrite) == ("partly", TEXTS)
    before = finding(suggestion="x", suggestion_applies=True)
    after = rewritten(before, TEXTS)
    assert (after.title, after.scenario, after.message) == (
        TEXTS.title,
        TEXTS.scenario,
        TEXTS.message,
    )
    assert (after.suggestion, after.suggestion_applies) == (None, False)
    assert (after.id, after.severity, after.line) == (before.id, before.severity, before.line)


def test_rewritten_texts_are_cleaned_as_those_of_a_finding() -> None:
    secret = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    texts = Rewrite(f"T {secret}", "S\n@octocat", f"![x](https://evil.example/{secret})")
    made = verdict_on(replace(FAULT, answer="partly", rewrite=texts)).rewrite
    assert made is not None
    assert secret not in f"{made.title}{made.message}"
    assert "\n" not in made.scenario
    assert "![x]" not in made.message


@pytest.mark.parametrize(
    "texts",
    [
        None,
        replace(TEXTS, title=" "),
        replace(TEXTS, scenario=""),
        replace(TEXTS, message=""),
        replace(TEXTS, title=1_001 * "x"),
        replace(TEXTS, message=10_001 * "x"),
    ],
)
def test_without_usable_texts_nothing_is_rewritten(texts: Rewrite | None) -> None:
    made = verdict_on(replace(FAULT, answer="partly", rewrite=texts))
    assert (made.verdict, made.rewrite) == ("cannot_tell", None)
    assert made.reason == "The verifier does not say what of it is true."


def test_a_rewritten_finding_keeps_the_rule_that_its_message_quotes() -> None:
    rule = Guideline("RULES.md", 3, "Never trust the rate of an order.")
    about = finding(guideline=rule)
    quoting = replace(TEXTS, message='It breaks "Never trust the rate of an order."')
    kept = verdict_on(replace(FAULT, answer="partly", rewrite=quoting), about).rewrite
    lost = verdict_on(replace(FAULT, answer="partly", rewrite=TEXTS), about).rewrite
    assert kept is not None
    assert lost is not None
    assert rewritten(about, kept).guideline == rule
    assert rewritten(about, lost).guideline is None


def test_a_finding_without_an_answer_counts_as_not_verified() -> None:
    known = KnownCode([view(hunk(CODE))], ADDED)
    [first, second] = Judge(known).verdicts([finding(), finding(id="g")], {2: FAULT}, RUNNING)
    assert first.verdict == "unverified"
    assert second.verdict == "supported"


@pytest.mark.parametrize(("count", "verdict"), [(4, "wrong"), (5, "unverified")])
def test_a_verifier_that_withdraws_everything_is_not_believed(count: int, verdict: str) -> None:
    known = KnownCode([view(hunk(CODE))], ADDED)
    many = [finding(id=str(number)) for number in range(count)]
    made = Judge(known).verdicts(many, dict.fromkeys(range(1, count + 1), GUARD), RUNNING)
    assert {one.verdict for one in made} == {verdict}


def test_findings_that_could_not_be_verified_say_why() -> None:
    [made] = unverified([finding()], "The model is down.")
    assert made == Verdict("f", "unverified", "The model is down.")


@pytest.mark.parametrize(("before", "now"), [("refuted", "wrong"), ("unproven", "cannot_tell")])
def test_verdicts_of_earlier_versions_are_read_under_their_present_names(
    before: str, now: str
) -> None:
    stored = {"id": "f", "verdict": before, "worth_fixing": True, "reason": "R.", "evidence": None}
    assert decoder(Verdict)(stored, "verdict") == Verdict("f", now, "R.")  # type: ignore[arg-type]


ENTRY = {
    "finding": 1,
    "path": "a.py",
    "line": 3,
    "quote": "x",
    "answer": "wrong",
    "why": "W.",
    "title": None,
    "scenario": None,
    "message": None,
}


def test_answers_are_read_by_the_number_of_their_finding() -> None:
    second = {**ENTRY, "finding": 2, "answer": "PARTLY", "title": "T"}
    found = parse_verdicts(
        {"answers": [ENTRY, second, {**ENTRY, "answer": "supported"}]}, 2, ANSWERS
    )
    assert found == {
        1: RawVerdict("wrong", "a.py", 3, "x", "W.", Rewrite("", "", "")),
        2: RawVerdict("partly", "a.py", 3, "x", "W.", Rewrite("T", "", "")),
    }


def test_an_answer_may_leave_out_all_but_its_number_and_kind() -> None:
    found = parse_verdicts(
        {"answers": [{"finding": 1, "answer": "cannot_tell", "line": "3"}]}, 1, ANSWERS
    )
    assert found == {1: RawVerdict("cannot_tell", rewrite=Rewrite("", "", ""))}


@pytest.mark.parametrize(
    "changes",
    [
        {"finding": 3},
        {"finding": 0},
        {"finding": "1"},
        {"finding": True},
        {"answer": "maybe"},
        {"answer": None},
    ],
)
def test_an_invalid_answer_is_left_out(changes: dict[str, Any]) -> None:
    entry, good = {**ENTRY, **changes}, {**ENTRY, "finding": 2}
    assert list(parse_verdicts({"answers": [entry, good]}, 2, ANSWERS)) == [2]
    with pytest.raises(ValueError, match="it has no valid answer"):
        parse_verdicts({"answers": [entry]}, 2, ANSWERS)


@pytest.mark.parametrize("value", [{}, {"answers": "none"}, [], None, 3])
def test_an_answer_without_a_list_is_not_usable(value: object) -> None:
    with pytest.raises(ValueError, match="it has no list of answers"):
        parse_verdicts(value, 1, ANSWERS)


def test_an_entry_that_is_no_object_is_left_out() -> None:
    assert list(parse_verdicts({"answers": [3, ENTRY]}, 1, ANSWERS)) == [1]

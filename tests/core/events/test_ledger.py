"""The ledger: nothing said twice, nothing lost, ids unique, notes limited."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.events.events import FindingRaised, FindingVerified, FindingWithdrawn
from reviewbot.core.events.ledger import Ledger
from reviewbot.core.findings.finding import Evidence, Finding, Placement, RestsOn, fingerprint
from reviewbot.core.findings.verdicts import Rewrite, Verdict
from tests.support.findings import finding


def shown(events: list[FindingRaised | FindingWithdrawn]) -> list[str]:
    return [
        f"+{event.finding.id}" if isinstance(event, FindingRaised) else f"-{event.id}"
        for event in events
    ]


def test_a_finding_is_raised_once_however_often_it_comes() -> None:
    ledger = Ledger()
    assert shown(ledger.accept(finding(), answer="1")) == ["+f"]
    assert ledger.accept(finding(model="other", attempt=2), answer="2") == []
    assert len(ledger) == 1


def test_a_more_severe_duplicate_takes_the_place_of_the_others() -> None:
    ledger = Ledger()
    ledger.accept(finding(severity="note"), answer="1")
    ledger.accept(finding(id="g", severity="note", line=6, end_line=6), answer="1")
    raised = ledger.accept(finding(id="h", severity="error", line=4, end_line=6), answer="2")
    assert shown(raised) == ["-f", "-g", "+h"]
    assert [one.id for one in ledger.findings] == ["h"]


def test_a_more_severe_duplicate_keeps_the_code_that_the_others_rest_on() -> None:
    ledger = Ledger()
    rate, tax, other = (RestsOn(path, 1, 1, "x = 1", False, False) for path in ("r", "t", "o"))
    ledger.accept(finding(severity="note", rests_on=(rate, tax)), answer="1")
    ledger.accept(finding(id="g", severity="note", line=6, end_line=6, rests_on=(tax,)), answer="1")
    ledger.accept(finding(id="h", severity="warning", line=4, end_line=6), answer="2")
    assert [finding.rests_on for finding in ledger.findings] == [(rate, tax)]
    ledger.accept(finding(id="i", severity="error", rests_on=(other,)), answer="3")
    assert [finding.rests_on for finding in ledger.findings] == [(other,)]


def test_a_duplicate_worse_than_one_but_not_another_withdraws_nothing() -> None:
    ledger = Ledger()
    ledger.accept(finding(severity="note"), answer="1")
    ledger.accept(finding(id="g", severity="error", line=6, end_line=6), answer="1")
    assert ledger.accept(finding(id="h", line=4, end_line=6), answer="2") == []
    assert len(ledger) == 2


def test_equal_code_in_two_places_gets_two_ids() -> None:
    ledger = Ledger()
    name = fingerprint("a.py", "bug", "x = 1")
    first = ledger.accept(finding(id=name), answer="1")
    second = ledger.accept(finding(id=name, line=40, end_line=40), answer="1")
    assert shown(first) == [f"+{name}"]
    assert shown(second) == [f"+{fingerprint('a.py', 'bug', 'x = 1', 2)}"]


SURE = Placement("inline")
UNSURE = Placement("outside", "Its confidence of 0.5 is below 0.7.", held=True)
NOWHERE = Placement("file", "The code it quotes is not in the diff.")


def test_a_finding_that_is_held_or_not_placed_never_hides_one_that_counts() -> None:
    for hidden in (UNSURE, NOWHERE):
        for first, second in ((hidden, SURE), (SURE, hidden)):
            ledger = Ledger()
            ledger.accept(finding(id="1", severity="error", placement=first), answer="1")
            ledger.accept(finding(id="2", severity="warning", placement=second), answer="2")
            assert [one.placement for one in ledger.findings] == [SURE]


def test_two_findings_of_one_answer_are_two_unless_they_quote_the_same() -> None:
    ledger = Ledger()
    assert ledger.accept(finding(quote="rows[i]"), answer="1")
    assert ledger.accept(finding(id="g", quote="cols[i]"), answer="1")
    assert not ledger.accept(finding(id="h", quote="cols[i]"), answer="1")
    assert not ledger.accept(finding(id="h", quote="i"), answer="2")
    assert len(ledger) == 2


def test_the_same_path_twice_in_a_diff_is_two_files() -> None:
    ledger = Ledger(file_of={"c1": 0, "c2": 1})
    assert ledger.accept(finding(), answer="1")
    assert ledger.accept(finding(id="g", chunk="c2"), answer="2")
    assert len(ledger) == 2


def test_a_claimed_range_of_any_length_costs_little() -> None:
    ledger = Ledger()
    ledger.accept(finding(line=1, end_line=2**31 - 1, placement=NOWHERE), answer="1")
    assert len(ledger) == 1


def test_a_recalled_answer_takes_its_findings_with_it_and_no_others() -> None:
    ledger = Ledger()
    ledger.accept(finding(), answer="1")
    ledger.accept(finding(id="g", path="b.py"), answer="2")
    assert shown(list(ledger.recall("2", "refused"))) == ["-g"]
    assert ledger.recall("2", "refused") == []
    assert [one.id for one in ledger.findings] == ["f"]


def test_a_finding_that_another_answer_made_too_survives_a_recall() -> None:
    ledger = Ledger()
    ledger.accept(finding(), answer="1")
    ledger.accept(finding(), answer="2")
    assert ledger.recall("1", "refused") == []
    assert shown(list(ledger.recall("2", "refused"))) == ["-f"]


def test_what_an_earlier_run_showed_is_not_shown_again_but_stands() -> None:
    ledger = Ledger(shown=[finding()])
    assert ledger.accept(finding(), answer="1") == []
    assert [one.id for one in ledger.findings] == ["f"]


def test_what_a_recalled_finding_had_replaced_is_raised_again() -> None:
    ledger = Ledger()
    ledger.accept(finding(severity="note"), answer="1")
    ledger.accept(finding(id="g", severity="warning"), answer="2")
    ledger.accept(finding(id="h", severity="error"), answer="3")
    assert shown(ledger.recall("3", "refused")) == ["-h", "+g"]
    assert shown(ledger.recall("2", "refused")) == ["-g", "+f"]
    assert [one.id for one in ledger.findings] == ["f"]


def test_what_one_answer_replaced_twice_is_found_again_underneath() -> None:
    ledger = Ledger()
    ledger.accept(finding(severity="note"), answer="1")
    ledger.accept(finding(id="g", severity="warning"), answer="2")
    ledger.accept(finding(id="h", severity="error"), answer="2")
    assert shown(ledger.recall("2", "refused")) == ["-h", "+f"]


def test_a_finding_of_an_earlier_run_goes_with_the_refused_answer_that_repeats_it() -> None:
    ledger = Ledger(shown=[finding(), finding(id="g", path="b.py")])
    ledger.accept(finding(), answer="1")
    assert shown(ledger.recall("1", "refused")) == ["-f"]
    assert [one.id for one in ledger.findings] == ["g"]


def test_what_an_earlier_run_showed_and_nobody_repeats_can_be_withdrawn_by_chunk() -> None:
    earlier = [finding(), finding(id="g", path="b.py"), finding(id="h", path="c.py", chunk="c2")]
    ledger = Ledger(shown=earlier)
    ledger.accept(finding(path="b.py"), answer="1")
    assert shown([*ledger.unvouched({"c1"}, "recalled")]) == ["-f"]
    assert sorted(one.id for one in ledger.findings) == ["g", "h"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([10, 20]),
            st.sampled_from(["error", "warning", "note"]),
            st.sampled_from("123"),
        ),
        max_size=15,
    ),
    st.sets(st.sampled_from("123")),
)
def test_what_stands_is_what_the_answers_that_were_not_refused_said(
    said: list[tuple[int, str, str]], refused: set[str]
) -> None:
    ledger = Ledger()
    for line, severity, answer in said:
        one = finding(id=f"{line}", line=line, end_line=line, severity=severity)
        ledger.accept(one, answer=answer)
    for answer in refused:
        ledger.recall(answer, "refused")
    order = ["error", "warning", "note"]
    worst = {
        line: min((order.index(s) for at, s, a in said if at == line and a not in refused))
        for line in {at for at, _, a in said if a not in refused}
    }
    standing = {one.line: order.index(one.severity) for one in ledger.findings}
    assert standing.keys() == worst.keys()
    assert len(standing) == len(ledger)


PLACES = st.lists(
    st.builds(
        lambda line, severity, title, answer: (
            finding(
                id=fingerprint("a.py", "bug", title),
                line=line,
                end_line=line,
                severity=severity,
                title=title,
            ),
            answer,
        ),
        st.integers(1, 12),
        st.sampled_from(["error", "warning", "note"]),
        st.sampled_from(["alpha beta", "gamma delta", "omega"]),
        st.sampled_from("12"),
    ),
    max_size=25,
)


@given(PLACES)
def test_replaying_the_events_gives_what_stands(places: list[tuple[Finding, str]]) -> None:
    ledger = Ledger()
    standing: dict[str, Finding] = {}
    events: list[FindingRaised | FindingWithdrawn] = []
    for one, answer in places:
        events += ledger.accept(one, answer=answer)
    events += ledger.recall("1", "refused")
    for event in events:
        if isinstance(event, FindingRaised):
            assert event.finding.id not in standing
            standing[event.finding.id] = event.finding
        else:
            del standing[event.id]
    assert {one.id for one in ledger.findings} == set(standing)


def verdict(name: str = "f", answer: Any = "supported", **changes: Any) -> Verdict:
    evidence = None if answer == "cannot_tell" else Evidence("a.py", 3, "if x:")
    values: dict[str, Any] = {"reason": "Its reason.", "evidence": evidence} | changes
    return Verdict(name, answer, **values)


def test_a_verdict_decides_once_about_a_pending_finding() -> None:
    ledger = Ledger()
    ledger.accept(finding(verification="pending"), answer="1")
    [event] = ledger.decide(verdict())
    assert isinstance(event, FindingVerified)
    assert (event.id, event.verdict, event.placement) == ("f", "supported", SURE)
    assert [one.verification for one in ledger.findings] == ["supported"]
    assert ledger.decide(verdict(answer="wrong")) == []
    assert ledger.pending(["c1"]) == []


@pytest.mark.parametrize("answer", ["wrong", "not_introduced"])
def test_a_finding_is_withdrawn_with_verdict_and_evidence(answer: Any) -> None:
    ledger = Ledger()
    ledger.accept(finding(verification="pending"), answer="1")
    [event] = ledger.decide(verdict(answer=answer))
    assert event == FindingWithdrawn("f", "Its reason.", Evidence("a.py", 3, "if x:"), answer)
    assert len(ledger) == 0


@pytest.mark.parametrize("answer", ["fixed", "open"])
def test_a_verdict_about_earlier_findings_decides_nothing_about_a_new_one(answer: Any) -> None:
    ledger = Ledger()
    ledger.accept(finding(verification="pending"), answer="1")
    assert ledger.decide(verdict(answer=answer)) == []
    assert [one.verification for one in ledger.findings] == ["pending"]


@pytest.mark.parametrize("state", ["pending", "partly"])
def test_a_finding_that_an_earlier_run_rewrote_is_not_raised_again(state: Any) -> None:
    rewritten = finding(title="New title", scenario="Other words.", verification=state)
    ledger = Ledger(shown=[rewritten])
    assert ledger.accept(finding(verification="pending"), answer="1") == []
    assert ledger.findings == [rewritten]
    assert ledger.unvouched(["c1"], "It was withdrawn.") == []
    another = finding(title="Rate of zero", scenario="Division fails.", verification="pending")
    assert shown(ledger.accept(another, answer="1")) == [f"+{ledger.findings[-1].id}"]


@pytest.mark.parametrize("answer", ["cannot_tell", "unverified"])
def test_a_finding_without_a_proof_stays_as_it_is(answer: Any) -> None:
    ledger = Ledger()
    before = finding(verification="pending")
    ledger.accept(before, answer="1")
    ledger.decide(verdict(answer=answer))
    assert ledger.findings == [replace(before, verification=answer)]


def test_a_finding_that_is_partly_true_is_shown_again_with_its_new_texts() -> None:
    ledger = Ledger()
    ledger.accept(finding(verification="pending", severity="error"), answer="1")
    texts = Rewrite("New title", "New scenario.", "New message.")
    again, event = ledger.decide(verdict(answer="partly", rewrite=texts))
    assert isinstance(again, FindingRaised)
    assert isinstance(event, FindingVerified)
    assert (again.finding.id, again.finding.verification) == ("f", "pending")
    assert event.verdict == "partly"
    [left] = ledger.findings
    assert (left.title, left.scenario, left.message) == (texts.title, texts.scenario, texts.message)
    assert (left.severity, left.verification) == ("error", "partly")
    assert shown(ledger.recall("1", "It declined.")) == ["-f"]


def test_a_finding_that_is_not_pending_or_gone_has_no_verdict() -> None:
    ledger = Ledger()
    ledger.accept(finding(), answer="1")
    assert ledger.decide(verdict(answer="wrong")) == []
    assert ledger.decide(verdict("unknown")) == []
    assert len(ledger) == 1


def test_a_verified_finding_is_recalled_with_its_answer() -> None:
    ledger = Ledger()
    ledger.accept(finding(verification="pending"), answer="1")
    ledger.decide(verdict())
    assert shown(ledger.recall("1", "It declined.")) == ["-f"]


def test_a_held_finding_of_an_earlier_run_is_not_raised_again() -> None:
    held = finding(verification="cannot_tell", placement=UNSURE)
    ledger = Ledger(shown=[held])
    assert ledger.accept(finding(verification="pending"), answer="1") == []
    assert ledger.findings == [held]
    again = finding(id="g", severity="error", verification="pending")
    assert shown(ledger.accept(again, answer="2")) == ["-f", "+g"]


def test_only_findings_of_these_chunks_are_pending() -> None:
    ledger = Ledger()
    ledger.accept(finding(id="z", verification="pending", line=9, end_line=9), answer="1")
    ledger.accept(finding(id="y", verification="pending", title="Other", scenario="o"), answer="1")
    ledger.accept(finding(id="x", verification="pending", chunk="c2", path="b.py"), answer="2")
    assert [one.id for one in ledger.pending(["c1"])] == ["y", "z"]


def test_the_ledger_knows_its_open_findings_by_id() -> None:
    ledger = Ledger()
    ledger.accept(finding(), answer="1")
    assert "f" in ledger
    ledger.recall("1", "It declined.")
    assert "f" not in ledger

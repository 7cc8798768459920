"""A fault that a rule and a model report is one finding: the rule's, whichever came first."""

from __future__ import annotations

from typing import Any

from reviewbot.core.events.events import FindingRaised, FindingWithdrawn
from reviewbot.core.events.ledger import Ledger
from reviewbot.core.findings.finding import Finding, Placement
from reviewbot.core.findings.verdicts import unverified
from tests.core.findings.test_join import model, rule

Events = list[FindingRaised | FindingWithdrawn]


def shown(events: Events) -> list[str]:
    """Ids of raised and withdrawn findings; a folded one has an ``m``."""
    return [
        f"+{event.finding.id}{'m' if 'claude' in event.finding.sources else ''}"
        if isinstance(event, FindingRaised)
        else f"-{event.id}"
        for event in events
    ]


def ledger_of(*findings: tuple[Finding, str], **options: Any) -> Ledger:
    ledger = Ledger(**options)
    for finding, answer in findings:
        ledger.accept(finding, answer=answer)
    return ledger


def test_a_model_after_the_rule_is_never_raised() -> None:
    ledger = ledger_of((rule(), "rules"))
    assert shown(ledger.accept(model(verification="pending"), answer="1")) == ["+rm"]
    assert ledger.pending(["c1"]) == []
    assert [one.id for one in ledger.findings] == ["r"]


def test_a_model_before_the_rule_is_withdrawn_and_names_the_rules_finding() -> None:
    ledger = ledger_of((model(verification="pending"), "1"))
    events = ledger.accept(rule(), answer="rules")
    assert shown(events) == ["-m", "+rm"]
    assert isinstance(events[0], FindingWithdrawn)
    assert events[0].reason == (
        "The rule python/shell-injection reports it, too: merged into the finding r."
    )
    assert ledger.pending(["c1"]) == []


def test_both_orders_lead_to_the_same_finding() -> None:
    first, second = (
        ledger_of((rule(), "r"), (model(), "1")),
        ledger_of((model(), "1"), (rule(), "r")),
    )
    assert first.findings == second.findings


def test_no_verdict_reaches_a_folded_finding() -> None:
    ledger = ledger_of((model(verification="pending"), "1"))
    verdicts = list(unverified(ledger.pending(["c1"]), "It failed."))
    ledger.accept(rule(), answer="rules")
    assert [event for one in verdicts for event in ledger.decide(one)] == []
    assert [one.verification for one in ledger.findings] == ["none"]


def test_recalling_the_answer_of_the_model_undoes_the_fold() -> None:
    ledger = ledger_of((rule(), "rules"), (model(), "1"))
    assert shown(ledger.recall("2", "Recalled.")) == []
    assert shown(ledger.recall("1", "Recalled.")) == ["+r"]
    assert ledger.findings == [rule()]


def test_a_fold_lasts_while_one_of_two_answers_reports_it() -> None:
    ledger = ledger_of((rule(), "rules"), (model(), "1"))
    assert ledger.accept(model(), answer="1") == []
    assert ledger.accept(model(), answer="2") == []
    assert shown(ledger.recall("1", "Recalled.")) == []
    assert shown(ledger.recall("2", "Recalled.")) == ["+r"]


def test_recalling_the_answer_of_the_rule_brings_the_model_back() -> None:
    ledger = ledger_of((rule(), "rules"), (model(), "1"))
    assert shown(ledger.recall("rules", "Recalled.")) == ["-r", "+mm"]
    assert ledger.findings == [model()]


def test_a_second_fault_of_an_answer_on_the_line_stays_a_finding() -> None:
    ledger = ledger_of((rule(), "rules"), (model(), "1"))
    other = model(id="o", quote="run(", title="The shell command waits forever")
    assert shown(ledger.accept(other, answer="1")) == ["+om"]
    assert shown(ledger.recall("1", "Recalled.")) == ["+r", "-o"]


def test_of_two_models_before_the_rule_the_first_is_folded() -> None:
    other = model(id="o", quote="run(", title="A shell command of a path", scenario="It holds.")
    ledger = ledger_of((model(), "1"), (other, "1"))
    assert shown(ledger.accept(rule(), answer="rules")) == ["-m", "+rm"]
    assert {one.id for one in ledger.findings} == {"r", "o"}


def test_a_model_that_replaces_another_is_folded_with_it() -> None:
    wide = model(id="w", line=3, end_line=9, severity="note")
    ledger = ledger_of((rule(severity="note"), "rules"), (wide, "1"))
    assert {one.id for one in ledger.findings} == {"r", "w"}
    assert shown(ledger.accept(model(severity="error"), answer="2")) == ["-w", "+rm"]
    assert [one.severity for one in ledger.findings] == ["error"]
    assert shown(ledger.recall("2", "Recalled.")) == ["+rm"]
    assert [one.severity for one in ledger.findings] == ["note"]


def test_a_rule_that_takes_the_place_of_its_own_finding_keeps_the_fold() -> None:
    ledger = ledger_of((rule(severity="note"), "rules"), (model(severity="note"), "1"))
    assert shown(ledger.accept(rule(id="s", severity="error"), answer="more")) == ["-r", "+sm"]


def test_two_rules_of_one_line_are_two_findings_and_one_has_the_fold() -> None:
    unused = rule(id="u", title="Unused variable `command`", rule="ruff/F841", scenario="")
    ledger = ledger_of((unused, "lint"), (rule(), "rules"))
    assert shown(ledger.accept(model(), answer="1")) == ["+rm"]
    assert len(ledger) == 2


def test_a_held_note_of_a_rule_is_placed_when_it_is_folded() -> None:
    held = Placement("outside", "Its confidence of 0.5 is below 0.7.", held=True)
    ledger = Ledger()
    ledger.accept(rule(severity="note", placement=held), answer="rules")
    ledger.accept(model(severity="warning"), answer="1")
    assert [one.placement.held for one in ledger.findings] == [False]


def folded() -> Finding:
    (finding,) = ledger_of((rule(), "rules"), (model(), "1")).findings
    return finding


def test_a_run_that_continues_shows_a_folded_finding_once() -> None:
    for order in ([rule(), model()], [model(), rule()]):
        ledger = Ledger(shown=[folded()])
        assert [event for one in order for event in ledger.accept(one, answer=one.id)] == []
        assert ledger.unvouched(["c1"], "Recalled.") == []
        assert ledger.findings == [folded()]


def test_a_run_that_continues_without_the_model_undoes_the_fold() -> None:
    ledger = Ledger(shown=[folded()])
    assert ledger.accept(rule(), answer="rules") == []
    assert shown(ledger.unvouched(["c2"], "Recalled.")) == []
    assert shown(ledger.unvouched(["c1"], "Recalled.")) == ["+r"]
    assert ledger.findings == [rule()]


def test_a_run_that_continues_without_the_rule_keeps_the_models_finding() -> None:
    ledger = Ledger(shown=[folded()])
    assert ledger.accept(model(), answer="1") == []
    assert shown(ledger.unvouched(["c1"], "Recalled.")) == ["-r", "+mm"]
    assert ledger.findings == [model()]


def test_a_shown_finding_of_a_rule_takes_the_fold_of_a_later_answer() -> None:
    ledger = Ledger(shown=[rule()])
    assert shown(ledger.accept(model(), answer="1")) == ["+rm"]
    assert ledger.accept(rule(), answer="rules") == []
    assert shown(ledger.recall("1", "Recalled.")) == ["+r"]


def test_a_shown_finding_of_a_model_that_no_answer_repeats_leaves_the_fold() -> None:
    ledger = Ledger(shown=[model()])
    assert shown(ledger.accept(rule(), answer="rules")) == ["-m", "+rm"]
    assert shown(ledger.unvouched(["c1"], "Recalled.")) == ["+r"]


def test_a_replaced_finding_of_a_rule_returns_with_the_recall() -> None:
    ledger = ledger_of((rule(severity="note"), "1"), (rule(id="s", severity="error"), "2"))
    assert shown(ledger.recall("2", "Recalled.")) == ["-s", "+r"]
    assert shown(ledger.accept(model(), answer="3")) == ["+rm"]


def test_a_rule_near_another_fault_of_a_model_folds_nothing() -> None:
    other = model(title="The exit status is ignored", scenario="When `ls` fails, nobody knows.")
    ledger = ledger_of((other, "1"))
    assert shown(ledger.accept(rule(), answer="rules")) == ["+r"]
    assert len(ledger) == 2


def test_a_later_answer_that_rates_the_fault_higher_raises_the_severity() -> None:
    ledger = ledger_of((rule(severity="note"), "rules"), (model(severity="warning"), "1"))
    assert [one.severity for one in ledger.findings] == ["warning"]
    proved = model(severity="error", message="Proved by a look-up.")
    assert shown(ledger.accept(proved, answer="2")) == ["+rm"]
    [finding] = ledger.findings
    assert finding.severity == "error"
    assert finding.message.endswith("Proved by a look-up.")
    assert shown(ledger.recall("2", "Recalled.")) == ["+rm"]
    assert [one.severity for one in ledger.findings] == ["warning"]

"""A finding of an earlier review, as the verifier gets it."""

from __future__ import annotations

from reviewbot.core.findings.prior import PriorFinding


def test_a_prior_finding_has_its_lines_and_title_and_no_more() -> None:
    prior = PriorFinding("f1", "a.py", "LEFT", 3, 4, "security", "error", "It is open")
    found = prior.as_finding(model="m", chunk="c2")
    assert (found.id, found.path, found.side, found.line, found.end_line) == (
        *("f1", "a.py", "LEFT"),
        *(3, 4),
    )
    assert (found.title, found.category, found.severity) == ("It is open", "security", "error")
    assert (found.model, found.chunk) == ("m", "c2")
    assert (found.scenario, found.message, found.suggestion) == ("", "", None)
    assert found.is_from_model

"""A finding of an earlier review, as the verifier gets it."""

from __future__ import annotations

from reviewbot.core.findings.prior import PriorFinding, PriorPlace


def test_a_prior_finding_has_its_lines_and_title_and_no_more() -> None:
    proof = PriorPlace("lib.py", 7, 8)
    prior = PriorFinding("f1", "a.py", "LEFT", 3, 4, "security", "error", "It is open", (proof,))
    found = prior.as_finding("m")
    assert (found.id, found.path, found.side, found.line, found.end_line) == (
        *("f1", "a.py", "LEFT"),
        *(3, 4),
    )
    assert (found.title, found.category, found.severity) == ("It is open", "security", "error")
    assert (found.model, found.chunk) == ("m", "")
    [rests_on] = found.rests_on
    assert (rests_on.path, rests_on.line, rests_on.end_line, rests_on.base) == (
        "lib.py",
        7,
        8,
        True,
    )
    assert (found.scenario, found.message, found.suggestion) == ("", "", None)
    assert found.is_from_model

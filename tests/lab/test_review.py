"""One review taken apart: anchors and verdicts."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.core.events.events import FindingRaised, FindingWithdrawn
from reviewbot.core.findings.draft import parse_draft
from reviewbot.core.findings.finding import Placement
from reviewbot.lab.review import Step, study_review
from tests.support.findings import ITEM, finding
from tests.support.lab_studies import events, review


def step(*, claimed: int = 4, **changes: Any) -> Step:
    draft = parse_draft(ITEM | {"line": claimed, "end_line": claimed})
    study = study_review([FindingRaised(finding(**changes))], [draft], source="")
    return study.steps[0]


def test_a_quote_on_the_claimed_line_needs_no_word_about_the_claim() -> None:
    assert step().anchor == "Its quote is on line 4 of the new file."


def test_a_wrong_claim_is_named_with_its_distance() -> None:
    assert step(claimed=9).anchor == (
        "Its quote is on line 4 of the new file; the model claimed line 9, 5 lines off."
    )
    assert step(side="LEFT").anchor == "Its quote is on line 4 of the old file."


def test_a_finding_without_a_line_has_the_reason() -> None:
    placement = Placement("file", "The code it quotes is not in the diff.")
    assert step(placement=placement).anchor == "The code it quotes is not in the diff."


@pytest.mark.parametrize(("number", "verdict"), [(0, "supported"), (1, "wrong")])
def test_each_finding_has_its_verdict(number: int, verdict: str) -> None:
    assert review().steps[number].verdict == verdict


def test_a_finding_without_a_verdict_says_so() -> None:
    assert step().verdict == "none"
    raised = FindingRaised(finding())
    gone = FindingWithdrawn("f", "The answer was withdrawn.")
    assert study_review([raised, gone], [], source="").steps[0].verdict == "withdrawn"


def test_without_a_server_there_is_no_stream() -> None:
    stages = dict(study_review(events(), [], source="").stages)
    assert stages["stream"].startswith("none")
    assert "prompt" not in stages

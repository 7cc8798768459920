"""The measurement of doubles compares reviews with and without stored answers of a model."""

from __future__ import annotations

from pathlib import Path

from benchmarks.quality import doubles
from benchmarks.quality.planted import read_cases
from tests.regenerate_golden import STREAMS

DEMO = STREAMS.parent / "demo.diff"
PLANTED = Path(doubles.__file__).parent / "planted.jsonl"


async def test_no_finding_of_a_rule_is_lost_beside_the_recorded_model() -> None:
    stream = (STREAMS / "recorded-claude.ndjson").read_text("utf-8")
    (compared,) = await doubles.measure_diff("demo.diff", DEMO.read_bytes(), stream)
    assert compared.lost == ()
    assert [one.rule for one in compared.joined] == ["python/blocking-in-async"]
    assert [(rule.rule, model.title) for rule, model in compared.doubles] == [
        ("python/sql-injection", "SQL built from the caller's text")
    ]


async def test_planted_bugs_are_answers_of_the_model() -> None:
    cases = read_cases(PLANTED.read_text("utf-8"))[:2]
    text = doubles.report(await doubles.measure(cases), details=True)
    assert "| 2 changes | findings |" in text
    assert "| findings of the model | 2 |" in text
    assert "| findings of rules that are lost | 0 |" in text
    assert "joined python/mutable-default" in text

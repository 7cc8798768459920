"""Events, their JSON form, the published schema and the way back agree."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from reviewbot.core.decode import decoder
from reviewbot.core.events import events as ev
from reviewbot.core.events.events import Event
from reviewbot.core.events.records import from_record, record
from reviewbot.core.events.report import fold
from reviewbot.core.findings.finding import Evidence, Finding, Guideline, Placement, RestsOn
from tests.event_schema import assert_valid_event, event_schema
from tests.review_strategies import events

EARLIER = Path(__file__).parents[3] / "fixtures" / "streams" / "earlier" / "verified.ndjson"
FRAME: dict[str, Any] = {"seq": 1, "review_id": "r1", "at": "2026-11-24T10:00:00Z"}
BODIES = {
    "planned_file": ev.PlannedFile,
    "planned_chunk": ev.PlannedChunk,
    "estimate": ev.Estimate,
    "model_estimate": ev.ModelEstimate,
    "model_share": ev.ModelShare,
    "usage": ev.Usage,
    "guideline": Guideline,
    "walkthrough_entry": ev.WalkthroughEntry,
    "requirement": ev.Requirement,
    "reply_decision": ev.ReplyDecision,
    "file_coverage": ev.FileCoverage,
    "placement": Placement,
    "evidence": Evidence,
    "verification_tally": ev.VerificationTally,
    "finding_body": Finding,
    "rests_on": RestsOn,
    "lookup_tally": ev.LookupTally,
    "rules_only": ev.RulesOnly,
}


def sent(event: Event) -> dict[str, Any]:
    """The record as a reader on the other side of a pipe gets it."""
    decoded: dict[str, Any] = json.loads(json.dumps(record(event, **FRAME)))
    return decoded


@given(events)
def test_every_event_fits_the_schema_and_comes_back_equal(event: Event) -> None:
    obj = sent(event)
    assert_valid_event(obj)
    assert from_record(obj) == event


@pytest.mark.parametrize("cls", get_args(Event), ids=lambda cls: cls.type)
def test_the_schema_has_exactly_the_fields_of_the_event(cls: type[Event]) -> None:
    schema = event_schema()["$defs"][cls.type]
    names = ["type", "seq", "review_id", "at", *(field.name for field in fields(cls))]
    assert list(schema["properties"]) == names
    assert schema["required"] == names
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize("name", BODIES)
def test_the_schema_has_exactly_the_fields_of_the_values(name: str) -> None:
    schema = event_schema()["$defs"][name]
    names = [field.name for field in fields(BODIES[name])]
    assert list(schema["properties"]) == names
    assert schema["required"] == names
    assert schema["additionalProperties"] is False


def test_the_union_of_the_schema_is_the_union_of_the_code() -> None:
    branches = [branch["$ref"] for branch in event_schema()["oneOf"]]
    assert branches == [f"#/$defs/{cls.type}" for cls in get_args(Event)]
    assert set(event_schema()["$defs"]) == {cls.type for cls in get_args(Event)} | set(BODIES)


def test_the_schema_describes_every_field_in_one_line() -> None:
    for schema in event_schema()["$defs"].values():
        for described in (schema, *schema["properties"].values()):
            assert described["description"].strip()
            assert "\n" not in described["description"]


def test_the_whole_union_accepts_an_event_and_refuses_a_stranger() -> None:
    validator = Draft202012Validator(event_schema())
    skipped = sent(ev.FileSkipped("a.lock", "A lockfile."))
    assert validator.is_valid(skipped)
    assert not validator.is_valid({**skipped, "extra": 1})
    assert not validator.is_valid({**skipped, "type": "file.lost"})


def test_the_helper_refuses_what_the_schema_refuses() -> None:
    skipped = sent(ev.FileSkipped("a.lock", "A lockfile."))
    with pytest.raises(AssertionError, match=r"no event is called 'file.lost'"):
        assert_valid_event({**skipped, "type": "file.lost"})
    with pytest.raises(AssertionError, match=r"\$\.path: 3 is not of type 'string'"):
        assert_valid_event({**skipped, "path": 3})


def test_unknown_fields_are_ignored_and_defaults_filled_in() -> None:
    obj = sent(ev.ReviewSummary("It adds a cache."))
    del obj["look_at"], obj["asked_for"]
    assert from_record({**obj, "mood": "good"}) == ev.ReviewSummary("It adds a cache.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"type": "file.lost"}, "unknown type of event: 'file.lost'"),
        ({"type": None}, "unknown type of event: None"),
        ({"type": ["finding"]}, r"unknown type of event: \['finding'\]"),
        ({"coverage": [{"path": "x"}]}, r"review.finished: coverage.0.status is missing"),
        ({"coverage": {}}, r"coverage is {}, not an array"),
        ({"coverage": ["x"]}, r"coverage.0 is 'x', not an object"),
        ({"usage": {"input": 1.5}}, r"usage.input is 1.5, not a whole number"),
        ({"usage": {"input": True}}, r"usage.input is True, not a whole number"),
        ({"cost_usd": "0"}, r"cost_usd is '0', not a finite number"),
        ({"cost_usd": float("nan")}, r"cost_usd is nan, not a finite number"),
        ({"cost_usd": 10**400}, r"cost_usd is 1000.*, not a finite number"),
        ({"outcome": []}, r"outcome is \[\], not 'clean'"),
        ({"findings": 3}, r"findings is 3, not an object"),
        ({"findings": {"error": None}}, r"findings.error is None, not a whole number"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    end = ev.ReviewFinished("clean", (), ev.Usage(), 0.0, 1.0, None)
    with pytest.raises(ValueError, match=message):
        from_record({**sent(end), **change})


def test_a_missing_field_is_refused_by_name() -> None:
    obj = sent(ev.FileSkipped("a", "b"))
    del obj["reason"]
    with pytest.raises(ValueError, match=r"^file.skipped: reason is missing$"):
        from_record(obj)


def test_a_whole_number_of_seconds_is_a_number() -> None:
    end = ev.ReviewFinished("clean", (), ev.Usage(), 0.0, 1.0, None)
    assert from_record({**sent(end), "duration_s": 2}) == ev.ReviewFinished(
        "clean", (), ev.Usage(), 0.0, 2.0, None
    )


def test_a_type_that_json_does_not_have_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="no decoder for"):
        decoder(set[str])


def test_every_field_without_a_default_is_required_when_read() -> None:
    for cls in get_args(Event):
        for field in fields(cls):
            if field.default is MISSING and field.default_factory is MISSING:
                with pytest.raises(ValueError, match="is missing"):
                    from_record({"type": cls.type})
                break


def test_usage_adds_up_kind_by_kind() -> None:
    assert ev.Usage(1, 2, 3, 4) + ev.Usage(10, 20, 30, 40) == ev.Usage(11, 22, 33, 44)


def test_what_a_newer_server_ends_a_review_with_is_read_as_incomplete() -> None:
    obj = {
        **sent(ev.ReviewFinished("clean", (), ev.Usage(), 0.0, 1.0, None)),
        "outcome": "profound",
        "coverage": [{"path": "a", "status": "skimmed", "reason": None}, "nonsense"],
    }
    with pytest.raises(ValueError, match=r"coverage\.1"):
        from_record(obj)
    obj["coverage"] = obj["coverage"][:1]
    event = from_record(obj)
    assert isinstance(event, ev.ReviewFinished)
    assert event.outcome == "incomplete"
    assert event.coverage == (ev.FileCoverage("a", "failed"),)
    assert event.reasons == ("The outcome 'profound' is unknown to this version of reviewbot.",)


def test_an_unknown_status_of_a_chunk_is_read_as_failed() -> None:
    chunk = ev.ChunkFinished("c1", "a", "reviewed", "m", 1)
    obj = sent(chunk)
    event = from_record({**obj, "status": "skimmed"})
    assert isinstance(event, ev.ChunkFinished)
    assert event.status == "failed"


def test_a_stream_of_an_earlier_version_is_read_under_the_present_names() -> None:
    lines = EARLIER.read_text("utf-8").splitlines()
    read = [from_record(json.loads(line)) for line in lines]
    verdicts = [event.verdict for event in read if isinstance(event, ev.FindingVerified)]
    assert verdicts == ["supported", "cannot_tell", "supported"]
    [gone] = [event for event in read if isinstance(event, ev.FindingWithdrawn) and event.evidence]
    assert gone.verdict is None
    report = fold(read)
    assert report.verification is not None
    counts = report.verification
    assert (counts.supported, counts.cannot_tell, counts.wrong) == (2, 1, 1)
    assert report.refuted == (gone.id,)
    assert len(report.held) == 2

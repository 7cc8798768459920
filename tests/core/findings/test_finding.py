"""Findings: validated on arrival, the same finding under the same id, duplicates recognised."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewbot.core.findings.draft import MAX_QUOTES, InvalidFinding, own_draft, parse_draft
from reviewbot.core.findings.finding import (
    CATEGORIES,
    SEVERITIES,
    Placement,
    RawQuote,
    Severity,
    fingerprint,
    precedence,
    rank,
    same,
    worse,
)
from reviewbot.core.findings.report_tool import (
    REPORT_TOOL,
    REPORT_WITH_LOOKUPS,
    report_tool,
)
from tests.support.findings import ITEM, finding


def test_a_complete_item_is_taken_as_it_is() -> None:
    draft = parse_draft(ITEM)
    assert {name: getattr(draft, name) for name in ITEM} == ITEM
    assert draft.rule is None


@pytest.mark.parametrize("name", ["path", "quote", "message"])
@pytest.mark.parametrize("value", ["absent", None, "", 7])
def test_without_path_quote_or_message_there_is_no_finding(name: str, value: object) -> None:
    item = {key: old for key, old in ITEM.items() if key != name}
    if value != "absent":
        item[name] = value
    with pytest.raises(InvalidFinding):
        parse_draft(item)


def test_what_servers_without_a_schema_leave_out_is_forgiven() -> None:
    draft = parse_draft({"path": "a.py", "quote": "x", "severity": "note", "message": "One.\nTwo."})
    assert (draft.side, draft.line, draft.end_line, draft.category) == ("RIGHT", 0, 0, "bug")
    assert (draft.confidence, draft.suggestion, draft.title) == (0.7, None, "One.")


def test_only_quotes_of_the_right_form_are_kept() -> None:
    right = {"path": "b.py", "quote": "x = 1", "base": True}
    wrong = [None, "b.py", {}, {"path": "b.py"}, {"path": 1, "quote": "x"}]
    wrong += [right | {"path": ""}, right | {"quote": " \n"}, right | {"quote": "x" * 5000}]
    draft = parse_draft(ITEM | {"rests_on": [*wrong, right, {"path": "c.py", "quote": "y"}]})
    assert draft.rests_on == (RawQuote("b.py", "x = 1", base=True), RawQuote("c.py", "y"))
    assert parse_draft(ITEM | {"rests_on": "b.py"}).rests_on == ()
    assert len(parse_draft(ITEM | {"rests_on": [right] * 99}).rests_on) == MAX_QUOTES


def test_the_tool_beside_look_ups_adds_a_field_and_an_outcome() -> None:
    assert report_tool(lookups=False) is REPORT_TOOL
    assert report_tool(lookups=True) is REPORT_WITH_LOOKUPS
    ours, theirs = (
        tool["input_schema"]["properties"] for tool in (REPORT_TOOL, REPORT_WITH_LOOKUPS)
    )
    added = {*theirs["findings"]["items"]["properties"]} - {
        *ours["findings"]["items"]["properties"]
    }
    assert added == {"rests_on"}
    assert {*theirs["outcome"]["enum"]} - {*ours["outcome"]["enum"]} == {"continuing"}


def test_enums_are_compared_without_regard_to_case() -> None:
    draft = parse_draft(
        ITEM | {"side": "left", "severity": "WARNING", "category": "Error-Handling"}
    )
    assert (draft.side, draft.severity, draft.category) == ("LEFT", "warning", "error-handling")


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({"severity": "Critical"}, {"severity": "error"}),
        ({"severity": "high"}, {"severity": "error"}),
        ({"severity": "blocker"}, {"severity": "error"}),
        ({"severity": "medium"}, {"severity": "warning"}),
        ({"severity": "style"}, {"severity": "warning"}),
        ({"category": "style"}, {"category": "bug"}),
        ({"category": ""}, {"category": "bug"}),
        ({"side": "BOTH"}, {"side": "RIGHT"}),
    ],
)
def test_an_unknown_value_of_an_enum_is_mapped_to_one_that_hides_nothing(
    change: dict[str, Any], known: dict[str, Any]
) -> None:
    draft = parse_draft(ITEM | change)
    assert {name: getattr(draft, name) for name in known} == known


def test_whole_numbers_may_be_written_as_decimals_and_ranges_upside_down() -> None:
    draft = parse_draft(ITEM | {"line": 9.0, "end_line": 7.0})
    assert (draft.line, draft.end_line) == (7, 9)
    assert isinstance(draft.line, int)


@pytest.mark.parametrize(
    "change",
    [
        {"line": -1},
        {"line": 4.5},
        {"line": True},
        {"quote": "x" * 20_001},
        {"message": ["a"]},
        {"suggestion": {}},
    ],
)
def test_what_is_out_of_bounds_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidFinding):
        parse_draft(ITEM | change)


@pytest.mark.parametrize("value", [None, "", 7, ["error"], {}])
def test_a_severity_or_category_of_another_form_costs_no_finding(value: object) -> None:
    draft = parse_draft(ITEM | {"severity": value, "category": value})
    assert (draft.severity, draft.category) == ("warning", "bug")


@pytest.mark.parametrize(
    ("value", "confidence"),
    [
        (95, 0.95),
        (1.5, 0.015),
        (2000, 1.0),
        (-1, 0.0),
        (1, 1.0),
        (True, 0.7),
        ("high", 0.7),
        (float("nan"), 0.7),
    ],
)
def test_a_confidence_of_another_form_costs_no_finding(value: object, confidence: float) -> None:
    assert parse_draft(ITEM | {"confidence": value}).confidence == confidence


def test_only_our_own_rules_may_name_a_rule() -> None:
    item = ITEM | {"rule": "python/eval", "mood": "happy"}
    assert parse_draft(item).rule is None
    assert own_draft(ITEM | {"rule": "python/eval"}).rule == "python/eval"


def test_the_wire_schema_keeps_to_what_strict_mode_admits() -> None:
    forbidden = {"minimum", "maximum", "minLength", "maxLength", "maxItems", "multipleOf"}

    def check(schema: Any) -> None:
        if isinstance(schema, dict):
            assert not forbidden & schema.keys()
            if schema.get("type") == "object":
                assert schema["additionalProperties"] is False
                assert schema["required"] == list(schema["properties"])
            for inner in schema.values():
                check(inner)
        elif isinstance(schema, list):
            for inner in schema:
                check(inner)

    check(REPORT_TOOL["input_schema"])
    items = REPORT_TOOL["input_schema"]["properties"]["findings"]["items"]["properties"]
    assert list(items) == list(ITEM)
    assert items["severity"]["enum"] == list(SEVERITIES)
    assert items["category"]["enum"] == list(CATEGORIES)


@given(
    st.dictionaries(
        st.sampled_from([*ITEM, "x"]), st.none() | st.text() | st.integers() | st.floats()
    )
)
def test_any_object_is_a_draft_or_an_invalid_finding(item: dict[str, Any]) -> None:
    try:
        parse_draft(item)
    except InvalidFinding as error:
        assert str(error)


def test_an_id_survives_other_white_space_and_blank_lines() -> None:
    assert fingerprint("a", "bug", "  x =  1\n\ty") == fingerprint("a", "bug", "x = 1\n\n    y\n")


def test_an_id_tells_path_rule_code_and_occurrence_apart() -> None:
    ids = {
        fingerprint("a", "bug", "x"),
        fingerprint("b", "bug", "x"),
        fingerprint("a", "docs", "x"),
        fingerprint("a", "bug", "y"),
        fingerprint("a", "bug", "x", 2),
        fingerprint("a\udcff", "bug", "x"),
    }
    assert len(ids) == 6


WORDS = {"title": "Division by zero when items is empty", "scenario": "With no items it raises."}
OTHER = {"title": "Empty items: division by zero", "scenario": "An empty list raises here."}


def test_other_words_for_the_same_thing_on_shared_lines_are_the_same() -> None:
    here = finding(line=4, end_line=6, **WORDS)
    assert same(here, finding(line=6, end_line=9, **OTHER))
    assert not same(here, finding(line=6, end_line=9, title="Typo in a log text", scenario="Ugly."))
    assert not same(here, finding(line=6, end_line=9, side="LEFT", **OTHER))


def test_lines_that_only_touch_need_most_words_to_agree() -> None:
    here = finding(line=4, end_line=6, **WORDS)
    assert same(here, finding(line=7, end_line=7, **WORDS))
    assert same(finding(line=7, end_line=7, **WORDS), here)
    assert not same(here, finding(line=7, end_line=7, **OTHER))
    assert not same(here, finding(line=8, end_line=8, **WORDS))
    first = finding(line=2, end_line=2, title="SQL injection through the user name", scenario="")
    second = finding(line=3, end_line=3, title="SQL injection through the order id", scenario="")
    assert not same(first, second)


def test_the_frame_of_a_sentence_is_no_common_meaning() -> None:
    one = finding(title="Value is wrong", scenario="When rate is None, the call raises TypeError.")
    other = finding(title="Value is wrong", scenario="When path is empty, the open fails.")
    assert not same(one, other)


def test_another_category_needs_more_agreement() -> None:
    one = finding(title="alpha beta gamma delta", scenario="")
    other = finding(title="alpha beta omega", scenario="")
    assert same(one, other)
    assert not same(one, replace(other, category="docs"))


def test_findings_without_words_are_the_same_if_they_quote_the_same() -> None:
    one = finding(title="a != b", scenario="")
    assert same(one, finding(title="c > d", scenario="", quote="x   = 1"))
    assert not same(one, finding(title="c > d", scenario="", quote="y = 2"))


def test_one_rule_of_ours_repeats_itself_only_on_shared_lines() -> None:
    one = finding(rule="python/eval", line=4, end_line=5)
    assert same(one, finding(rule="python/eval", line=5, end_line=5))
    assert not same(one, finding(rule="python/eval", line=6, end_line=6))
    assert not same(one, finding(rule="python/exec", line=5, end_line=5))


@pytest.mark.parametrize(
    ("placement", "placed"),
    [
        (Placement("inline"), True),
        (Placement("outside", "Its confidence is low.", held=True), True),
        (Placement("outside", "Its file is not in the diff."), False),
        (Placement("file", "Its lines are not in the diff."), False),
        (Placement("file", "Its confidence is low.", held=True), False),
    ],
)
def test_what_the_gates_hold_back_still_stands_on_the_lines_of_its_code(
    placement: Placement, placed: bool
) -> None:
    assert finding(placement=placement).is_placed is placed


def test_what_is_held_or_not_placed_counts_less_than_any_severity_inline() -> None:
    order = [
        finding(severity="error"),
        finding(severity="note"),
        finding(severity="error", placement=Placement("file", "Not there.")),
        finding(severity="error", placement=Placement("outside", "Unsure.", held=True)),
    ]
    assert sorted(order[::2] + order[1::2], key=precedence) == order


def test_the_worst_comes_first_and_inline_before_the_rest() -> None:
    order = [
        finding(severity="error", confidence=0.9),
        finding(severity="error", confidence=0.7),
        finding(severity="error", placement=Placement("file", "x")),
        finding(severity="warning", line=1),
        finding(severity="warning", line=2),
        finding(severity="note", path="0"),
    ]
    mixed = [order[index] for index in (3, 5, 1, 4, 0, 2)]
    assert sorted(mixed, key=rank) == order


@given(st.sampled_from(SEVERITIES), st.sampled_from(SEVERITIES))
def test_the_worse_of_two_severities_is_no_less_severe_than_either(
    one: Severity, other: Severity
) -> None:
    found = worse(one, other)
    assert found in (one, other)
    assert SEVERITIES.index(found) <= min(SEVERITIES.index(one), SEVERITIES.index(other))

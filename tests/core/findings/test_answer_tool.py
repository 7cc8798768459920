"""The call that answers a reply, as a model writes it."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.core.findings.answer_tool import ANSWER_TOOL, RawAnswer, parse_answer

CALL: dict[str, Any] = {
    "path": "app.py",
    "line": 9,
    "quote": "x = 1",
    "decision": "withdraw",
    "text": "It is set.",
}


def test_a_call_is_read_in_the_order_of_its_schema() -> None:
    assert list(CALL) == ANSWER_TOOL["input_schema"]["required"]
    assert parse_answer(CALL) == RawAnswer("withdraw", "It is set.", "app.py", 9, "x = 1")


def test_evidence_of_another_type_is_missing() -> None:
    odd = CALL | {"path": 1, "line": True, "quote": None, "decision": "Missing"}
    assert parse_answer(odd) == RawAnswer("missing", "It is set.")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([], "not an object"),
        ({}, "no valid decision"),
        (CALL | {"decision": "obey"}, "no valid decision"),
        (CALL | {"text": " "}, "no text"),
        (CALL | {"text": 7}, "no text"),
    ],
)
def test_a_call_without_a_decision_or_a_text_is_not_usable(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_answer(value)

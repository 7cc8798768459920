"""The rule of the team that a message quotes."""

from __future__ import annotations

import pytest

from reviewbot.core.findings.finding import Guideline
from reviewbot.core.findings.quoted_rule import QUOTE_LIMIT, quoted_rule

PRINT = Guideline("AGENTS.md", 7, "**Never** use `print()` in  handlers.")
RULES = (
    Guideline("api/AGENTS.md", 3, "Handlers return a status."),
    PRINT,
    Guideline("AGENTS.md", 9, 'Say "sorry, not found" for a missing order; don\'t raise.'),
)


@pytest.mark.parametrize(
    "message",
    [
        'It breaks "Never use print() in handlers."',
        "It breaks \u201cnever use print() in\nhandlers\u201d, see AGENTS.md.",
        "The rule \u201enever use print() in handlers\u201c",
        "La r\u00e8gle \u00abNever use print() in handlers\u00bb",
        "The rule 'Never use print() in handlers'!",
        "The rule \u2018use print() in handlers\u2019",
        "The rule `Never use print() in handlers`.",
        "The rule:\n\n> **Never** use `print()` in handlers.\n\nis broken.",
        'Not "x" but "use `print()` in handlers"',
    ],
)
def test_four_quoted_words_of_a_rule_name_it(message: str) -> None:
    found = quoted_rule(message, RULES)
    assert found is not None
    assert (found.path, found.line) == (PRINT.path, PRINT.line)
    assert "print()" in found.quote


def test_quotation_marks_within_a_rule_may_be_kept() -> None:
    found = quoted_rule('"Say "sorry, not found" for a missing order"', RULES)
    assert found is not None
    assert found.line == 9
    found = quoted_rule("'for a missing order; don't raise'", RULES)
    assert found is not None
    assert found.line == 9


@pytest.mark.parametrize(
    "message",
    [
        "Never use print() in handlers.",
        'It breaks "print() in handlers".',
        'It breaks "never use eval() in handlers at all".',
        "It says \"in\" and 'a'.",
        "",
        '""',
        '"',
    ],
)
def test_words_without_quotation_marks_short_or_other_ones_name_no_rule(message: str) -> None:
    assert quoted_rule(message, RULES) is None


def test_twenty_characters_are_enough() -> None:
    rule = Guideline("A.md", 1, "Use internationalization.")
    assert quoted_rule('"use internationalization"', [rule]) is not None


def test_without_rules_nothing_is_quoted() -> None:
    assert quoted_rule('"Never use print() in handlers."', ()) is None


def test_the_quote_is_that_of_the_base_made_safe_and_short() -> None:
    key = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    text = f"Never mention @octocat or <b>{key}</b> in code. " + "x" * QUOTE_LIMIT
    found = quoted_rule('"never mention @octocat or"', [Guideline("A.md", 1, text)])
    assert found is not None
    assert key not in found.quote
    assert "`@octocat`" in found.quote
    assert "CUT" in found.quote
    assert len(found.quote) < QUOTE_LIMIT + 100


def test_hostile_messages_are_searched_in_little_time() -> None:
    for part in ("'a", '"', "\u201c", "\u201e", "\u00ab", "`", "> ", "'"):
        assert quoted_rule(part * 5_000, RULES) is None

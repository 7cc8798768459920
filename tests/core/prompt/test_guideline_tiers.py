"""Tiers of the units of guideline files."""

from __future__ import annotations

import pytest

from reviewbot.core.prompt.guideline_tiers import tier_of
from reviewbot.core.prompt.guideline_units import Unit, units_of
from tests.support.guidelines import AGENTS


def tier(text: str, *headings: str, for_reviews: bool = False) -> int | None:
    return tier_of(Unit(1, headings, text), for_reviews=for_reviews)


def test_the_rules_of_a_file_come_before_its_set_up() -> None:
    tiers = {unit.text: tier_of(unit) for unit in units_of(AGENTS)}
    assert tiers == {
        "Django service for orders. Talk to the platform team before large changes.": None,
        "`make test` runs everything": None,
        "Run `uv sync` after pulling": None,
        "Always run `make lint` before pushing": None,
        "`orders/` holds the order flow": None,
        "Handlers must live in `orders/api/`": None,
        "Use `logging.getLogger(__name__)`; never call `print()`.": 2,
        "Amounts are `Decimal` and are rounded once, at the edge.": 4,
        "In queries: always bind parameters": 2,
        "In queries: avoid `extra()`": 2,
        "Name handlers after the event: `on_order_paid`.": 2,
        "unit | must not touch the network": 2,
        "end to end | runs nightly": 4,
        "Do not trust `order.total`; it is cached.": 4,
        "The worker is slow on Mondays.": None,
        "Customer e-mails should never be logged.": 2,
        "Check with `git log`": None,
    }


@pytest.mark.parametrize(
    ("text", "headings", "expected"),
    [
        ("Amounts are decimals.", ("Review checklist",), 1),
        ("Amounts are decimals.", ("Amounts", "What to review"), 1),
        ("Never log.", ("Security",), 2),
        ("Never log.", ("Build commands", "Code style"), 2),
        ("Never log.", ("Things to avoid",), 3),
        ("Never log.", ("Error handling",), 3),
        ("Never log.", ("Python",), 4),
        ("Never log.", (), 4),
        ("Never log.", ("Project structure",), None),
        ("Logs are short.", ("Conventions",), 4),
        ("Logs are short.", ("Commands", "Code style"), None),
        ("Logs are short.", ("Common mistakes",), 5),
        ("Logs are short.", ("Logging",), 5),
        ("Logs are short.", ("Python",), None),
        ("Logs are short.", ("Python", "Logging"), 5),
        ("Logs are short.", ("Deployment environment", "Logging"), None),
    ],
)
def test_the_nearest_heading_that_says_something_decides(
    text: str, headings: tuple[str, ...], expected: int | None
) -> None:
    assert tier(text, *headings) == expected


@pytest.mark.parametrize(
    "text",
    ["**Use** tabs.", "Imports: keep them sorted.", "Don\u2019t nest.", "Tabs instead of spaces"],
)
def test_words_of_an_order_make_a_rule(text: str) -> None:
    assert tier(text, "Code style") == 2


@pytest.mark.parametrize("text", ["$ make x", "Try `npm run build`", "./run.sh", "a; cargo test"])
def test_a_shell_command_without_an_order_is_no_rule(text: str) -> None:
    assert tier(text, "Testing") is None
    assert tier(f"{text} must pass", "Testing") == 2


def test_every_unit_of_a_file_for_reviewers_is_a_rule() -> None:
    assert tier("Migrations first.", "Commands", for_reviews=True) == 1

"""Code that a finding rests on: only quotes that the file has become lines."""

from __future__ import annotations

import pytest

from reviewbot.core.findings.rests_on import (
    QUOTE_CHARS,
    QUOTE_LINES,
    locate_quote,
    quoted_lines,
)

LINES = (
    "def charge(order):",
    "    due = order.net",
    "",
    "    return tax.of(due)",
    "}",
    "def refund(order):",
    "    due = order.net",
    "    token = [REDACTED:secret]",
)


@pytest.mark.parametrize(
    ("quote", "lines"),
    [
        ("def charge(order):", (1, 1)),
        ("    due = order.net", (2, 2)),
        ("due = order.net\n\n  return tax.of(due)", (2, 4)),
        ("R4 |    return tax.of(due)", (4, 4)),
        ("def refund(order):\n    due = order.net", (6, 7)),
        ("return tax.of", (4, 4)),
        ("token = [REDACTED:secret]", (8, 8)),
    ],
)
def test_a_quote_becomes_its_lines(quote: str, lines: tuple[int, int]) -> None:
    assert locate_quote(quote, LINES) == lines


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "\n",
        "}",
        "tax",
        "def pay(order):",
        "token = hunter2",
        "def charge(order):\n    pass\n" * 9,
    ],
)
def test_a_quote_that_the_file_lacks_or_that_proves_nothing_has_no_lines(quote: str) -> None:
    found = locate_quote(quote, LINES)
    assert found is None or quote.startswith("def charge(order):")
    assert locate_quote(quote, ()) is None


def test_a_quote_of_too_many_lines_does_not_count() -> None:
    lines = [f"value_{number} = {number}" for number in range(QUOTE_LINES + 1)]
    assert locate_quote("\n".join(lines), lines) is None
    assert locate_quote("\n".join(lines[1:]), lines) == (2, QUOTE_LINES + 1)


def test_quoted_lines_are_safe_to_show_and_short() -> None:
    assert quoted_lines(["a\x1b", "b\udcff\r", "c"], 1, 2) == "a\\x1b\nb\\xff"
    assert len(quoted_lines(["x" * 9_000], 1, 1)) == QUOTE_CHARS

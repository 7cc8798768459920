"""Write figures as Markdown tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table. Whole numbers get separators.

    Args:
        head: titles of the columns.
        rows: the rows.
    """
    lines = [head, ["---"] * len(head), *([cell(value) for value in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def cell(value: object) -> str:
    """Return a value as text."""
    return f"{value:,}" if isinstance(value, int) else str(value)


def share(part: int, whole: int) -> str:
    """Return a part of a whole in percent; a dash without a whole."""
    return f"{100 * part / whole:.0f} %" if whole else "-"


def per_thousand(count: int, lines: int) -> str:
    """Return a number per 1,000 lines; a dash without lines."""
    return f"{1000 * count / lines:.2f}" if lines else "-"

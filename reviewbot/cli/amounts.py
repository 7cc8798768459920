"""Amounts of money and whole numbers on the command line."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def dollars(text: str) -> float:
    """Parse an amount above 0 from the command line."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} must be an amount above 0, such as 0.50")
    return value


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return a function that parses a number from ``least`` to ``most`` on the command line."""

    def parse(text: str) -> int:
        if text.isascii() and text.isdigit() and len(text) < 16 and least <= int(text) <= most:
            return int(text)
        raise argparse.ArgumentTypeError(f"{text[:60]!r} must be a number from {least} to {most}")

    return parse

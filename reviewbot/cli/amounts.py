"""Amounts of money on the command line."""

from __future__ import annotations

import argparse
import math


def dollars(text: str) -> float:
    """Parse an amount above 0 from the command line."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} must be an amount above 0, such as 0.50")
    return value

"""The number of examples of property tests, by the profile that is in force."""

from __future__ import annotations

import os
from typing import Final

PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "dev")
"""``dev`` in ``make test``, ``ci`` in ``make test-all``, ``nightly`` in the scheduled workflow."""
_FACTOR: Final = {"dev": 0.1, "ci": 1.0, "nightly": 10.0}


def examples(count: int) -> int:
    """Return the number of examples: ``count`` in CI, ten times ``count`` each night."""
    return max(5, round(count * _FACTOR[PROFILE]))

"""Tests of the linters run them."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_linters() -> None:
    """The installed linters run."""

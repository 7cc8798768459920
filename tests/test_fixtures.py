"""Real diffs reviewed offline: the findings, lines and coverage that are written beside them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.reviewed_fixtures import DIFFS, expectation, reviewed
from tests.virtual_time import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("path", DIFFS, ids=lambda path: path.stem)
def test_a_real_diff_is_reviewed_as_expected(path: Path) -> None:
    expected = json.loads(expectation(path).read_text(encoding="utf-8"))
    assert run(reviewed(path.read_bytes())) == expected

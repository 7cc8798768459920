"""The injection corpus, played through the Action and the App: nothing of it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.github.injection_checks import violations
from tests.github.injection_corpus import Case, cases
from tests.github.injection_runs import by_action, by_app

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("case", cases(), ids=str)
async def test_the_action_lets_nothing_of_it_happen(case: Case, tmp_path: Path) -> None:
    left = await by_action(case, tmp_path)
    assert violations(left, case) == []


@pytest.mark.parametrize("case", cases(), ids=str)
async def test_the_app_lets_nothing_of_it_happen(case: Case, tmp_path: Path) -> None:
    left = await by_app(case, tmp_path)
    assert violations(left, case) == []

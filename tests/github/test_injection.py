"""The injection corpus, played through the Action and the App: nothing of it happens.

``fixtures/injection/README.md`` explains the cases, ``test_injection_checks.py`` shows that the
checks can fail.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.github.injection_checks import violations
from tests.github.injection_corpus import Case, cases
from tests.github.injection_runs import by_action, by_app

if TYPE_CHECKING:
    from pathlib import Path


LONGEST_S: Final = 10.0
"""Of computing. A case takes half a second; patterns and parsers that a text makes slow take far
longer."""


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=str)
async def test_the_action_lets_nothing_of_it_happen(case: Case, tmp_path: Path) -> None:
    begun = time.process_time()
    left = await by_action(case, tmp_path)
    assert violations(left, case) == []
    assert time.process_time() - begun < LONGEST_S


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=str)
async def test_the_app_lets_nothing_of_it_happen(case: Case, tmp_path: Path) -> None:
    begun = time.process_time()
    left = await by_app(case, tmp_path)
    assert violations(left, case) == []
    assert time.process_time() - begun < LONGEST_S

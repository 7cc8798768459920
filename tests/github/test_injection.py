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

    from _pytest.mark import ParameterSet

LONGEST_S: Final = 10.0
"""Of computing. A case takes half a second; patterns and parsers that a text makes slow take far
longer."""
CONFIG_QUOTED: Final = "errors of a configuration file quote secrets in it"
CONFIG_SENT: Final = "the base's instructions are not searched for secrets"
ERROR_QUOTED: Final = "errors of a model's server are not searched for secrets"
BY_ACTION: Final = {
    "base config: a value with a secret, in an error": CONFIG_QUOTED,
    "base config: a key with a secret, in an error": CONFIG_QUOTED,
    "base config: instructions with a secret": CONFIG_SENT,
    "model error: an error of its server, and then an answer": ERROR_QUOTED,
    "model error: an error of its server, and no answer": ERROR_QUOTED,
}
BY_APP: Final = {name: why for name, why in BY_ACTION.items() if why != CONFIG_QUOTED}
"""What is known to happen, and why."""


def params(known: dict[str, str]) -> list[ParameterSet]:
    """Every case; what is known to happen has to happen, so that nobody forgets that it is told."""
    assert known.keys() <= {str(case) for case in cases()}
    reasons = [(case, known.get(str(case))) for case in cases()]
    return [
        pytest.param(
            case,
            id=str(case),
            marks=[pytest.mark.xfail(strict=True, reason=why)] if why else [],
        )
        for case, why in reasons
    ]


@pytest.mark.slow
@pytest.mark.parametrize("case", params(BY_ACTION))
async def test_the_action_lets_nothing_of_it_happen(case: Case, tmp_path: Path) -> None:
    begun = time.process_time()
    left = await by_action(case, tmp_path)
    assert violations(left, case) == []
    assert time.process_time() - begun < LONGEST_S


@pytest.mark.slow
@pytest.mark.parametrize("case", params(BY_APP))
async def test_the_app_lets_nothing_of_it_happen(case: Case, tmp_path: Path) -> None:
    begun = time.process_time()
    left = await by_app(case, tmp_path)
    assert violations(left, case) == []
    assert time.process_time() - begun < LONGEST_S

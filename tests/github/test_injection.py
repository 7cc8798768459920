"""The injection corpus, played through the Action and the App: nothing of it happens.

``fixtures/injection/README.md`` explains the cases, ``test_injection_checks.py`` shows that the
checks can fail.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal

import pytest

from tests.github.injection_checks import violations
from tests.github.injection_corpus import ENTRIES, Case, cases
from tests.github.injection_runs import by_action, by_app
from tests.support.examples import PROFILE
from tests.support.timing import cpu_at_most

if TYPE_CHECKING:
    from pathlib import Path


LONGEST: Final = 100  # units of work, see `cpu_at_most`
"""Of computing. A case takes half a second; patterns and parsers that a text makes slow take far
longer."""


def played(way: Literal["action", "app"]) -> list[Case]:
    """Return the cases that are played in this way.

    Each is played in one way, and every other one of an entry in the other way; both ways have a
    case of each entry. Nightly each is played in both ways. Commands to a runner are always played
    through the Action, the only way in which there is a runner.
    """
    if PROFILE == "nightly":
        return list(cases())
    found = []
    for _, group in groupby(sorted(cases(), key=_entry), key=_entry):
        for number, case in enumerate(every := list(group)):
            turn = number % 2 == (way == "action")
            to_a_runner = way == "action" and "workflow-command" in case.must_not
            if turn or to_a_runner or len(every) == 1:
                found.append(case)
    return found


def _entry(case: Case) -> str:
    return case.enters


def test_each_case_is_played_and_each_entry_in_both_ways() -> None:
    ways = [played("action"), played("app")]
    assert {*ways[0], *ways[1]} == {*cases()}
    assert [{case.enters for case in way} for way in ways] == [{*ENTRIES}] * 2


@pytest.mark.slow
@pytest.mark.parametrize("case", played("action"), ids=str)
async def test_the_action_lets_nothing_of_it_happen(case: Case, tmp_path: Path) -> None:
    with cpu_at_most(LONGEST):
        left = await by_action(case, tmp_path)
        assert violations(left, case) == []


@pytest.mark.slow
@pytest.mark.parametrize("case", played("app"), ids=str)
async def test_the_app_lets_nothing_of_it_happen(case: Case, tmp_path: Path) -> None:
    with cpu_at_most(LONGEST):
        left = await by_app(case, tmp_path)
        assert violations(left, case) == []

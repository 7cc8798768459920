"""An activity that waits for an overloaded service can be read again; no other activity can."""

from __future__ import annotations

import pytest

from reviewbot.core.render.author import cause
from reviewbot.core.render.waiting import next_attempt, overloaded_until


def test_the_time_of_the_next_attempt_is_read_again() -> None:
    assert overloaded_until(next_attempt(cause("overloaded"), "14:05")) == "14:05"


@pytest.mark.parametrize(
    "activity",
    [
        None,
        "",
        next_attempt(cause("transient"), "14:05"),
        f"reading {next_attempt(cause('overloaded'), '14:05')}",
        next_attempt(cause("overloaded"), "14:05 <b>"),
    ],
)
def test_other_activities_do_not_wait_for_an_overloaded_service(activity: str | None) -> None:
    assert overloaded_until(activity) is None

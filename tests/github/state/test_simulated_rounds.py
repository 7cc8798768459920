"""Simulated pull requests come to an end, and no real fault is hidden."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import pytest

from tests.support.pull_lives import KINDS
from tests.support.simulated_rounds import LIVES, ROUND, live

if TYPE_CHECKING:
    from tests.support.pull_lives import Kind


@pytest.mark.parametrize("kind", KINDS)
def test_lives_come_to_an_end(kind: Kind) -> None:
    check_lives(kind, 15)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_lives_come_to_an_end(kind: Kind) -> None:
    check_lives(kind, LIVES // len(KINDS))


def check_lives(kind: Kind, lives: int) -> None:
    """Lives end if nothing is wrong; no real fault is hidden, and errors are as without rounds."""
    ended = [live(seed, kind) for seed in range(lives)]
    assert not any(life.unposted or life.unlisted or life.uncounted for life in ended)
    if kind == "raises alarms":
        for life in ended:
            assert life.comments == live(life.life.seed, kind, "off").comments
    elif kind != "plants":
        assert statistics.median(life.comments[-1] for life in ended) <= 6
        assert all(life.is_done for life in ended), f"done by round {ROUND}"

"""The tally: how far, how much, at what cost; an unknown price is never counted as nothing."""

from __future__ import annotations

import pytest

from reviewbot.core.events import Usage
from reviewbot.core.tally import Tally
from tests.core.test_coverage import plan_of


def test_a_file_is_done_when_its_last_chunk_is() -> None:
    tally = Tally(plan_of(a=("c1", "c2"), b=("c3",), c="Lockfile."))
    seen = []
    for chunk in ("c1", "c3", "c2"):
        tally.finish(chunk, "reviewed", None)
        seen.append(tally.progress(findings=4, activity="x"))
    done = [(one.files_done, one.files_total, one.chunks_done) for one in seen]
    assert done == [(0, 2, 1), (1, 2, 2), (2, 2, 3)]
    progress = seen[-1]
    assert (progress.chunks_total, progress.findings, progress.activity) == (3, 4, "x")


def test_tokens_and_dollars_add_up_until_a_price_is_unknown() -> None:
    tally = Tally(plan_of(a=("c1",)))
    tally.book(Usage(input=3, output=1), 0.5)
    tally.book(Usage(cache_read=2), 0.25)
    assert tally.usage == Usage(3, 1, 2, 0)
    assert tally.cost_usd == pytest.approx(0.75)
    tally.book(Usage(output=1), None)
    tally.book(Usage(output=1), 1.0)
    assert (tally.usage.output, tally.cost_usd) == (3, None)


def test_what_has_not_ended_is_not_covered() -> None:
    tally = Tally(plan_of(a=("c1",), b=("c2",)))
    tally.finish("c1", "partly", "It was cut.")
    assert [(one.path, one.status) for one in tally.coverage()] == [
        ("a", "partly"),
        ("b", "failed"),
    ]

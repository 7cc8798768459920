"""The parts of a report."""

from __future__ import annotations

from reviewbot.core.events import events as ev
from reviewbot.core.findings.finding import Placement
from tests.support.findings import finding

FINDING = finding(
    id="a" * 16,
    path="app/db.py",
    line=3,
    end_line=3,
    scenario="",
    confidence=0.8,
    title="Wrong",
    message="It is wrong.",
)


HELD = Placement("outside", "Its confidence is below 0.7.", held=True)


PLAN = ev.ReviewStarted(
    models=("m", "offline"),
    files=(
        ev.PlannedFile("a.py", "modified", 1, 0, ("c1", "c2")),
        ev.PlannedFile("b.py", "modified", 1, 0, ("c3",)),
        ev.PlannedFile("c.lock", "modified", 1, 0),
    ),
    chunks=tuple(
        ev.PlannedChunk(name, path, part, parts, "b1", 10)
        for name, path, part, parts in (
            ("c1", "a.py", 1, 2),
            ("c2", "a.py", 2, 2),
            ("c3", "b.py", 1, 1),
        )
    ),
    batches=1,
    estimate=ev.Estimate(1, 30, 10, 0.1),
    notices=("Be careful.",),
    version="0.1.0",
)

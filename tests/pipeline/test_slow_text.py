"""The process of a review does no work that grows faster than the change.

Matching a pattern holds the interpreter's lock, in a thread, too, so all threads count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.config.settings import load_settings
from reviewbot.core.events.report import fold
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import workers
from tests.models.linters.samples import need
from tests.support.reviews import added
from tests.support.timing import cpu_at_most

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 20
"""Units of work, see `cpu_at_most`, for a change of 40 KB; it takes a tenth."""
USERS = ["FROM a:1", *["USER a"] * 30, *["USER root"] * 30]
CHANGES = {
    "linter": added("Dockerfile", *USERS * 10, "FROM b:1", "USER a"),
    "own rule": added("Dockerfile", "FROM a:1", f"RUN {'curl -' * 6_000}"),
}


@pytest.fixture(autouse=True)
def _no_linters() -> None:
    """The installed linters run."""
    need("hadolint")


@pytest.mark.slow
@pytest.mark.parametrize("diff", CHANGES.values(), ids=CHANGES.keys())
async def test_a_text_that_is_slow_to_check_takes_little_time_of_the_process(
    diff: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    settings = load_settings(flags={"model": "offline"}, env={})
    prepared = prepare(diff.encode(), settings)
    async with workers(prepared, settings) as able:
        events = review(prepared.job, able.with_linters(able.run_batch))
        with cpu_at_most(LONGEST):
            report = fold([event async for event in events])
    assert report.coverage[0].status in ("reviewed", "partly")

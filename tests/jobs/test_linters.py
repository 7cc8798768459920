"""Linters in durable reviews."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from reviewbot.jobs.admission import ReviewRequest
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store.eventlog import records_of
from tests.models.linters.samples import need
from tests.server.in_process import service
from tests.support.reviews import added

if TYPE_CHECKING:
    from pathlib import Path

SHELL = added("run.sh", "#!/bin/bash", "rm -rf $DIR/").encode()
SLOW_LINE = "a;" * 1_000
"""A line that shellcheck reads for a second."""


@pytest.fixture(autouse=True)
def _no_linters() -> None:
    """The installed linters run."""
    need("shellcheck")


async def test_slow_files_of_a_tenant_do_not_delay_another_tenant(tmp_path: Path) -> None:
    slow = "".join(added(f"{number}.sh", "#!/bin/sh", SLOW_LINE) for number in range(8))
    ended: list[str] = []

    async with service(tmp_path, Telemetry()) as one:

        async def run(tenant: str, diff: bytes) -> None:
            row, _ = await one.create(ReviewRequest(tenant, diff))
            assert await one.runner.run(row.id, row.runs) == "finished"
            records = await one.database.read(partial(records_of, review_id=row.id))
            assert records[-1]["outcome"] != "incomplete"
            ended.append(tenant)

        first = asyncio.create_task(run("a", slow.encode()))
        while not one.runner.active:  # noqa: ASYNC110 - the runner has no event
            await asyncio.sleep(0.01)
        await asyncio.gather(first, run("b", SHELL))
    assert ended == ["b", "a"]

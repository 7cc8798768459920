"""Linters in durable reviews: shared fairly by tenants, and their requests are checkpointed."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from reviewbot.jobs.admission import ReviewRequest
from reviewbot.models.linters import batches
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import reviews
from reviewbot.store.eventlog import records_of
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded
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


@pytest.mark.slow
async def test_slow_files_of_a_tenant_do_not_delay_another_tenant(tmp_path: Path) -> None:
    slow = "".join(added(f"{number}.sh", "#!/bin/sh", SLOW_LINE) for number in range(8))

    async with service(tmp_path, Telemetry()) as one:

        async def start(tenant: str, diff: bytes) -> tuple[str, asyncio.Task[str]]:
            row, _ = await one.create(ReviewRequest(tenant, diff))
            return row.id, asyncio.create_task(one.runner.run(row.id, row.runs))

        async def ended(review_id: str) -> list[str]:
            """Return the paths that the review is done with."""
            records = await one.database.read(partial(records_of, review_id=review_id))
            assert records[-1].get("outcome") != "incomplete"
            return [record["path"] for record in records if record["type"] == "chunk.finished"]

        first_id, first = await start("a", slow.encode())
        while not one.runner.active:  # noqa: ASYNC110 - the runner has no event
            await asyncio.sleep(0.01)
        second_id, second = await start("b", SHELL)
        assert await second == "finished"
        assert len(await ended(first_id)) <= 4
        assert await ended(second_id) == ["run.sh"]
        assert await first == "finished"
        assert len(await ended(first_id)) == 8


async def test_a_run_sends_the_request_of_an_interrupted_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".reviewbot.yml").write_text("verify: false\nsummary: false\n")
    reached = asyncio.Event()

    def respond(_: Recorded) -> Answer:
        if reached.is_set():
            return Answer([])
        reached.set()
        return Answer(before=[Hang()])

    async with FakeAnthropic(respond) as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        model = {"model": "claude-sonnet-5-5", "env": env}
        monkeypatch.setattr(batches, "REQUEST_WAIT_S", 0.0)  # before any linter ends
        async with service(tmp_path, Telemetry(), **model) as one:
            row, _ = await one.create(ReviewRequest("local", SHELL))
            running = asyncio.create_task(one.runner.run(row.id, row.runs))
            await reached.wait()
            await one.runner.leave(0)
            assert await running == "left"
        monkeypatch.setattr(batches, "REQUEST_WAIT_S", 30.0)
        async with service(tmp_path, Telemetry(), **model) as one:
            again = await one.database.read(partial(reviews.find, review_id=row.id))
            assert again is not None
            assert await one.runner.run(row.id, again.runs) == "finished"
            records = await one.database.read(partial(records_of, review_id=row.id))
    first, second = fake.requests
    assert "Linters have reported" not in first.text
    assert second.text == first.text
    found = [record["finding"]["rule"] for record in records if record["type"] == "finding"]
    assert found == ["shellcheck/SC2115"]


async def test_a_stored_request_is_no_progress_of_an_interrupted_review(tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").write_text("verify: false\nsummary: false\n")
    async with FakeAnthropic(lambda _: Answer(before=[Hang()])) as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        model = {"model": "claude-sonnet-5-5", "env": env}
        async with service(tmp_path, Telemetry(), **model) as one:
            row, _ = await one.create(ReviewRequest("local", SHELL))
            running = asyncio.create_task(one.runner.run(row.id, row.runs))
            while not fake.requests:  # noqa: ASYNC110 - the fake has no event
                await asyncio.sleep(0.01)
            assert not one.runner._active[row.id].got_on
            await one.runner.leave(0)
            assert await running == "left"

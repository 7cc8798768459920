"""The list of reviews: what it shows of each, and what it reads for that."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from starlette.requests import Request

from reviewbot.core.events.events import Usage
from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import fold
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.jobs.options import parse_options
from reviewbot.jobs.run import MOST_BREAKS
from reviewbot.models.batch import Spent
from reviewbot.server.access import Access
from reviewbot.server.reviews import ReviewApi
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import checkpoints
from reviewbot.store.eventlog import records_of
from reviewbot.store.tables import REVIEWS
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.server.in_process import reviewed, service
from tests.server.nodes import DEMO, file_of, findings_for, long_diff

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.jobs.service import ReviewService

SPENT = Spent("claude-sonnet-5-5", Usage(input=1000), 0.25)


async def listed(one: ReviewService, query: str = "") -> dict[str, Any]:
    """What ``GET /v1/reviews`` answers."""
    calls = ReviewApi(one, Access(one.database, need_key=False), body_limit=1000)
    request = Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/v1/reviews",
            "query_string": query.encode(),
            "headers": [],
        }
    )
    found: dict[str, Any] = json.loads(bytes((await calls.latest(request)).body))
    return found


async def of_events(one: ReviewService, review_id: str) -> dict[str, Any]:
    """What all the events of a review come to."""
    records = await one.database.read(partial(records_of, review_id=review_id))
    report = fold(map(from_record, records))
    return {"counts": report.counts, "files": len(report.files), "cost_usd": report.cost_usd}


def reads_of_events(one: ReviewService) -> list[str]:
    """The queries for events from now on."""
    found: list[str] = []

    @sa.event.listens_for(one.database.engine, "before_cursor_execute")
    def listen(*heard: Any) -> None:
        if "FROM rb_events" in " ".join(heard[2].split()):
            found.append(heard[2])

    return found


async def changed(one: ReviewService, **values: object) -> None:
    await one.database.write(lambda each: each.execute(sa.update(REVIEWS).values(**values)))


async def test_what_a_review_came_to_is_listed_without_reading_its_events(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake,
        service(
            tmp_path,
            Telemetry(),
            model="claude-sonnet-5-5",
            env={"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url},
        ) as one,
    ):
        await reviewed(one, long_diff(1), options=parse_options({"summary": False}))
        await reviewed(one, b"\n")
        reads = reads_of_events(one)
        found = (await listed(one))["reviews"]
        assert reads == []
        assert [entry["files"] for entry in found] == [0, 1]
        assert sum(found[1]["counts"].values()) == 3
        assert found[1]["cost_usd"] > 0
        for entry in found:
            assert entry | await of_events(one, entry["id"]) == entry
            assert entry["outcome"] in ("clean", "findings")


async def test_a_review_that_goes_on_is_listed_with_what_it_has_so_far(tmp_path: Path) -> None:
    async with service(tmp_path, Telemetry()) as one:
        row, _ = await one.create(ReviewRequest("local", DEMO))
        (entry,) = (await listed(one))["reviews"]
        assert (entry["state"], entry["outcome"]) == ("queued", None)
        assert entry["files"] > 1
        assert entry | await of_events(one, row.id) == entry


@pytest.mark.parametrize("how", ["given up", "cancelled"])
async def test_a_review_that_nobody_ran_is_listed_with_its_end(how: str, tmp_path: Path) -> None:
    async with service(tmp_path, Telemetry()) as one:
        row, _ = await one.create(ReviewRequest("local", DEMO))
        if how == "cancelled":
            await one.stop(row.id)
        else:
            spent = partial(checkpoints.save_spent, review_id=row.id, batch=None, spent=SPENT)
            await one.database.write(spent)
            await changed(one, breaks=MOST_BREAKS)
            assert await one.runner.run(row.id, row.runs) == "finished"
        reads = reads_of_events(one)
        (entry,) = (await listed(one))["reviews"]
        assert reads == []
        ends = {"cancelled": ("cancelled", 0.0), "given up": ("incomplete", SPENT.cost_usd)}
        assert (entry["outcome"], entry["cost_usd"]) == ends[how]
        assert entry | await of_events(one, row.id) == entry


async def test_the_end_and_what_is_listed_of_it_are_there_at_once_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with service(tmp_path, Telemetry()) as one:
        row, _ = await one.create(ReviewRequest("local", DEMO))

        def away(*_: object, **__: object) -> None:
            raise OperationalError("SELECT 1", {}, Exception("gone"))

        with monkeypatch.context() as patch:
            patch.setattr(checkpoints, "entry_of", away)
            assert await one.runner.run(row.id, row.runs) == "left"
        found = await one.find(row.id)
        assert found is not None
        assert (found.state, found.entry) == ("running", None)
        assert await one.runner.run(row.id, row.runs) == "finished"
        found = await one.find(row.id)
        assert found is not None
        assert json.loads(found.entry or "") == await of_events(one, row.id)


async def test_a_page_says_where_the_next_one_begins(tmp_path: Path) -> None:
    async with service(tmp_path, Telemetry()) as one:
        made = [(await one.create(ReviewRequest("local", DEMO)))[0].id for _ in range(3)]
        page = await listed(one, "limit=2")
        assert {entry["id"] for entry in page["reviews"]} < set(made)
        assert page["next"] == page["reviews"][-1]["id"]
        last = await listed(one, f"limit=2&before={page['next']}")
        assert len(last["reviews"]) == 1
        assert last["next"] is None

"""A durable review whose model looks code up: it goes on from its last finished turn."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import sqlalchemy as sa

from reviewbot.code.given_files import GivenFiles
from reviewbot.core.events.events import ReviewProgress, Usage
from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import fold
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.models.batch import BatchResult, Spent
from reviewbot.server.documents import review_document
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import checkpoints, reviews
from reviewbot.store.database import open_database
from reviewbot.store.eventlog import records_of
from reviewbot.store.reviews import NewReview
from reviewbot.store.tables import BATCHES, REVIEWS
from tests.fake_anthropic import Answer, FakeAnthropic, Hang
from tests.models.scripted import item
from tests.server.in_process import service
from tests.support.reviews import numbered
from tests.support.store_keys import CIPHER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reviewbot.code.at_commit import CodeAtCommit, Unread
    from reviewbot.store.reviews import ReviewRow

SOURCE = "RATE = 'known to the repository only'\n"
READ = ("read_code", {"path": "lib/rate.py", "first": 1, "last": 1})


async def find_code(_row: ReviewRow) -> CodeAtCommit:
    return GivenFiles({"lib/rate.py": SOURCE.encode()})


async def test_a_run_that_was_taken_over_requests_no_further_turn(tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").write_text("verify: false\nsummary: false\nlinters: false\n")
    reads, may_read = asyncio.Event(), asyncio.Event()

    class Slow(GivenFiles):
        async def read(
            self, paths: Sequence[str], *, base: bool = False
        ) -> dict[str, bytes | Unread]:
            reads.set()
            await may_read.wait()
            return await super().read(paths, base=base)

    async def slow(_row: ReviewRow) -> CodeAtCommit:
        return Slow({"lib/rate.py": SOURCE.encode()})

    async with FakeAnthropic() as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        fake.enqueue(Answer(call=False, lookups=[READ]))
        async with service(
            tmp_path, Telemetry(), model="claude-sonnet-5-5", env=env
        ) as review_service:
            review_service.find_code = slow
            row, _ = await review_service.create(ReviewRequest("local", numbered("a.py").encode()))
            running = asyncio.create_task(review_service.runner.run(row.id, row.runs))
            await reads.wait()
            await review_service.database.write(
                lambda connection: connection.execute(sa.update(REVIEWS).values(epoch=99))
            )
            may_read.set()
            assert await running == "gone"
    assert len(fake.requests) == 1


async def test_the_usage_of_interrupted_turns_stays_when_a_later_run_finishes_the_batch(
    tmp_path: Path,
) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}", CIPHER)
    turn, last = (Spent("m", Usage(input=tokens), 0.1) for tokens in (100, 200))

    def spend(connection: sa.Connection) -> None:
        reviews.insert(connection, NewReview("r", "local", b"", "{}", "{}", ""), 1, last_seq=0)
        for usage in (turn, last, turn):
            checkpoints.save_spent(connection, "r", "b1", usage)
        checkpoints.save_spent(connection, "r", None, turn)
        checkpoints.save_result(connection, "r", "b1", BatchResult((), (), (turn, last)))

    await database.write(spend)
    earlier = await database.read(partial(checkpoints.earlier_of, review_id="r"))
    assert earlier.spent == (turn, turn)  # that of an interrupted run, and the summary's
    await database.close()


def stored(connection: sa.Connection) -> list[tuple[str, str]]:
    return [(row.batch, str(row.result)) for row in connection.execute(sa.select(BATCHES))]


async def test_a_run_that_stops_in_a_turn_goes_on_from_the_turn_before(tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").write_text("verify: false\nsummary: false\nlinters: false\n")
    reached = asyncio.Event()

    def hang(_: object) -> Answer:
        reached.set()
        return Answer(before=[Hang()])

    async with FakeAnthropic() as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        model = {"model": "claude-sonnet-5-5", "env": env}
        fake.enqueue(
            Answer(call=False, lookups=[READ], thinking="Who knows the rate?"),
            Answer([item(1)], outcome="continuing", lookups=[READ]),
            hang,
        )
        async with service(tmp_path, Telemetry(), **model) as one:
            one.find_code = find_code
            row, _ = await one.create(ReviewRequest("local", numbered("a.py").encode()))
            running = asyncio.create_task(one.runner.run(row.id, row.runs))
            await reached.wait()
            await one.runner.leave(0)
            assert await running == "left"
            kept = await one.database.read(stored)
        fake.enqueue(Answer([item(1), item(2)]))
        async with service(tmp_path, Telemetry(), **model) as one:
            one.find_code = find_code
            again = await one.database.read(partial(reviews.find, review_id=row.id))
            assert again is not None
            assert await one.runner.run(row.id, again.runs) == "finished"
            again = await one.database.read(partial(reviews.find, review_id=row.id))
            assert again is not None
            records = await one.database.read(partial(records_of, review_id=row.id))
            left = await one.database.read(stored)
    report = fold(map(from_record, records))
    assert sum("/turn-" in name for name, _ in kept) == 2
    column = BATCHES.c.batch.type
    assert isinstance(column, sa.String)
    # SQLite stores longer names, and Postgres does not.
    assert all(len(name) <= (column.length or 0) for name, _ in kept)
    assert not any("known to the repository" in text for _, text in kept)
    assert not any("/turn-" in name for name, _ in left)
    assert fake.requests[3].body == fake.requests[2].body
    assert SOURCE.strip() in fake.requests[3].raw.decode()
    raised = [record["finding"]["line"] for record in records if record["type"] == "finding"]
    assert raised == [1, 2]
    assert report.lookups is not None
    assert report.lookups.count == 2
    progress = ReviewProgress(1, 1, 1, 1, 2, Usage(), 0.0)
    assert review_document(again, report, progress)["lookups"] == 2
    assert review_document(row, report, progress)["lookups"] is None
    assert report.outcome == "findings"

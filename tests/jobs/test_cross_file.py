"""The request about uses in a durable review: its answer is stored as that of a batch."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import fold
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import reviews
from reviewbot.store.eventlog import records_of
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded, finding
from tests.server.in_process import service
from tests.support.reviews import added

if TYPE_CHECKING:
    from pathlib import Path

DIFF = """\
diff --git a/shop.py b/shop.py
--- a/shop.py
+++ b/shop.py
@@ -1,2 +1,2 @@
-def charge(order):
+def charge(order, rate):
     return order.net
"""
BROKEN = finding(
    path="shop.py", quote="def charge(order, rate):", line=1, end_line=1, title="A caller breaks"
)


async def test_a_run_that_stops_during_the_request_sends_only_it_again(tmp_path: Path) -> None:
    (tmp_path / ".reviewbot.yml").write_text("cross_file: true\nverify: false\nsummary: false\n")
    reached = asyncio.Event()
    first = True

    def respond(request: Recorded) -> Answer:
        if "<uses>" not in request.text:
            return Answer([])
        if not first:
            return Answer([BROKEN])
        reached.set()
        return Answer(before=[Hang()])

    diff = (DIFF + added("pay.py", "def pay(order):", "    return charge(order)")).encode()
    async with FakeAnthropic(respond) as fake:
        env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        model = {"model": "claude-sonnet-5-5", "env": env}
        async with service(tmp_path, Telemetry(), **model) as one:
            row, _ = await one.create(ReviewRequest("local", diff))
            running = asyncio.create_task(one.runner.run(row.id, row.runs))
            await reached.wait()
            await one.runner.leave(0)
            assert await running == "left"
        first = False
        async with service(tmp_path, Telemetry(), **model) as one:
            again = await one.database.read(partial(reviews.find, review_id=row.id))
            assert again is not None
            assert await one.runner.run(row.id, again.runs) == "finished"
            records = await one.database.read(partial(records_of, review_id=row.id))
    report = fold(map(from_record, records))
    assert ["<uses>" in one.text for one in fake.requests] == [False, True, True]
    assert [one.title for one in report.findings] == ["A caller breaks"]
    assert report.reasons == ()

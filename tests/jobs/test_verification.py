"""Verification in a durable review: what was paid for is not asked for again."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from reviewbot.core.events.events import FindingRaised, FindingVerified, FindingWithdrawn
from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import Report, fold
from reviewbot.jobs.admission import ReviewRequest
from reviewbot.server.telemetry.instrumentation import Telemetry
from reviewbot.store import reviews
from reviewbot.store.eventlog import records_of
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded, finding
from tests.fake_anthropic.verdicts import asked, says, verdict
from tests.server.in_process import reviewed, service
from tests.server.nodes import APART, file_of, findings_for, long_diff
from tests.server.scrapes import exposed
from tests.support.reviews import numbered

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.jobs.service import ReviewService

DIFF = numbered("app.py").encode()
FOUND = [
    finding(
        quote=f"line_{line} = {line}",
        line=line,
        end_line=line,
        severity="warning",
        confidence=0.5,
        title=title,
        scenario=title,
    )
    for line, title in ((1, "Alpha bravo"), (3, "Charlie delta"))
]


def refuting_alpha(request: Recorded) -> Answer:
    """A verifier that refutes one finding and supports the other."""
    answers = {"Alpha bravo": "wrong"}
    return says(*(verdict(one, answers.get(one.title, "supported")) for one in asked(request)))


def with_model(fake: FakeAnthropic) -> dict[str, Any]:
    env = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
    return {"model": "claude-sonnet-5-5", "env": env, "verify": True}


async def run_of(one: ReviewService, review_id: str) -> int:
    row = await one.database.read(partial(reviews.find, review_id=review_id))
    assert row is not None
    return row.runs


async def report_of(one: ReviewService, review_id: str) -> Report:
    records = await one.database.read(partial(records_of, review_id=review_id))
    return fold(map(from_record, records))


async def test_a_run_that_stops_during_verification_asks_only_the_verifier_again(
    tmp_path: Path,
) -> None:
    reached = asyncio.Event()

    def hang(_request: Recorded) -> Answer:
        reached.set()
        return Answer(before=[Hang()])

    async with FakeAnthropic(lambda _: Answer(FOUND), verify=hang) as fake:
        async with service(tmp_path, Telemetry(), **with_model(fake)) as one:
            row, _ = await one.create(ReviewRequest("local", DIFF))
            running = asyncio.create_task(one.runner.run(row.id, row.runs))
            await reached.wait()
            await one.runner.leave(0)
            assert await running == "left"
        reviewing = [request for request in fake.requests if request.tool is not None]
        assert len(reviewing) == 1
        fake.verify = refuting_alpha
        async with service(tmp_path, Telemetry(), **with_model(fake)) as one:
            assert await one.runner.run(row.id, await run_of(one, row.id)) == "finished"
            report = await report_of(one, row.id)
        reviewing = [request for request in fake.requests if request.tool is not None]
        assert len(reviewing) == 1
        assert len(fake.verifications) == 2
    assert [one.title for one in report.findings] == ["Charlie delta"]
    assert [one.verification for one in report.findings] == ["supported"]
    assert len(report.refuted) == 1


async def test_a_verdict_is_published_and_counted_once_if_another_batch_is_interrupted(
    tmp_path: Path,
) -> None:
    """The verdict of the first file is published; then the run stops while the second waits."""
    reached = asyncio.Event()
    (tmp_path / ".reviewbot.yml").write_text(APART, "utf-8")

    def find(request: Recorded) -> Answer:
        path = file_of(request)
        if path == "file_1.py" and not reached.is_set():
            return Answer([], before=[Hang()])
        doubtful = {"severity": "warning", "confidence": 0.5}
        return Answer([finding | doubtful for finding in findings_for(path)[:2]])

    def verify(request: Recorded) -> Answer:
        found = asked(request)
        return says(verdict(found[0], "wrong"), verdict(found[1], "supported"))

    async def published(one: ReviewService, review_id: str, kind: str) -> int:
        records = await one.database.read(partial(records_of, review_id=review_id))
        return sum(record["type"] == kind for record in records)

    async with FakeAnthropic(find, verify=verify) as fake:
        async with service(tmp_path, Telemetry(), **with_model(fake)) as one:
            row, _ = await one.create(ReviewRequest("local", long_diff(2)))
            running = asyncio.create_task(one.runner.run(row.id, row.runs))
            while not await published(one, row.id, FindingVerified.type):
                assert not running.done()
                await asyncio.sleep(0.02)
            reached.set()
            await one.runner.leave(0)
            assert await running == "left"
            assert await published(one, row.id, FindingWithdrawn.type) == 1
        async with service(tmp_path, Telemetry(), **with_model(fake)) as one:
            assert await one.runner.run(row.id, await run_of(one, row.id)) == "finished"
            report = await report_of(one, row.id)
            assert await published(one, row.id, FindingRaised.type) == 4
            assert await published(one, row.id, FindingWithdrawn.type) == 2
        assert len(fake.verifications) == 2
    assert report.verification is not None
    assert (report.verification.wrong, report.verification.supported) == (2, 2)


async def test_a_second_review_of_the_same_diff_verifies_only_refuted_findings_again(
    tmp_path: Path,
) -> None:
    async with FakeAnthropic(lambda _: Answer(FOUND), verify=refuting_alpha) as fake:
        async with service(tmp_path, Telemetry(), **with_model(fake)) as one:
            first = fold(map(from_record, await reviewed(one, DIFF)))
            again = fold(map(from_record, await reviewed(one, DIFF)))
        titles = [[one.title for one in asked(request)] for request in fake.verifications]
        assert titles == [["Alpha bravo", "Charlie delta"], ["Alpha bravo"]]
        assert len([request for request in fake.requests if request.tool is not None]) == 1
    assert [finding.title for finding in again.findings] == ["Charlie delta"]
    assert [finding.verification for finding in again.findings] == ["supported"]
    assert [finding.id for finding in again.findings] == [finding.id for finding in first.findings]


async def test_another_server_of_the_verifier_does_not_reuse_verdicts(tmp_path: Path) -> None:
    def supporting(request: Recorded) -> Answer:
        return says(*(verdict(one) for one in asked(request)))

    async with (
        FakeAnthropic(lambda _: Answer(FOUND), verify=supporting) as fake,
        FakeAnthropic(verify=supporting) as other,
    ):
        for server in (fake, other, other):
            settings = with_model(fake)
            settings["verify_model"] = {
                "name": "claude-haiku-5-5",
                "base_url": server.base_url,
                "api_key_env": "ANTHROPIC_API_KEY",
            }
            async with service(tmp_path, Telemetry(), **settings) as one:
                await reviewed(one, DIFF)
        assert (len(fake.verifications), len(other.verifications)) == (1, 1)


async def test_verdicts_and_their_cost_are_metrics(tmp_path: Path) -> None:
    telemetry = Telemetry()

    def verify(request: Recorded) -> Answer:
        return says(*(verdict(one) for one in asked(request)))

    async with (
        FakeAnthropic(lambda _: Answer(FOUND), verify=verify) as fake,
        service(tmp_path, telemetry, **with_model(fake)) as one,
    ):
        await reviewed(one, DIFF)
    seen = exposed(telemetry.metrics)
    assert seen.value("reviewbot_verdicts_total", verdict="supported") == 2
    model = {"model": "claude-sonnet-5-5"}
    assert seen.value("reviewbot_verification_tokens_total", **model) > 0
    assert seen.value("reviewbot_verification_cost_dollars_total", **model) > 0

"""Prometheus metrics of a server: names, labels, access, and failures while they are read."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from sqlalchemy.exc import OperationalError
from starlette.requests import Request

from reviewbot.server import streams
from reviewbot.server.access import Access
from reviewbot.server.problems import Problem
from reviewbot.server.telemetry.instrumentation import ObservedMiddleware, Telemetry
from reviewbot.server.telemetry.metrics import Metrics, ModelNames
from reviewbot.server.telemetry.review_metrics import attempt_label
from reviewbot.store import keys
from reviewbot.store.database import StoreError, open_database
from reviewbot.store.keys import Limits
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded, Reply, StatusError
from tests.models.scripted import item
from tests.server.in_process import reviewed, service
from tests.server.nodes import (
    APART,
    DEMO,
    file_of,
    findings_for,
    follow,
    get,
    long_diff,
    node,
    post,
    until_state,
)
from tests.server.scrapes import Scrape, exposed, scrape, scrape_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import sqlalchemy as sa
    from starlette.types import Message, Receive, Scope, Send

CLAUDE = "claude-sonnet-5-5"


def test_no_series_is_named_created() -> None:
    metrics = Metrics([CLAUDE])
    for accept in ("", "application/openmetrics-text; version=1.0.0"):
        text = metrics.exposition(accept, None)[0].decode()
        assert "reviewbot_runs_total" in text
        assert "_created" not in text


async def test_a_scrape_after_reviews_has_their_numbers(tmp_path: Path) -> None:
    asked: list[str] = []

    def respond(request: Recorded) -> Reply:
        path = file_of(request)
        asked.append(path)
        if path == "file_0.py" and asked.count(path) == 1:
            return StatusError(529, retry_after=0)
        if path == "file_1.py" and asked.count(path) == 1:
            errors = [finding | {"severity": "error"} for finding in findings_for(path)]
            return Answer(errors, truncate_at=700)
        elsewhere = item(7, path=path, quote="nobody_wrote_this()", title="Somewhere else")
        findings = [*findings_for(path), *([elsewhere] if path == "file_2.py" else [])]
        return Answer([finding | {"severity": "error"} for finding in findings])

    async with (
        FakeAnthropic(respond) as fake,
        node(tmp_path, fake=fake, settings=f"{APART}verify: true\n") as server,
    ):
        review_id = await post(server, long_diff(3), title="Hostile \u202e title")
        records = await follow(server, review_id)
        review = await get(server, review_id)
        seen = await scrape(server)
    kinds = [record["type"] for record in records]
    assert review["outcome"] == "findings"
    assert seen.of("reviewbot_reviews_total") == [{"outcome": "findings"}]
    assert seen.value("reviewbot_runs_total", end="finished") == 1
    assert seen.value("reviewbot_queue_wait_seconds_count") == 1
    assert 0 < seen.value("reviewbot_review_duration_seconds_sum") < 60
    assert seen.value("reviewbot_chunks_total", status="reviewed", attempt="1") == 2
    assert seen.value("reviewbot_chunks_total", status="reviewed", attempt="2") == 1
    assert seen.value("reviewbot_findings_total") == kinds.count("finding") == 10
    assert seen.value("reviewbot_findings_total", placement="file") == 1
    verdicts = kinds.count("finding.verified")
    assert seen.value("reviewbot_verdicts_total", verdict="supported") == verdicts == 10
    for kind, tokens in review["usage"].items():
        assert seen.value("reviewbot_tokens_total", model=CLAUDE, kind=kind) == tokens
    assert seen.value("reviewbot_cost_dollars_total", model=CLAUDE) == pytest.approx(
        review["cost_usd"]
    )
    assert seen.value("reviewbot_review_cost_dollars_sum") == pytest.approx(review["cost_usd"])
    sent = len(fake.requests) + len(fake.verifications)
    assert seen.value("reviewbot_model_requests_total", priced="yes") == sent == 5 + 3
    assert seen.value("reviewbot_retries_total", model=CLAUDE, next="same") == 1
    assert seen.of("reviewbot_truncations_total") == [{"kind": "continued"}]
    assert seen.value("reviewbot_time_to_first_token_seconds_count", model=CLAUDE) >= 3
    assert seen.value("reviewbot_time_to_first_finding_seconds_count") == 1
    assert seen.value("reviewbot_cache_chunks_total", result="miss") == 3
    assert seen.value("reviewbot_streams_total", end="complete") == 1
    assert (
        seen.value(
            "reviewbot_http_requests_total", route="/v1/reviews", method="POST", status="201"
        )
        == 1
    )
    assert seen.value("reviewbot_http_request_duration_seconds_count", route="/v1/reviews") == 1
    streams = "/v1/reviews/{id}/events"
    assert seen.value("reviewbot_http_requests_total", route=streams) == 1
    assert seen.value("reviewbot_http_request_duration_seconds_count", route=streams) == 0
    assert seen.value("reviewbot_database_up") == 1
    assert seen.value("reviewbot_database_commit_writes_sum") > 10
    assert seen.value("reviewbot_event_store_lag_seconds_count") > 5
    assert seen.value("process_resident_memory_bytes") > 1e7
    assert review_id not in seen.text
    assert "file_0" not in seen.text
    assert "Hostile" not in seen.text


@pytest.mark.slow
async def test_a_second_review_of_the_same_diff_is_a_cache_hit(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        for _ in range(2):
            await follow(one, await post(one, long_diff(2)))
        seen = await scrape(one)
    assert seen.value("reviewbot_cache_chunks_total", result="exact") == 2
    assert seen.value("reviewbot_cache_findings_total") == 6
    assert seen.value("reviewbot_cache_saved_tokens_total") > 100
    assert seen.value("reviewbot_chunks_total", attempt="0") == 2
    sent = len(fake.requests) + len(fake.verifications)
    assert len(fake.requests) == 2
    assert seen.value("reviewbot_model_requests_total") == sent


@pytest.mark.slow
@pytest.mark.parametrize(("similarity", "result", "asked"), [(0.8, "lines", 41), (0, "miss", 160)])
async def test_a_review_with_one_changed_line_names_the_kind_of_its_reuse(
    similarity: float, result: str, asked: int, tmp_path: Path
) -> None:
    settings = f"{APART}reuse_similarity: {similarity}\n"
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake,
        node(tmp_path, fake=fake, settings=settings) as one,
    ):
        await follow(one, await post(one, long_diff(1)))
        edited = long_diff(1).replace(b"line_80 = 80\n", b"changed = 1\n")
        again = await follow(one, await post(one, edited))
        seen = await scrape(one)
    request = next(one for one in fake.requests if "+|changed = 1" in one.text)
    assert len(re.findall(r"\+\|(?:line_\d+|changed) = ", request.text)) == asked
    assert seen.value("reviewbot_cache_chunks_total", result=result) == 1 + (result == "miss")
    assert seen.value("reviewbot_cache_chunks_total") == 2
    found = [event["finding"] for event in again if event["type"] == "finding"]
    assert {one["line"] for one in found if one["cached"]} == (
        {1, 40, 160} if result == "lines" else set()
    )


@pytest.mark.slow
async def test_what_is_open_is_told_as_it_is_at_the_scrape(database: str, tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(
            tmp_path,
            *("--database", database, "--reviews-at-once", "1"),
            fake=fake,
            settings=APART,
        ) as one,
    ):
        first = await post(one, long_diff(1))
        await until_state(one, first, "running")
        second = await post(one, long_diff(2))
        reading = [asyncio.create_task(follow(one, each)) for each in (first, second, second)]
        seen = await scrape_until(one, lambda seen: seen.value("reviewbot_open_streams") == 3)
        assert seen.value("reviewbot_open_reviews", state="running") == 1
        assert seen.value("reviewbot_open_reviews", state="queued") == 1
        assert seen.value("reviewbot_open_reviews", state="waiting") == 0
        assert seen.value("reviewbot_open_review_age_seconds", state="queued") > 0
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
        seen = await scrape_until(
            one, lambda seen: seen.value("reviewbot_streams_total", end="left") == 3
        )
        assert seen.value("reviewbot_open_streams") == 0


@pytest.mark.slow
async def test_names_that_a_request_makes_up_are_no_labels(tmp_path: Path) -> None:
    async with (
        FakeAnthropic(lambda request: Answer(findings_for(file_of(request)))) as fake,
        node(tmp_path, fake=fake, settings=APART) as one,
    ):
        for number in range(3):
            await follow(one, await post(one, long_diff(1), model=f"made-up-{number}"))
        async with one.client() as client:
            for number in range(3):
                await client.request(f"VERB{number}", "/v1/reviews")
                await client.get(f"/made/up/{number}")
                await client.get(f"/v1/reviews/{number:032x}")
        seen = await scrape(one)
    models = {labels["model"] for labels in seen.of("reviewbot_model_requests_total")}
    assert models == {"other"}
    assert seen.value("reviewbot_model_requests_total", model="other", priced="no") == 3
    routes = {labels["route"] for labels in seen.of("reviewbot_http_requests_total")}
    assert routes == {"/v1/reviews", "/v1/reviews/{id}", "/v1/reviews/{id}/events", "/{path:path}"}
    methods = {labels["method"] for labels in seen.of("reviewbot_http_requests_total")}
    assert methods == {"GET", "POST", "other"}
    assert "made" not in seen.text
    assert "VERB" not in seen.text


def made_key(connection: sa.Connection, scope: keys.Scope = "metrics") -> str:
    """A new key."""
    return keys.add(connection, "prometheus", Limits(), scope=scope)[1]


@pytest.mark.slow
async def test_metrics_and_reviews_need_keys_of_their_own(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")
    metrics, reviews = await database.write(
        lambda connection: (made_key(connection), made_key(connection, "reviews"))
    )
    await database.close()
    review = f"/v1/reviews/{'0' * 32}"
    calls = [
        *(("POST", "/v1/reviews"), ("GET", "/v1/reviews"), ("GET", review), ("DELETE", review)),
        *(("GET", f"{review}/{one}") for one in ("events", "diff", "sarif", "markdown")),
        ("POST", f"{review}/rerun"),
    ]
    async with node(tmp_path, "--require-keys") as one, one.client() as client:
        for method, path in calls:
            answer = await client.request(
                method, path, content=DEMO, headers={"Authorization": f"Bearer {metrics}"}
            )
            assert answer.status_code == 403, (method, path)
            assert answer.json()["detail"].endswith("for reviews with: reviewbot keys add NAME")
            challenge = answer.headers["www-authenticate"]
            assert challenge.endswith('error="insufficient_scope", scope="reviews"')
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {reviews}"})
        assert answer.status_code == 403
        assert answer.json()["detail"].endswith("reviewbot keys add NAME --scope metrics")
        assert answer.headers["www-authenticate"].endswith('scope="metrics"')
        mine = await client.get("/v1/reviews", headers={"Authorization": f"Bearer {reviews}"})
        assert mine.json()["reviews"] == []
        await scrape(one, Authorization=f"Bearer {metrics}")


@pytest.mark.slow
async def test_without_keys_in_use_metrics_need_none(tmp_path: Path) -> None:
    async with node(tmp_path) as one:
        assert (await scrape(one)).value("reviewbot_database_up") == 1


@pytest.mark.slow
async def test_a_key_is_needed_where_keys_are_needed(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'reviewbot.db'}")
    secret = await database.write(made_key)
    await database.close()
    async with node(tmp_path, "--require-keys") as one, one.client() as client:
        answer = await client.get("/metrics")
        assert answer.status_code == 401
        assert "bearer" in answer.headers["www-authenticate"].lower()
        seen = await scrape(one, Authorization=f"Bearer {secret}")
        assert secret not in seen.text
        assert (await client.post("/metrics")).status_code in (404, 405)


async def test_a_scraper_that_was_let_in_gets_metrics_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def request(key: str) -> Request:
        headers = [(b"authorization", f"Bearer {key}".encode())]
        return Request({"type": "http", "method": "GET", "path": "/metrics", "headers": headers})

    def away(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    observed = Telemetry()
    async with service(tmp_path, observed) as one:
        secret = await one.database.write(made_key)
        other = await one.database.write(lambda each: made_key(each, "reviews"))
        access = Access(one.database, need_key=True)
        await observed.scrape(request(secret), one, access)
        with pytest.raises(Problem):
            await observed.scrape(request(other), one, access)
        monkeypatch.setattr(one.database.engine, "connect", away)
        monkeypatch.setattr(one.database.engine, "begin", away)
        answer = await observed.scrape(request(secret), one, access)
        seen = Scrape(bytes(answer.body).decode())
        assert seen.value("reviewbot_database_up") == 0
        assert seen.of("reviewbot_open_reviews") == []
        for unseen in ("rb_another", other):
            with pytest.raises(StoreError):
                await observed.scrape(request(unseen), one, access)
        with pytest.raises(StoreError):
            await one.database.write(lambda _: None)
        assert exposed(observed.metrics).value("reviewbot_database_write_failures_total") >= 1


async def test_a_reader_that_takes_nothing_is_counted_as_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "SEND_TIMEOUT_S", 0.05)
    observed = Telemetry()

    async def events() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"

    async def gone() -> None:
        pass

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = streams.event_stream(events(), headers={}, gone=gone, closing=asyncio.Event())
        await answer(scope, receive, send)

    async def nothing() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body":
            await nothing()

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    in_time = streams.InTimeMiddleware(app)
    await ObservedMiddleware(in_time, observed)(scope, nothing, send)
    assert exposed(observed.metrics).of("reviewbot_streams_total") == [{"end": "dropped"}]


async def test_an_answer_that_broke_off_is_raised_to_the_server_and_a_whole_one_is_not() -> None:
    observed = Telemetry()
    sent: list[Message] = []

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 500})
        await send({"type": "http.response.body", "more_body": scope["path"] == "/broken"})
        raise ValueError("after its answer")

    async def send(message: Message) -> None:
        sent.append(message)

    whole = {"type": "http", "method": "GET", "path": "/whole", "headers": []}
    await ObservedMiddleware(app, observed)(whole, pytest.fail, send)
    with pytest.raises(ValueError, match="after"):
        await ObservedMiddleware(app, observed)({**whole, "path": "/broken"}, pytest.fail, send)
    assert exposed(observed.metrics).value("reviewbot_http_requests_total", status="500") == 2
    assert [name for name, _ in sent[0]["headers"]] == [b"x-request-id"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/plain; version=0.0.4"),
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text"),
        ("text/plain; version=x.y, application/openmetrics-text;version=z", "text/plain"),
    ],
)
def test_the_format_is_what_the_scraper_takes(accept: str, kind: str) -> None:
    body, told = Metrics().exposition(accept, None)
    assert told.startswith(kind)
    if kind.startswith("application"):
        assert list(openmetrics_families(body.decode()))  # type: ignore[no-untyped-call]


def test_each_application_counts_for_itself() -> None:
    one, other = Metrics(), Metrics()
    one.reviews.labels("clean").inc()
    assert exposed(one).value("reviewbot_reviews_total") == 1
    assert exposed(other).value("reviewbot_reviews_total") == 0


def test_every_metric_has_a_help_text_and_base_units() -> None:
    for name, kind in re.findall(
        r"^# TYPE (reviewbot_\S+) (\S+)$", exposed(Metrics()).text, re.MULTILINE
    ):
        assert not re.search(r"_(ms|millis\w*|minutes|kb|mb|percent)(_|$)", name)
        assert kind in ("counter", "gauge", "histogram")
    for text in re.findall(r"^# HELP reviewbot_\S+ ?(.*)$", exposed(Metrics()).text, re.MULTILINE):
        assert text.endswith(".")


def test_the_help_of_fates_says_which_findings_are_not_included() -> None:
    (text,) = re.findall(
        r"^# HELP reviewbot_finding_fates_total (.*)$", exposed(Metrics()).text, re.MULTILINE
    )
    for left_out in ("other pull requests", "only the check lists", "had no room for"):
        assert left_out in text.partition("Not included: ")[2]


def test_configured_models_and_aliases_have_names_of_their_own() -> None:
    names = ModelNames(["qwen3-coder"])
    assert names("qwen3-coder") == "qwen3-coder"
    assert names("claude-opus-4-5-20251101") == "claude-opus-4-5-20251101"
    assert names("offline") == "offline"
    assert names("none") == "none"
    assert names("claude-sonnet-5-5\n") == "other"
    assert names("") == "other"


def test_attempts_are_counted_apart_only_as_far_as_there_are_few() -> None:
    assert [attempt_label(one) for one in (0, 1, 4, 5, 10_000)] == ["0", "1", "4", "5+", "5+"]


async def test_a_hook_that_fails_ends_no_review(tmp_path: Path) -> None:
    metrics = Metrics()
    metrics.chunks = metrics.tokens = metrics.queue_wait = None  # type: ignore[assignment]
    metrics.retries = metrics.runs = metrics.commits = None  # type: ignore[assignment]
    async with service(tmp_path, Telemetry(metrics)) as one:
        records = await reviewed(one)
    assert records[-1]["outcome"] == "findings"

"""Traces show requests, runs and batches by ids and counts, if someone asked for traces."""

from __future__ import annotations

import asyncio
import gzip
import re
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from reviewbot.server.telemetry.instrumentation import ObservedMiddleware, Telemetry
from reviewbot.server.telemetry.metrics import Metrics
from reviewbot.server.telemetry.traces import Traces, provider_from
from tests.fake_anthropic import Answer, FakeAnthropic, Hang, Recorded, Reply, StatusError
from tests.server import connected, serving
from tests.server.in_process import reviewed, service
from tests.server.nodes import (
    APART,
    DEMO,
    file_of,
    findings_for,
    follow,
    long_diff,
    node,
    post,
    until_state,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request


class Collected:
    """The spans that were made."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        metrics = Metrics()
        self.observed = Telemetry(metrics, Traces(provider, model=metrics.model))

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def of(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    @property
    def text(self) -> str:
        return "".join(span.to_json() for span in self.spans)


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return {
        name.removeprefix("reviewbot."): value for name, value in (span.attributes or {}).items()
    }


@pytest.mark.slow
async def test_a_run_holds_its_batches_and_their_counts(tmp_path: Path) -> None:
    asked: list[str] = []

    def respond(request: Recorded) -> Reply:
        asked.append(file_of(request))
        if len(asked) == 1:
            return StatusError(529, retry_after=0)
        return Answer(findings_for(file_of(request)), thinking="a thought")

    collected = Collected()
    (tmp_path / ".reviewbot.yml").write_text(
        "batch_tokens: 2000\nchunk_tokens: 12000\nsummary: false\n", "utf-8"
    )
    async with FakeAnthropic(respond) as fake:
        environment = {"ANTHROPIC_API_KEY": fake.key, "ANTHROPIC_BASE_URL": fake.base_url}
        async with service(tmp_path, collected.observed, model=None, env=environment) as one:
            records = await reviewed(one, long_diff(2), title="marmalade", description="pelican")
    (run,) = collected.of("review run")
    batches = collected.of("review batch")
    assert len(batches) == 2
    told = attributes(run)
    assert told["review_id"] == records[0]["review_id"]
    assert (told["run"], told["end"], told["outcome"]) == (1, "finished", "findings")
    assert (told["findings"], told["files"]) == (6, 2)
    assert told["cost_usd"] == records[-1]["cost_usd"]
    for batch in batches:
        assert batch.parent is not None
        assert batch.parent.span_id == run.context.span_id
        assert attributes(batch)["review_id"] == told["review_id"]
        assert attributes(batch)["models"] == ("claude-sonnet-5-5",)
    assert {attributes(batch)["batch"] for batch in batches} == {
        chunk["batch"] for chunk in records[0]["chunks"]
    }
    assert sum(attributes(batch)["retries"] for batch in batches) == 1
    assert sum(attributes(batch)["requests"] for batch in batches) == len(fake.requests) == 3
    usage = records[-1]["usage"]
    assert sum(attributes(batch)["output_tokens"] for batch in batches) == usage["output"]
    for planted in ("marmalade", "pelican", "file_0", "line_1", "a thought", fake.key):
        assert planted not in collected.text


async def test_a_run_that_broke_is_marked_without_its_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("marmalade")

    monkeypatch.setattr("reviewbot.pipeline.review._ReviewRun._chunk_finished", broken)
    collected = Collected()
    async with service(tmp_path, collected.observed) as one:
        with pytest.raises(AssertionError):
            await reviewed(one)
    (run,) = collected.of("review run")
    assert attributes(run)["end"] == "broke"
    assert run.status.status_code is StatusCode.ERROR
    assert "marmalade" not in collected.text


@asynccontextmanager
async def app(collected: Collected) -> AsyncIterator[int]:
    async def call(request: Request) -> Response:
        if "fail" in request.path_params["id"]:
            raise ValueError("marmalade")
        return Response("ok", headers={"Location": f"/v1/reviews/{'b' * 32}"})

    inner = Starlette(routes=[Route("/v1/reviews/{id}", call)])
    async with serving(ObservedMiddleware(inner, collected.observed)) as port:
        yield port


async def test_a_request_is_a_span_of_its_route_and_continues_its_client_s_trace() -> None:
    collected = Collected()
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with app(collected) as port, connected(port) as client:
        await client.send(
            f"GET /v1/reviews/{'a' * 32}?token=marmalade HTTP/1.1\r\nHost: localhost\r\n"
            f"traceparent: 00-{trace}-b7ad6b7169203331-01\r\nX-Request-Id: mine\r\n\r\n".encode()
        )
        answer = await client.answer()
    assert answer.headers["x-request-id"] == "mine"
    (span,) = collected.of("GET /v1/reviews/{id}")
    assert f"{span.context.trace_id:032x}" == trace
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/v1/reviews/{id}",
        "http.response.status_code": 200,
        "reviewbot.request_id": "mine",
        "reviewbot.review_id": "b" * 32,
    }
    assert "marmalade" not in collected.text


async def test_a_request_that_fails_is_marked_without_its_message() -> None:
    collected = Collected()
    async with app(collected) as port, connected(port) as client:
        await client.send(b"GET /v1/reviews/fail HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.answer()).status == 500
    (span,) = collected.spans
    assert span.status.status_code is StatusCode.ERROR
    assert not span.events
    assert "marmalade" not in collected.text


class Collector:
    """Takes what is exported as OTLP over HTTP."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        self.bodies.append(gzip.decompress(body) if "content-encoding: gzip" in head else body)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    def spans(self) -> list[Any]:
        return [
            (resource.resource, span)
            for body in self.bodies
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@pytest.mark.slow
async def test_a_server_sends_its_spans_where_the_variables_say(tmp_path: Path) -> None:
    async with Collector() as collector:
        async with node(
            tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}"
        ) as one:
            await follow(one, await post(one, DEMO))
            assert await one.stop() == 0
            assert "warning" not in one.log
        spans = collector.spans()
    names = {span.name for _, span in spans}
    assert names >= {
        "POST /v1/reviews",
        "GET /v1/reviews/{id}/events",
        "review run",
        "review batch",
    }
    facts = {one.key: one.value.string_value for one in spans[0][0].attributes}
    assert facts["service.name"] == "reviewbot"
    assert b"orders.py" not in b"".join(collector.bodies)


@pytest.mark.slow
async def test_cancelling_and_stopping_end_their_spans_in_order(tmp_path: Path) -> None:
    async with (
        Collector() as collector,
        FakeAnthropic(lambda _: Answer([], before=[Hang()])) as fake,
        node(
            tmp_path,
            *("--grace-s", "0"),
            fake=fake,
            settings=APART,
            OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.port}",
        ) as one,
    ):
        cancelled, left = await post(one, long_diff(2)), await post(one, long_diff(1) + DEMO)
        for review_id in (cancelled, left):
            await follow(one, review_id, until="chunk.started")
        async with one.client() as client:
            assert (await client.delete(f"/v1/reviews/{cancelled}")).status_code == 204
        await until_state(one, cancelled, "finished")
        assert await one.stop() == 0
        assert "detach" not in one.log
        told = {
            (facts["reviewbot.review_id"].string_value, facts["reviewbot.end"].string_value)
            for _, span in collector.spans()
            for facts in [{one.key: one.value for one in span.attributes}]
            if span.name == "review run"
        }
    assert told == {(cancelled, "finished"), (left, "left")}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": ""},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_a_wish_there_are_no_traces(environment: dict[str, str]) -> None:
    assert provider_from(environment) is None


@pytest.mark.parametrize(
    ("environment", "exporter"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, "OTLPSpanExporter"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, "OTLPSpanExporter"),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "OTLPSpanExporter"),
        ({"OTEL_TRACES_EXPORTER": "console"}, "ConsoleSpanExporter"),
    ],
)
def test_the_exporter_is_the_one_that_is_asked_for(
    environment: dict[str, str], exporter: str
) -> None:
    provider = provider_from(environment)
    assert provider is not None
    (processor,) = provider._active_span_processor._span_processors
    assert isinstance(processor.span_exporter, object)  # type: ignore[attr-defined]
    assert type(processor.span_exporter).__name__ == exporter  # type: ignore[attr-defined]
    provider.shutdown()


@pytest.mark.parametrize(
    ("environment", "missing", "words"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, "opentelemetry.sdk", "[otel]"),
        (
            {"OTEL_TRACES_EXPORTER": "otlp"},
            "opentelemetry.exporter.otlp.proto.http.trace_exporter",
            "[otel]",
        ),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, None, "OTEL_TRACES_EXPORTER=otlp"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            None,
            "http/protobuf",
        ),
    ],
)
def test_what_cannot_be_had_is_one_clear_warning(
    environment: dict[str, str],
    missing: str | None,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if missing is not None:
        for name in [name for name in sys.modules if name.startswith(missing)]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, missing, None)
    assert provider_from(environment) is None
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert words in record.getMessage()

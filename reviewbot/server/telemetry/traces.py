"""OpenTelemetry traces: a span per request, run and batch, with ids and counts but no text.

Spans are recorded if the standard variables name an exporter, and the libraries are installed
(the extra ``otel``). The provider is not the global provider, so that no other library begins to
send spans.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from reviewbot import __version__
from reviewbot.config.installation import install_command
from reviewbot.core.events.events import ReviewFinished
from reviewbot.models.batch import ChunkOutcome, Drafted, RequestSent, Retrying, Spent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

    from reviewbot.core.events.events import Event
    from reviewbot.jobs.run_dependencies import ToldEnd
    from reviewbot.models.batch import BatchEvent, BatchTask
    from reviewbot.store.reviews import ReviewRow

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
EXPORTERS: Final = "OTEL_TRACES_EXPORTER"
DISABLED: Final = "OTEL_SDK_DISABLED"
HTTP: Final = "http/protobuf"

log = logging.getLogger(__name__)


class Traces:
    """Recorder of spans.

    Args:
        provider: the provider of spans; None records no spans.
        model: function that returns the label of a model's name.
    """

    def __init__(
        self,
        provider: TracerProvider | None = None,
        *,
        model: Callable[[str], str] = lambda _name: "other",
    ) -> None:
        self._provider, self._model = provider, model
        self._tracer: Tracer | None = None
        if provider is not None:
            self._tracer = provider.get_tracer("reviewbot", __version__)

    def close(self) -> None:
        """Send the remaining spans, which may take seconds."""
        if self._provider is not None:
            self._provider.shutdown()

    def request(
        self, method: str, headers: Mapping[str, str], request_id: str
    ) -> AbstractContextManager[RequestSpan | None]:
        """Return a context with the span of an HTTP request, within the trace of the client."""
        if self._tracer is None:
            return nullcontext()
        return self._request(self._tracer, method, headers, request_id)

    @contextmanager
    def _request(
        self, tracer: Tracer, method: str, headers: Mapping[str, str], request_id: str
    ) -> Iterator[RequestSpan]:
        from opentelemetry.propagate import extract
        from opentelemetry.trace import SpanKind

        with tracer.start_as_current_span(
            method,
            context=extract(headers),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "reviewbot.request_id": request_id},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            yield RequestSpan(span)

    def run(self, row: ReviewRow) -> AbstractContextManager[object]:
        """Return a context with the span of a run of a review."""
        if self._tracer is None:
            return nullcontext()
        return self._tracer.start_as_current_span(
            "review run",
            attributes={"reviewbot.review_id": row.id, "reviewbot.run": row.runs},
            record_exception=False,
            set_status_on_exception=False,
        )

    def event(self, event: Event) -> None:
        """Record the outcome of the review on the span of the current run."""
        if self._tracer is None or not isinstance(event, ReviewFinished):
            return
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(
            {
                "reviewbot.outcome": event.outcome,
                "reviewbot.files": len(event.coverage),
                "reviewbot.findings": sum(event.findings.values()),
                "reviewbot.cost_usd": -1.0 if event.cost_usd is None else event.cost_usd,
            }
        )

    def ended(self, end: ToldEnd) -> None:
        """Record the end of the current run on its span."""
        if self._tracer is None:
            return
        from opentelemetry.trace import StatusCode, get_current_span

        span = get_current_span()
        span.set_attribute("reviewbot.end", end)
        if end == "broke":
            span.set_status(StatusCode.ERROR)

    @contextmanager
    def batch(self, row: ReviewRow, task: BatchTask) -> Iterator[Callable[[BatchEvent], None]]:
        """Return a context with the span of a batch, and a function that records its events."""
        if self._tracer is None:
            yield lambda _event: None
            return
        counts = _Counts(self._model)
        with self._tracer.start_as_current_span(
            "review batch",
            attributes={
                "reviewbot.review_id": row.id,
                "reviewbot.run": row.runs,
                "reviewbot.batch": task.id,
                "reviewbot.chunks": len(task.request.chunks),
            },
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield counts.observe
            finally:
                span.set_attributes(counts.attributes())


class RequestSpan:
    """The span of an HTTP request."""

    def __init__(self, span: Span) -> None:
        self._span = span

    def answered(self, method: str, route: str, status: int, review_id: str | None) -> None:
        """Record the response (OpenTelemetry, "Semantic conventions for HTTP spans")."""
        from opentelemetry.trace import StatusCode

        self._span.update_name(f"{method} {route}")
        self._span.set_attributes({"http.route": route, "http.response.status_code": status})
        if review_id is not None:
            self._span.set_attribute("reviewbot.review_id", review_id)
        if status >= 500:
            self._span.set_status(StatusCode.ERROR)


class _Counts:
    """Counts of one batch."""

    def __init__(self, model: Callable[[str], str]) -> None:
        self._model = model
        self._counts = dict.fromkeys(
            ("requests", "retries", "findings", "input_tokens", "output_tokens", "failed_chunks"), 0
        )
        self._models: dict[str, None] = {}

    def observe(self, event: BatchEvent) -> None:
        counts = self._counts
        match event:
            case RequestSent(model=model):
                self._models[self._model(model)] = None
            case Drafted():
                counts["findings"] += 1
            case Retrying():
                counts["retries"] += 1
            case Spent(usage=usage):
                counts["requests"] += 1
                counts["input_tokens"] += usage.input + usage.cache_read + usage.cache_write
                counts["output_tokens"] += usage.output
            case ChunkOutcome(status="failed"):
                counts["failed_chunks"] += 1
            case _:
                pass

    def attributes(self) -> dict[str, Any]:
        named = {f"reviewbot.{name}": number for name, number in self._counts.items()}
        return {**named, "reviewbot.models": tuple(self._models)}


def provider_from(environment: Mapping[str, str]) -> TracerProvider | None:
    """Return the provider that the standard variables select; None without one.

    An unsupported selection, or a missing library, is logged as a warning.
    """
    wanted = _wanted(environment)
    if wanted is None:
        return None
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = _exporter(wanted)
    except ModuleNotFoundError as error:
        log.warning(
            "OTEL_ variables ask for traces, but %s is not installed, so there are none: %s",
            error.name,
            install_command("otel"),
        )
        return None
    if exporter is None:
        log.warning(
            "OTEL_ variables ask for traces in an unsupported way, so there are none: use"
            " OTEL_TRACES_EXPORTER=otlp or console, and OTEL_EXPORTER_OTLP_PROTOCOL=%s",
            HTTP,
        )
        return None
    facts = {"service.version": __version__}
    if "service.name" not in environment.get("OTEL_RESOURCE_ATTRIBUTES", "") and not (
        environment.get("OTEL_SERVICE_NAME")
    ):
        facts["service.name"] = "reviewbot"
    provider = TracerProvider(resource=Resource.create(facts))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _wanted(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the selected exporter and protocol; None if traces are off."""
    if environment.get(DISABLED, "").strip().lower() == "true":
        return None
    exporter = environment.get(EXPORTERS, "").strip().lower()
    if exporter == "none" or (not exporter and not any(map(environment.get, ENDPOINTS))):
        return None
    protocols = (environment.get(name, "").strip().lower() for name in PROTOCOLS)
    return exporter or "otlp", next(filter(None, protocols), HTTP)


def _exporter(wanted: tuple[str, str]) -> SpanExporter | None:
    match wanted:
        case ("otlp", "http/protobuf"):
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            return OTLPSpanExporter()
        case ("console", _):
            from opentelemetry.sdk.trace.export import ConsoleSpanExporter

            return ConsoleSpanExporter()
        case _:
            return None

"""Prometheus metrics of one application, in a separate registry.

Every label has few values, whatever a request contains. Models are known or configured names, rules
those of reviewbot and its linters, and ``other`` for the rest. Routes are templates. No label holds
a path, a title or a tenant.
``docs/metrics.md`` describes each metric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from reviewbot import __version__
from reviewbot.config.settings import OFFLINE
from reviewbot.core.events.events import Outcome
from reviewbot.core.findings.finding import CATEGORIES, SEVERITIES, PlacementKind
from reviewbot.models.cached import CacheUse
from reviewbot.models.catalog import known_models, lookup
from reviewbot.models.linters.rules import find_rule
from reviewbot.rules.load import rule_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from reviewbot.store.load import Load

OTHER: Final = "other"
RUN_ENDS: Final = ("finished", "waiting", "left", "gone", "broke")
PLACEMENTS: Final = (*get_args(PlacementKind), "held")
STREAM_ENDS: Final = ("complete", "left", "dropped", "cut")
TRUNCATIONS: Final = ("continued", "given_up", "diff_middle")

_SHORT: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ANSWERS: Final = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300)
_WAITS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
_REVIEWS: Final = (0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600)
_COMMITS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30)
_GROUPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500)
_DOLLARS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)


class ModelNames:
    """Labels for the names of models, since a request can contain any name.

    Args:
        configured: names in addition to the catalogue.
    """

    def __init__(self, configured: Iterable[str] = ()) -> None:
        self._known = {*known_models(), *configured, OFFLINE, "none"}
        self._nobody = lookup("").source

    def __call__(self, name: str) -> str:
        """Return ``name`` if it is known or an alias in the catalogue; ``other`` if not."""
        if name in self._known or lookup(name).source != self._nobody:
            return name
        return OTHER


def rule_label(rule: str) -> str:
    """Return ``rule`` if reviewbot or one of its linters has it; ``other`` for any other."""
    known = rule in CATEGORIES or rule in rule_ids() or rule.startswith("secrets/")
    return rule if known or find_rule(rule) else OTHER


class Metrics:
    """All metrics, as attributes to update.

    Args:
        models: names of models that the node is configured with.
    """

    def __init__(self, models: Iterable[str] = ()) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry = CollectorRegistry()
        self.model = ModelNames(models)
        self._state = _State()
        self._cache = _Cache()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"reviewbot_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"reviewbot_{name}", text, labels, buckets=buckets, registry=registry)

        self.reviews = counter("reviews", "Reviews that ended, by outcome.", "outcome")
        self.questions = counter("questions", "Questions that ended, by outcome.", "outcome")
        self.review_duration = histogram(
            "review_duration_seconds", "From the request for a review to its end.", _REVIEWS
        )
        self.review_cost = histogram(
            "review_cost_dollars", "Cost of an ended review in US dollars, if priced.", _DOLLARS
        )
        self.runs = counter("runs", "Runs of reviews on this node, by how they ended.", "end")
        self.queue_wait = histogram(
            "queue_wait_seconds", "From the request for a review to its first start.", _WAITS
        )
        self.first_token = histogram(
            "time_to_first_token_seconds",
            "From a request to a model to the first sign of its answer.",
            _ANSWERS,
            "model",
        )
        self.first_finding = histogram(
            "time_to_first_finding_seconds",
            "From the start of a review to its first finding, if it has one in its first run.",
            _ANSWERS,
        )
        self.chunks = counter(
            "chunks",
            "Finished chunks; attempt 0: no model was asked.",
            "status",
            "attempt",
        )
        self.findings = counter(
            "findings", "Findings that were reported, by placement.", "severity", "placement"
        )
        self.withdrawn = counter("findings_withdrawn", "Findings that were withdrawn.")
        self.fates = counter(
            "finding_fates",
            "Posted findings of merged pull requests, by what became of them. Not included:"
            " findings of other pull requests, those that only the check lists, and those that the"
            " state on GitHub had no room for.",
            *("fate", "rule", "model", "prompt_version"),
        )
        self.verdicts = counter("verdicts", "Verdicts about findings.", "verdict")
        self.verification_tokens = counter(
            "verification_tokens", "Tokens of the requests that verify findings.", "model"
        )
        self.verification_dollars = counter(
            "verification_cost_dollars",
            "Cost of priced requests that verify findings, in US dollars.",
            "model",
        )
        self.tokens = counter("tokens", "Tokens that requests to models used.", "model", "kind")
        self.dollars = counter("cost_dollars", "Cost of priced requests in US dollars.", "model")
        self.requests = counter(
            "model_requests", "Requests to models that ended; priced: yes or no.", "model", "priced"
        )
        self.retries = counter(
            "retries",
            "Failed requests that were repeated, on the same or other model.",
            "model",
            "next",
        )
        self.truncations = counter(
            "truncations",
            "Answers truncated at their length limit, continued or given up; diffs truncated in"
            " the middle.",
            "kind",
        )
        self.open_streams = Gauge(
            "reviewbot_open_streams", "Event streams that are open on this node.", registry=registry
        )
        self.streams = counter("streams", "Event streams that ended, by how.", "end")
        self.http = counter(
            "http_requests", "HTTP requests that were answered.", "route", "method", "status"
        )
        self.http_duration = histogram(
            "http_request_duration_seconds",
            "From a request's head to its answer's end; event streams left out.",
            _SHORT,
            "route",
            "method",
        )
        self.commits = histogram(
            "database_commit_duration_seconds", "Duration of a commit in seconds.", _COMMITS
        )
        self.group = histogram("database_commit_writes", "Writes per commit.", _GROUPS)
        self.failures = counter("database_write_failures", "Writes that the database refused.")
        self.stored = histogram(
            "event_store_lag_seconds",
            "From when an event happened to when it was stored.",
            _COMMITS,
        )
        registry.register(self._state)
        registry.register(self._cache)
        Info("reviewbot_build", "This server.", registry=registry).info({"version": __version__})
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        # A series that did not exist before has no rate at its first increment.
        for metric, values in (
            (self.reviews, [one for one in get_args(Outcome) if one != "answered"]),
            (self.questions, ("answered", "incomplete", "cancelled")),
            (self.runs, RUN_ENDS),
            (self.streams, STREAM_ENDS),
            (self.truncations, TRUNCATIONS),
        ):
            for value in values:
                metric.labels(value)
        for severity in SEVERITIES:
            for placement in PLACEMENTS:
                self.findings.labels(severity, placement)

    def watch_cache(self, use: CacheUse) -> None:
        """Export the counts of ``use``, which are read at each scrape."""
        self._cache.use = use

    def exposition(self, accept: str, state: Load | None) -> tuple[bytes, str]:
        """Return the metrics as text, and its media type.

        Args:
            accept: ``Accept`` header of the scraper.
            state: unfinished work in the database; None if the database did not respond.
        """
        self._state.load = state
        try:
            encode, kind = choose_encoder(accept)
        except (TypeError, ValueError):  # a version that is not a number
            encode, kind = choose_encoder("")
        return encode(self.registry), kind


class _State(Collector):
    """Collector of the unfinished work in the database, for one scrape."""

    def __init__(self) -> None:
        self.load: Load | None = None

    def describe(self) -> Iterable[Metric]:
        return self._families()

    def collect(self) -> Iterable[Metric]:
        up, *families = self._families()
        load = self.load
        up.add_metric((), float(load is not None))
        if load is not None:
            numbers = (load.reviews, load.oldest_s, load.deliveries, load.publications)
            for family, by_state in zip(families, numbers, strict=True):
                for state, number in by_state.items():
                    family.add_metric((state,), number)
        return (up, *families)

    def _families(self) -> tuple[GaugeMetricFamily, ...]:
        by_state = {
            "reviewbot_open_reviews": "Reviews that have not ended, of all nodes together.",
            "reviewbot_open_review_age_seconds": (
                "Age of the oldest review of a state, of all nodes together."
            ),
            "reviewbot_github_deliveries": (
                "Deliveries of GitHub that are not done, of all nodes together."
            ),
            "reviewbot_github_publications": (
                "Reviews whose publication on GitHub is not done, of all nodes together."
            ),
        }
        return (
            GaugeMetricFamily(
                "reviewbot_database_up", "Whether the database answered this scrape."
            ),
            *(GaugeMetricFamily(name, text, labels=("state",)) for name, text in by_state.items()),
        )


class _Cache(Collector):
    """Collector of the hits and misses of the review cache."""

    def __init__(self) -> None:
        self.use = CacheUse()

    def collect(self) -> Iterator[Metric]:
        chunks = CounterMetricFamily(
            "reviewbot_cache_chunks",
            "Chunks that were looked up in the review cache.",
            labels=("result",),
        )
        use = self.use
        for result, found in (
            ("exact", use.exact),
            ("hunks", use.hunks),
            ("lines", use.lines),
            ("miss", use.misses),
        ):
            chunks.add_metric((result,), found)
        yield chunks
        yield CounterMetricFamily(
            "reviewbot_cache_findings",
            "Findings that came from the review cache.",
            value=use.findings,
        )
        yield CounterMetricFamily(
            "reviewbot_cache_saved_tokens",
            "Input tokens that were not sent thanks to the review cache, by the plan's estimate.",
            value=use.tokens_saved,
        )
        yield CounterMetricFamily(
            "reviewbot_cache_failures",
            "Times that the review cache's store failed or was too slow.",
            value=use.failures,
        )

    def describe(self) -> Iterable[Metric]:
        return self.collect()

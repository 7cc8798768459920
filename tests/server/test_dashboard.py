"""The dashboard, the alerts and their description speak of metrics that there are."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml

from reviewbot.server.telemetry.metrics import Metrics
from reviewbot.store.load import Load
from tests.server.nodes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

DASHBOARD = json.loads((ROOT / "docs" / "grafana-dashboard.json").read_text("utf-8"))
RULES = yaml.safe_load((ROOT / "docs" / "prometheus-rules.yml").read_text("utf-8"))
GUIDE = (ROOT / "docs" / "metrics.md").read_text("utf-8")
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_sum", "_count"),
    "gauge": ("",),
    "info": ("_info",),
}
FROM_PROMETHEUS = {"job", "instance", "le"}


def metrics() -> dict[str, set[str]]:
    """The labels of each sample that there can be, by its name."""
    made = Metrics()
    made._state.load = Load({"queued": 1}, {"queued": 1.0}, {"failed": 1}, {"failed": 1})
    found: dict[str, set[str]] = {"up": set()}
    for collector in made.registry._collector_to_names:
        for family in collector.collect():
            labels = {name for sample in family.samples for name in sample.labels}
            labels |= set(getattr(collector, "_labelnames", ()))
            for suffix in SUFFIXES[family.type]:
                found[family.name + suffix] = labels | FROM_PROMETHEUS
    return found


METRICS = metrics()
OURS = {name for name in METRICS if name.startswith("reviewbot_")}


def panel_expressions() -> Iterator[str]:
    for panel in PANELS:
        for target in panel["targets"]:
            text = target["expr"]
            for variable, value in (("$__rate_interval", "5m"), ("$__range", "6h"), ("$job", ".*")):
                text = text.replace(variable, value)
            yield text


EXPRESSIONS = [*panel_expressions(), *(rule["expr"] for rule in ALERTS)]


def selectors(expression: str) -> list[Any]:
    """What an expression selects; it must be one that Prometheus can read."""
    found: list[Any] = []

    def look(one: Any) -> bool:
        if isinstance(one, promql_parser.VectorSelector):
            found.append(one)
        return True

    promql_parser.walk(promql_parser.parse(expression), look)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_is_of_metrics_and_labels_that_there_are(expression: str) -> None:
    known = set()
    for selector in selectors(expression):
        assert selector.name in METRICS
        known |= METRICS[selector.name]
        for matcher in selector.matchers.matchers:
            assert matcher.name in METRICS[selector.name] | {"job"}
    for names in re.findall(r"by \(([^)]*)\)", expression):
        assert set(names.replace(" ", "").split(",")) <= known


def test_each_metric_has_a_panel() -> None:
    shown = {selector.name for text in panel_expressions() for selector in selectors(text)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in OURS}
    assert families == {re.sub(r"_(bucket|sum|count)$", "", name) for name in shown if name in OURS}


def test_each_metric_is_described() -> None:
    described = set(
        re.findall(r"^\| `(reviewbot_\w+)` \| (?:\w+) \| ([^|]*)\|", GUIDE, re.MULTILINE)
    )
    names = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in described}
    wanted = {
        re.sub(r"_bucket$", "", name): METRICS[name] - FROM_PROMETHEUS
        for name in OURS
        if not name.endswith(("_sum", "_count"))
    }
    assert names == wanted


def test_the_dashboard_can_be_imported() -> None:
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(DASHBOARD)
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    variables = {one["name"] for one in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(DASHBOARD))) <= variables
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + column, place["y"] + line)
            for column in range(place["w"])
            for line in range(place["h"])
        }
        assert not cells & taken, f"{panel['title']} covers another panel"
        assert place["x"] + place["w"] <= 24
        taken |= cells
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_it_is_and_where_to_read_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert rule["annotations"]["summary"]
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert page == "docs/metrics.md"
    assert anchor == rule["alert"].lower()
    assert f"### {rule['alert']}\n" in GUIDE
    assert re.fullmatch(r"\d+m", rule.get("for", "1m"))


def test_no_alert_is_described_that_is_not_there() -> None:
    assert set(re.findall(r"^### (Reviewbot\w+)$", GUIDE, re.MULTILINE)) == {
        rule["alert"] for rule in ALERTS
    }


def test_alerts_have_names_of_their_own() -> None:
    assert len({rule["alert"] for rule in ALERTS}) == len(ALERTS)

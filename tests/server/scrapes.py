"""What Prometheus would see."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.samples import Sample

    from reviewbot.server.telemetry.metrics import Metrics
    from tests.server.nodes import Node


@dataclass(frozen=True)
class Scrape:
    """The samples of one scrape."""

    text: str

    def samples(self) -> Iterator[Sample]:
        for family in text_string_to_metric_families(self.text):
            yield from family.samples

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of that name which have these labels among theirs."""
        return sum(
            sample.value
            for sample in self.samples()
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def of(self, name: str) -> list[Mapping[str, str]]:
        """The labels of the samples of that name that are not zero."""
        return [one.labels for one in self.samples() if one.name == name and one.value]


async def scrape(one: Node, **headers: str) -> Scrape:
    async with one.client(**headers) as client:
        answer = await client.get("/metrics")
        assert answer.status_code == 200, answer.text
        return Scrape(answer.text)


async def scrape_until(one: Node, holds: Callable[[Scrape], bool]) -> Scrape:
    """The first scrape of which ``holds`` is true."""
    async with asyncio.timeout(20):
        while True:
            seen = await scrape(one)
            if holds(seen):
                return seen
            await asyncio.sleep(0.02)


def exposed(metrics: Metrics) -> Scrape:
    return Scrape(metrics.exposition("", None)[0].decode())

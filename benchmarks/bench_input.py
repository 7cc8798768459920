"""Compare the input of reviews with PR-Agent's: ``python -m benchmarks.bench_input``.

Reviews of real and generated diffs run against the fake of the Anthropic API, which reports no
finding. The input is the text of all requests of a review, finder and summary, in bytes. It is
weighted by cache prices: 1 for input, 1.25 for a write to the cache, 0.1 for a read. PR-Agent's
published size is 7.5 kB and 1.1 times the diff for each review, without a cache.

``first`` is a review of the whole diff. ``second`` is a review of one changed hunk, while PR-Agent
reads the whole diff again. ``cold`` starts with an empty cache; ``warm`` follows another review of
the same repository within the lifetime of the cache.

``verifying`` is what verification adds to a cold first push if each request of the finder has one
finding.

A second table has reviews with look-ups (:mod:`benchmarks.lookup_input`).
"""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks import lookup_input
from benchmarks.weighted_input import PriceCache
from reviewbot.config.settings import load_settings
from reviewbot.core.diff.numbered_line import parse_line
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.prompt.purpose import Purpose
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import workers
from tests.fake_anthropic.replies import Answer, finding
from tests.fake_anthropic.server import FakeAnthropic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.fake_anthropic.requests import Recorded

REAL: Final = Path(__file__).parents[1] / "fixtures" / "real"
MODEL: Final = "claude-sonnet-5-5"
PURPOSE: Final = Purpose("Change it", "As planned.")
GENERATED_KB: Final = (0.7, 2, 4, 8, 13, 27, 53)
GOALS: Final = {"first": 1.25, "second": 0.3}


def peer(diff: bytes) -> float:
    """Return the input of PR-Agent for a review of ``diff``."""
    return 7_500 + 1.1 * len(diff)


def generated(size: float) -> bytes:
    """Return a diff of about ``size`` bytes: files of six hunks, with a few changed lines each."""
    parts: list[str] = []
    hunks = max(1, round(size / 560))
    for number in range(hunks):
        if number % 6 == 0:
            name = f"shop/orders/part_{number // 6}.py"
            parts.append(f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n")
        at = 12 + number % 6 * 40
        parts.append(
            f"@@ -{at},9 +{at},11 @@ class Order{number // 6}:\n"
            f"     def charge_{number}(self, order, *, rate):\n"
            f'         """Return the amount that the customer pays."""\n'
            f"         due = order.net\n"
            f"-        if order.is_exempt:\n"
            f"-            return due\n"
            f"+        if order.is_exempt(on=self.today()):\n"
            f"+            self.log.info('order %s is exempt', order.id)\n"
            f"+            return round(due, 2)\n"
            f"+\n"
            f"         due += order.net * rate.of(order.region)\n"
            f"         if due < order.deposit:\n"
            f"             raise ValueError(order.id)\n"
            f"         return round(due, 2)\n"
        )
    return "".join(parts).encode()


def second_push(diff: bytes) -> bytes:
    """Return the middle hunk of ``diff``, which the second push changed."""
    pairs = [(file, hunk) for file in parse_diff(diff) for hunk in file.hunks]
    file, hunk = pairs[len(pairs) // 2]
    return file_diff_text(replace(file, hunks=(hunk,)))


def answer(request: Recorded) -> Answer:
    """Answer without a finding, with a line for each file, or with a summary."""
    if not request.body.get("tools"):
        return Answer(report=json.dumps({"what": "It changes the charges.", "look_at": []}))
    return Answer()


def answer_with_finding(request: Recorded) -> Answer:
    """Answer with one finding, on the first added line."""
    if not request.body.get("tools"):
        return answer(request)
    changes = request.text[request.text.index("<changes>") :].split("\n")
    path, _ = json.JSONDecoder().raw_decode(changes[1].removeprefix("=== file "))
    shown = (line for line in map(parse_line, changes) if line and line.mark == "+")
    line = next(line for line in shown if line.text.strip())
    at = {"line": line.number, "end_line": line.number}
    return Answer([finding(path=path, quote=line.text, **at)])


async def inputs(server: FakeAnthropic, cache: PriceCache, diff: bytes) -> tuple[float, float]:
    """Return the weighted input of finder and summary, and of the verification, in bytes."""
    env = {"ANTHROPIC_API_KEY": server.key}
    flags = {"model": MODEL, "base_url": server.base_url, "verify": True}
    settings = load_settings(flags=flags, env=env)
    prepared = prepare(diff, settings)
    seen, verified = len(server.requests), len(server.verifications)
    async with workers(prepared, settings, purpose=PURPOSE) as crew:
        events = review(prepared.job, crew.run_batch, summarize=crew.summarize, verify=crew.verify)
        async with aclosing(events):
            async for _ in events:
                pass
    found, verdicts = server.requests[seen:], server.verifications[verified:]
    return (
        sum(cache.price(request.body) for request in found),
        sum(cache.price(request.body) for request in verdicts),
    )


@dataclass(frozen=True)
class Row:
    """Weighted bytes of the reviews of one diff."""

    name: str
    diff: bytes
    ours: dict[str, float]


async def row(name: str, diff: bytes) -> Row:
    """Measure one diff: first and second push, with an empty and with a warm cache."""
    ours: dict[str, float] = {}
    async with FakeAnthropic(answer) as server:
        other = PriceCache()
        await inputs(server, other, generated(1_000))
        for push, data in (("first", diff), ("second", second_push(diff))):
            ours[f"{push} cold"], _ = await inputs(server, PriceCache(), data)
            ours[f"{push} warm"], _ = await inputs(server, other, data)
        server.respond = answer_with_finding
        _, ours["verifying"] = await inputs(server, PriceCache(), diff)
    return Row(name, diff, ours)


def show(name: str, size: float, ours: dict[str, float], theirs: float) -> str:
    """Return a line of the table: bytes and ratios."""
    ratios = "  ".join(f"{value / 1000:6.1f} {value / theirs:5.2f}" for value in ours.values())
    return f"{name:<14} {size / 1000:6.1f} {theirs / 1000:8.1f}  {ratios}"


def total(name: str, rows: Sequence[Row]) -> str:
    """Return the line of a group: sums, and the ratios of the sums."""
    ours = {key: sum(one.ours[key] for one in rows) for key in rows[0].ours}
    return show(name, sum(len(one.diff) for one in rows), ours, sum(peer(one.diff) for one in rows))


async def measure() -> None:
    """Print one line for each diff, and the sums."""
    real = [
        await row(path.stem, path.read_bytes())
        for path in sorted(REAL.glob("*.diff"), key=lambda path: path.stat().st_size)
    ]
    made = [await row(f"{size} kB", generated(size * 1000)) for size in GENERATED_KB]
    keys = "  ".join(f"{key:>12}" for key in real[0].ours)
    print(f"{'weighted kB':<14} {'diff':>6} {'PR-Agent':>8}  {keys}")
    for group, name in ((real, "real"), (made, "generated")):
        for one in group:
            print(show(one.name, len(one.diff), one.ours, peer(one.diff)))
        print(total(name, group))
    print(total("all", [*real, *made]))
    print(f"goals: first {GOALS['first']}, second {GOALS['second']}")
    await lookup_input.measure(sorted(path.stem for path in REAL.glob("*.diff")))


if __name__ == "__main__":
    asyncio.run(measure())

"""The input of reviews with twenty look-ups, relative to reviews without.

A scripted model reviews commits of this repository against the fake of the Anthropic API. It looks
up five times in each of four turns: lines around the changes, and names that the changes use. Then
it reports nothing. The look-ups are answered from the commit. The input is the text of all
requests, the summary's included, in bytes; ``weighted`` is by cache prices.
``bytes x`` and ``cost x`` are the ratios of both with look-ups to those without, and ``peer x`` are
those of the weighted bytes to PR-Agent's input, without look-ups and with. The last line has the
median of the weighted input in dollars.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from benchmarks.weighted_input import PriceCache, blocks
from reviewbot.code.git_files import GitFiles
from reviewbot.code.git_repository import open_repository
from reviewbot.config.settings import load_settings
from reviewbot.core.diff.parse import parse_diff
from reviewbot.errors import SourceError
from reviewbot.models.catalog import lookup
from reviewbot.models.dialogue import ONLY_REPORT
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import workers
from tests.fake_anthropic.replies import Answer
from tests.fake_anthropic.server import FakeAnthropic

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reviewbot.code.git_repository import GitRepository
    from reviewbot.core.diff.parse import FileDiff
    from tests.fake_anthropic.requests import Recorded

    Call: TypeAlias = tuple[str, dict[str, Any]]

ROOT: Final = Path(__file__).parents[1]
MODEL: Final = "claude-sonnet-5-5"
TURNS: Final = 4
EACH: Final = 5
"""Look-ups of a turn: three reads and two searches."""
BYTES_PER_TOKEN: Final = 4
"""Of source text; only the dollars depend on it."""
AROUND: Final = 30
"""Lines on both sides of the start of a hunk that are read."""
_NAME: Final = re.compile(rb"^[+].*?\b([A-Za-z_]\w{4,40})\(", re.MULTILINE)


def calls_for(files: Sequence[FileDiff]) -> list[Call]:
    """Return the look-ups about a change, in order."""
    hunks = [(file, hunk) for file in files if file.new_path for hunk in file.hunks]
    found = [name.decode() for _, hunk in hunks for name in _NAME.findall(hunk.raw)]
    names = list(dict.fromkeys(found)) or [Path(file.path).stem for file, _ in hunks]
    reads = cycle(
        ("read_code", {"path": file.path, "first": max(1, start - AROUND), "last": start + AROUND})
        for file, hunk in hunks
        for start in (hunk.new_start,)
    )
    searches = cycle(("search_code", {"text": name}) for name in names)
    calls: list[Call] = []
    for _ in range(TURNS):
        calls += [*islice(reads, 3), *islice(searches, 2)]
    return calls


@dataclass(frozen=True)
class Input:
    """Input of a review: its requests, bytes, and bytes weighted by cache prices."""

    requests: int
    size: int
    weighted: float


async def measured(repository: GitRepository, diff: bytes, *, looks_up: bool) -> Input:
    """Return the input of a review of a commit."""
    calls = calls_for(parse_diff(diff))

    def answer(request: Recorded) -> Answer:
        if not request.body.get("tools"):
            return Answer(report='{"what": "It changes the project.", "look_at": []}')
        turn = len(request.body["messages"]) // 2
        if not request.offers_lookups or turn >= TURNS or ONLY_REPORT in request.text:
            return Answer()
        return Answer(call=False, lookups=calls[EACH * turn : EACH * (turn + 1)])

    async with FakeAnthropic(answer) as server:
        env = {"ANTHROPIC_API_KEY": server.key}
        flags = {"model": MODEL, "base_url": server.base_url, "lookups": 20 if looks_up else 0}
        settings = load_settings(flags=flags, env=env)
        prepared = prepare(diff, settings)
        async with workers(prepared, settings, code=GitFiles(repository)) as crew:
            job = replace(prepared.job, lookups=crew.lookups)
            events = review(job, crew.run_batch, summarize=crew.summarize)
            async with aclosing(events):
                async for _ in events:
                    pass
        bodies = [request.body for request in server.requests]
    cache = PriceCache()
    return Input(
        len(bodies),
        sum(len(text.encode()) for body in bodies for text, _ in blocks(body)),
        sum(cache.price(body) for body in bodies),
    )


def line(name: str, size: int, without: Input, with_lookups: Input, peer: float) -> str:
    """Return a line of the table: kB, and ratios to the review without look-ups."""
    figures = (size, without.size, with_lookups.size, without.weighted, with_lookups.weighted)
    ratios = (
        with_lookups.size / without.size,
        with_lookups.weighted / without.weighted,
        without.weighted / peer,
        with_lookups.weighted / peer,
    )
    columns = (
        *(f"{value / 1000:8.1f}" for value in figures),
        *(f"{ratio:7.2f}" for ratio in ratios),
    )
    return f"{name:<10} {with_lookups.requests:>3} {' '.join(columns)}"


def _sum(inputs: Sequence[Input]) -> Input:
    return Input(
        sum(measured.requests for measured in inputs),
        sum(measured.size for measured in inputs),
        sum(measured.weighted for measured in inputs),
    )


def _commits(names: Sequence[str]) -> Iterator[tuple[str, GitRepository]]:
    for name in names:
        try:
            yield name, open_repository(ROOT, commit=name)
        except SourceError as error:
            print(f"{name:<10} left out: {error}")


async def measure(names: Sequence[str]) -> None:
    """Print one line for each commit, and the sums."""
    print(
        f"{'look-ups':<10} {'req':>3} {'diff kB':>8} {'without':>8} {'with':>8} {'weighted':>8}"
        f" {'with':>8} {'bytes x':>7} {'cost x':>7} {'peer x':>7} {'peer x':>7}"
    )
    sizes: list[int] = []
    rows: list[tuple[Input, Input]] = []
    for name, repository in _commits(names):
        diff = repository.changes()
        without = await measured(repository, diff, looks_up=False)
        rows.append((without, await measured(repository, diff, looks_up=True)))
        sizes.append(len(diff))
        print(line(name, len(diff), *rows[-1], 7_500 + 1.1 * len(diff)), flush=True)
    if rows:
        firsts, seconds = zip(*rows, strict=True)
        peers = sum(7_500 + 1.1 * size for size in sizes)
        print(line("all", sum(sizes), _sum(firsts), _sum(seconds), peers))
        prices = lookup(MODEL).prices
        if prices is not None:
            cost = median(row.weighted for row in seconds) / BYTES_PER_TOKEN * prices.input / 1e6
            print(f"median input of a review with look-ups, {MODEL}: ${cost:.3f}")

"""Growth of the offline review with hostile text: ``python -m benchmarks.bench_hostile``.

The table has the seconds of a whole review, measured in a process of its own, and the growth for
each doubling of the size: 2 is linear. A row ends with "cut by the limit" if the parser stopped the
file. The last lines are the cost of the process that parses: the hunks of the demo matched in this
process and through a warm process, and the start of a process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import subprocess
import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

KB = 1000
SIZES = (14, 28, 56, 112, 224, 400)
FILES = (250, 500, 1000, 2000, 4000)
LONGEST_S = 60.0
"""Seconds after which a review is ended and larger sizes of its shape are left out."""
DEMO = Path(__file__).parents[1] / "fixtures" / "demo.diff"
REPEATS = 50


def added(path: str, text: str) -> str:
    """Return the part of a diff that adds a file."""
    lines = text.split("\n")
    body = "".join(f"+{line}\n" for line in lines)
    return (
        f"diff --git a/{path} b/{path}\nnew file mode 100644\n--- /dev/null\n+++ b/{path}\n"
        f"@@ -0,0 +1,{len(lines)} @@\n{body}"
    )


def repeated(path: str, unit: str, close: str = "") -> Callable[[int], str]:
    """Return a maker of diffs by size in KB: a line that rules look for, and a unit many times."""

    def make(size: int) -> str:
        times = size * KB // len(unit + close)
        return added(path, f"eval(x)\n{unit * times}x{close * times}\n")

    return make


def many_files(count: int) -> str:
    """Make a diff of small files."""
    return "".join(added(f"f{one}.py", f"x = {one}\neval(x)\ny = x\n") for one in range(count))


PASSWORD = "pass" + "word := 7a376f791dd0bcfdaa98;"
CASES: dict[str, tuple[tuple[int, ...], Callable[[int], str]]] = {
    "nested lambda": (SIZES, repeated("a.py", "lambda:")),
    "nested JSX": (SIZES, repeated("a.tsx", "<a>", "</a>")),
    "a+a+...": (SIZES, repeated("a.ts", "a+")),
    "passwords, 1 a line": (SIZES, repeated("a.sh", PASSWORD + "\n")),
    "passwords, 1 line": (SIZES, repeated("a.sh", PASSWORD)),
    "many small files": (FILES, many_files),
}
"""Name, sizes (KB, of many files their number) and maker of each shape."""


def main() -> None:
    """Print the figures, or measure one review when called by ourselves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="SHAPE", help=", ".join(CASES))
    parser.add_argument("--measure", nargs=2, metavar=("SHAPE", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        name, size = options.measure
        print(json.dumps(asyncio.run(measure(CASES[name][1](int(size))))))
        return
    unknown = [name for name in options.names if name not in CASES]
    if unknown:
        parser.error(f"no shape {', '.join(unknown)}; there are {', '.join(CASES)}")
    print(f"{'shape':>20} {'size':>8} {'s':>7} {'growth':>7}")
    for name in options.names or CASES:
        report(name)
    asyncio.run(report_worker())


def report(name: str) -> None:
    """Measure one shape and print its rows."""
    sizes, _ = CASES[name]
    before: tuple[int, float] | None = None
    for size in sizes:
        unit = "files" if sizes is FILES else "KB"
        command = [sys.executable, "-m", "benchmarks.bench_hostile", "--measure", name, str(size)]
        try:
            output = subprocess.check_output(command, timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            print(f"{name:>20} {size:>5} {unit:<5} ended after {LONGEST_S:.0f} s", flush=True)
            return
        figures = json.loads(output)
        growth = ""
        if before and not figures["stopped"]:
            growth = f"{growth_of(before, (size, figures['seconds'])):.2f}"
        note = "cut by the limit" if figures["stopped"] else ""
        print(
            f"{name:>20} {size:>5} {unit:<5} {figures['seconds']:4.2f} {growth:>7} {note}",
            flush=True,
        )
        before = (size, figures["seconds"])


def growth_of(before: tuple[int, float], after: tuple[int, float]) -> float:
    """Return the factor of the time for a doubling of the size."""
    doublings = math.log2(after[0] / before[0])
    return float((after[1] / before[1]) ** (1 / doublings))


async def measure(diff: str) -> dict[str, Any]:
    """Review a diff in this process, after a small one that loads what a review needs."""
    await reviewed(added("warm.py", "eval(x)"))
    seconds, stopped = await reviewed(diff)
    return {"seconds": seconds, "stopped": stopped}


async def reviewed(diff: str) -> tuple[float, str]:
    """Return the seconds of a review, and why a file was not read whole."""
    from reviewbot.config.settings import load_settings
    from reviewbot.core.events.events import ReviewFinished
    from reviewbot.pipeline.prepare import prepare
    from reviewbot.pipeline.review import review
    from reviewbot.pipeline.workers import own_pool, workers

    settings = load_settings(flags={"model": "offline"}, env={})
    async with own_pool() as pool:
        await pool.warm()
        parser = pool.for_tenant("bench")
        started = time.perf_counter()
        prepared = prepare(diff.encode(), settings)
        async with (
            workers(prepared, settings, parser=parser) as work,
            aclosing(
                review(prepared.job, work.run_batch, keeps_syntax=work.keeps_syntax)
            ) as events,
        ):
            *_, last = [event async for event in events]
        seconds = time.perf_counter() - started
    assert isinstance(last, ReviewFinished), last
    return seconds, " ".join(last.reasons)


async def report_worker() -> None:
    """Print the cost of a process that parses."""
    from reviewbot.models.offline.parser import Allowance, Parser, ParserPool
    from reviewbot.models.offline.worker import answer

    requests = demo_requests()
    pool = ParserPool()
    started = time.perf_counter()
    await pool.warm()
    start = time.perf_counter() - started
    parser: Parser = pool.for_tenant("bench")
    here, there = [], []
    for _ in range(REPEATS):
        for language, hunks, patterns in requests:
            request = {
                "do": "match",
                "language": language,
                "hunks": [{"lines": one.lines, "fresh": one.fresh} for one in hunks],
                "patterns": [
                    {"matcher": it.matcher, "focus": it.focus, "fix": it.fix, "texts": it.texts}
                    for it in patterns
                ],
            }
            started = time.perf_counter()
            answer(request)
            between = time.perf_counter()
            await parser.match(language, hunks, patterns, Allowance())
            there.append(time.perf_counter() - between)
            here.append(between - started)
    pool.close()
    own, other = statistics.median(here) * KB, statistics.median(there) * KB
    print(f"matching the hunks of the demo, {len(requests)} files, median of {len(here)} requests")
    print(
        f"  in this process {own:.2f} ms, through a warm process {other:.2f} ms: {other / own:.2f}"
    )
    print(f"  start of a process {start * KB:.0f} ms")


def demo_requests() -> list[tuple[str, Any, Any]]:
    """Return language, hunks and patterns of each file of the demo that is parsed."""
    from reviewbot.config.settings import load_settings
    from reviewbot.core.prompt.views import Views
    from reviewbot.models.offline.model import Scan
    from reviewbot.pipeline.prepare import prepare

    settings = load_settings(flags={"model": "offline"}, env={})
    job = prepare(DEMO.read_bytes(), settings).job
    views, _ = Views(job.files, job.path_instructions).of(job.plan.chunks)
    scans = [scan for scan in map(Scan, views) if scan.hunks]
    assert scans
    return [(scan.language, scan.hunks, scan.patterns) for scan in scans]


if __name__ == "__main__":
    main()

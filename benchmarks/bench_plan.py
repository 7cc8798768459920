"""Measure time and memory of planning a diff: ``python -m benchmarks.bench_plan``.

Each case runs in a separate process, which reads, parses and plans the bytes. The resident peak is
that of the process, minus that of an idle one with the same imports. Growth is the time per
megabyte, which must not rise; memory is the peak over the size of the diff, which the project keeps
under four. A file that must be split and has at most a megabyte is tokenized: that row holds the
encoding as well, 0.3 s and 100 MB whatever the size of the diff.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MB = 1_000_000
CODE = [
    b" def charge(order, *, rate):\n",
    b'     """What the customer pays."""\n',
    b"-    due = order.net\n",
    b"+    due = order.net * rate\n",
    b" \n",
    b"     if due < 0:\n",
    b"+        raise ValueError(f'{order.id} would be paid to be taken')\n",
    b"     return round(due, 2)\n",
]
OLD, NEW = sum(line[0] != 43 for line in CODE), sum(line[0] != 45 for line in CODE)


@dataclass(frozen=True)
class Figures:
    """Figures of one case: seconds, parts, and peak bytes above an idle process."""

    parse_s: float
    plan_s: float
    chunks: int
    peak: int


def many_files(size: int) -> Iterator[bytes]:
    """Yield files of about 10 kB in hunks of 40 lines."""
    body = b"".join(CODE) * 5
    hunks = b"".join(
        b"@@ -%d,%d +%d,%d @@ class Order:\n%b"
        % (1 + number * 99, OLD * 5, 1 + number * 99, NEW * 5, body)
        for number in range(10)
    )
    for number in range(max(1, size // len(hunks))):
        name = b"shop/part%d.py" % number
        yield b"diff --git a/%b b/%b\n--- a/%b\n+++ b/%b\n%b" % (name, name, name, name, hunks)


def one_hunk(size: int) -> Iterator[bytes]:
    """Yield a single hunk, so that everything is split inside it."""
    times = size // sum(map(len, CODE))
    yield b"diff --git a/shop/all.py b/shop/all.py\n--- a/shop/all.py\n+++ b/shop/all.py\n"
    yield b"@@ -1,%d +1,%d @@\n" % (OLD * times, NEW * times)
    block = b"".join(CODE)
    for _ in range(times):
        yield block


def one_line(size: int) -> Iterator[bytes]:
    """Yield a single line, which is cut."""
    yield b"diff --git a/data.py b/data.py\n--- a/data.py\n+++ b/data.py\n@@ -1 +1 @@\n-x\n+"
    for _ in range(size // 10):
        yield b"0123456789"
    yield b"\n"


CASES: dict[str, Callable[[int], Iterator[bytes]]] = {
    "many files": many_files,
    "one hunk": one_hunk,
    "one line": one_line,
}


def main() -> None:
    """Print the figures, or measure one file when called by ourselves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(asdict(measure(options.measure))))
        return
    print(
        f"{'diff':>12} {'MB':>5} {'parse s':>8} {'plan s':>8} {'s/MB':>7} {'chunks':>7} peak/size"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, make in CASES.items():
            for megabytes in options.megabytes:
                path = Path(folder) / "one.diff"
                with path.open("wb") as file:
                    file.writelines(make(megabytes * MB))
                report(name, path)


def report(name: str, path: Path) -> None:
    """Measure ``path`` in a separate process, and print one row."""
    command = [sys.executable, "-m", "benchmarks.bench_plan", "--measure", str(path)]
    figures = Figures(**json.loads(subprocess.check_output(command)))
    size = path.stat().st_size
    total = figures.parse_s + figures.plan_s
    print(
        f"{name:>12} {size / MB:5.0f} {figures.parse_s:8.2f} {figures.plan_s:8.2f} "
        f"{total / size * MB:7.3f} {figures.chunks:7} {figures.peak / size:9.2f}",
        flush=True,
    )


def measure(path: Path) -> Figures:
    """Parse and plan ``path`` in this process."""
    from reviewbot.core.diff.parse import parse_diff
    from reviewbot.core.plan.policy import Policy, exclusion
    from reviewbot.models.tokens import TokenCounter
    from tests.support.chunk_plans import plan

    policy, counter = Policy(), TokenCounter(1.6)
    idle = peak_memory()
    data = path.read_bytes()
    started = time.perf_counter()
    files = parse_diff(data)
    parsed = time.perf_counter()
    made = plan(files, skip=lambda file: exclusion(file, policy), count=counter)
    done = time.perf_counter()
    return Figures(parsed - started, done - parsed, len(made.chunks), peak_memory() - idle)


def peak_memory() -> int:
    """Return the resident peak of this process in bytes; Linux counts in kB, macOS in bytes."""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()

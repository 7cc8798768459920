"""Compare parse_diff with plain unidiff; measure growth from 1 to 100 MB, and memory.

Plain unidiff is ``PatchSet(data)``, which decodes and reads everything. Ours is ``parse_diff`` and
then every line of every hunk, all kept in memory, as unidiff keeps them. Both are the best
processor time of several runs. ``scan`` is parse_diff alone, before any line is read.
"""

from __future__ import annotations

import gc
import random
import resource
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from unidiff.patch import PatchSet

from reviewbot.core.diff.parse import parse_diff

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.diff.parse import DiffLine

MB = 1_000_000
SIZES_MB = (1, 10, 100)
FIXTURES = Path(__file__).parent.parent / "fixtures" / "awkward-diffs" / "git"


def make_diff(size: int, *, hunks: int, changed: tuple[int, int], context: int = 3) -> bytes:
    """Return a diff of about ``size`` bytes: files of up to ``hunks`` hunks with many changes."""
    draw = random.Random(1)  # noqa: S311 - a benchmark wants the same diff each time
    out: list[bytes] = []
    total = number = 0
    while total < size:
        number += 1
        name = b"src/part%d.py" % number
        file = [
            b"diff --git a/%b b/%b\nindex 1234567..89abcde 100644\n--- a/%b\n+++ b/%b\n"
            % (name, name, name, name)
        ]
        old = new = 1
        for _ in range(draw.randint(1, hunks)):
            around = b"     total = total + 1  # context\n" * context
            body = [
                draw.choice((b"+", b"+", b"-", b" ") if at else (b"+",))
                + b"    " * draw.randint(0, 3)
                + b"value = compute(%d, other=%d)\n" % (at, old)
                for at in range(draw.randint(*changed))
            ]
            olds = 2 * context + sum(line[:1] != b"+" for line in body)
            news = 2 * context + sum(line[:1] != b"-" for line in body)
            start = old if olds else old - 1
            file.append(b"@@ -%d,%d +%d,%d @@ def work(order):\n" % (start, olds, new, news))
            file += [around, *body, around]
            old, new = old + olds + 10, new + news + 10
        out += file
        total += sum(map(len, file))
    return b"".join(out)


def best(run: Callable[[], object], times: int = 7) -> float:
    """Return the best processor time of ``times`` runs, without freeing the results."""
    seconds = []
    for _ in range(times):
        gc.collect()
        start = time.process_time()
        made = run()
        seconds.append(time.process_time() - start)
        del made
    return min(seconds)


def read_all(data: bytes) -> list[tuple[DiffLine, ...]]:
    """Return every line of every hunk."""
    return [hunk.lines for file in parse_diff(data) for hunk in file.hunks]


def beside_unidiff() -> None:
    """Print a line for each kind of diff."""
    cases = {
        "typical": make_diff(MB, hunks=8, changed=(1, 40)),
        "one file of 1 MB": make_diff(MB, hunks=1, changed=(25_000, 25_000)),
        "small files": make_diff(MB, hunks=1, changed=(1, 6)),
        "changes of 1-2 lines": make_diff(MB, hunks=40, changed=(1, 2)),
        "no context (-U0)": make_diff(MB, hunks=40, changed=(1, 3), context=0),
    }
    for name in ("lockfile-and-code", "many-hunks", "many-files"):
        cases[f"fixture {name}"] = (FIXTURES / f"{name}.diff").read_bytes()
    print(f"{'diff':>26} {'MB':>5} {'unidiff MB/s':>12} {'ours MB/s':>9} {'time':>6} {'scan':>6}")
    for name, data in cases.items():
        size = len(data) / MB
        theirs, ours, scan = (best(partial(run, data)) for run in (PatchSet, read_all, parse_diff))
        print(
            f"{name:>26} {size:>5.2f} {size / theirs:>12.1f} {size / ours:>9.1f}"
            f" {ours / theirs:>5.2f}x {scan / theirs:>5.2f}x"
        )


def write_many_files(path: Path, megabytes: int) -> None:
    """Write the same typical megabyte repeatedly."""
    block = make_diff(MB, hunks=8, changed=(1, 40))
    with path.open("wb") as out:
        for _ in range(megabytes):
            out.write(block)


def write_one_hunk(path: Path, megabytes: int) -> None:
    """Write a single file with a single hunk."""
    block = (
        b"     same = 1\n-    old = compute(1, other=2)\n+    new = compute(1, other=3)\n" * 12_500
    )
    lines = 25_000 * megabytes
    with path.open("wb") as out:
        out.write(b"diff --git a/f b/f\nindex 1234567..89abcde 100644\n--- a/f\n+++ b/f\n")
        out.write(b"@@ -1,%d +1,%d @@\n" % (lines, lines))
        for _ in range(megabytes):
            out.write(block)


def measure(path: Path) -> None:
    """Print the seconds to scan, to read line by line, and the peak above what the imports take."""
    idle = peak()
    data = path.read_bytes()
    start = time.process_time()
    files = parse_diff(data)
    scanned = time.process_time()
    for file in files:
        for hunk in file.hunks:
            for _ in hunk.iter_lines():
                pass
    read = time.process_time()
    print(len(data), scanned - start, read - scanned, peak() - idle)


def peak() -> int:
    """Return the resident peak of this process in bytes.

    On Linux it is read from ``/proc``: ``ru_maxrss`` of a child starts at its parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def growth() -> None:
    """Measure each size in a separate process; linear is a factor of 10 between two sizes."""
    print(
        f"{'diff':>26} {'MB':>5} {'scan s':>9} {'grew':>6} {'read s':>9} {'grew':>6}"
        f" {'peak/size':>9}"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "diff")
        for name, write in (("many files", write_many_files), ("one hunk", write_one_hunk)):
            before: tuple[float, float] | None = None
            for megabytes in SIZES_MB:
                write(path, megabytes)
                done = subprocess.run(
                    [sys.executable, "-m", "benchmarks.bench_diff", str(path)],
                    capture_output=True,
                    check=True,
                    text=True,
                )
                size, scan, read, used = map(float, done.stdout.split())
                grew = [
                    f"{now / then:.1f}x"
                    for now, then in zip((scan, read), before or (), strict=False)
                ]
                scan_grew, read_grew = grew or ("", "")
                print(
                    f"{name:>26} {size / MB:>5.0f} {scan:>9.3f} {scan_grew:>6}"
                    f" {read:>9.3f} {read_grew:>6} {used / size:>9.2f}"
                )
                before = scan, read


def main() -> None:
    """Print both tables."""
    if len(sys.argv) > 1:
        measure(Path(sys.argv[1]))
        return
    beside_unidiff()
    print()
    growth()


if __name__ == "__main__":
    main()

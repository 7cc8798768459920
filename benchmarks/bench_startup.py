"""Measure time and memory of whole commands: ``python -m benchmarks.bench_startup``.

Each command runs many times, in turn with a bare ``python -c pass``; medians and their ratio are
printed, and the same of processor time, child processes included: other work on the machine
changes it less. ``--version`` should stay below 10 times, an offline review of the demo below 50
times.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

DEMO = Path(__file__).parents[1] / "fixtures" / "demo.diff"
PASS = (sys.executable, "-c", "pass")
CASES = {
    "reviewbot --version": (10, ("--version",)),
    "reviewbot review --help": (10, ("review", "--help")),
    "offline review of the demo": (50, ("review", str(DEMO), "--model", "offline")),
}


def measure(command: tuple[str, ...]) -> tuple[float, float, int]:
    """Return elapsed seconds, processor seconds and resident peak; findings are no failure."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    processor = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - begun, processor, usage.ru_maxrss * 1024


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=15, help="runs of each (default: %(default)s)")
    runs: int = parser.parse_args().n
    script = Path(sys.executable).with_name("reviewbot")
    base = (str(script),) if script.exists() else (sys.executable, "-m", "reviewbot")
    for name, (limit, arguments) in CASES.items():
        command = (*base, *arguments)
        measure(PASS)
        measure(command)
        pairs = [(measure(PASS), measure(command)) for _ in range(runs)]
        bare, bare_cpu = (statistics.median(one[n] for one, _ in pairs) for n in (0, 1))
        ours, ours_cpu = (statistics.median(other[n] for _, other in pairs) for n in (0, 1))
        peak = max(other[2] for _, other in pairs)
        print(
            f"{name}: {ours * 1000:.0f} ms beside {bare * 1000:.1f} ms of python -c pass: "
            f"{ours / bare:.1f} times (at most {limit}), in processor time "
            f"{ours_cpu * 1000:.0f} ms and {ours_cpu / bare_cpu:.1f} times; "
            f"peak {peak / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main()

"""Measure time and memory of whole commands: ``python -m benchmarks.bench_startup``.

Each command runs many times, in turn with a bare ``python -c pass``; medians and their ratio are
printed, and the same of processor time, child processes included: other work on the machine
changes it less. The byte code of modules is cached, as after an installation. A review with a key
is measured until its first request reaches a server, and ended then.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

DEMO = Path(__file__).parents[1] / "fixtures" / "demo.diff"
SMALL = """\
--- a/app/store.py
+++ b/app/store.py
@@ -1,5 +1,8 @@
 import json
 def load(path):
-    with open(path) as file:
-        return json.load(file)
+    try:
+        with open(path) as file:
+            return json.load(file)
+    except OSError:
+        return None
 FOLDER = "."
"""
PASS = (sys.executable, "-c", "pass")
ENVIRONMENT = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
REQUEST = b"POST /v1/messages"


def measure(command: tuple[str, ...]) -> tuple[float, float, int]:
    """Return elapsed seconds, processor seconds and resident peak; findings are no failure."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    processor = usage.ru_utime + usage.ru_stime
    return time.perf_counter() - begun, processor, usage.ru_maxrss * 1024


def measure_first_request(command: tuple[str, ...]) -> tuple[float, float, int]:
    """Return the same of a review, up to its first request to a model."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        model = {"ANTHROPIC_API_KEY": "unused", "ANTHROPIC_BASE_URL": address}
        begun = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, env=ENVIRONMENT | model
        ) as process:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(60)
                received = b""
                while REQUEST not in received:
                    data = connection.recv(1 << 16)
                    if not data:
                        raise SystemExit("the review has ended without a request")
                    received += data
                elapsed = time.perf_counter() - begun
                root = psutil.Process(process.pid)
                times, peak = root.cpu_times(), root.memory_info().rss
                processor = sum(times[:4])  # its own, and that of children that have ended
                for child in root.children(recursive=True):
                    processor += sum(child.cpu_times()[:2])
                process.kill()
        return elapsed, processor, peak


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=15, help="runs of each (default: %(default)s)")
    runs: int = parser.parse_args().n
    script = Path(sys.executable).with_name("reviewbot")
    base = (str(script),) if script.exists() else (sys.executable, "-m", "reviewbot")
    with TemporaryDirectory() as folder:
        ENVIRONMENT["REVIEWBOT_STATE_DIR"] = folder
        small = Path(folder, "small.diff")
        small.write_text(SMALL)
        offline = ("--model", "offline")
        cases = (
            ("reviewbot --version", measure, ("--version",)),
            ("reviewbot review --help", measure, ("review", "--help")),
            ("offline review of a small diff", measure, ("review", str(small), *offline)),
            ("offline review of the demo", measure, ("review", str(DEMO), *offline)),
            ("until the first request", measure_first_request, ("review", str(small))),
        )
        for name, measured, arguments in cases:
            command = (*base, *arguments)
            measure(PASS)
            measured(command)
            pairs = [(measure(PASS), measured(command)) for _ in range(runs)]
            bare, bare_cpu = (statistics.median(first[n] for first, _ in pairs) for n in (0, 1))
            ours, ours_cpu = (statistics.median(second[n] for _, second in pairs) for n in (0, 1))
            peak = max(second[2] for _, second in pairs)
            print(
                f"{name}: {ours * 1000:.0f} ms beside {bare * 1000:.1f} ms of python -c pass: "
                f"{ours / bare:.1f} times, in processor time "
                f"{ours_cpu * 1000:.0f} ms and {ours_cpu / bare_cpu:.1f} times; "
                f"peak {peak / 1e6:.0f} MB"
            )


if __name__ == "__main__":
    main()

"""Measure the installation of the Action: ``python -m benchmarks.bench_action``.

``requirements/install-action.sh`` runs as on a runner of GitHub, which keeps nothing, and as on a
self-hosted runner: cold, with an empty tool cache, and warm, with the wheels of the cold run. For
comparison, pip installs the same lock into a new environment, as an Action without a cache and
without uv would. Medians and their ratio are printed. All but the warm runs use the package index,
so they depend on the network.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "requirements"
RUNS = 3


def seconds(*command: str, env: dict[str, str]) -> float:
    """Return the wall-clock seconds of one run."""
    begun = time.perf_counter()
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return time.perf_counter() - begun


def by_action(runner: Path, kind: str) -> float:
    """Install as the first step of the Action does, on a runner of a kind."""
    env = os.environ | {
        "RUNNER_ENVIRONMENT": kind,
        "RUNNER_TEMP": str(runner / "temp"),
        "RUNNER_TOOL_CACHE": str(runner / "tools"),
        "GITHUB_OUTPUT": str(runner / "output"),
    }
    (runner / "temp").mkdir(parents=True, exist_ok=True)
    return seconds("sh", str(REQUIREMENTS / "install-action.sh"), env=env)


def by_pip(folder: Path) -> float:
    """Install with pip alone, without its cache."""
    env = dict(os.environ)
    made = seconds(sys.executable, "-m", "venv", str(folder), env=env)
    pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-cache-dir")
    lock = str(REQUIREMENTS / "action.txt")
    return made + seconds(*pip, "--no-deps", "--require-hashes", "-r", lock, env=env)


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=RUNS, help="runs of each (default: %(default)s)")
    runs: int = parser.parse_args().n
    pip, hosted, cold, warm = [], [], [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            pip.append(by_pip(Path(folder) / "pip"))
            hosted.append(by_action(Path(folder) / "hosted", "github-hosted"))
            cold.append(by_action(Path(folder) / "runner", "self-hosted"))
            warm.append(by_action(Path(folder) / "runner", "self-hosted"))
    base = statistics.median(pip)
    for name, times in (("hosted", hosted), ("cold", cold), ("warm", warm)):
        ours = statistics.median(times)
        print(f"{name}: {ours:.2f} s beside {base:.2f} s of pip alone: {ours / base:.2f} times")


if __name__ == "__main__":
    main()

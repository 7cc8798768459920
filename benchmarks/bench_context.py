"""Measure the cost of context around changes: ``python -m benchmarks.bench_context``.

The diffs of ``fixtures/real`` are commits of this project, and its history has their whole files.
Without that history there is nothing to measure. Tokens are estimates of the plan for the diff,
without the prefix of each request. Each wanted file would be one request to GitHub.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.config.settings import OFFLINE, load_settings
from reviewbot.core.diff.parse import parse_diff
from reviewbot.pipeline.context import ContextPlanner
from reviewbot.pipeline.prepare import prepare

if TYPE_CHECKING:
    from reviewbot.config.settings import Settings

ROOT = Path(__file__).parents[1]
REAL = ROOT / "fixtures" / "real"
MODEL = "claude-sonnet-5-5"


@dataclass(frozen=True)
class Row:
    """One diff with and without context; seconds are those of planning and widening."""

    files: int
    requests: tuple[int, int]
    tokens: tuple[int, int]
    seconds: float


def set_to(model: str, lines: int) -> Settings:
    """Return settings that use no model and ignore this machine."""
    return load_settings(
        flags={"model": model, "summary": False, "context_lines": lines, "state_dir": "/nowhere"},
        env={"ANTHROPIC_API_KEY": "unused"},
    )


def content(commit: str, path: str) -> bytes | None:
    """Return a file as a commit has it."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "show", f"{commit}:{path}"], capture_output=True, check=False
    )
    return None if done.returncode else done.stdout


def measured(diff: Path, settings: Settings) -> Row:
    """Measure one commit."""
    data = diff.read_bytes()
    begun = time.perf_counter()
    around = ContextPlanner(parse_diff(data), settings, "")
    seconds = time.perf_counter() - begun
    found = {path: content(diff.stem, path) for path in around.wanted}
    contents = {path: text for path, text in found.items() if text is not None}
    if len(contents) < len(found):
        sys.exit(f"the history of this repository does not have {diff.stem}: clone all of it")
    begun = time.perf_counter()
    wide = around.shown(contents) or data
    seconds += time.perf_counter() - begun
    jobs = [prepare(one, settings).job for one in (data, wide)]
    requests = (len(jobs[0].plan.batches), len(jobs[1].plan.batches))
    return Row(len(found), requests, (jobs[0].plan.tokens, jobs[1].plan.tokens), seconds)


def main() -> None:
    """Widen, plan, print."""
    print(f"{'':<18} {'files':>5} {'requests':>10} {'tokens':>22} {'a change':>10} {'time':>8}")
    for model, lines in ((MODEL, 5), (MODEL, 10), (MODEL, 20), (OFFLINE, 10)):
        settings = set_to(model, lines)
        rows = [measured(diff, settings) for diff in sorted(REAL.glob("*.diff"))]
        before, after = (sum(row.tokens[at] for row in rows) for at in (0, 1))
        more = statistics.median(row.tokens[1] - row.tokens[0] for row in rows)
        requests = [sum(row.requests[at] for row in rows) for at in (0, 1)]
        name = "offline, files" if model == OFFLINE else f"model, {lines} lines"
        print(
            f"{name:<18} {sum(row.files for row in rows):>5} {requests[0]:>4} to {requests[1]:<3}"
            f" {before:>9,} to {after:>9,} {more:>+10,.0f}"
            f" {max(row.seconds for row in rows) * 1000:>5.1f} ms"
        )


if __name__ == "__main__":
    main()

"""Fuzz the offline review: ``python -m tests.fuzz --seed 1 --cases 200``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.fuzz.cases import read_case, save_case
from tests.fuzz.mutations import mutated_code, mutated_diff
from tests.fuzz.secrets import secretive
from tests.fuzz.shapes import hostile_edit, nested
from tests.fuzz.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.fuzz.cases import Case
    from tests.fuzz.watchdog import Verdict

GENERATORS: Final[dict[str, tuple[int, Callable[[random.Random, str], Case]]]] = {
    "diff": (3, mutated_diff),
    "code": (4, mutated_code),
    "nested": (3, nested),
    "secrets": (2, secretive),
    "edit": (1, hostile_edit),
}
"""Weight and generator of each kind of case."""
DETAIL_LINES: Final = 60


@dataclass
class Summary:
    """Figures of one run."""

    statuses: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    slowest: Verdict | None = None
    busiest: Verdict | None = None

    def add(self, verdict: Verdict) -> None:
        """Count one verdict."""
        self.statuses[verdict.status] += 1
        self.stopped.update(verdict.stopped)
        if self.slowest is None or verdict.seconds > self.slowest.seconds:
            self.slowest = verdict
        if self.busiest is None or verdict.cpu > self.busiest.cpu:
            self.busiest = verdict

    @property
    def failed(self) -> int:
        """Number of cases that failed."""
        return self.statuses.total() - self.statuses["ok"] - self.statuses["refused"]

    def __str__(self) -> str:
        names = ("ok", "refused", "hang", "crash", "exception", "memory", "slow", "wrong")
        counts = ", ".join(f"{self.statuses[name]} {name}" for name in names)
        lines = [f"{self.statuses.total()} cases: {counts}"]
        lines += [
            f"stopped {times} times: {reason}" for reason, times in sorted(self.stopped.items())
        ]
        if self.slowest and self.busiest:
            lines.append(f"slowest: {self.slowest.name}, {self.slowest.seconds:.1f} s")
            lines.append(
                f"most processor time outside the parser: {self.busiest.name},"
                f" {self.busiest.cpu:.1f} s"
            )
        return "\n".join(lines)


def generate(seed: int, number: int, kinds: Iterable[str] = GENERATORS) -> Case:
    """Return the case of this number; it depends on the seed, the number and the kinds alone."""
    draw = random.Random(f"{seed}/{number}")  # noqa: S311 - a case must be the same each time
    names = list(kinds)
    (kind,) = draw.choices(names, [GENERATORS[name][0] for name in names])
    return GENERATORS[kind][1](draw, f"seed-{seed}-{number}-{kind}")


def run(cases: Iterable[Case], save: Path, *, every: int, say: Callable[[str], object]) -> Summary:
    """Run cases, save those that fail, and return the summary.

    Args:
        cases: the cases.
        save: the folder for those that fail.
        every: the number of cases between two lines of progress.
        say: takes a line of output.
    """
    summary = Summary()
    started = time.monotonic()
    with Watchdog() as watchdog:
        for number, case in enumerate(cases, start=1):
            verdict = watchdog.run(case)
            summary.add(verdict)
            if not verdict.passed:
                path = save_case(case, save)
                say(f"{verdict.status}: {verdict.name} after {verdict.seconds:.1f} s")
                say(
                    "\n".join(f"    {line}" for line in verdict.detail.splitlines()[-DETAIL_LINES:])
                )
                say(f"    again: python -m tests.fuzz --replay {path}")
            if number % every == 0:
                seconds = time.monotonic() - started
                say(f"{number} cases, {summary.failed} failed, {seconds:.0f} s")
    return summary


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    if options.replay:
        yield from map(read_case, options.replay)
        return
    end = None if options.seconds is None else time.monotonic() + options.seconds
    number = options.first
    while (options.cases is None or number < options.first + options.cases) and (
        end is None or time.monotonic() < end
    ):
        yield generate(options.seed, number, options.kinds)
        number += 1


def _say(text: str) -> None:
    sys.stdout.write(text.encode("ascii", "backslashreplace").decode() + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the command line; return 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, help="seed of the cases (default: a random one)")
    parser.add_argument("--cases", type=int, metavar="M", help="number of cases")
    parser.add_argument("--seconds", type=float, metavar="S", help="start no case after S seconds")
    parser.add_argument(
        "--first", type=int, default=0, metavar="N", help="number of the first case"
    )
    parser.add_argument(
        "--kinds", nargs="+", choices=GENERATORS, default=list(GENERATORS), help="kinds of cases"
    )
    parser.add_argument("--save", type=Path, metavar="DIR", help="folder for cases that fail")
    parser.add_argument("--replay", type=Path, nargs="+", metavar="FILE", help="run these cases")
    parser.add_argument("--every", type=int, default=50, help="cases between lines of progress")
    options = parser.parse_args()
    if options.cases is None and options.seconds is None:
        options.cases = 200
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 31)
    save = options.save or Path(tempfile.gettempdir()) / "reviewbot-fuzz"
    if not options.replay:
        _say(f"seed {options.seed}, kinds {' '.join(options.kinds)}")
    summary = run(_cases(options), save, every=options.every, say=_say)
    _say(str(summary))
    return 1 if summary.failed else 0


if __name__ == "__main__":
    sys.exit(main())

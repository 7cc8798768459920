"""Review simulated lives of pull requests: ``python -m tests.support.simulated_rounds`` counts.

The lives run through the reconciliation, the rules of rounds, the plan of comments and the stored
state, as a publication does, without requests.
"""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reviewbot.github.publish.verdict import DONE, verdict
from tests.support.pull_lives import KINDS, Kind, Life
from tests.support.reviewed_pulls import ReviewedPull

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.config.settings import Rounds
    from reviewbot.github.state.block import Record
    from reviewbot.github.state.reconcile import Reconciled

PUSHES: Final = 10
LIVES: Final = 1_000
ROUND: Final = 5
"""The round in which a pull request should be done if nothing is wrong."""


@dataclass
class Ended:
    """What became of one pull request.

    Attributes:
        life: the pull request.
        comments: number of comments on lines after each push.
        verdicts: the verdict after each push.
        unposted: real errors that were reported and had no comment.
        unlisted: real warnings that were reported and neither had a comment nor were listed.
        uncounted: real faults that were reported and did not count.
    """

    life: Life
    comments: list[int] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    unposted: set[str] = field(default_factory=set)
    unlisted: set[str] = field(default_factory=set)
    uncounted: set[str] = field(default_factory=set)

    @property
    def is_done(self) -> bool:
        """Whether the verdict of round :data:`ROUND` is that nothing blocks."""
        return self.verdicts[ROUND - 1].startswith(DONE)


def live(seed: int, kind: Kind, mode: Rounds = "normal") -> Ended:
    """Return what becomes of one pull request."""
    life = Life(seed, kind)
    ended = Ended(life)
    pull = ReviewedPull(life.base, mode)
    comments = 0
    places: list[tuple[str, str]] = []
    for number in range(PUSHES):
        if number:
            life.push(places)
        else:
            life.open_pull()
        done, plan = pull.review(life.head, life.findings, full=life.reads_all())
        comments += len(plan.inline)
        ended.comments.append(comments)
        ended.verdicts.append(verdict(done.report, "error"))
        places = [
            (finding.path, life.head[finding.path][finding.line - 1])
            for finding in done.report.findings
            if finding.placement.kind == "inline"
        ]
        _check(ended, done, pull.records.values())
    return ended


def _check(ended: Ended, done: Reconciled, state: Iterable[Record]) -> None:
    """Record the real faults that were reported, and are not where they should be."""
    life = ended.life
    records: dict[tuple[str, str], Record] = {
        (record.path, life.head[record.path][record.line - 1]): record
        for record in state
        if record.state == "open" and record.line <= len(life.head.get(record.path, ()))
    }
    counted = {finding.id for finding in done.report.findings if not finding.placement.held}
    for path, lines in life.head.items():
        for text in {*lines} & life.noticed & life.planted.keys():
            record = records.get((path, text))
            if record is None or record.id not in counted:
                ended.uncounted.add(text)
            elif life.planted[text] == "error" and record.comment is None:
                ended.unposted.add(text)
            elif record.comment is None and not record.listed:
                ended.unlisted.add(text)


def table(lives: int, modes: Iterable[Rounds] = ("off", "normal", "strict")) -> str:
    """Return the figures of so many lives, a fifth of each kind, as Markdown."""
    heads: tuple[str, ...] = (
        *("rounds", "lives of models and authors", "comments: median", "90 %", "most"),
        *("after round 5: median", "done in round 5", "errors unposted"),
        *("warnings unlisted", "uncounted"),
    )
    rows = [heads, ("---",) * len(heads)]
    for mode in modes:
        for kind in KINDS:
            ended = [live(seed, kind, mode) for seed in range(lives // len(KINDS))]
            most = sorted(life.comments[-1] for life in ended)
            later = [life.comments[-1] - life.comments[ROUND - 1] for life in ended]
            rows.append(
                (
                    *(mode, kind, f"{statistics.median(most):g}"),
                    *(f"{most[len(most) * 9 // 10]}", f"{most[-1]}"),
                    f"{statistics.median(later):g}",
                    f"{sum(life.is_done for life in ended)} of {len(ended)}",
                    f"{sum(len(life.unposted) for life in ended)}",
                    f"{sum(len(life.unlisted) for life in ended)}",
                    f"{sum(len(life.uncounted) for life in ended)}",
                )
            )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


if __name__ == "__main__":
    sys.stdout.write(table(int(sys.argv[1]) if len(sys.argv) > 1 else LIVES))

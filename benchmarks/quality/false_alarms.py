"""Review the newest commits of well-kept repositories, and join the findings with verdicts."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from benchmarks.quality.linters_alone import lint_revision
from benchmarks.quality.reviewing import change_of, offline_settings, reviewer
from benchmarks.quality.tables import per_thousand, share, table
from benchmarks.quality.verdicts import Hit, count_verdicts, without_verdict

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from benchmarks.quality.history import Repository
    from benchmarks.quality.reviewing import Reviewer
    from benchmarks.quality.verdicts import Key, Verdict
    from reviewbot.eval.history import Commit

HUGE: Final = 3_000
"""Added lines above which a commit is skipped: nobody reads such a review."""
EVERY: Final = 20
"""Commits between two lines of progress."""


@dataclass(frozen=True, slots=True)
class MeasuredCommit:
    """One commit with its hits.

    ``skipped`` is the reason why it was not reviewed; empty if it was. ``linters`` are the rules
    of the linters alone, one for each result.
    """

    repository: str
    group: str
    commit: str
    skipped: str = ""
    added: int = 0
    hits: tuple[Hit, ...] = ()
    linters: tuple[str, ...] = ()


async def measure(
    repositories: Sequence[Repository], *, limit: int, since: str | None = None
) -> AsyncGenerator[MeasuredCommit, None]:
    """Review the newest commits of the repositories, and yield each one when it is done.

    Args:
        repositories: the repositories.
        limit: maximum number of commits of each repository.
        since: an older revision; only later commits are reviewed.
    """
    async with reviewer() as with_one_process:
        for repository in repositories:
            commits = repository.history.commits(limit=limit, since=since)
            for number, commit in enumerate(commits, 1):
                yield await _measure(with_one_process, repository, commit)
                if number % EVERY == 0 or number == len(commits):
                    print(f"{repository.name}: {number} commits", file=sys.stderr, flush=True)


async def _measure(by: Reviewer, repository: Repository, commit: Commit) -> MeasuredCommit:
    name, group = repository.name, repository.group
    changes = repository.history.changes(commit)
    if changes is None:
        return MeasuredCommit(name, group, commit.id, skipped="a file that this copy lacks")
    added = sum(one.added for one in changes)
    if not added:
        return MeasuredCommit(name, group, commit.id, skipped="no added lines")
    if added > HUGE:
        return MeasuredCommit(name, group, commit.id, skipped=f"more than {HUGE:,} added lines")
    settings = offline_settings()
    source = await change_of(repository.path, settings, commit=commit.id)
    done = await by.review(source, settings)
    hits = tuple(
        Hit(
            repository=name,
            commit=commit.id,
            path=one.path,
            line=one.line,
            rule=one.rule,
            severity=one.severity,
            confidence=one.confidence,
            inline=one.placement.kind == "inline",
        )
        for one in done.findings.values()
    )
    alone = lint_revision(repository.path, commit.id, source.data, done.paths)
    rules = tuple(rule for _, _, rule in alone)
    return MeasuredCommit(name, group, commit.id, added=done.added, hits=hits, linters=rules)


def write(measured: MeasuredCommit) -> str:
    """Return a measured commit as a line of JSON."""
    return f"{json.dumps(asdict(measured))}\n"


def read(text: str) -> list[MeasuredCommit]:
    """Return the measured commits in lines that :func:`write` wrote."""
    return [_read_one(json.loads(line)) for line in text.splitlines()]


def _read_one(found: dict[str, object]) -> MeasuredCommit:
    hits, linters = found.pop("hits"), found.pop("linters")
    return MeasuredCommit(
        **found,  # type: ignore[arg-type]
        hits=tuple(Hit(**one) for one in hits),  # type: ignore[attr-defined]
        linters=tuple(linters),  # type: ignore[arg-type]
    )


def report(measured: Sequence[MeasuredCommit], verdicts: dict[Key, Verdict]) -> str:
    """Return the tables, and the inline hits that have no verdict."""
    reviewed = [one for one in measured if not one.skipped]
    hits = [hit for one in reviewed for hit in one.hits]
    reasons = Counter(one.skipped for one in measured if one.skipped)
    skipped = ", ".join(f"{count:,} with {reason}" for reason, count in sorted(reasons.items()))
    open_hits = without_verdict(hits, verdicts)
    parts = [
        f"{len(reviewed):,} commits reviewed; skipped: {skipped or 'none'}.\n",
        _by_group(reviewed, verdicts),
        _by_rule(hits, verdicts),
        _by_linter(reviewed),
    ]
    if open_hits:
        lines = (
            f"{one.repository} {one.commit}:{one.path}:{one.line} {one.rule}\n" for one in open_hits
        )
        parts.append(f"Without a verdict: {len(open_hits)}\n\n{''.join(lines)}")
    return "\n".join(parts)


def _by_group(reviewed: Sequence[MeasuredCommit], verdicts: dict[Key, Verdict]) -> str:
    head = (
        *("repositories", "commits", "added lines", "shown inline", "per 1,000 lines"),
        *("worth fixing", "true but minor", "false", "held back"),
        *("linters alone", "per 1,000 lines"),
    )
    groups = sorted({one.group for one in reviewed})
    rows = []
    for group in (*groups, "all"):
        commits = [one for one in reviewed if group in (one.group, "all")]
        hits = [hit for one in commits for hit in one.hits]
        shown = sum(hit.inline for hit in hits)
        added, alone = sum(one.added for one in commits), sum(len(one.linters) for one in commits)
        judged = count_verdicts(hits, verdicts)
        rows.append(
            (
                f"{len({one.repository for one in commits})} {group}",
                *(len(commits), added, shown, per_thousand(shown, added)),
                f"{judged['worth_fixing']} ({share(judged['worth_fixing'], shown)})",
                *(judged["true_but_minor"], judged["false"], len(hits) - shown),
                *(alone, per_thousand(alone, added)),
            )
        )
    return table(head, rows)


def _by_rule(hits: Sequence[Hit], verdicts: dict[Key, Verdict]) -> str:
    head = ("rule", "shown inline", "worth fixing", "true but minor", "false")
    total = Counter(one.rule for one in hits if one.inline)
    rows = []
    for rule, count in sorted(total.items(), key=lambda one: (-one[1], one[0])):
        judged = count_verdicts([one for one in hits if one.rule == rule], verdicts)
        rows.append((f"`{rule}`", count, *judged.values()))
    return table(head, rows)


def _by_linter(reviewed: Sequence[MeasuredCommit]) -> str:
    total = Counter(rule.partition("/")[0] for one in reviewed for rule in one.linters)
    return table(("linter alone", "results"), sorted(total.items()))

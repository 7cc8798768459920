"""Measure how many small fixes a review would have asked for: it reads them in reverse."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.quality.linters_alone import lint_revision
from benchmarks.quality.reviewing import change_of, offline_settings, reviewer
from benchmarks.quality.tables import share, table
from reviewbot.core.plan.languages import language_of, title_of
from reviewbot.eval.history import fixed_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.quality.history import Repository
    from benchmarks.quality.reviewing import Reviewer
    from reviewbot.eval.history import Commit, FileChange


@dataclass(frozen=True, slots=True)
class ReversedFix:
    """A fix in reverse.

    ``lines`` is the number of lines in source files that the fix removed or changed: without any,
    no line is left to report. ``found`` are the rules of the inline findings on these lines, and
    ``linters`` those of the linters alone.
    """

    repository: str
    commit: str
    language: str
    lines: int
    found: tuple[str, ...]
    linters: tuple[str, ...]


async def measure(repositories: Sequence[Repository], *, limit: int) -> list[ReversedFix]:
    """Review the small fixes among the newest commits, from the fixed to the faulty state.

    Args:
        repositories: the repositories.
        limit: maximum number of commits of each repository to look for fixes in.
    """
    measured: list[ReversedFix] = []
    async with reviewer() as by:
        for repository in repositories:
            for commit in repository.history.commits(limit=limit):
                if not commit.is_fix:
                    continue
                files = fixed_files(repository.history.changes(commit) or ())
                if files:
                    measured.append(await _measure(by, repository, commit, files))
            print(f"{repository.name}: {len(measured)} fixes so far", file=sys.stderr, flush=True)
    return measured


async def _measure(
    by: Reviewer, repository: Repository, commit: Commit, files: Sequence[FileChange]
) -> ReversedFix:
    settings, paths = offline_settings(), [one.path for one in files]
    parent = f"{commit.id}^"
    source = await change_of(repository.path, settings, span=f"{commit.id}..{parent}")
    done = await by.review(source, settings)
    return ReversedFix(
        repository=repository.name,
        commit=commit.id,
        language=title_of(language_of(paths[0]) or ""),
        lines=sum(one.removed for one in files),
        found=tuple(one.rule for one in done.inline if one.path in paths),
        linters=tuple(
            rule for _, _, rule in lint_revision(repository.path, parent, source.data, paths)
        ),
    )


def report(measured: Sequence[ReversedFix], *, details: bool = False) -> str:
    """Return the tables.

    Args:
        measured: the fixes.
        details: whether to list the fixes that were found, too.
    """
    languages: defaultdict[str, list[ReversedFix]] = defaultdict(list)
    for one in measured:
        languages[one.language].append(one)
    rows = [
        (
            name,
            len(some),
            sum(one.lines > 0 for one in some),
            _found([bool(one.found) for one in some]),
            _found([bool(one.linters) for one in some]),
            sum(len(one.linters) for one in some),
        )
        for name, some in (*sorted(languages.items()), ("all", measured))
    ]
    head = (
        *("language", "fixes", "with a faulty line", "found"),
        *("found by the linters alone", "their results"),
    )
    rules = Counter(rule for one in measured for rule in set(one.found))
    parts = [table(head, rows), table(("rule", "fixes"), rules.most_common())]
    if details:
        lines = (f"{one.repository} {one.commit} {', '.join(one.found)}\n" for one in measured)
        parts.append("".join(line for line, one in zip(lines, measured, strict=True) if one.found))
    return "\n".join(parts)


def _found(hits: Sequence[bool]) -> str:
    return f"{sum(hits)} ({share(sum(hits), len(hits))})"

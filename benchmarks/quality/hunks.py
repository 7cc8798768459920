"""Measure which hunks can be parsed: alone, and with candidates for the code around them."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from benchmarks.quality.tables import share, table
from reviewbot.code.git_repository import open_repository
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.plan.languages import language_of, title_of
from reviewbot.models.offline.fragments import parse
from reviewbot.rules.load import rules_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ast_grep_py import SgNode

    from benchmarks.quality.history import Repository


def measure(repositories: Sequence[Repository], *, limit: int) -> dict[str, Counter[str]]:
    """Return how many hunks could be parsed, by language.

    Args:
        repositories: the repositories.
        limit: maximum number of commits of each repository.
    """
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for repository in repositories:
        for language, lines in _hunks(repository, limit):
            counts[language].update(_states(lines, language))
        print(repository.name, file=sys.stderr, flush=True)
    return counts


def _hunks(repository: Repository, limit: int) -> Iterator[tuple[str, list[str]]]:
    """Yield language and new side of each hunk with added lines in a modified file."""
    for commit in repository.history.commits(limit=limit):
        if repository.history.changes(commit) is None:
            continue
        diff = open_repository(repository.path, commit=commit.id).changes()
        for file in parse_diff(diff):
            language = language_of(file.path)
            if language is None or file.status != "modified" or not _is_parsed(language):
                continue
            for hunk in file.hunks:
                if any(line.kind == "added" for line in hunk.lines):
                    yield language, [line.text for line in hunk.lines if line.new_no is not None]


def _is_parsed(language: str) -> bool:
    return any(rule.matcher for rule in rules_for(language))


def _states(lines: list[str], language: str) -> Iterator[str]:
    """Yield the names of the columns that count a hunk."""
    from ast_grep_py import SgRoot

    yield "hunks"
    text = "\n".join(lines).replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if _is_complete(SgRoot(text + "\n", language).root()):
        yield "alone"
    fragment = parse(lines, [True] * len(lines), language)
    if fragment is None:
        yield "ignored"
    elif _is_complete(fragment.root):
        yield "with candidates"


def _is_complete(root: SgNode) -> bool:
    return root.find(kind="ERROR") is None and root.find(regex="^$") is None


def report(counts: dict[str, Counter[str]]) -> str:
    """Return the table."""
    rows = [
        (
            title_of(language),
            count["hunks"],
            *(
                share(count[name], count["hunks"])
                for name in ("alone", "with candidates", "ignored")
            ),
        )
        for language, count in sorted(counts.items())
    ]
    head = ("language", "hunks", "alone", "with candidates", "ignored as mostly unparsed")
    return table(head, rows)

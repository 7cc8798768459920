"""Reviews of two versions of some files, compared with the findings of earlier ones."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reviewbot.core.cache.unchanged import hunk_digests
from reviewbot.core.diff.parse import FileDiff, parse_diff
from reviewbot.core.events.events import FileCoverage
from reviewbot.core.events.report import Report
from reviewbot.core.findings.finding import fingerprint
from reviewbot.core.findings.levels import RuleLevels
from reviewbot.github.state.block import StateBlock
from reviewbot.github.state.fingerprint import normal
from reviewbot.github.state.reconcile import Reconciled, reconcile
from reviewbot.github.state.relocate import HeadCode
from reviewbot.github.state.scope import reviewed_now
from tests.support.findings import finding

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.state.block import Record
    from reviewbot.github.state.matching import Reread

Tree = dict[str, list[str]]
"""The lines of each file."""


def diff_of(base: Tree, head: Tree, renames: Mapping[str, str] | None = None) -> str:
    """Return the diff between two trees as git writes it.

    Args:
        base: the old files.
        head: the new files.
        renames: the old name of each file that git takes for renamed.
    """
    renames = renames or {}
    rows: list[str] = []
    for path in sorted({*base, *head} - set(renames.values())):
        old = renames.get(path, path)
        if base.get(old) == head.get(path) and old == path:
            continue
        rows.append(f"diff --git a/{old} b/{path}")
        if old not in base:
            rows.append("new file mode 100644")
        elif path not in head:
            rows.append("deleted file mode 100644")
        elif old != path:
            likeness = 100 if base[old] == head[path] else 50
            rows += [f"similarity index {likeness}%", f"rename from {old}", f"rename to {path}"]
        names = (f"a/{old}" if old in base else "/dev/null", f"b/{path}")
        names = names if path in head else (names[0], "/dev/null")
        rows += difflib.unified_diff(base.get(old, []), head.get(path, []), *names, lineterm="")
    return "".join(f"{row}\n" for row in rows)


def files_of(
    base: Tree, head: Tree, renames: Mapping[str, str] | None = None
) -> tuple[FileDiff, ...]:
    """Return the diff between two trees."""
    return parse_diff(diff_of(base, head, renames).encode())


def code_of(files: Sequence[FileDiff], head: Tree, paths: Collection[str]) -> HeadCode:
    """Return the code at the head; ``paths`` are the files that were read whole."""
    return HeadCode(files, {path: [normal(one) for one in head.get(path, [])] for path in paths})


def reported(head: Tree, path: str, line: int, **more: Any) -> Finding:
    """Return a finding on a line of the new file, under the id that the pipeline gives it."""
    quote = head[path][line - 1]
    rule = more.get("rule", "bug")
    place = {"path": path, "line": line, "end_line": line, "quote": quote}
    named = finding(id=fingerprint(path, rule, quote), title="", scenario="", **place)
    return replace(named, **more)


@dataclass
class Pushed:
    """A pull request that is reviewed after each push.

    Attributes:
        base: the files that it begins at.
        records: what the last review left.
        block: the hunks that were reviewed.
    """

    base: Tree
    records: tuple[Record, ...] = ()
    block: StateBlock | None = None

    def reread(
        self, head: Tree, *, full: bool = False, renames: Mapping[str, str] | None = None
    ) -> Reread:
        """Return what tells which lines the next review reads."""
        return reviewed_now(files_of(self.base, head, renames), self.block, full=full)

    def review(
        self,
        head: Tree,
        *findings: Finding,
        full: bool = False,
        renames: Mapping[str, str] | None = None,
        dismissed: Mapping[str, str] | None = None,
        coverage: Mapping[str, FileCoverage] | None = None,
        unread: Collection[str] = (),
    ) -> Reconciled:
        """Return what a review comes to. The next one follows it.

        Args:
            head: the files of the push.
            findings: what the review finds.
            full: whether all is reviewed.
            renames: as of :func:`diff_of`.
            dismissed: who dismissed which finding.
            coverage: the files that were not just reviewed.
            unread: files that cannot be read whole.
        """
        files = files_of(self.base, head, renames)
        statuses = {file.path: FileCoverage(file.path, "reviewed") for file in files}
        statuses |= coverage or {}
        report = Report("findings", findings=findings, coverage=tuple(statuses.values()))
        paths = {*head, *(one.path for one in self.records)} - set(unread)
        done = reconcile(
            report,
            {one.id: one for one in self.records},
            dismissed or {},
            code_of(files, head, paths),
            self.reread(head, full=full, renames=renames),
            levels=RuleLevels(),
            is_first=self.block is None and not self.records,
        )
        reviewed = {one.path for one in statuses.values() if one.status == "reviewed"}
        digests = [one for file in files if file.path in reviewed for one in hunk_digests(file)]
        self.block = StateBlock("", {one: digests.count(one) for one in digests})
        self.records = done.records
        return done

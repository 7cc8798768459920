"""Whatever is pushed and however the model varies, findings are not doubled, lost or resolved.

The truth is simple: a line of the vocabulary is a bug or is none. A model reports any of the bugs
that it reads; a rule reports all of its own. Equal lines are interchangeable, so they are counted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from reviewbot.core.events.events import FileCoverage
from reviewbot.core.findings.finding import fingerprint
from reviewbot.github.state.fingerprint import Fingerprint
from tests.support.examples import examples
from tests.support.github_pushes import Pushed, Tree, reported

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.state.block import Record
    from reviewbot.github.state.reconcile import Reconciled

BUGS = {"zero()": "bug", "leak()": "security", "eval()": "python/eval"}
"""The rule or category of each line that is a bug."""
WORDS = (*BUGS, "a = 1", "b = 2", "c = 3", "  zero()", "")
ROWS = [f"line {number}" for number in range(24)]
PATHS = ("a.py", "b.py")


@dataclass
class Story:
    """Pushes to a pull request, and what its reviews say."""

    data: st.DataObject
    pull: Pushed
    rows: list[str]
    path: str = PATHS[0]
    dismissed: dict[str, str] = field(default_factory=dict)
    comments: int = 0

    def chance(self, one_in: int) -> bool:
        return self.data.draw(st.integers(1, one_in)) == one_in

    def push(self) -> None:
        """Change some lines, or the name of the file."""
        rows = self.rows
        for _ in range(self.data.draw(st.integers(0, 4))):
            at = self.data.draw(st.integers(0, len(rows)))
            end = self.data.draw(st.integers(at, min(at + 3, len(rows))))
            match self.data.draw(st.sampled_from(["insert", "remove", "change", "copy", "indent"])):
                case "insert":
                    rows.insert(at, self.data.draw(st.sampled_from(WORDS)))
                case "remove":
                    del rows[at:end]
                case "change":
                    rows[at:end] = [self.data.draw(st.sampled_from(WORDS)) for _ in range(at, end)]
                case "copy":
                    to = self.data.draw(st.integers(0, len(rows)))
                    rows[to:to] = rows[at:end]
                case _:
                    rows[at:end] = [f"    {row}" for row in rows[at:end]]
        if not rows:
            rows.append("a = 1")
        if self.chance(6):
            self.path = self.data.draw(st.sampled_from(PATHS))

    def found(self, head: Tree, *, full: bool, renames: dict[str, str]) -> list[Finding]:
        """Return what is reported of the lines that are read."""
        was_read = self.pull.reread(head, full=full, renames=renames)
        often: Counter[tuple[str, str]] = Counter()
        found = []
        for number, row in enumerate(self.rows, start=1):
            rule = BUGS.get(row.strip())
            if rule is None or not was_read(self.path, "RIGHT", range(number, number + 1)):
                continue
            if rule in ("bug", "security") and not self.data.draw(st.booleans()):
                continue
            often[rule, row.strip()] += 1
            category: Any = rule if rule in ("bug", "security") else "bug"
            one = reported(head, self.path, number, rule=rule, category=category)
            id_ = fingerprint(self.path, rule, one.quote, often[rule, row.strip()])
            found.append(replace(one, id=id_, title=f"{rule} {row.strip()}"))
        return found

    def review(self) -> None:
        """Review the head, and check what becomes of the findings."""
        head = {self.path: self.rows[:]}
        is_renamed = self.path != PATHS[0] and self.data.draw(st.booleans())
        renames = {self.path: PATHS[0]} if is_renamed else {}
        full = self.chance(4)
        failed = self.chance(5)
        findings = self.found(head, full=full, renames=renames)
        coverage = {self.path: FileCoverage(self.path, "failed", "Busy.")} if failed else {}
        before = self.pull.records
        done = self.pull.review(
            head,
            *findings,
            full=full,
            renames=renames,
            dismissed=self.dismissed,
            coverage=coverage,
            unread=[self.path] if self.chance(5) else [],
        )
        self.check(done, before, findings, renames)
        if failed and head[self.path] != self.pull.base.get(self.path):
            assert not [one for one in done.resolved if one.path == self.path]
        self.after(done)

    def check(
        self,
        done: Reconciled,
        before: tuple[Record, ...],
        findings: list[Finding],
        renames: dict[str, str],
    ) -> None:
        records = {one.id: one for one in done.records}
        assert len(records) == len(done.records), "an id comes twice"
        open_ = {one.id for one in done.records if one.state == "open"}
        placed = [one for one in done.records if one.state == "open" and one.fingerprint]
        open_at = Counter((one.path, one.line, one.rule) for one in placed)
        assert all(number == 1 for number in open_at.values()), "a finding is doubled"
        shown = [one.id for one in done.report.findings]
        assert sorted(shown) == sorted(open_), "the report has what is open"
        # None is lost.
        resolved = {one.id for one in done.resolved}
        for record in before:
            if record.state == "open":
                assert record.id in records or record.id in resolved, "a finding is lost"
            assert not (record.id in resolved and record.state == "resolved")
        assert not resolved & open_
        # What is reported is open, on its line, unless somebody dismissed it.
        places = {(one.path, one.line, one.rule) for one in done.records if one.state != "resolved"}
        assert {(one.path, one.line, one.rule) for one in findings} <= places
        assert {one.id for one in done.records if one.state == "dismissed"} <= set(self.dismissed)
        # No finding of a model is resolved while there is code for it.
        new_name = {old: new for new, old in renames.items()}
        wanted: Counter[tuple[str, str, str]] = Counter()
        ended: Counter[tuple[str, str, str]] = Counter()
        for record in before:
            key = (new_name.get(record.path, record.path), record.rule, record.fingerprint)
            if record.state != "resolved" and not record.is_of_a_rule:
                wanted[key] += 1
                ended[key] += record.id in resolved
        for (path, rule, code), number in ended.items():
            lines = self.rows if path == self.path else []
            there = sum(str(Fingerprint.of([row]) or "") == code for row in lines)
            most = max(0, wanted[path, rule, code] - there)
            assert number <= most, "a finding is resolved, and its code is there"

    def after(self, done: Reconciled) -> None:
        """Post comments on what is new, and dismiss a finding now and then."""
        posted = {one.id for one in done.unposted if not self.chance(4)}
        records = []
        for record in done.records:
            comment = record.comment
            if comment is None and record.id in posted:
                self.comments += 1
                comment = self.comments
            records.append(replace(record, comment=comment))
            if record.state == "open" and self.chance(8):
                self.dismissed[record.id] = "octo"
        self.pull.records = tuple(records)


@settings(max_examples=examples(400), deadline=None)
@given(st.data())
def test_findings_are_not_doubled_lost_or_resolved_without_reason(data: st.DataObject) -> None:
    rows = ROWS[:]
    for _ in range(data.draw(st.integers(0, 3))):
        rows[data.draw(st.integers(0, len(rows) - 1))] = data.draw(st.sampled_from(WORDS))
    story = Story(data, Pushed({PATHS[0]: rows[:]}), rows)
    for _ in range(data.draw(st.integers(1, 6))):
        story.push()
        story.review()

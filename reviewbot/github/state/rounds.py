"""Decide by rounds which findings the summary lists instead of a comment. Pure.

A round is a complete review of new code that left a signed state. The more rounds there were, the
fewer findings get a comment. Errors always get one, and so do warnings on other new lines:

- From the second round, notes are listed.
- From the third round, so are warnings on code that the last review had read, if the push changes
  neither their hunk nor a hunk that they rest on.
- From the fourth round, so are warnings in the hunk of an earlier finding.

A finding contradicts an earlier comment if its suggestion restores the code of that comment in the
same hunk. It is posted in every round, and names the other.

In every mode, a warning is listed after two answers in a row that did not tell whether it is fixed.
It keeps its comment.

A listed finding is open and counts like any other. If it is reported again and no rule lists it any
more, it is posted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reviewbot.core.cache.unchanged import fresh_hunks
from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.github.state.block import StateBlock
from reviewbot.github.state.fingerprint import Fingerprint, SearchedLines, normal
from reviewbot.github.state.reconcile import SECRETS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reviewbot.config.settings import Rounds
    from reviewbot.core.diff.hunks import Hunk
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Finding, Side
    from reviewbot.github.change.subject import Subject
    from reviewbot.github.state.block import Listed, Record
    from reviewbot.github.state.prior import Prior
    from reviewbot.github.state.reconcile import Reconciled
    from reviewbot.github.state.relocate import HeadCode

NOTES: Final = 2
READ: Final = 3
HUNK: Final = 4
"""The first round in which each rule applies."""
_SHIFT: Final[Mapping[Rounds, int]] = MappingProxyType({"normal": 0, "strict": 1})
REASONS: Final[Mapping[Listed, str]] = MappingProxyType(
    {
        "note": "From the second round on, notes are listed, not posted.",
        "read": "An earlier review read this code, and this push does not change it.",
        "hunk": "This hunk had a finding in an earlier round.",
        "doubt": "Two answers in a row did not tell whether it is fixed.",
    }
)
"""The sentence of each rule."""


@dataclass(frozen=True, slots=True)
class Round:
    """The round that a review belongs to.

    Attributes:
        number: number of the round whose rules apply; 0 if no rule applies.
        before: the trusted state before the review; an empty one before the first review.
        is_complete: whether the review completes the round.
        is_retry: whether this review has written that state itself.
        is_rebased: whether the base is not that of the state.
    """

    number: int
    before: StateBlock
    is_complete: bool = False
    is_retry: bool = False
    is_rebased: bool = False

    @property
    def count(self) -> int:
        """Number of complete rounds, with this review."""
        return self.before.rounds + self.is_complete


def round_of(
    report: Report, prior: Prior, subject: Subject, files: Sequence[FileDiff], *, key: str
) -> Round:
    """Return the round of a review that can sign its state and posts a summary.

    ``report`` is the review, ``prior`` the state before it, and ``files`` the whole diff. ``key``
    identifies the review.
    """
    last = prior.summary[1] if prior.summary else None
    if prior.is_first and (prior.signed or not (prior.summary or prior.posted or prior.reviews)):
        before = StateBlock("")
    elif prior.block is None or not prior.signed:
        return Round(0, StateBlock(""))  # nobody knows what earlier rounds read
    else:
        before = prior.block
    read = {file.path for file in report.covered("reviewed")}
    is_new = any(file.path in read for file, hunks in _changed(files, before) if hunks)
    is_other_head = last is None or last.head != subject.head or not before.settings
    return Round(
        before.rounds + 1,
        before,
        is_complete=report.complete
        and is_new
        and is_other_head
        and not subject.requested
        and prior.pause is None,
        is_retry=last is not None and last.key == key,
        is_rebased=last is not None and last.base != subject.base,
    )


def apply_round(
    done: Reconciled,
    now: Round,
    earlier: Mapping[str, Record],
    files: Sequence[FileDiff],
    code: HeadCode,
    *,
    mode: Rounds,
) -> Reconciled:
    """Return the reconciled review with its listed findings marked in the records.

    ``earlier`` are the records before the review by id, ``files`` is the whole diff, and ``code``
    the code at the head.
    """
    rules = _Rules(now, earlier, done.records, files, code, mode=mode)
    ended = earlier.keys() - {record.id for record in done.records if record.state != "resolved"}
    contradicted = {
        finding.id: other
        for finding in done.unposted
        if (other := rules.contradicted(finding, ended)) is not None
    }
    listed: dict[str, Listed] = {
        finding.id: "" if finding.id in contradicted else rules.listed(finding)
        for finding in done.unposted
    }
    records = tuple(
        replace(
            rules.with_hunk(record),
            listed="" if record.comment is not None else listed.get(record.id, record.listed),
        )
        for record in done.records
    )
    return replace(done, records=records, rounds=now.count, contradicted=contradicted)


class _Rules:
    """The rules of one round."""

    def __init__(
        self,
        now: Round,
        earlier: Mapping[str, Record],
        records: Iterable[Record],
        files: Sequence[FileDiff],
        code: HeadCode,
        *,
        mode: Rounds,
    ) -> None:
        self._now = now
        self._is_off = mode == "off" or not now.number
        self._number = now.number + _SHIFT.get(mode, 0)
        self._earlier = earlier
        self._hunks = {file.path: file.hunks for file in files}
        self._changed = {file.path: hunks for file, hunks in _changed(files, now.before)}
        self._noted: dict[str, list[Record]] = {}
        known = (self.with_hunk(record) for record in records if record.id in earlier)
        for record in known if now.is_rebased else earlier.values():
            if record.old_start is not None and (record.comment is not None or record.listed):
                self._noted.setdefault(code.path_of(record), []).append(record)

    def listed(self, finding: Finding) -> Listed:
        """Return the rule that lists a finding without a comment; empty if none does."""
        is_exempt = finding.severity == "error" or finding.rule.startswith(SECRETS)
        is_on_line = finding.placement.kind == "inline" and counts_for_fail_on(finding)
        if self._is_off or is_exempt or not is_on_line:
            return ""
        if self._now.is_retry:  # its own state already has the hunks that it read
            known = self._earlier.get(finding.id)
            return known.listed if known else ""
        if finding.severity == "note":
            return "note" if self._number >= NOTES else ""
        hunk = self._hunk_at(finding.path, finding.side, finding.line)
        if hunk is None:
            return ""
        if self._number >= READ and not self._is_touched(finding, hunk):
            return "read"
        return "hunk" if self._number >= HUNK and self._had_finding(finding, hunk) else ""

    def contradicted(self, finding: Finding, ended: Collection[str]) -> Record | None:
        """Return the posted finding whose code the suggestion of a finding restores, if any.

        ``ended`` are the ids of the findings whose code is gone.
        """
        if self._is_off or not finding.suggestion or not finding.is_placed:
            return None
        hunk = self._hunk_at(finding.path, finding.side, finding.line)
        lines = SearchedLines(enumerate(map(normal, finding.suggestion.split("\n")), 1))
        posted = (
            record for record in self._noted.get(finding.path, ()) if record.comment is not None
        )
        for record in posted:
            code = Fingerprint.parse(record.fingerprint)
            if record.id in ended and code and hunk and _is_in(record, hunk) and lines.find(code):
                return record
        return None

    def with_hunk(self, record: Record) -> Record:
        """Return a record with the lines of its hunk in the base.

        They stay as they were when the finding was found, until the base changes.
        """
        is_stale = self._now.is_rebased
        if record.state != "open" or (record.old_start is not None and not is_stale):
            return replace(record, old_start=None, old_count=0) if is_stale else record
        hunk = self._hunk_at(record.path, record.side, record.line)
        if hunk is None:
            return replace(record, old_start=None, old_count=0)
        return replace(record, old_start=hunk.old_start, old_count=hunk.old_count)

    def _hunk_at(self, path: str, side: Side, line: int) -> Hunk | None:
        spans = ((hunk, _span(hunk, side)) for hunk in self._hunks.get(path, ()))
        return next((hunk for hunk, span in spans if line in span), None)

    def _is_touched(self, finding: Finding, hunk: Hunk) -> bool:
        """Return whether the push changes the hunk of a finding, or code that it rests on."""
        if hunk in self._changed.get(finding.path, ()):
            return True
        return any(
            _overlap(range(proof.line, proof.end_line + 1), _span(changed, side))
            for proof in finding.rests_on
            for side in (_side(base=proof.base),)
            for changed in self._changed.get(proof.path, ())
        )

    def _had_finding(self, finding: Finding, hunk: Hunk) -> bool:
        """Return whether an earlier finding that people could see was in the hunk."""
        return any(
            _is_in(record, hunk) and record.id != finding.id
            for record in self._noted.get(finding.path, ())
        )


def _changed(
    files: Sequence[FileDiff], before: StateBlock
) -> Iterable[tuple[FileDiff, tuple[Hunk, ...]]]:
    """Return each file with its hunks that the state does not have."""
    fresh = fresh_hunks(files, before.hunks, before.files)
    return ((file, hunks or ()) for file, hunks in zip(files, fresh, strict=True))


def _side(*, base: bool) -> Side:
    return "LEFT" if base else "RIGHT"


def _span(hunk: Hunk, side: Side) -> range:
    """Return the lines of a hunk on a side."""
    if side == "LEFT":
        return range(hunk.old_start, hunk.old_start + hunk.old_count)
    return range(hunk.new_start, hunk.new_start + hunk.new_count)


def _is_in(record: Record, hunk: Hunk) -> bool:
    """Return whether the lines of a record in the base overlap those of a hunk."""
    if record.old_start is None:
        return False
    there = range(record.old_start, record.old_start + max(1, record.old_count))
    return _overlap(there, range(hunk.old_start, hunk.old_start + max(1, hunk.old_count)))


def _overlap(first: range, second: range) -> bool:
    return first.start < second.stop and second.start < first.stop

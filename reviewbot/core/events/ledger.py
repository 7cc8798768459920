"""Open findings of one review: duplicates merged, notes limited, ids unique. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.events import FindingRaised, FindingVerified, FindingWithdrawn
from reviewbot.core.findings.finding import (
    Placement,
    fingerprint,
    precedence,
    rank,
    same,
    same_quote,
)
from reviewbot.core.findings.verdicts import placement_after

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.findings.verdicts import Verdict


MAX_LINES: Final = 500


class Ledger:
    """Ledger that decides about each finding, from any chunk, attempt or model.

    Args:
        max_notes: maximum number of notes that are shown inline.
        shown: findings that an earlier run of this review has shown and not withdrawn.
        file_of: the file of each chunk, by its index in the diff.
    """

    def __init__(
        self,
        *,
        max_notes: int,
        shown: Iterable[Finding] = (),
        file_of: Mapping[str, int] | None = None,
    ) -> None:
        self._max_notes = max_notes
        self._notes = 0
        self._standing: dict[str, Finding] = {}
        self._by_line: dict[tuple[tuple[str, int | None], int], list[Finding]] = {}
        self._occurrences: Counter[str] = Counter()
        self._file_of = file_of or {}
        self._answers: dict[str, set[str]] = {}
        self._recalled: set[str] = set()
        self._replaced: dict[str, list[tuple[Finding, set[str]]]] = {}
        for finding in shown:
            self._stand(finding)
            self._answers[finding.id] = set()  # its answer is no longer known

    @property
    def findings(self) -> list[Finding]:
        """Findings not withdrawn, worst first."""
        return sorted(self._standing.values(), key=rank)

    def __len__(self) -> int:
        return len(self._standing)

    def __contains__(self, finding_id: object) -> bool:
        return finding_id in self._standing

    def accept(self, finding: Finding, *, answer: str) -> list[FindingRaised | FindingWithdrawn]:
        """Add a finding.

        If the finding repeats an open finding at the same location, the two are merged. The one
        with precedence (:func:`reviewbot.core.findings.finding.precedence`) is kept.

        Returns:
            The events that follow from it, none if it was merged away.
        """
        others = [other for other in self._near(finding) if self._repeats(finding, other, answer)]
        if any(
            precedence(other) <= precedence(finding) or self._is_shown(finding, other)
            for other in others
        ):
            for other in others:
                self._answers[other.id].add(answer)
            return []
        replaced = [(other, self._drop(other)) for other in others]
        finding = self._limited(self._named(finding))
        self._stand(finding)
        self._answers[finding.id] = {answer}
        self._replaced[finding.id] = replaced
        return [
            *(
                FindingWithdrawn(
                    other.id, "Merged into a finding that reports the same and takes precedence."
                )
                for other in others
            ),
            FindingRaised(finding),
        ]

    def recall(self, answer: str, reason: str) -> list[FindingRaised | FindingWithdrawn]:
        """Withdraw the findings that only this answer reported.

        A finding that a withdrawn finding had replaced is raised again if another answer reported
        it.
        """
        self._recalled.add(answer)
        events: list[FindingRaised | FindingWithdrawn] = []
        for name, answers in list(self._answers.items()):
            if answers == {answer}:
                self._drop(self._standing[name])
                events.append(FindingWithdrawn(name, reason))
                events += self._restored(name)
            answers.discard(answer)
        return events

    def unvouched(self, chunks: Collection[str], reason: str) -> list[FindingWithdrawn]:
        """Withdraw the findings of an earlier run in these chunks that no answer has repeated."""
        gone = [
            finding
            for finding in self._standing.values()
            if not self._answers[finding.id] and finding.chunk in chunks
        ]
        for finding in gone:
            self._drop(finding)
        return [FindingWithdrawn(finding.id, reason) for finding in gone]

    def pending(self, chunks: Collection[str]) -> list[Finding]:
        """Return the findings in ``chunks`` without a verdict, in the order of their lines."""
        found = (one for one in self._standing.values() if one.verification == "pending")
        return sorted(
            (one for one in found if one.chunk in chunks),
            key=lambda one: (one.path, one.line, one.id),
        )

    def decide(self, verdict: Verdict) -> list[FindingVerified | FindingWithdrawn]:
        """Apply a verdict to a pending finding; a finding that is withdrawn meanwhile has none."""
        finding = self._standing.get(verdict.id)
        if finding is None or finding.verification != "pending":
            return []
        if verdict.verdict == "refuted":
            self._drop(finding)
            return [FindingWithdrawn(finding.id, verdict.reason, verdict.evidence)]
        placement = placement_after(finding, verdict)
        answers = self._drop(finding)
        self._stand(replace(finding, verification=verdict.verdict, placement=placement))
        self._answers[finding.id] = answers
        return [
            FindingVerified(
                id=finding.id,
                verdict=verdict.verdict,
                worth_fixing=verdict.worth_fixing,
                reason=verdict.reason,
                evidence=verdict.evidence,
                placement=placement,
            )
        ]

    def _restored(self, name: str) -> Iterator[FindingRaised]:
        """Yield the findings that a finding had replaced, if other responses also reported them."""
        for other, said_by in self._replaced.pop(name, ()):
            answers = said_by - self._recalled
            if answers:
                finding = self._named(other)
                self._stand(finding)
                self._answers[finding.id] = answers
                yield FindingRaised(finding)
            else:
                yield from self._restored(other.id)

    def _repeats(self, finding: Finding, other: Finding, answer: str) -> bool:
        """Return whether two findings are the same.

        Two findings of one answer are the same only if their quotes are equal.
        """
        is_distinct = answer in self._answers[other.id] and not same_quote(finding, other)
        return not is_distinct and same(finding, other)

    def _is_shown(self, finding: Finding, other: Finding) -> bool:
        """Return whether an earlier run has shown ``finding`` as ``other``, perhaps verified."""
        is_earlier = not self._answers[other.id]
        return is_earlier and (finding.rule, finding.quote) == (other.rule, other.quote)

    def _near(self, finding: Finding) -> list[Finding]:
        """Return the open findings on the lines of ``finding`` or on adjacent lines."""
        found = {
            other.id: other
            for line in _lines(finding, margin=1)
            for other in self._by_line.get((self._file(finding), line), ())
        }
        return list(found.values())

    def _file(self, finding: Finding) -> tuple[str, int | None]:
        """Return the file of the finding's chunk; a path can occur twice in a diff."""
        return finding.path, self._file_of.get(finding.chunk)

    def _named(self, finding: Finding) -> Finding:
        """Return the finding with an id that is unique in the ledger."""
        first, name = finding.id, finding.id
        while name in self._standing:
            self._occurrences[first] += 1
            name = fingerprint(
                finding.path, finding.rule, finding.quote, 1 + self._occurrences[first]
            )
        return replace(finding, id=name)

    def _limited(self, finding: Finding) -> Finding:
        if finding.severity != "note" or finding.placement.kind != "inline":
            return finding
        if self._notes < self._max_notes:
            return finding
        reason = f"The limit of notes on lines ({self._max_notes}) is reached."
        return replace(finding, placement=Placement("outside", reason, held=True))

    def _stand(self, finding: Finding) -> None:
        self._standing[finding.id] = finding
        for line in _lines(finding):
            self._by_line.setdefault((self._file(finding), line), []).append(finding)
        self._notes += finding.severity == "note" and finding.placement.kind == "inline"

    def _drop(self, finding: Finding) -> set[str]:
        """Remove a finding, and return the answers that reported it."""
        del self._standing[finding.id]
        for line in _lines(finding):
            self._by_line[self._file(finding), line].remove(finding)
        self._notes -= finding.severity == "note" and finding.placement.kind == "inline"
        return self._answers.pop(finding.id)


def _lines(finding: Finding, *, margin: int = 0) -> range:
    """Return the lines of a finding, at most ``MAX_LINES`` after its first."""
    last = min(finding.end_line, finding.line + MAX_LINES)
    return range(finding.line - margin, last + margin + 1)

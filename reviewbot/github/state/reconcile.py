"""Reconcile a review with prior findings: new, open, resolved or dismissed. Pure.

- A finding equals a prior one if the ids are equal, or if path, rule and fingerprint are.
- A prior finding stays open while its code is in the file. If its hunk was reviewed again, a rule's
  finding is resolved if the rule no longer reports it. A model's is resolved if the verifier quotes
  the code that fixes it. A model's silence resolves nothing.
- Missing code resolves a finding if the whole file was read.
- A file that the review failed to read keeps its findings, unless it is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.coverage import outcome_of
from reviewbot.core.events.events import FindingVerified, FindingWithdrawn
from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.core.findings.finding import Finding, level_of, rank
from reviewbot.core.plan.policy import EXCLUDED
from reviewbot.core.wording import count, listed
from reviewbot.github.state.matching import Matching, carried, places_of, recorded
from reviewbot.pipeline.config_check import RULE as CONFIG

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from reviewbot.core.events.events import FileCoverage
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Evidence
    from reviewbot.core.findings.levels import RuleLevels
    from reviewbot.github.state.block import Listed, Record
    from reviewbot.github.state.matching import Reread
    from reviewbot.github.state.relocate import HeadCode

LINTERS: Final = ("ruff", "oxlint", "shellcheck", "hadolint", "zizmor")
SECRETS: Final = "secrets/"
"""Beginning of the rules that run in every review, whatever else reads a file."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The result of reconciling a review.

    Attributes:
        report: the review with all findings that are open, without those that are dismissed.
        records: all findings, for the state block; open findings first, worst first.
        new: open findings that no earlier review had, or held back.
        unposted: findings of this review that have no comment, and may get one.
        resolved: earlier findings that this review resolves.
        fixed: the code that fixes some of them, by their ids.
        refuted: ids of those that we withdrew after a reply.
        dismissed: findings that somebody dismissed.
        is_first: whether there was no earlier review.
        rounds: number of complete rounds, with this review.
        contradicted: earlier findings that findings of this review contradict, by the id of the
            latter.
    """

    report: Report
    records: tuple[Record, ...]
    new: tuple[Finding, ...] = ()
    unposted: tuple[Finding, ...] = ()
    resolved: tuple[Record, ...] = ()
    fixed: Mapping[str, Evidence] = field(default_factory=dict)
    refuted: frozenset[str] = frozenset()
    dismissed: tuple[Record, ...] = ()
    is_first: bool = True
    rounds: int = 0
    contradicted: Mapping[str, Record] = field(default_factory=dict)

    @property
    def listed(self) -> dict[str, Listed]:
        """The open findings that are listed instead of posted, with the rule, by id."""
        return {
            record.id: "doubt" if record.is_doubted else record.listed
            for record in self.records
            if (record.listed or record.is_doubted) and record.state == "open"
        }


def reconcile(
    report: Report,
    prior: Mapping[str, Record],
    dismissed: Mapping[str, str],
    code: HeadCode,
    reread: Reread,
    *,
    levels: RuleLevels,
    is_first: bool,
    head: str = "",
    withdrawn: frozenset[str] = frozenset(),
) -> Reconciled:
    """Compare a review with earlier findings.

    ``prior`` has the findings of earlier reviews, and ``dismissed`` the login of the person who
    dismissed a finding, both by finding id. ``is_first`` is True if there was no earlier review.
    ``head`` is that of the last state. A review under an invalid configuration resolves nothing.
    ``withdrawn`` are the ids of findings whose withdrawal after a reply holds; they count as
    dismissed.
    """
    places = places_of(prior.values(), code)
    found, named = Matching(prior, places, code, reread).match(report.findings)
    proofs = {event.id: event.evidence for event in report.verdicts}
    away = dismissed.keys() | withdrawn
    ends = _Ends(code, report.prompt_version or "", proofs)
    for finding in found:
        ends.take(finding, named.get(finding.id), away)
    rest = [one for id_, one in prior.items() if id_ not in named]
    status = {file.path: file for file in report.coverage}
    excluded = {file.path for file in report.covered("skipped") if file.reason == EXCLUDED}
    verdicts = {event.id: event for event in report.earlier}
    for record in rest:
        place = places.get(record.id)
        line = place[0] if place else record.line
        now = replace(record, path=code.path_of(record), line=line)
        is_on = level_of(now.rule, now.category, now.severity, levels.at(now.path))
        if now.path in excluded or not is_on:
            ends.records.append(now)
            ends.excluded += record.state == "open" and not record.held
        elif record.state == "resolved":
            ends.keep(record)
        elif not report.is_list_only and _is_resolved(now, place, code, status, reread):
            ends.resolve(now)
        elif (proof := _fix_of(record, place, verdicts.get(record.id))) is not None:
            ends.fixed[record.id] = proof
            ends.resolve(now)
        elif record.id in away:
            ends.records.append(replace(now, state="dismissed"))
        else:
            now = _asked(now, verdicts.get(record.id), head)
            ends.records.append(replace(now, state="open"))
            is_known = code.is_known(now.path, now.side)
            ends.open.append(carried(now, place, is_known=is_known))
    ends.refuted = withdrawn - dismissed.keys()
    return ends.reconciled(report, dismissed, is_first=is_first)


@dataclass(slots=True)
class _Ends:
    """Collector of reconciled findings."""

    code: HeadCode
    prompt_version: str
    proofs: Mapping[str, Evidence | None]
    open: list[Finding] = field(default_factory=list)
    new: list[Finding] = field(default_factory=list)
    unposted: list[Finding] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    resolved: list[Record] = field(default_factory=list)
    fixed: dict[str, Evidence] = field(default_factory=dict)
    refuted: frozenset[str] = frozenset()
    excluded: int = 0

    def take(self, finding: Finding, record: Record | None, dismissed: Collection[str]) -> None:
        """Add a finding of this review and its prior record."""
        now = recorded(
            *(finding, record, self.code, self.prompt_version), self.proofs.get(finding.id)
        )
        if finding.id in dismissed:
            self.records.append(replace(now, state="dismissed"))
            return
        self.open.append(finding)
        self.records.append(now)
        if record is None or (record.held and counts_for_fail_on(finding)):
            self.new.append(finding)
        if record is None or (record.comment is None and not record.left_out):
            self.unposted.append(finding)

    def resolve(self, record: Record) -> None:
        """Add an earlier finding that this review resolves."""
        self.resolved.append(record)
        self.keep(replace(record, state="resolved"))

    def keep(self, record: Record) -> None:
        """Keep a resolved record with a comment: its thread may be reopened."""
        if record.comment:
            self.records.append(record)

    def reconciled(
        self,
        report: Report,
        dismissed: Mapping[str, str],
        *,
        is_first: bool,
    ) -> Reconciled:
        """Return the result."""
        findings = tuple(sorted(self.open, key=lambda one: (*rank(one), one.id)))
        order = {one.id: index for index, one in enumerate(findings)}
        self.records.sort(key=lambda one: (one.state, order.get(one.id, 0), one.id))
        away = tuple(one for one in self.records if one.state == "dismissed")
        notices = (*report.notices, *_notices(away, dismissed, self.excluded))
        whole = replace(report, findings=findings, notices=notices)
        if report.complete:
            whole = replace(whole, outcome=outcome_of(report.coverage, findings, report.rules_only))
        return Reconciled(
            report=whole,
            records=tuple(self.records),
            new=tuple(self.new),
            unposted=tuple(self.unposted),
            resolved=tuple(self.resolved),
            fixed=self.fixed,
            refuted=self.refuted,
            dismissed=away,
            is_first=is_first,
        )


def _is_resolved(
    record: Record,
    place: range | None,
    code: HeadCode,
    status: Mapping[str, FileCoverage],
    reread: Reread,
) -> bool:
    """Return whether an earlier finding that the review does not name is resolved."""
    if record.rule == CONFIG:  # every review checks the whole file
        return True
    path = record.path
    coverage = status.get(path)
    in_diff = code.is_in_diff(path)
    if coverage is None and in_diff:
        return False
    if coverage is not None and coverage.status in ("failed", "partly"):
        return place is None and code.is_deleted(path)
    was_read = coverage is not None and coverage.status == "reviewed"
    if not record.fingerprint:
        is_gone = not in_diff or code.is_deleted(path)
        return is_gone or (was_read and reread(path, record.side, None))
    if place is None:
        return code.is_known(path, record.side)
    if coverage is not None and not record.rule.startswith(SECRETS):
        was_read = was_read and _has_run(record.rule, coverage.checks)
    return record.is_of_a_rule and was_read and reread(path, record.side, place)


def _has_run(rule: str, checks: Collection[str]) -> bool:
    """Return whether the linter of a rule, or the offline rules, are among the checks of a file."""
    linter = rule.partition("/")[0]
    return linter in checks if linter in LINTERS else any(one not in LINTERS for one in checks)


def _fix_of(
    record: Record, place: range | None, event: FindingVerified | FindingWithdrawn | None
) -> Evidence | None:
    """Return the code that fixes an open finding of a model, whose code still stands."""
    is_open = record.state == "open" and not record.is_of_a_rule and place is not None
    return event.evidence if is_open and isinstance(event, FindingWithdrawn) else None


def _asked(record: Record, event: FindingVerified | FindingWithdrawn | None, head: str) -> Record:
    """Return an open record after the verdict about it. ``head`` is that of the last state."""
    match event:
        case FindingVerified(verdict="unverified"):
            return replace(record, since=record.since or head)
        case FindingVerified(verdict="cannot_tell"):
            return replace(record, since="", doubts=record.doubts + 1)
        case FindingVerified():
            return replace(record, since="", doubts=0)
        case _:
            return record


def _notices(
    away: Collection[Record], dismissed: Mapping[str, str], excluded: int
) -> Iterator[str]:
    by_people = [dismissed[record.id] for record in away if record.id in dismissed]
    if by_people:
        those = count(len(by_people), "finding")
        yield f"{those} dismissed by {listed(sorted(set(by_people)))}."
    if len(by_people) < len(away):
        yield f"{count(len(away) - len(by_people), 'finding')} withdrawn after a reply."
    if excluded:
        those = count(excluded, "finding")
        yield f"{those} of earlier reviews left out: the configuration excludes them."

"""Match the findings of a review with prior findings. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.core.findings.finding import Finding, Placement, fingerprint, same, worse
from reviewbot.core.findings.join import rule_of
from reviewbot.github.state.block import ProofPlace, Record
from reviewbot.github.state.fingerprint import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from reviewbot.core.findings.finding import Evidence, Side
    from reviewbot.github.state.relocate import HeadCode

Reread: TypeAlias = "Callable[[str, Side, range | None], bool]"
"""Function that returns whether lines of a side of a file were reviewed this time; without lines,
all of it."""

_THERE: Final = "The code is still there."
_CHANGED: Final = "Its code changed, and has not been read yet."
_UNKNOWN: Final = "The location of this code is unknown."


class Matching:
    """Matcher of findings with prior findings.

    A record whose code was not reviewed this time matches only at its own location: the same code
    at another location is another finding. Identical blocks that were reviewed are interchangeable.

    ``prior`` has the records and ``places`` the current locations of their code, both by id.
    ``reread`` says whether code was reviewed this time.
    """

    def __init__(
        self,
        prior: Mapping[str, Record],
        places: Mapping[str, range],
        code: HeadCode,
        reread: Reread,
    ) -> None:
        self._prior, self._places, self._code, self._reread = prior, places, code, reread
        self._alike: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
        self._in_file: dict[tuple[str, Side], list[Record]] = defaultdict(list)
        for record in prior.values():
            path = code.path_of(record)
            self._alike[path, record.rule, record.fingerprint].append(record)
            if record.state == "open" and record.id in places:
                self._in_file[path, record.side].append(record)
        self._named: dict[str, Record] = {}

    def match(self, findings: Iterable[Finding]) -> tuple[list[Finding], dict[str, Record]]:
        """Return the findings with the ids of their records, and the matched records by id.

        A held-back finding matches no record that counts: lower confidence withdraws nothing.
        """
        found: list[Finding] = []
        waiting = list(findings)
        for look in (self._in_place, self._moved, self._worded_otherwise):
            left = []
            for finding in waiting:
                if (record := look(finding)) is None:
                    left.append(finding)
                    continue
                self._named[record.id] = record
                found.append(self._as_recorded(finding, record))
            waiting = left
        taken = {*self._prior, *(one.id for one in found)}
        for finding in waiting:
            if not counts_for_fail_on(finding) and self._is_known(finding):
                continue
            named = _renamed(finding, taken)
            taken.add(named.id)
            found.append(named)
        return found, self._named

    def _as_recorded(self, finding: Finding, record: Record) -> Finding:
        """Return a finding with the id of its record, and the record's lines if it has none."""
        severity = worse(finding.severity, record.severity)
        finding = replace(finding, id=record.id, severity=severity)
        place = self._places.get(record.id)
        if place is None or finding.is_placed:
            return finding
        on_lines = Placement("inline")
        return replace(finding, line=place[0], end_line=place[-1], placement=on_lines)

    def _like(self, finding: Finding) -> list[Record]:
        """Return the unmatched records with the same id, or with the same code and rule."""
        alike = self._alike[finding.path, finding.rule, self._code.fingerprint_of(finding)]
        by_id = self._prior.get(finding.id)
        found = [one for one in (by_id, *alike) if one and self._is_left(one, finding)]
        return [one for one in found if one is by_id or one.fingerprint]

    def _is_known(self, finding: Finding) -> bool:
        """Return whether an earlier review had the finding, or one of the same code and rule."""
        code = self._code.fingerprint_of(finding)
        alike = (finding.path, finding.rule, code)
        return finding.id in self._prior or bool(code and self._alike.get(alike))

    def _is_left(self, record: Record, finding: Finding) -> bool:
        """Return whether the record is unmatched and may match this finding."""
        counts = counts_for_fail_on(finding) or record.held or record.state == "resolved"
        return record.id not in self._named and bool(counts)

    def _in_place(self, finding: Finding) -> Record | None:
        for record in self._like(finding):
            place = self._places.get(record.id)
            if place and place[0] == finding.line and finding.is_placed:
                return record
        return None

    def _moved(self, finding: Finding) -> Record | None:
        free = [one for one in self._like(finding) if self._is_free(one)]
        return min(
            free,
            key=lambda one: (one.id != finding.id, abs(one.line - finding.line)),
            default=None,
        )

    def _worded_otherwise(self, finding: Finding) -> Record | None:
        """Return an open record on the same lines with a similar title.

        A model and a rule may have reported the same fault: a push on which one of them is silent
        continues the record.
        """
        for record in self._in_file[finding.path, finding.side]:
            if not self._is_left(record, finding):
                continue
            place = self._places[record.id]
            if finding.end_line < place[0] or place[-1] < finding.line:
                continue  # the next line may have another finding with the same words
            if _is_alike(carried(replace(record, line=place[0]), place), finding):
                return record
        return None

    def _is_free(self, record: Record) -> bool:
        """Return whether a record may match a finding at another location."""
        place = self._places.get(record.id)
        path = self._code.path_of(record)
        return place is None or self._reread(path, record.side, place)


def _is_alike(prior: Finding, finding: Finding) -> bool:
    """Return whether an earlier finding, of which only the title is known, is this finding."""
    if prior.is_from_model == finding.is_from_model:
        return same(prior, replace(finding, scenario=""))
    prior = replace(prior, message="")
    model, rule = (prior, finding) if prior.is_from_model else (finding, prior)
    return rule_of(model, [rule]) is not None


def _renamed(finding: Finding, taken: Collection[str]) -> Finding:
    """Return a new finding with an unused id."""
    occurrence = 1
    while finding.id in taken:
        occurrence += 1
        own = fingerprint(finding.path, finding.rule, finding.quote, occurrence)
        finding = replace(finding, id=own)
    return finding


def places_of(records: Iterable[Record], code: HeadCode) -> dict[str, range]:
    """Return the current location of each record: the nearest occurrence of its code.

    Records on different lines get different locations while there are enough: one of two identical
    blocks may have been removed. A resolved record takes no location from an open one.
    """
    groups: dict[tuple[str, Side, str], dict[tuple[bool, int], list[Record]]] = defaultdict(dict)
    for record in records:
        group = groups[code.path_of(record), record.side, record.fingerprint]
        group.setdefault((record.state == "resolved", record.line), []).append(record)
    found: dict[str, range] = {}
    for (path, side, text), by_line in groups.items():
        if (code_ := Fingerprint.parse(text)) is None:
            continue
        free = {place[0]: place for place in code.places(path, side, code_)}

        # Resolved records last; first those that have not moved, then open ones.
        order = {
            (is_resolved, line): (
                *(is_resolved, line not in free),
                *(all(one.state != "open" for one in these), line),
            )
            for (is_resolved, line), these in by_line.items()
        }
        for key in sorted(by_line, key=order.__getitem__):
            if not free:
                break
            line = key[1]
            first = line if line in free else min(free, key=lambda at: abs(at - line))
            place = free.pop(first)
            found |= {record.id: place for record in by_line[key]}
    return found


def recorded(
    finding: Finding,
    record: Record | None,
    code: HeadCode,
    prompt_version: str,
    evidence: Evidence | None = None,
) -> Record:
    """Return the record of a finding, with the comment of its prior record.

    ``evidence`` is the code that decided the verdict about it, if any.

    A finding that misquotes prior code gets the fingerprint of its record. A prior record keeps
    the model and the prompts that found it first; ``prompt_version`` is that of this review.
    """
    if record is not None and record.fingerprint and record.rule == finding.rule:
        text = record.fingerprint
    else:
        text = code.fingerprint_of(finding)
    own_version = prompt_version if finding.is_from_model else ""
    return Record(
        id=finding.id,
        path=finding.path,
        side=finding.side,
        line=finding.line,
        fingerprint=text,
        rule=finding.rule,
        category=finding.category,
        title=finding.title,
        severity=finding.severity,
        comment=record.comment if record else None,
        hidden=record is not None and record.hidden,
        held=(finding.placement.reason or "held back") if finding.placement.held else "",
        left_out=record is not None and record.left_out,
        model=record.model if record else finding.model,
        prompt_version=record.prompt_version if record else own_version,
        listed=record.listed if record else "",
        old_start=record.old_start if record else None,
        old_count=record.old_count if record else 0,
        rests_on=tuple(_proofs(finding, evidence)) or (record.rests_on if record else ()),
    )


def _proofs(finding: Finding, evidence: Evidence | None) -> Iterator[ProofPlace]:
    """Yield where the code is that a finding of a model rests on, apart from its own lines."""
    places = [(place.path, place.line, place.quote, place.base) for place in finding.rests_on]
    if evidence is not None:
        places.append((evidence.path, evidence.line, evidence.quote, evidence.base))
    for path, line, quote, is_old in places if finding.is_from_model else ():
        end = line + quote.count("\n")
        is_own = path == finding.path and finding.line <= line and end <= finding.end_line
        if not is_old and not is_own:
            code = Fingerprint.of(quote.split("\n"))
            yield ProofPlace(path, line, end, str(code or ""))


def carried(record: Record, place: range | None, *, is_known: bool = False) -> Finding:
    """Return an earlier finding that this review does not name.

    ``is_known`` is True if all lines are known that could have its code.
    """
    is_changed = is_known and bool(record.fingerprint)
    reason = _THERE if place else _CHANGED if is_changed else _UNKNOWN
    return Finding(
        id=record.id,
        path=record.path,
        quote="",
        side=record.side,
        line=record.line,
        end_line=place[-1] if place else record.line,
        scenario="",
        category=record.category,
        severity=record.severity,
        confidence=1.0,
        title=record.title or record.rule,
        message=f"Found by an earlier review. {reason}",
        suggestion=None,
        rule=record.rule,
        model="an earlier review",
        chunk="",
        attempt=1,
        placement=_placement(record, "" if place else reason),
    )


def _placement(record: Record, reason: str) -> Placement:
    if record.held:
        return Placement("outside", record.held, held=True)
    return Placement("file", reason) if reason else Placement("inline")

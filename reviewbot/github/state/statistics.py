"""Count what became of the findings of several pull requests, and reactions to them. Pure.

The states come from comments. Nobody here can check their signature, so all their texts are
untrusted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeAlias, TypeVar

from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.github import markers
from reviewbot.github.state.block import FATES, Fate, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from reviewbot.github.api.comments import Comment
    from reviewbot.github.identity import BotIdentity, PullName
    from reviewbot.github.state.block import ClosedRecord, StateBlock

PullState = Literal["open", "closed", "merged"]
"""State of a pull request; ``closed`` is one that was closed without a merge."""
LONGEST_NAME: Final = 100
"""Maximum characters of the name of a rule, a model or a version."""


Kind = TypeVar("Kind", bound=str)
Row = TypeVar("Row", bound="Counts[Any]")
_Closed: TypeAlias = "tuple[ClosedRecord, bool]"
"""A closed record, and whether the merge of its pull request was recorded."""
_UNKNOWN: Final = "unknown"
_SEVERITIES: Final = (*SEVERITIES, _UNKNOWN)


@dataclass(frozen=True, slots=True)
class Counts(Generic[Kind]):
    """Findings or reactions of one rule, model or prompt version. ``name`` is untrusted."""

    name: str
    counts: Mapping[Kind, int]

    @property
    def total(self) -> int:
        """Number of these findings or reactions."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class FateCounts(Counts[Fate]):
    """Closed findings of one severity, rule, model or prompt version.

    Attributes:
        merged: number of those in pull requests whose merge was recorded.
        fixed_before_merge: number of those that were fixed there.
    """

    merged: int = 0
    fixed_before_merge: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """What became of findings.

    Attributes:
        pulls: number of pull requests with a state.
        total: all closed findings.
        by_severity: closed findings by severity, the worst first; ``unknown`` are those that a
            version without this field recorded.
        by_rule: closed findings by rule, those with the most findings first.
        by_model: the same by model.
        by_prompt_version: the same by version of the prompts; ``none`` are those of rules.
        open: findings without a fate, by the state of their pull request.
        unrecorded: number of merged pull requests whose merge was not recorded.
        dropped: number of the closed findings of which only the fate is known.
    """

    pulls: int
    total: FateCounts
    by_severity: tuple[FateCounts, ...]
    by_rule: tuple[FateCounts, ...]
    by_model: tuple[FateCounts, ...]
    by_prompt_version: tuple[FateCounts, ...]
    open: Mapping[PullState, int]
    unrecorded: int
    dropped: int


def state_in(
    comments: Iterable[Comment], pull: PullName, identity: BotIdentity
) -> StateBlock | None:
    """Return the state in the summary comment of ``identity``; None if there is none.

    The marker of the comment must be for this pull request. Its signature is not checked.
    """
    for comment in comments:
        if identity.wrote(comment.author):
            marker = markers.shape(comment.body, pull.bound)
            if marker is not None and marker.kind == "summary":
                return unpack(marker.state) if marker.state else None
    return None


def aggregate(states: Iterable[tuple[PullState, StateBlock]]) -> Statistics:
    """Return the statistics of pull requests with their states."""
    pulls = unrecorded = 0
    closed: list[_Closed] = []
    dropped: Counter[str] = Counter()
    left: Counter[PullState] = Counter()
    for state, block in states:
        pulls += 1
        closed += [(record, block.merged) for record in block.closed]
        dropped.update(block.dropped)
        if not block.merged:
            unrecorded += state == "merged"
            left[state] += sum(one.state == "open" and one.is_posted for one in block.records)
    all_closed = _fates("", closed)
    total = {fate: all_closed.counts[fate] + dropped[fate] for fate in FATES}
    severities = _grouped(closed, lambda record: record.severity or _UNKNOWN)
    return Statistics(
        pulls=pulls,
        total=replace(all_closed, counts=total),
        by_severity=tuple(sorted(severities, key=lambda row: _SEVERITIES.index(row.name))),
        by_rule=_grouped(closed, lambda record: record.rule),
        by_model=_grouped(closed, lambda record: record.model or _UNKNOWN),
        by_prompt_version=_grouped(closed, lambda record: record.prompt_version or "none"),
        open={state: left[state] for state in ("open", "closed", "merged")},
        unrecorded=unrecorded,
        dropped=dropped.total(),
    )


def _grouped(
    closed: Iterable[_Closed], name_of: Callable[[ClosedRecord], str]
) -> tuple[FateCounts, ...]:
    """Return the closed findings by name, the names with the most findings first."""
    groups: dict[str, list[_Closed]] = {}
    for record, is_merged in closed:
        groups.setdefault(name_of(record)[:LONGEST_NAME], []).append((record, is_merged))
    return _most_first(_fates(name, group) for name, group in groups.items())


def _fates(name: str, closed: Collection[_Closed]) -> FateCounts:
    counts = Counter(record.fate for record, _ in closed)
    merged = [record.fate for record, is_merged in closed if is_merged]
    return FateCounts(
        name,
        {fate: counts[fate] for fate in FATES},
        merged=len(merged),
        fixed_before_merge=merged.count("fixed"),
    )


def counted(pairs: Iterable[tuple[str, Kind]]) -> tuple[Counts[Kind], ...]:
    """Return the kinds by name, the most frequent names first."""
    groups: dict[str, Counter[Kind]] = {}
    for name, kind in pairs:
        groups.setdefault(name[:LONGEST_NAME], Counter())[kind] += 1
    return _most_first(Counts(name, counts) for name, counts in groups.items())


def _most_first(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.total, row.name)))

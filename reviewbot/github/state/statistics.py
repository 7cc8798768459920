"""Count what became of the findings of several pull requests, and reactions to them. Pure.

The states come from comments. Nobody here can check their signature, so all their texts are
untrusted.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Literal, TypeVar

from reviewbot.github import markers
from reviewbot.github.state.block import FATES, unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reviewbot.github.api.comments import Comment
    from reviewbot.github.identity import BotIdentity, PullName
    from reviewbot.github.state.block import ClosedRecord, Fate, StateBlock

PullState = Literal["open", "closed", "merged"]
"""State of a pull request; ``closed`` is one that was closed without a merge."""
LONGEST_NAME: Final = 100
"""Maximum characters of the name of a rule, a model or a version."""


Kind = TypeVar("Kind", bound=str)


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
class Statistics:
    """What became of findings.

    Attributes:
        pulls: number of pull requests with a state.
        total: all closed findings.
        by_rule: closed findings by rule, those with the most findings first.
        by_model: the same by model.
        by_prompt_version: the same by version of the prompts; ``none`` are those of rules.
        open: findings without a fate, by the state of their pull request.
        unrecorded: number of merged pull requests whose merge was not recorded.
        dropped: number of the closed findings of which only the fate is known.
    """

    pulls: int
    total: Counts[Fate]
    by_rule: tuple[Counts[Fate], ...]
    by_model: tuple[Counts[Fate], ...]
    by_prompt_version: tuple[Counts[Fate], ...]
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
    closed: list[ClosedRecord] = []
    dropped: Counter[str] = Counter()
    left: Counter[PullState] = Counter()
    for state, block in states:
        pulls += 1
        closed += block.closed
        dropped.update(block.dropped)
        if not block.merged:
            unrecorded += state == "merged"
            left[state] += sum(one.state == "open" and one.is_posted for one in block.records)
    total = Counter(one.fate for one in closed)
    return Statistics(
        pulls=pulls,
        total=Counts("", {fate: total[fate] + dropped[fate] for fate in FATES}),
        by_rule=counted(((one.rule, one.fate) for one in closed), FATES),
        by_model=counted(((one.model or "unknown", one.fate) for one in closed), FATES),
        by_prompt_version=counted(
            ((one.prompt_version or "none", one.fate) for one in closed), FATES
        ),
        open={state: left[state] for state in ("open", "closed", "merged")},
        unrecorded=unrecorded,
        dropped=dropped.total(),
    )


def counted(
    pairs: Iterable[tuple[str, Kind]], kinds: Iterable[Kind] = ()
) -> tuple[Counts[Kind], ...]:
    """Return the kinds by name, the most frequent names first; ``kinds`` are in every count."""
    found: dict[str, Counter[Kind]] = {}
    for name, kind in pairs:
        found.setdefault(name[:LONGEST_NAME], Counter(dict.fromkeys(kinds, 0)))[kind] += 1
    rows = [Counts(name, counts) for name, counts in found.items()]
    return tuple(sorted(rows, key=lambda row: (-row.total, row.name)))

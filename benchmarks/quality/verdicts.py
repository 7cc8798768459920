"""Hits on real commits, and the stored verdicts of a reader on them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

if TYPE_CHECKING:
    from collections.abc import Iterable

STORED: Final = Path(__file__).with_name("verdicts.jsonl")
Judgement = Literal["worth_fixing", "true_but_minor", "false"]
JUDGEMENTS: Final[tuple[Judgement, ...]] = get_args(Judgement)

Key = tuple[str, str, int, str]
"""Commit, path, line and rule."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A finding on a real commit. The text of the line is not part of it.

    ``inline`` is false for a finding that is held back.
    """

    repository: str
    commit: str
    path: str
    line: int
    rule: str
    severity: str
    confidence: float
    inline: bool

    @property
    def key(self) -> Key:
        """Identity of the hit. A commit id is unique, so the repository is not part of it."""
        return self.commit, self.path, self.line, self.rule


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader of the code said of a hit, and why."""

    repository: str
    commit: str
    path: str
    line: int
    rule: str
    verdict: Judgement
    why: str

    @property
    def key(self) -> Key:
        """Identity of the hit that was judged."""
        return self.commit, self.path, self.line, self.rule


def read_verdicts(text: str) -> dict[Key, Verdict]:
    """Return the verdicts in the lines of a text, by hit.

    Raises:
        ValueError: a line has an unknown verdict or no reason, or a hit has two verdicts.
    """
    found: dict[Key, Verdict] = {}
    for line in filter(None, text.splitlines()):
        verdict = Verdict(**cast("dict[str, str]", json.loads(line)))  # type: ignore[arg-type]
        if verdict.verdict not in JUDGEMENTS or not verdict.why:
            raise ValueError(f"a verdict must be one of {JUDGEMENTS}, with a reason: {line}")
        if verdict.key in found:
            raise ValueError(f"two verdicts on one hit: {line}")
        found[verdict.key] = verdict
    return found


def without_verdict(hits: Iterable[Hit], verdicts: dict[Key, Verdict]) -> list[Hit]:
    """Return the inline hits that nobody has judged."""
    return [one for one in hits if one.inline and one.key not in verdicts]


def count_verdicts(hits: Iterable[Hit], verdicts: dict[Key, Verdict]) -> dict[Judgement, int]:
    """Return how many inline hits have each verdict."""
    judged = [verdicts[one.key].verdict for one in hits if one.inline and one.key in verdicts]
    return {one: judged.count(one) for one in JUDGEMENTS}

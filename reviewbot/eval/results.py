"""Results of an evaluation: the comments of one contestant on one case, as lines of JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from reviewbot.core.decode import decoder
from reviewbot.core.findings.finding import (  # noqa: TC001 - the decoder looks these up
    Severity,
    Side,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of a contestant.

    Only a comment that is ``inline`` has a line that its reader sees, so only such a comment can
    match a golden comment. ``id`` identifies the finding of a review by reviewbot, whatever its
    wording; it is empty for comments of others. ``by_rule`` is True if a rule or linter
    reported it and no model did.
    """

    path: str
    line: int
    end_line: int
    side: Side = "RIGHT"
    severity: Severity | None = None
    text: str = ""
    inline: bool = True
    id: str = ""
    by_rule: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """The output of a contestant on a case in one run.

    ``error`` is a sentence if the output was not valid; comments before the error count all the
    same. ``judged`` is the number of findings that a verifier judged, ``refuted`` that of those
    that it withdrew. Tokens, dollars and the seconds until the first finding are None if unknown.
    """

    contestant: str
    run: int
    case: str
    comments: tuple[Comment, ...] = ()
    error: str | None = None
    judged: int = 0
    refuted: int = 0
    tokens: int | None = None
    cost_usd: float | None = None
    first_finding_s: float | None = None

    @property
    def key(self) -> tuple[str, int, str]:
        """Identity of the result within a run of the evaluation."""
        return self.contestant, self.run, self.case

    @property
    def digest(self) -> str:
        """Digest of the comments, to which judgements belong."""
        text = json.dumps([asdict(one) for one in self.comments])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def known_sum(values: Sequence[Number | None]) -> Number | None:
    """Return the sum of numbers; None if one is not known."""
    known = [one for one in values if one is not None]
    return sum(known) if len(known) == len(values) else None


def result_of(value: object) -> Result:
    """Return a result from its JSON.

    Raises:
        ValueError: a field is missing or invalid.
    """
    result = cast("Result", decoder(Result)(value, ""))
    for name in ("judged", "refuted", "tokens", "cost_usd", "first_finding_s"):
        if (getattr(result, name) or 0) < 0:
            raise ValueError(f"{name} must not be negative")
    if result.refuted > result.judged:
        raise ValueError("refuted must not be more than judged")
    return result


def result_line(result: Result) -> str:
    """Return a result as a line of JSON."""
    return f"{json.dumps(asdict(result))}\n"

"""The finding: its fields, identity, comparison and rank. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Side = Literal["RIGHT", "LEFT"]
Severity = Literal["error", "warning", "note"]
Category = Literal[
    "bug",
    "security",
    "performance",
    "concurrency",
    "error-handling",
    "api",
    "tests",
    "docs",
    "maintainability",
]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
CATEGORIES: tuple[Category, ...] = get_args(Category)
PlacementKind = Literal["inline", "file", "outside"]
Verification = Literal["none", "pending", "supported", "partly", "cannot_tell", "unverified"]
RENAMED_ANSWERS: Final[Mapping[str, Mapping[str, str]]] = {
    "renamed": {"refuted": "wrong", "unproven": "cannot_tell"}
}
"""Metadata of a field with the answer of a verifier, some of which had other names before."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Placement of a finding.

    ``inline``: on ``line``..``end_line`` of the diff. ``file``: the diff contains the file, but not
    the quoted code. ``outside``: reported outside the diff, for example because the confidence is
    below the inline threshold. ``reason`` is a sentence, ``None`` when inline. ``held`` marks a
    finding that the pipeline's own filters hold back (confidence, number of notes). A held-back
    finding never fails a run.
    """

    kind: PlacementKind
    reason: str | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """Code that decided a verdict: ``quote`` begins at the line ``line`` (1-based) of the file.

    ``base`` is True for a line of the old version.
    """

    path: str
    line: int
    quote: str
    base: bool = False


@dataclass(frozen=True, slots=True)
class Guideline:
    """A rule of the team that a finding rests on: where the base has it, and its text."""

    path: str
    line: int
    quote: str


@dataclass(frozen=True, slots=True)
class RawQuote:
    """A quote as the model wrote it. ``base`` is True for code before the change."""

    path: str
    quote: str
    base: bool = False


@dataclass(frozen=True, slots=True)
class RestsOn:
    """Code that a finding rests on: lines ``line`` to ``end_line``, and their redacted text.

    ``base`` is True if the lines are those of the old version. ``is_shown`` is True if the diff
    shows all of them, so that no look-up was needed.
    """

    path: str
    line: int
    end_line: int
    quote: str
    base: bool
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, validated, made safe to show, and placed.

    ``line`` and ``end_line`` are 1-based on ``side`` (RIGHT: new file, LEFT: old file). Without
    :attr:`is_placed` they are the lines that the model claimed. ``suggestion`` replaces exactly
    ``line``..``end_line``; it is offered only if ``suggestion_applies``. ``cached`` is True for a
    finding of an earlier review, which cost nothing this time.

    ``verification`` is ``none`` for findings that are not verified: those of secrets, rules and
    linters, those of models that are sure of a warning or a note, and all if verification is off.
    It is ``pending`` until the verdict, and ``unverified`` if verification failed. The texts of a
    finding that is ``partly`` true are those of the verifier.

    ``guideline`` is the rule of the team that its message quotes, if any.

    ``sources`` has all that reported it: the names of rules and of models.

    ``rests_on`` is code that the model quotes, as far as the commit has it.
    """

    id: str
    path: str
    quote: str
    side: Side
    line: int
    end_line: int
    scenario: str
    category: Category
    severity: Severity
    confidence: float
    title: str
    message: str
    suggestion: str | None
    rule: str
    model: str
    chunk: str
    attempt: int
    placement: Placement
    suggestion_applies: bool = False
    cached: bool = False
    verification: Verification = field(default="none", metadata=RENAMED_ANSWERS)
    guideline: Guideline | None = None
    sources: tuple[str, ...] = ()
    rests_on: tuple[RestsOn, ...] = ()

    @property
    def is_from_model(self) -> bool:
        """True if a model wrote it: ids of secrets, rules and linters contain a slash."""
        return "/" not in self.rule

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models that reported it; our own rules count as one."""
        others = (name for name in self.sources if "/" not in name)
        return tuple(dict.fromkeys((self.model, *others)))

    @property
    def is_placed(self) -> bool:
        """True if the lines are those of the code, not only claimed.

        Filters move findings that they hold back ``outside``.
        """
        placement = self.placement
        return placement.kind == "inline" or (placement.kind == "outside" and placement.held)


def worse(one: Severity, other: Severity) -> Severity:
    """Return the worse of two severities."""
    return min(one, other, key=SEVERITIES.index)


def fingerprint(path: str, rule: str, code: str, occurrence: int = 1) -> str:
    """Return the identity of a finding: path, rule and code without regard to white space.

    The identity does not depend on line numbers, dates or wording. So it survives rebases, shifted
    lines, new indentation, and another wording of a model.

    Args:
        path: the file.
        rule: the rule, for a model its category.
        code: the lines at fault.
        occurrence: 1, or n for the n-th finding of one review that is otherwise the same.
    """
    normal = "\n".join(filter(None, (" ".join(line.split()) for line in code.split("\n"))))
    parts = (path, rule, normal, str(occurrence) if occurrence > 1 else "")
    data = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(data).hexdigest()[:16]


_WORD = re.compile(r"[^\W_]{3,}")


# Words that findings about different problems share.
_FILLER: Final = frozenset(
    [
        "and",
        "any",
        "are",
        "because",
        "but",
        "can",
        "does",
        "fails",
        "for",
        "from",
        "goes",
        "happens",
        "has",
        "have",
        "into",
        "its",
        "not",
        "one",
        "raises",
        "returns",
        "the",
        "then",
        "that",
        "this",
        "value",
        "when",
        "where",
        "which",
        "while",
        "will",
        "with",
        "without",
        "would",
        "wrong",
    ]
)


def words_of(*texts: str) -> frozenset[str]:
    """Return the words of texts that distinguish problems, in lower case."""
    return frozenset(_WORD.findall(" ".join(texts).lower())) - _FILLER


def same(one: Finding, other: Finding) -> bool:
    """Return whether two findings of one file report the same problem at the same location.

    Two findings of our own rules are the same if they share the rule and a line. For others, half
    of the words must be equal, or a third within one category: the wording differs between attempts
    and models, but the nouns rarely do. On lines that are only adjacent, most words must be equal.
    """
    if one.side != other.side or one.line > other.end_line + 1 or other.line > one.end_line + 1:
        return False
    apart = one.line > other.end_line or other.line > one.end_line
    if "/" in one.rule and "/" in other.rule:
        return one.rule == other.rule and not apart
    ours, theirs = words_of(one.title, one.scenario), words_of(other.title, other.scenario)
    union = len(ours | theirs)
    if not union:
        return same_quote(one, other)
    needed = 3 / 4 if apart else 1 / 3 if one.category == other.category else 1 / 2
    return len(ours & theirs) / union >= needed


def same_quote(one: Finding, other: Finding) -> bool:
    """Return whether two findings quote the same code, except for white space."""
    return one.quote.split() == other.quote.split()


def precedence(finding: Finding) -> tuple[bool, bool, int]:
    """Return a sort key: the most important finding has the lowest. Held back sorts last."""
    placement = finding.placement
    return placement.held, placement.kind != "inline", SEVERITIES.index(finding.severity)


def level_of(
    rule: str, category: Category, severity: Severity, levels: Mapping[str, str]
) -> Severity | None:
    """Return the severity of a finding under the configuration; None if it is turned off.

    Args:
        rule: the finding's rule.
        category: the finding's category.
        severity: severity without configuration.
        levels: ``off`` or a severity, by rule or category; a level of the rule has precedence.
    """
    level = levels.get(rule, levels.get(category, severity))
    return next((one for one in SEVERITIES if one == level), None)


def rank(finding: Finding) -> tuple[int, bool, float, str, int]:
    """Return a sort key: worst first, then inline before others, then confidence and location."""
    return (
        SEVERITIES.index(finding.severity),
        finding.placement.kind != "inline",
        -finding.confidence,
        finding.path,
        finding.line,
    )

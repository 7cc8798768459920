"""Decide whether a model's finding reports the fault of a rule's finding, and join the two. Pure.

The rules of linters and the search for secrets count as rules. In doubt, both findings are kept: a
fault that is shown twice costs less than one that is hidden.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.finding import Placement, words_of, worse
from reviewbot.core.safety.safe_text import safe_markdown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.findings.finding import Finding

MAX_RANGE: Final = 6
"""Maximum lines of a model's finding that holds the lines of a rule's finding."""
MIN_WORDS: Final = 2
MIN_SHARE: Final = 1 / 5
"""Least number of common words, and their least share of the words of the shorter text."""
STEM: Final = 5
"""Letters by which words are compared, so that ``blocks`` and ``blocking`` are equal."""


def rule_of(finding: Finding, rules: Iterable[Finding]) -> Finding | None:
    """Return the finding of a rule that reports the fault of a model's finding; None in doubt.

    Args:
        finding: the finding of a model. A finding that is held back, or that has no line, reports
            the fault of no rule.
        rules: findings of rules in the same file.
    """
    if finding.placement.held or not finding.is_placed:
        return None
    here = [rule for rule in rules if rule.is_placed and _overlap(rule, finding)]
    equal = [rule for rule in here if _has_equal_lines(rule, finding)]
    if not equal and len(here) == 1 and _holds(finding, here[0]):
        equal = here
    by_words: dict[int, list[Finding]] = {}
    for rule in equal:
        by_words.setdefault(_common_words(rule, finding), []).append(rule)
    most = max(by_words, default=0)
    return by_words[most][0] if most and len(by_words[most]) == 1 else None


def joined(rule: Finding, models: Sequence[Finding]) -> Finding:
    """Return a rule's finding with the explanation and the suggestion of a model.

    The id, the lines, the title and the category are those of the rule. The severity is the worst.
    A suggestion of the model applies only if it replaces the same lines. A finding of a rule that
    is held back is not if a model reports it.

    Args:
        rule: the finding as the rule reported it.
        models: findings of models that report the same. The first one explains it.
    """
    if not models:
        return rule
    model, *_ = models
    said = (model.title, model.scenario if rule.scenario else "")
    title, scenario = (safe_markdown(text, link_hosts=()) for text in said)
    explanation = (rule.message, title and f"A model reports: {title}", scenario, model.message)
    applies = model.suggestion_applies and _has_equal_lines(rule, model)
    is_better = rule.suggestion is None or (applies and not rule.suggestion_applies)
    takes_suggestion = model.suggestion is not None and is_better
    return replace(
        rule,
        severity=reduce(worse, (other.severity for other in models), rule.severity),
        confidence=max(rule.confidence, *(other.confidence for other in models)),
        scenario=rule.scenario or model.scenario,
        message="\n\n".join(filter(None, explanation)),
        suggestion=model.suggestion if takes_suggestion else rule.suggestion,
        suggestion_applies=applies if takes_suggestion else rule.suggestion_applies,
        placement=Placement("inline") if rule.placement.held else rule.placement,
        guideline=model.guideline,
        sources=tuple(
            dict.fromkeys(name for finding in (rule, *models) for name in finding.sources)
        ),
    )


def _overlap(finding: Finding, other: Finding) -> bool:
    is_apart = finding.line > other.end_line or other.line > finding.end_line
    return finding.side == other.side and not is_apart


def _has_equal_lines(finding: Finding, other: Finding) -> bool:
    return (finding.side, finding.line, finding.end_line) == (
        other.side,
        other.line,
        other.end_line,
    )


def _holds(outer: Finding, inner: Finding) -> bool:
    """Return whether a short range of lines holds another range."""
    is_short = outer.end_line - outer.line < MAX_RANGE
    return is_short and outer.line <= inner.line and inner.end_line <= outer.end_line


def _common_words(rule: Finding, model: Finding) -> int:
    """Return the number of words that two findings share; 0 if they are too few.

    The name of a rule has words that models use, such as ``sql-injection``. The titles must share a
    word. Words of the code alone are too few: two faults of a line name the same variables.
    """
    ours, theirs = _stems(rule.title, rule.rule), _stems(model.title)
    if not ours & theirs:
        return 0
    ours |= _stems(rule.scenario or rule.message)
    theirs |= _stems(model.scenario)
    common = ours & theirs
    is_enough = len(common) >= max(MIN_WORDS, MIN_SHARE * min(len(ours), len(theirs)))
    return len(common) if is_enough and common - _stems(rule.quote) else 0


def _stems(*texts: str) -> frozenset[str]:
    return frozenset(word[:STEM] for word in words_of(*texts))

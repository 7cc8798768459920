"""Open findings of one review: duplicates merged, ids unique. Pure.

A finding of a model that reports the fault of a rule's finding is folded into it
(:mod:`reviewbot.core.findings.join`). The rule's finding stays, whichever came first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.events import FindingRaised, FindingVerified, FindingWithdrawn
from reviewbot.core.findings.finding import (
    fingerprint,
    precedence,
    rank,
    same,
    same_quote,
)
from reviewbot.core.findings.join import joined, rule_of
from reviewbot.core.findings.verdicts import rewritten

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.findings.verdicts import Verdict


MAX_LINES: Final = 500
_MERGED: Final = "Merged into a finding that reports the same and takes precedence."


@dataclass(slots=True)
class _Fold:
    """The finding of a rule, and the findings of models that are folded into it.

    ``rule`` is the finding as the rule reported it. It is None for a folded finding that an earlier
    run has shown, until the rule reports it again. ``models`` has each finding with the answers
    that reported it.
    """

    rule: Finding | None
    models: list[tuple[Finding, set[str]]] = field(default_factory=list)


class Ledger:
    """Ledger that decides about each finding, from any chunk, attempt or model.

    Args:
        shown: findings that an earlier run of this review has shown and not withdrawn.
        file_of: the file of each chunk, by its index in the diff.
    """

    def __init__(
        self,
        *,
        shown: Iterable[Finding] = (),
        file_of: Mapping[str, int] | None = None,
    ) -> None:
        self._standing: dict[str, Finding] = {}
        self._by_line: dict[tuple[tuple[str, int | None], int], list[Finding]] = {}
        self._occurrences: Counter[str] = Counter()
        self._file_of = file_of or {}
        self._answers: dict[str, set[str]] = {}
        self._recalled: set[str] = set()
        self._replaced: dict[str, list[tuple[Finding, set[str]]]] = {}
        self._folds: dict[str, _Fold] = {}
        for finding in shown:
            self._stand(finding)
            self._answers[finding.id] = set()  # its answer is no longer known
            if not finding.is_from_model:
                is_folded = any("/" not in name for name in finding.sources)
                self._folds[finding.id] = _Fold(None if is_folded else finding)

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
        with precedence (:func:`reviewbot.core.findings.finding.precedence`) is kept. The finding of
        a rule is kept instead of a model's, with the explanation of the model.

        Returns:
            The events that follow from it, none if it was merged away.
        """
        near = self._near(finding)
        alike = [other for other in near if other.is_from_model == finding.is_from_model]
        others = [
            other
            for other in alike
            if _repeats(finding, other, is_same_answer=answer in self._answers[other.id])
        ] or [other for other in alike if self._may_be_rewritten(finding, other)]
        if any(
            precedence(other) <= precedence(finding) or self._is_shown(finding, other)
            for other in others
        ):
            for other in others:
                self._answers[other.id].add(answer)
            return self._reported_again(finding, others)
        finding = _resting(finding, others)
        if not finding.is_from_model:
            return self._raise(finding, others, answer)
        for name in (other.id for other in near if not other.is_from_model):
            for model, answers in self._folds[name].models:
                if _repeats(finding, model, is_same_answer=answer in answers):
                    return self._folded_again(name, finding, answer, model, answers)
        rule = rule_of(finding, self._rules(near))
        if rule is None or self._folds[rule.id].models:
            return self._raise(finding, others, answer)
        withdrawn = [_folded(other, rule) for other in others]
        models = [(finding, {answer}), *((other, self._drop(other)) for other in others)]
        self._folds[rule.id].models = models
        return [*withdrawn, *self._refolded(rule.id)]

    def recall(self, answer: str, reason: str) -> list[FindingRaised | FindingWithdrawn]:
        """Withdraw the findings that only this answer reported.

        A finding that a withdrawn finding had replaced is raised again if another answer reported
        it. The finding of a rule into which a finding was folded is raised again as it was.
        """
        self._recalled.add(answer)
        events: list[FindingRaised | FindingWithdrawn] = []
        for name, fold in list(self._folds.items()):
            kept = [(model, answers) for model, answers in fold.models if answers != {answer}]
            for _, answers in kept:
                answers.discard(answer)
            is_changed, fold.models = len(kept) < len(fold.models), kept
            events += self._refolded(name) if is_changed else ()
        for name, answers in list(self._answers.items()):
            if answers == {answer}:
                self._drop(self._standing[name])
                events.append(FindingWithdrawn(name, reason))
                events += self._restored(name)
                events += self._released(name)
            answers.discard(answer)
        return events

    def unvouched(
        self, chunks: Collection[str], reason: str
    ) -> list[FindingRaised | FindingWithdrawn]:
        """Withdraw the findings of an earlier run in these chunks that no answer has repeated."""
        events: list[FindingRaised | FindingWithdrawn] = []
        for name, fold in list(self._folds.items()):
            if self._standing[name].chunk in chunks:
                fold.models = [(model, answers) for model, answers in fold.models if answers]
                events += self._refolded(name)
        gone = [
            finding
            for finding in self._standing.values()
            if not self._answers[finding.id] and finding.chunk in chunks
        ]
        for finding in gone:
            self._drop(finding)
            events.append(FindingWithdrawn(finding.id, reason))
            events += self._released(finding.id)
        return events

    def pending(self, chunks: Collection[str]) -> list[Finding]:
        """Return the findings in ``chunks`` without a verdict, in the order of their lines."""
        found = (one for one in self._standing.values() if one.verification == "pending")
        return sorted(
            (one for one in found if one.chunk in chunks),
            key=lambda one: (one.path, one.line, one.id),
        )

    def decide(self, verdict: Verdict) -> list[FindingRaised | FindingVerified | FindingWithdrawn]:
        """Apply a verdict to a pending finding; a finding that is withdrawn meanwhile has none.

        The verdicts ``fixed`` and ``open`` are about findings of earlier reviews.
        """
        finding, answer = self._standing.get(verdict.id), verdict.verdict
        if finding is None or finding.verification != "pending":
            return []
        if answer == "fixed" or answer == "open":  # noqa: PLR1714 - mypy narrows it
            return []
        answers = self._drop(finding)
        if answer == "wrong" or answer == "not_introduced":  # noqa: PLR1714 - mypy narrows it
            return [FindingWithdrawn(finding.id, verdict.reason, verdict.evidence, answer)]
        events: list[FindingRaised | FindingVerified | FindingWithdrawn] = []
        if verdict.rewrite is not None:
            finding = rewritten(finding, verdict.rewrite)
            events.append(FindingRaised(finding))
        self._stand(replace(finding, verification=answer))
        self._answers[finding.id] = answers
        events.append(
            FindingVerified(
                id=finding.id,
                verdict=answer,
                reason=verdict.reason,
                evidence=verdict.evidence,
                placement=finding.placement,
            )
        )
        return events

    def _raise(
        self, finding: Finding, others: Iterable[Finding], answer: str
    ) -> list[FindingRaised | FindingWithdrawn]:
        """Add a finding in place of others. A finding of a rule takes over what is folded there."""
        replaced = [(other, self._drop(other)) for other in others]
        events: list[FindingRaised | FindingWithdrawn] = [
            FindingWithdrawn(other.id, _MERGED) for other, _ in replaced
        ]
        finding = self._named(finding)
        if not finding.is_from_model:
            folds = [self._folds.pop(other.id) for other, _ in replaced]
            models = [model for fold in folds for model in fold.models]
            if not models and (model := self._model_of(finding)) is not None:
                models = [(model, self._drop(model))]
                events.append(_folded(model, finding))
            self._folds[finding.id] = _Fold(finding, models)
            finding = joined(finding, [model for model, _ in models])
        self._stand(finding)
        self._answers[finding.id] = {answer}
        self._replaced[finding.id] = replaced
        return [*events, FindingRaised(finding)]

    def _model_of(self, rule: Finding) -> Finding | None:
        """Return the first finding of a model that reports the fault of a new finding of a rule."""
        for model in self._near(rule):
            if model.is_from_model:
                rules = [*self._rules(self._near(model)), rule]
                if rule_of(model, rules) is rule:
                    return model
        return None

    def _rules(self, near: Iterable[Finding]) -> list[Finding]:
        """Return the findings of rules among ``near``, as the rules reported them."""
        return [self._folds[other.id].rule or other for other in near if not other.is_from_model]

    def _reported_again(
        self, finding: Finding, others: Iterable[Finding]
    ) -> list[FindingRaised | FindingWithdrawn]:
        """Learn how a rule reports the folded findings that an earlier run has shown."""
        events: list[FindingRaised | FindingWithdrawn] = []
        for other in others:
            fold = self._folds.get(other.id)
            if fold is not None and fold.rule is None:
                fold.rule = replace(finding, id=other.id)
                events += self._refolded(other.id) if fold.models else ()
        return events

    def _folded_again(
        self, name: str, finding: Finding, answer: str, model: Finding, answers: set[str]
    ) -> list[FindingRaised | FindingWithdrawn]:
        """Add a finding that repeats the folded ``model``; the more severe one explains the rule's.

        ``name`` is the id of the rule's finding, and ``answers`` are those that reported ``model``.
        """
        if precedence(model) <= precedence(finding):
            answers.add(answer)
            return []
        self._folds[name].models.insert(0, (finding, {answer}))
        return self._refolded(name)

    def _refolded(self, name: str) -> list[FindingRaised | FindingWithdrawn]:
        """Fold the models' findings into a rule's finding anew, and raise it if that changes it."""
        fold, before = self._folds[name], self._standing[name]
        if fold.rule is None:
            return []
        answers = self._drop(before)
        finding = joined(fold.rule, [model for model, _ in fold.models])
        self._stand(finding)
        self._answers[name] = answers
        return [] if finding == before else [FindingRaised(finding)]

    def _released(self, name: str) -> Iterator[FindingRaised]:
        """Yield the findings of models that were folded into a withdrawn finding of a rule."""
        fold = self._folds.pop(name, None)
        for model, answers in fold.models if fold is not None else ():
            yield self._raised_again(model, answers)

    def _restored(self, name: str) -> Iterator[FindingRaised]:
        """Yield the findings that a finding had replaced, if other responses also reported them."""
        for other, said_by in self._replaced.pop(name, ()):
            answers = said_by - self._recalled
            if answers:
                yield self._raised_again(other, answers)
            else:
                yield from self._restored(other.id)

    def _raised_again(self, finding: Finding, answers: set[str]) -> FindingRaised:
        finding = self._named(finding)
        if not finding.is_from_model:
            self._folds[finding.id] = _Fold(finding)
        self._stand(finding)
        self._answers[finding.id] = answers
        return FindingRaised(finding)

    def _is_shown(self, finding: Finding, other: Finding) -> bool:
        """Return whether an earlier run has shown ``finding`` as ``other``, perhaps verified."""
        is_earlier = not self._answers[other.id]
        return is_earlier and (finding.rule, finding.quote) == (other.rule, other.quote)

    def _may_be_rewritten(self, finding: Finding, other: Finding) -> bool:
        """Return whether ``other`` may be ``finding``, rewritten by an earlier run."""
        is_earlier = not self._answers[other.id]
        may_be = other.verification in ("pending", "partly")
        return is_earlier and may_be and other.id == finding.id

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

    def _stand(self, finding: Finding) -> None:
        self._standing[finding.id] = finding
        for line in _lines(finding):
            self._by_line.setdefault((self._file(finding), line), []).append(finding)

    def _drop(self, finding: Finding) -> set[str]:
        """Remove a finding, and return the answers that reported it."""
        del self._standing[finding.id]
        for line in _lines(finding):
            self._by_line[self._file(finding), line].remove(finding)
        return self._answers.pop(finding.id)


def _repeats(finding: Finding, other: Finding, *, is_same_answer: bool) -> bool:
    """Return whether two findings are the same.

    Two findings of one answer are the same only if their quotes are equal.
    """
    is_distinct = is_same_answer and not same_quote(finding, other)
    return not is_distinct and same(finding, other)


def _resting(finding: Finding, others: Iterable[Finding]) -> Finding:
    """Return a finding with the code that it rests on, or that the findings it repeats rest on."""
    codes = (code for other in others for code in other.rests_on)
    return replace(finding, rests_on=finding.rests_on or tuple(dict.fromkeys(codes)))


def _folded(model: Finding, rule: Finding) -> FindingWithdrawn:
    reason = f"The rule {rule.rule} reports it, too: merged into the finding {rule.id}."
    return FindingWithdrawn(model.id, reason)


def _lines(finding: Finding, *, margin: int = 0) -> range:
    """Return the lines of a finding, at most ``MAX_LINES`` after its first."""
    last = min(finding.end_line, finding.line + MAX_LINES)
    return range(finding.line - margin, last + margin + 1)

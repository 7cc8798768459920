"""Turn draft findings into findings: place, sanitize and filter them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.anchors import AnchorIndex
from reviewbot.core.findings.finding import Finding, Placement, fingerprint, level_of
from reviewbot.core.findings.levels import AS_SHIPPED, RuleLevels
from reviewbot.core.findings.quoted_rule import quoted_rule
from reviewbot.core.findings.suggestions import edit_of
from reviewbot.core.findings.suppressions import Suppression, suppressions_in
from reviewbot.core.plan.weigh import CUT_MARK
from reviewbot.core.safety.redact import REDACTED_MARK, redact_text
from reviewbot.core.safety.shown_text import shown_line, shown_markdown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from reviewbot.core.findings.anchors import Anchor
    from reviewbot.core.findings.draft import Draft
    from reviewbot.core.findings.finding import Guideline, Severity
    from reviewbot.core.findings.suggestions import Edit
    from reviewbot.core.plan.chunk_view import ChunkView

_WORD = re.compile(r"\w{6,}")
RULE_CONFIDENCE: Final = 0.7
"""Lowest confidence of an inline finding of a rule, unless the setting ``confidence`` is set."""


@dataclass(frozen=True, slots=True)
class FindingFilters:
    """Filters that hold findings back, and levels that turn rules off.

    ``confidence`` is the lowest confidence of an inline finding of a model, and ``rule_confidence``
    that of a rule, a linter or the search for secrets, whose notes are below it. ``levels`` has the
    configured levels of rules. ``decoys`` are identifiers of the
    prompt's examples. A finding that names a decoy which is not in the code describes the example.
    ``heed_added`` is False if suppressions that the change adds must not hide errors.
    """

    confidence: float = 0.0
    rule_confidence: float = RULE_CONFIDENCE
    link_hosts: tuple[str, ...] = ("github.com",)
    levels: RuleLevels = AS_SHIPPED
    decoys: Collection[str] = frozenset()
    heed_added: bool = True


class Intake:
    """Converter of the drafts of one batch into findings.

    Args:
        views: the chunks of the batch as the model saw them.
        gates: the thresholds.
        guidelines: the rules of the team that the model got.
    """

    def __init__(
        self,
        views: Collection[ChunkView],
        gates: FindingFilters,
        guidelines: Sequence[Guideline] = (),
    ) -> None:
        self._views = {view.id: view for view in views}
        self._index = AnchorIndex(views)
        self._gates, self._guidelines = gates, guidelines
        self._paths = {view.path: view for view in views}
        self._suppressions: dict[str, list[Suppression]] = {}
        for view in views:
            for hunk in view.hunks:
                found = suppressions_in(hunk.lines)
                self._suppressions.setdefault(view.path, []).extend(found)

    def admit(
        self, draft: Draft, *, model: str, attempt: int, cached: bool = False
    ) -> tuple[Finding, Edit | None] | None:
        """Return the finding of ``draft``, and its suggestion if that could be offered.

        The finding's id is still that of a first occurrence. The suggestion does not apply until
        its syntax is checked. The search for secrets makes this slow for long texts.

        Return None if the configuration turns the rule or category off, or if a comment in the code
        suppresses the rule.

        ``attempt`` is the number of the attempt. A ``cached`` draft is from an earlier review.

        Raises:
            ReviewbotError: the search for secrets failed.
        """
        rule = draft.rule or draft.category
        path = self._index.path_of(draft.path)
        levels = self._gates.levels.at(path or draft.path)
        severity = level_of(rule, draft.category, draft.severity, levels)
        if severity is None:
            return None
        anchor = self._index.find(path, draft.quote, draft.side, draft.line) if path else None
        if path and anchor and self._is_suppressed(draft, severity, path, anchor):
            return None
        quote = (
            "\n".join(line.text for line in anchor.lines) if anchor else redact_text(draft.quote)
        )
        suggestion = None if draft.suggestion is None else redact_text(draft.suggestion)
        shown_path = path or shown_line(draft.path)
        known = self._paths.get(path or "")
        finding = Finding(
            id=fingerprint(shown_path, rule, quote),
            path=shown_path,
            quote=quote,
            side=anchor.side if anchor else draft.side,
            line=anchor.line if anchor else draft.line,
            end_line=anchor.end_line if anchor else draft.end_line,
            scenario=shown_line(draft.scenario),
            category=draft.category,
            severity=severity,
            confidence=draft.confidence,
            title=shown_line(draft.title),
            message=shown_markdown(draft.message, link_hosts=self._gates.link_hosts),
            suggestion=suggestion,
            rule=rule,
            model=model,
            chunk=anchor.chunk if anchor else (known.id if known else next(iter(self._views))),
            attempt=attempt,
            placement=self._placement(draft, path, anchor),
            suggestion_applies=False,
            cached=cached,
            guideline=quoted_rule(draft.message, self._guidelines) if draft.rule is None else None,
            sources=(draft.rule or model,),
        )
        return finding, None if anchor is None else self._edit(draft, suggestion, anchor)

    def _is_suppressed(self, draft: Draft, severity: Severity, path: str, anchor: Anchor) -> bool:
        """Return whether a comment suppresses the rule here; a model's findings have no rule."""
        if draft.rule is None or anchor.side != "RIGHT":
            return False
        heeds_all = self._gates.heed_added or severity != "error"
        names = {draft.rule, draft.category}
        return any(
            one.covers(anchor.line, anchor.end_line) and not names.isdisjoint(one.names)
            for one in self._suppressions.get(path, ())
            if heeds_all or not one.added
        )

    def _placement(self, draft: Draft, path: str | None, anchor: Anchor | None) -> Placement:
        reason = self._held_back(draft)
        if reason is not None:
            return Placement("outside" if anchor or path is None else "file", reason, held=True)
        if path is None:
            return Placement("outside", "It names a file that was not part of the request.")
        if anchor is None:
            return Placement("file", "The code it quotes is not in the diff.")
        return Placement("inline")

    def _held_back(self, draft: Draft) -> str | None:
        """Return the reason why the filters hold a finding back, or None."""
        if self._speaks_of_an_example(draft):
            return "It repeats an example of the prompt, not this code."
        if not draft.scenario.strip() and draft.rule is None:
            return "It names no scenario in which something goes wrong."
        gates = self._gates
        threshold = gates.confidence if draft.rule is None else gates.rule_confidence
        if draft.confidence < threshold:
            return f"Its confidence of {draft.confidence:.2g} is below {threshold:.2g}."
        return None

    def _speaks_of_an_example(self, draft: Draft) -> bool:
        """Return whether the finding, but not the shown code, has an identifier of our examples."""
        if not self._gates.decoys:
            return False
        words = set(_WORD.findall(f"{draft.title} {draft.message} {draft.quote}"))
        named = words & set(self._gates.decoys)
        return bool(named) and not any(
            name in line.text
            for name in named
            for view in self._views.values()
            for hunk in view.hunks
            for line in hunk.lines
        )

    def _edit(self, draft: Draft, suggestion: str | None, anchor: Anchor) -> Edit | None:
        """Return the suggestion if it is for the quoted lines, and could be offered."""
        if suggestion is None or draft.end_line - draft.line + 1 != len(anchor.lines):
            return None
        marks: Final = (REDACTED_MARK, CUT_MARK)
        return edit_of(suggestion, anchor, self._views[anchor.chunk], marks=marks)

"""Text of findings for comments on GitHub, inline or outside the diff. Pure.

Texts of findings were made safe when they were admitted. They are made safe again here, which is
idempotent (:mod:`reviewbot.core.safety.safe_text`). Posts notify people and cannot be taken back,
so this module does not depend on the origin of a report.

Hidden markers identify our own comments (:mod:`reviewbot.github.markers`). Untrusted text never
reads as a marker. Our marker is always the last line of its text.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from reviewbot.core.render.author import without_details
from reviewbot.core.render.markdown import proofs
from reviewbot.core.render.markdown_text import code_span, fence, linked, literal, one_line, quoted
from reviewbot.core.render.wording import confidence, titled
from reviewbot.core.safety.escape import is_plain
from reviewbot.core.safety.markdown import code_block
from reviewbot.core.safety.safe_text import safe_line, safe_markdown
from reviewbot.github.markers import MAX_LENGTH, MAX_SUMMARY, has_marker
from reviewbot.github.publish.sections import folded, size

if TYPE_CHECKING:
    from reviewbot.core.events.events import ReviewSummary
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.change.permalinks import Permalinks

MAX_BODY: Final = 65_536
"""Maximum characters of a comment or a review."""

HELP: Final = "<sub><code>/ignore</code> to dismiss · details</sub>"
"""The small line at the end of each inline comment, which unfolds to the details, as HTML."""
HELP_WITH_REPLIES: Final = "<sub>Reply to discuss · <code>/ignore</code> to dismiss · details</sub>"
"""The same for a finding that people can discuss."""

_TITLE: Final = 200
_LINE: Final = 600
_MESSAGE: Final = 4_000  # characters of a message outside the diff, where findings share a text
_RULE: Final = 400
_QUOTE_LINES: Final = 10
_SUGGESTION_LINES: Final = 40
_COMMENT: Final = "<!--"
_CONTRADICTS: Final = (
    "The suggestion restores code that an earlier finding was about, so the two may contradict:"
)


@lru_cache(maxsize=512)  # one finding is shown in several places, and again with each progress
def safe_finding(finding: Finding, link_hosts: tuple[str, ...]) -> Finding:
    """Return ``finding`` with safe texts: no mentions, images, HTML or links to other hosts."""
    return replace(
        finding,
        title=safe_line(finding.title),
        scenario=safe_line(finding.scenario),
        message=safe_markdown(finding.message, link_hosts=link_hosts),
    )


def safe_report(report: Report, link_hosts: tuple[str, ...]) -> Report:
    """Return ``report`` for the pull request: safe texts, and no operator's details of failures."""
    return replace(
        without_details(report),
        findings=tuple(safe_finding(one, link_hosts) for one in report.findings),
        withdrawn=tuple(
            replace(one, finding=safe_finding(one.finding, link_hosts)) for one in report.withdrawn
        ),
        summary=report.summary and _safe_summary(report.summary, link_hosts),
    )


def _safe_summary(summary: ReviewSummary, link_hosts: tuple[str, ...]) -> ReviewSummary:
    return replace(
        summary,
        what=safe_markdown(summary.what, link_hosts=link_hosts),
        files=tuple(replace(file, summary=safe_line(file.summary)) for file in summary.files),
        claim_mismatch=summary.claim_mismatch and safe_line(summary.claim_mismatch),
        asked_for=tuple(
            replace(requirement, what=safe_line(requirement.what))
            for requirement in summary.asked_for
        ),
    )


def unmarked(text: str) -> str:
    """Return ``text`` with ``<!--`` broken up, so that it cannot contain our marker."""
    return text.replace(_COMMENT, "<! --")


def with_marker(text: str, marker: str) -> str:
    """Return ``text``, which has no marker, with our marker below.

    Raises:
        ValueError: the marker is longer than any of ours.
    """
    if size(marker) > MAX_SUMMARY:
        raise ValueError(f"a marker has at most {MAX_SUMMARY:,} characters")
    return f"{text.rstrip()}\n\n{marker}" if marker else text.rstrip()


def title_of(finding: Finding, limit: int = _TITLE) -> str:
    """Return the title of a safe finding as inline Markdown; the rule if the title is empty."""
    return one_line(finding.title, limit).strip() or code_span(finding.rule)


def place_of(finding: Finding, address: str | None) -> str:
    """Return path and line of a finding as inline code with a link to ``address``."""
    line = f":{finding.line}" if finding.placement.kind == "inline" else ""
    return linked(f"{finding.path}{line}", address)


def on_line(
    finding: Finding,
    *,
    marker: str,
    offer: bool,
    link_hosts: tuple[str, ...],
    links: Permalinks | None = None,
    contradicted: str = "",
    replies: bool = True,
) -> str:
    """Return the body of an inline comment.

    ``marker`` is the hidden marker of the comment. ``offer`` says whether the comment covers
    exactly the lines that the suggestion replaces. Links of a model may point to ``link_hosts``
    only. ``links`` are the addresses of the team's rule and of code that the finding rests on.
    ``contradicted`` is the location of an earlier finding, as inline Markdown. ``replies`` says
    whether a reply to a model's finding gets an answer.
    """
    safe = safe_finding(finding, link_hosts)
    words = [f"**{titled(safe)}: {title_of(safe)}**", *_explanation(safe)]
    if contradicted:
        words.append(f"{_CONTRADICTS} {contradicted}.")
    before = unmarked("\n\n".join(filter(str.strip, words)))
    details = "\n\n".join((f"{_facts(safe)}, id {code_span(safe.id)}", *_proofs(safe, links)))
    small = HELP_WITH_REPLIES if replies and safe.is_from_model else HELP
    after = unmarked(folded(small, details))
    room = MAX_BODY - size(before) - size(after) - MAX_LENGTH - 8
    block = _offered(safe, room) if offer else None
    blocks = [before, *([unmarked(_shown(safe))] if block is None else [block]), after]
    return with_marker("\n\n".join(filter(None, blocks)), marker)


def _explanation(finding: Finding) -> list[str]:
    """Return scenario and message of a safe finding, as one paragraph where both are plain text."""
    scenario, message = one_line(finding.scenario, _LINE), finding.message.strip()
    if scenario and message[:1].isalpha():
        return [f"{scenario} {message}"]
    return [scenario, message]


def finding_block(
    finding: Finding,
    *,
    where: str,
    reason: str,
    link_hosts: tuple[str, ...],
    links: Permalinks | None = None,
) -> str:
    """Return the Markdown block of a finding without an inline comment.

    The block shows the id of the finding, because ``/ignore ID`` and later reviews use the id.

    ``where`` is its location as inline Markdown. ``reason`` is a sentence why it has no comment, or
    empty. Links of a model may point to ``link_hosts`` only. ``links`` are the addresses of the
    team's rule and of code that the finding rests on.
    """
    safe = safe_finding(finding, link_hosts)
    blocks = [
        f"**{titled(safe)}: {title_of(safe)}**",
        f"{where}, {_facts(safe)}, id {code_span(safe.id)}",
        literal(reason),
        *(quoted(text, _MESSAGE) for text in (safe.scenario, safe.message) if text.strip()),
        fence(safe.quote, lines=_QUOTE_LINES) if safe.quote.strip() else "",
        _shown(safe),
        *_proofs(safe, links),
    ]
    return unmarked("\n\n".join(filter(None, blocks)))


def _proofs(finding: Finding, links: Permalinks | None) -> list[str]:
    """Return a line about the team's rule, and one about the code that a finding rests on."""
    lines = []
    if (rule := finding.guideline) is not None:
        where = linked(f"{rule.path}:{rule.line}", links.of_guideline(rule) if links else None)
        lines.append(f"Rule: {where}: {literal(rule.quote, _RULE)}")
    return [*lines, *proofs(finding, links.of_rests_on if links else None)]


def _facts(finding: Finding) -> str:
    rule = [code_span(finding.rule)] if finding.rule != finding.category else []
    models = map(code_span, finding.models)
    return ", ".join((finding.category, *rule, *models, *confidence(finding)))


def _offered(finding: Finding, room: int) -> str | None:
    """Return the suggestion as a block that GitHub applies with a click; None if it is unsafe.

    The text is posted unchanged, so it must not contain hidden characters or a marker.
    """
    if finding.suggestion is None or not finding.suggestion_applies or finding.side != "RIGHT":
        return None
    text = finding.suggestion.replace("\r\n", "\n")
    if not all(map(is_plain, text.split("\n"))) or has_marker(text):
        return None
    # A block without a line deletes the code; a blank line must be written.
    block = code_block(text.removesuffix("\n"), "suggestion")
    block = "```suggestion\n\n```" if text == "\n" else block
    return block if size(block) <= room else None


def _shown(finding: Finding) -> str:
    """Return the suggestion as text that cannot be applied by a click; empty without suggestion."""
    if finding.suggestion is None:
        return ""
    label = "Suggestion" if finding.suggestion_applies else "Suggestion, to be adapted by hand"
    if not finding.suggestion:
        return f"{label}: delete these lines."
    code = fence(finding.suggestion, lines=_SUGGESTION_LINES)
    return f"{label}, instead of these lines:\n\n{code}"

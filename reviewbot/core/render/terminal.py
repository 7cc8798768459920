"""Render events for a terminal, during the review and at its end. Pure.

Every function returns styled lines (:mod:`~reviewbot.core.render.layout`). The command line prints
them with ``plain`` or ``rich_text``, and handles width, colour and the live line. The layout
follows rustc and ruff: title, ``-->`` location, code with a gutter, then the texts. Our own text is
ASCII, so that it prints in any encoding.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from reviewbot.core.events import events as ev
from reviewbot.core.render.finding_block import STYLES, finding_block
from reviewbot.core.render.layout import Line, cells, clip, paragraph, shown
from reviewbot.core.render.wording import (
    RULES_ONLY,
    acceptance,
    asked_for,
    dollars,
    duration,
    look_ups,
    looked_up,
    outcome,
    reviewers,
    share_of,
    shares,
    spending,
    state_of,
    total,
    unreviewed,
    verification,
)
from reviewbot.core.wording import NO_REASON, count, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.events.events import Event, ReviewProgress
    from reviewbot.core.events.report import Report, Withdrawal
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.render.finding_block import CodeLine

LISTED: Final = 50
"""Reasons that the end lists one by one; the others are counted."""
NAMED: Final = 5
"""Files that are named for one reason."""
_LABEL: Final = 11
_LOOKUPS_NAMED: Final = 3
_NOTES: Final = {
    "failed": ("not reviewed ", "bold red"),
    "partly": ("partly reviewed ", "bold red"),
    "unread": ("not read ", "yellow"),
    "skipped": ("skipped ", "dim"),
}


def event_lines(
    event: Event, *, width: int, code: Sequence[CodeLine] = (), is_update: bool = False
) -> list[Line]:
    """Return the lines to print for ``event``; empty to print nothing.

    The events ``finding.verified``, ``finding.withdrawn`` and ``review.finished`` lack details:
    call :func:`verified_lines`, :func:`withdrawn_lines` and :func:`final_lines` with data of the
    report instead.

    Args:
        event: the event.
        width: columns of the terminal.
        code: the diff around the finding of the event; if empty, the quote is shown.
        is_update: whether the finding of the event replaces one that was shown.
    """
    match event:
        case ev.ReviewStarted():
            return _started(event, width)
        case ev.FindingRaised():
            return [(), *finding_block(event.finding, code, width, is_update=is_update)]
        case ev.ReviewSummary() | ev.ReviewAnswer():
            return _words(event, width)
        case _:
            return _note(event, width)


def _words(event: ev.ReviewSummary | ev.ReviewAnswer, width: int) -> list[Line]:
    """Return the lines of a complete answer or of the summary."""
    if isinstance(event, ev.ReviewAnswer):
        return _answer(event, width) if event.complete else []
    if event.source == "model":  # a computed one repeats the end
        return _summary(event, width)
    if event.reason:
        return [(), *paragraph(event.reason, width, first=("notice: ", "bold yellow"))]
    return []


def _note(event: Event, width: int) -> list[Line]:
    """Return the lines of a file or chunk event; empty if only the live line shows the event."""
    match event:
        case ev.FileSkipped():
            return paragraph(f"{event.path}: {event.reason}", width, first=("skipped ", "dim"))
        case ev.ChunkRetrying():
            return _retrying(event, width)
        case ev.ChunkFinished() if event.status != "reviewed":
            text = f"{event.path}: {event.reason or NO_REASON}"
            return paragraph(text, width, first=_NOTES[event.status])
        case _:
            return []


def _started(event: ev.ReviewStarted, width: int) -> list[Line]:
    files = sum(bool(file.chunks) and not file.unread for file in event.files)
    models = reviewers(event) or "no model"
    parts = [count(files, "file")]
    chunks = sum(len(file.chunks) for file in event.files if not file.unread)
    if chunks != files:
        parts.append(count(chunks, "chunk"))
    if event.estimate.requests:
        parts.append(count(event.estimate.requests, "request"))
    what = "Reviewing" if event.question is None else "Answering a question about"
    text = f"{what} {', '.join(parts)} with {models}"
    if event.estimate.input_tokens and event.estimate.cost_usd != 0:
        tokens = count(event.estimate.input_tokens, "token")
        text += f" (about {tokens} in, {dollars(event.estimate.cost_usd)})"
    lines = paragraph(f"{text}.", width, style="bold")
    if event.rules_only is not None:
        said = f"{RULES_ONLY}: {event.rules_only.reason}"
        lines = [*paragraph(said, width, style="bold yellow"), *lines]
    if event.question is not None:
        lines += paragraph(event.question, width, first=("question: ", "bold"))
    for notice in event.notices:
        lines += paragraph(notice, width, first=("notice: ", "bold yellow"))
    return lines


def _retrying(event: ev.ChunkRetrying, width: int) -> list[Line]:
    to = "" if event.next_model == event.model else f" with {event.next_model}"
    wait = f" in {duration(event.delay_s)}" if event.delay_s >= 0.1 else ""
    text = f"{event.path}{to}{wait}: {event.reason} ({event.model}, attempt {event.attempt})"
    return paragraph(text, width, first=("retrying ", "yellow"))


def _summary(event: ev.ReviewSummary, width: int) -> list[Line]:
    lines: list[Line] = [(), (("Summary", "bold"),)]
    lines += paragraph(event.what, width, first=("  ", ""))
    for entry in event.files:
        lines += paragraph(f"{entry.path}: {entry.summary}", width, first=("  - ", ""))
    if event.look_at:
        lines.append((("  Look at", "bold"),))
        for text in event.look_at:
            lines += paragraph(text, width, first=("  - ", ""))
    if event.asked_for:
        heading, requirements = asked_for(event)
        lines.append(((f"  {heading}", "bold"),))
        for requirement in requirements:
            where = "Not found" if requirement.path is None else f"Found in {requirement.path}"
            lines += paragraph(f"{where}: {requirement.what}", width, first=("  - ", ""))
    if event.claim_mismatch:
        text = f"Description and change disagree: {event.claim_mismatch}"
        lines += paragraph(text, width, first=("  ! ", "bold yellow"), style="yellow")
    return lines


def _answer(event: ev.ReviewAnswer, width: int) -> list[Line]:
    lines: list[Line] = [(), (("Answer", "bold"),)]
    for text in event.text.split("\n"):
        lines += paragraph(text, width, first=("  ", "")) if text.strip() else [()]
    return lines


def verified_lines(finding: Finding, reason: str, *, width: int) -> list[Line]:
    """Return the lines for the verdict about a finding that was shown.

    ``finding`` has the verdict, and ``reason`` is a sentence. ``width`` is in columns.
    """
    word = state_of(finding) or "verified"
    why = (finding.placement.held and finding.placement.reason) or reason
    text = f"{finding.title} ({finding.path}:{finding.line}): {why}"
    style = "green" if word == "verified" else "yellow"
    return paragraph(text, width, first=(f"{word} ", style), style="dim")


def withdrawn_lines(withdrawal: Withdrawal, *, width: int) -> list[Line]:
    """Return the lines for a finding that was shown and then withdrawn."""
    finding = withdrawal.finding
    text = f"{finding.title} ({finding.path}:{finding.line}): {withdrawal.reason}"
    return paragraph(text, width, first=("withdrawn ", "yellow"), style="dim")


def progress_line(progress: ReviewProgress, *, width: int, elapsed: str = "") -> Line:
    """Return the live line: progress, findings, activity and cost. It never wraps."""
    parts = [
        f"{progress.files_done}/{count(progress.files_total, 'file')}",
        count(progress.findings, "finding"),
    ]
    if progress.chunks_total != progress.files_total:
        parts.insert(1, f"{progress.chunks_done}/{count(progress.chunks_total, 'chunk')}")
    tokens = total(progress.usage)
    spent = f"{count(tokens, 'token')}, {dollars(progress.cost_usd)}" if tokens else ""
    parts += [text for text in (elapsed, progress.activity, spent) if text]
    return ((clip(shown("Reviewing: " + ", ".join(parts)), max(width - 1, 20)), "dim"),)


def final_lines(report: Report, *, width: int) -> list[Line]:
    """Return the end: one line if the review is clean, otherwise the outcome and its reasons.

    The files that were not reviewed come last, under a separate heading, where readers look first.
    """
    if report.outcome == "clean" and not (report.held or report.withdrawn or report.reasons):
        skipped = report.covered("skipped")
        aside = f" {count(len(skipped), 'file')} skipped." if skipped else ""
        aside += f" {look_ups(report)}." if report.lookups else ""
        spent = spending(report)
        text = outcome(report) + aside + (f" {spent}." if spent else "")
        return [(), *paragraph(text, width, style="bold green")]
    lines: list[Line] = [(), (("-" * min(width, 72), "dim"),)]
    if report.complete:
        worst = next((severity for severity, number in report.counts.items() if number), None)
        nothing = "bold yellow" if report.outcome == "shallow" else "bold green"
        style = STYLES[worst] if worst else nothing
        lines += paragraph(outcome(report), width, style=style)
        lines += _unread(report, width)
        for reason in report.reasons:
            lines += paragraph(reason, width, first=("  ", ""))
    if held := len(report.held):
        lines += _row("held back", f"{count(held, 'finding')}, shown above, not counted", width)
    if report.withdrawn:
        text = f"{count(len(report.withdrawn), 'finding')} shown above, not counted"
        lines += _row("withdrawn", text, width)
    if verdicts := verification(report):
        lines += _row("verified", verdicts.partition(": ")[2].removesuffix("."), width)
    lines += _looked_up(report, width)
    lines += _skipped(report, width)
    if spent := spending(report):
        lines += _row("spent", spent, width)
    for share in shares(report):
        lines += _row("by model", f"{share.model}: {share_of(share)}", width)
    return lines if report.complete else [*lines, *_not_complete(report, width)]


def _row(label: str, text: str, width: int) -> list[Line]:
    return paragraph(text, width, first=(f"  {label:<{_LABEL}}", "dim"))


def _looked_up(report: Report, width: int) -> list[Line]:
    """Return one line about the look-ups, which names as many of the first as fit."""
    room = width - _LABEL - 2
    lines = [looked_up(report, named) for named in range(_LOOKUPS_NAMED, -1, -1)]
    text = next((line for line in lines if cells(shown(line)) <= room), lines[-1])
    return _row("looked up", text, width) if text else []


def _skipped(report: Report, width: int) -> list[Line]:
    """Return lines that count skipped files by reason. Earlier lines name the files."""
    reasons = Counter(file.reason or NO_REASON for file in report.covered("skipped"))
    parts = [f"{count(number, 'file')} ({why.rstrip('.')})" for why, number in reasons.items()]
    if len(parts) > LISTED:
        parts = [*parts[:LISTED], count(len(parts) - LISTED, "more reason")]
    return _row("skipped", listed(parts), width) if parts else []


def _unread(report: Report, width: int) -> list[Line]:
    """Return lines that name the source files that nothing read, and what to do about them."""
    groups: dict[str, list[str]] = {}
    for file in report.covered("unread"):
        groups.setdefault(file.reason or NO_REASON, []).append(file.path)
    lines: list[Line] = []
    for reason, paths in list(groups.items())[:LISTED]:
        lines += _row("not read", f"{_named(paths)}: {reason}", width)
    if len(groups) > LISTED:
        lines += _row("not read", count(len(groups) - LISTED, "more reason"), width)
    advice, setting = acceptance(report)
    return [*lines, *_row("", f"{advice} {setting}", width)] if setting else lines


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - NAMED
    return listed([*paths[:NAMED], *([count(more, "more file")] if more > 0 else [])])


def _not_complete(report: Report, width: int) -> list[Line]:
    if report.outcome == "superseded":
        return paragraph(outcome(report), width, style="bold yellow")
    lines: list[Line] = [(), (("=" * min(width, 72), "bold red"),)]
    heading = outcome(report)
    word, _, rest = heading.partition(":")
    lines += paragraph(f"{rest.strip()}", width, first=(f"{word.upper()}: ", "bold red"))
    missing = unreviewed(report)
    groups: dict[tuple[str, str], list[str]] = {}
    for file in missing:
        groups.setdefault((file.status, file.reason or NO_REASON), []).append(file.path)
    for (status, reason), paths in list(groups.items())[:LISTED]:
        lines += paragraph(f"{_named(paths)}: {reason}", width, first=(f"  {status:<8}", "red"))
    if len(groups) > LISTED:
        lines.append(((f"  and {count(len(groups) - LISTED, 'more reason')}", "red"),))
    rules_only = (report.rules_only.reason,) if report.rules_only is not None else ()
    for reason in rules_only if missing else report.reasons:
        lines += paragraph(reason, width, first=("  ", ""))
    advice, setting = acceptance(report)
    if setting:
        lines += paragraph(f"{advice} {setting}", width, first=("  ", ""))
    return [*lines, (("=" * min(width, 72), "bold red"),)]

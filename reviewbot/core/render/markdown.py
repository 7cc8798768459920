"""Render a review as GitHub Flavored Markdown, to paste or post. Pure.

The order is that of the summary comment on GitHub: the outcome, the open findings, what was not
read, then all else.

Titles, messages and the summary are Markdown that the pipeline has made safe to render; here they
are confined to their place (:mod:`~reviewbot.core.render.markdown_text`). Everything else is shown
unchanged.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.core.render.markdown_text import (
    cell,
    code_span,
    fence,
    linked,
    literal,
    one_line,
    quoted,
    requirement,
)
from reviewbot.core.render.rests_on import LABEL, path_and_lines, rests_on
from reviewbot.core.render.wording import (
    acceptance,
    asked_for,
    causes,
    confidence,
    lines_of,
    look_ups,
    outcome,
    placement_reason,
    shallow,
    share_of,
    shares,
    spending,
    titled,
    uncovered,
    verification,
)
from reviewbot.core.wording import NO_REASON, count

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from reviewbot.core.events.events import FileCoverage
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Finding, RestsOn

MIN_LIMIT: Final = 40_000
"""Smallest limit: everything but the findings fits, and some of the findings."""
MAX_CAUSE: Final = 600
"""Characters of a reason for the outcome, which may name a file."""
_SECTION: Final = 3_000
_MESSAGE: Final = 12_000
_RULE: Final = 400
_CODE_LINES: Final = 40
_NOTES: Final = 200  # room for the notes about omitted findings
_SHARE: Final = 3  # the table may take a third of the room for findings

AddressOf: TypeAlias = "Callable[[RestsOn], str | None]"
"""Function that returns the address of code that a finding rests on; None if it is not known."""


def render(
    report: Report,
    *,
    limit: int | None = None,
    links: Mapping[str, str] = MappingProxyType({}),
    address_of: AddressOf | None = None,
    has_outcome: bool = True,
    verdict: str = "",
    brief: Container[str] = (),
) -> str:
    """Return the report. Its first line is the verdict, or else the outcome.

    Args:
        report: the review.
        limit: characters that the text may have, at least :data:`MIN_LIMIT`; findings that do not
            fit are left out, the least bad first, and counted, and long lists are cut. GitHub
            takes 65,536 in a comment.
        links: addresses of findings by id, such as those of their comments.
        address_of: function that returns the address of code that a finding rests on, or None.
        has_outcome: False to leave out the outcome and its causes, where another text has them.
        verdict: sentence about the whole pull request, which comes before the outcome.
        brief: ids of findings that have only a row in the table, because another text has all of
            them.

    Raises:
        ValueError: ``limit`` is too small.
    """
    if limit is not None and limit < MIN_LIMIT:
        raise ValueError(f"limit is {limit}, at least {MIN_LIMIT} is needed")
    section = None if limit is None else _SECTION
    head = _head(report, verdict) if has_outcome else []
    missing = _missing(report, section) if has_outcome else []
    tail = [
        *_answer(report, section),
        *_summary(report, section),
        *_withdrawn(report, section),
        *_skipped(report, section),
        *_notes(report, section),
    ]
    room = None if limit is None else limit - len(_joined([*head, *missing, *tail])) - 2
    table, details = _findings(report, room, links, address_of, brief)
    return _joined([*head, *table, *missing, *details, *tail])


def _head(report: Report, verdict: str) -> list[str]:
    """Return the verdict and the outcome, without saying the same twice."""
    result = outcome(report)
    if not verdict or verdict == result:
        return [f"**{literal(result)}**"]
    return [f"**{literal(verdict)}**", literal(result)]


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join(blocks) + "\n"


def _missing(report: Report, room: int | None) -> list[str]:
    blocks = _listed("", (literal(cause, MAX_CAUSE) for cause in causes(report)), room)
    blocks += _listed("Not fully reviewed:", map(code_span, uncovered(report)), room)
    blocks += _listed("Not read:", map(_coverage, shallow(report)), room)
    return [*blocks, *accepting(report)]


def accepting(report: Report) -> list[str]:
    """Return a paragraph about how to accept unread files; empty if all files were read."""
    advice, setting = acceptance(report)
    return [f"{literal(advice)} {code_span(setting)}"] if setting else []


def _answer(report: Report, room: int | None) -> list[str]:
    """Return the question, and its answer so far."""
    if report.question is None:
        return []
    limit = _MESSAGE if room is None else room
    blocks = ["## Question", quoted(report.question, limit)]
    if report.answer is not None:
        blocks += ["## Answer", quoted(report.answer.text, limit)]
    return blocks


def _summary(report: Report, room: int | None) -> list[str]:
    summary = report.summary
    is_written = summary is not None and summary.source == "model"
    if summary is None or not (is_written or summary.files):  # the outcome says as much
        return []
    blocks = ["## Summary"]
    if summary.what.strip():
        blocks.append(quoted(summary.what, _MESSAGE if room is None else room))
    if summary.claim_mismatch:
        text = one_line(summary.claim_mismatch, 600)
        blocks.append(f"**Description and change disagree:** {text}")
    look_at = map(code_span, summary.look_at)
    files = (f"{code_span(file.path)}: {one_line(file.summary, 300)}" for file in summary.files)
    heading, requirements = asked_for(summary)
    return [
        *blocks,
        *_listed("Look at:", look_at, room),
        *_listed(f"{heading}:", map(requirement, requirements), room),
        *_listed("Files:", files, room),
    ]


def _findings(
    report: Report,
    room: int | None,
    links: Mapping[str, str],
    address_of: AddressOf | None,
    brief: Container[str],
) -> tuple[list[str], list[str]]:
    """Return the table and the details of findings, worst first, as many as fit."""
    shown = sorted(report.findings, key=lambda finding: not counts_for_fail_on(finding))
    if not shown:
        return [], []
    rows = [_row(one, links.get(one.id)) for one in shown]
    kept_rows = _fitting(rows, None if room is None else room // _SHARE)
    table = ["| Severity | Where | Finding |", "| --- | --- | --- |", *rows[:kept_rows]]
    blocks = ["## Findings", "\n".join(table)]
    if kept_rows < len(rows):
        blocks.append(f"{count(len(rows) - kept_rows, 'more finding')}: no room here.")
    detailed = [finding for finding in shown if finding.id not in brief]
    with_row = [finding for finding in shown[:kept_rows] if finding.id not in brief]
    details = [_details(finding, links.get(finding.id), address_of) for finding in with_row]
    kept = _fitting(details, None if room is None else room - len(_joined(blocks)) - _NOTES)
    shown_details = details[:kept]
    if kept < len(detailed):
        left = count(len(detailed) - kept, "finding")
        shown_details.append(f"Details of {left} left out: no room here.")
    return blocks, shown_details


def _fitting(parts: Sequence[str], room: int | None) -> int:
    """Return how many of ``parts``, from the first, fit."""
    if room is None:
        return len(parts)
    for index, part in enumerate(parts):
        room -= len(part) + 2
        if room < 0:
            return index
    return len(parts)


def _row(finding: Finding, address: str | None) -> str:
    where, title = linked(_place(finding), address), one_line(finding.title, 200)
    return f"| {titled(finding)} | {cell(where)} | {cell(title)} |"


def _place(finding: Finding) -> str:
    return f"{finding.path}:{finding.line}" if finding.is_placed else finding.path


def _details(finding: Finding, address: str | None, address_of: AddressOf | None) -> str:
    where = linked(finding.path, address)
    if finding.is_placed:
        where += f", {lines_of(finding)}"
    facts = [where, finding.category, *map(code_span, finding.models), *confidence(finding)]
    if finding.rule != finding.category:
        facts.insert(2, code_span(finding.rule))
    blocks = [f"### {titled(finding)}: {one_line(finding.title, 200)}", ", ".join(facts)]
    if placement_reason(finding):
        blocks.append(literal(placement_reason(finding)))
    blocks += [
        quoted(text, _MESSAGE) for text in (finding.scenario, finding.message) if text.strip()
    ]
    if finding.quote.strip():
        blocks.append(fence(finding.quote, lines=_CODE_LINES))
    if finding.suggestion is not None:
        label = "Suggestion" if finding.suggestion_applies else "Suggestion, to be adapted by hand"
        instead = f"{label}, instead of these lines:" if finding.suggestion else f"{label}: delete."
        blocks.append(instead)
        if finding.suggestion:
            blocks.append(fence(finding.suggestion, lines=_CODE_LINES))
    if (rule := finding.guideline) is not None:
        where = code_span(f"{rule.path}:{rule.line}")
        blocks.append(f"Rule: {where}: {literal(rule.quote, _RULE)}")
    blocks += proofs(finding, address_of)
    return "\n\n".join(blocks)


def proofs(finding: Finding, address_of: AddressOf | None = None) -> list[str]:
    """Return the line about the code that a finding rests on; empty if it rests on nothing."""
    line = rests_on(
        finding, lambda place: linked(path_and_lines(place), address_of and address_of(place))
    )
    return [f"{LABEL}: {line}"] if line else []


def _withdrawn(report: Report, room: int | None) -> list[str]:
    """Return the findings that were withdrawn; refuted ones are only counted, in the notes."""
    entries = (
        f"{one_line(one.finding.title, 200)} ({code_span(one.finding.path)}): {literal(one.reason)}"
        for one in report.withdrawn
        if not one.is_refuted
    )
    return _listed("Withdrawn:", entries, room)


def _skipped(report: Report, room: int | None) -> list[str]:
    return _listed("Skipped:", map(_coverage, report.covered("skipped")), room)


def _notes(report: Report, room: int | None) -> list[str]:
    facts = [", ".join(map(code_span, report.models)), spending(report)]
    spent = "; ".join(filter(None, facts))
    by_model = (f"{code_span(share.model)}: {share_of(share)}" for share in shares(report))
    verdicts = verification(report)
    return [
        *([verdicts] if verdicts else []),
        *_listed("Notices:", map(literal, report.notices), room),
        *_listed("By model:", by_model, room),
        *_looked_up(report, room),
        *([spent] if spent else []),
    ]


def _looked_up(report: Report, room: int | None) -> list[str]:
    """Return the look-ups, folded below their number; empty if there are none."""
    if report.lookups is None:
        return []
    listed = _listed("", map(code_span, report.lookups.activities), room)
    return [f"<details>\n<summary>{look_ups(report)}</summary>", *listed, "</details>"]


def _coverage(file: FileCoverage) -> str:
    return f"{code_span(file.path)} ({file.status}): {literal(file.reason or NO_REASON)}"


def _listed(heading: str, entries: Iterable[str], room: int | None) -> list[str]:
    """Return a heading and a list, limited to ``room`` characters; empty without entries."""
    lines = [f"- {entry}" for entry in entries]
    kept = _fitting(lines, room)
    if kept < len(lines):
        lines = [*lines[:kept], f"- and {len(lines) - kept:,} more"]
    return [*([heading] if heading else []), "\n".join(lines)] if lines else []

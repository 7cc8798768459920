"""The one summary comment of a pull request, as Markdown. Pure.

It is written anew after each push and edited in place. Its first line is the outcome. What does
not fit is cut, the least important first, and counted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.render.markdown_text import cell, code_span, literal, one_line, quoted
from reviewbot.core.render.wording import outcome, share_of, shares, spending, unreviewed
from reviewbot.core.report import gates
from reviewbot.core.wording import NO_REASON, count, listed
from reviewbot.github.comment_text import (
    LINK_HOSTS,
    MAX_BODY,
    beside,
    place_of,
    safe_report,
    title_of,
    unmarked,
    with_marker,
)
from reviewbot.github.markers import MAX_LENGTH
from reviewbot.github.permalinks import linked
from reviewbot.github.review_comments import rest_sections
from reviewbot.github.sections import Section, fitted, size

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from reviewbot.core.events import CoverageStatus, FileCoverage
    from reviewbot.core.findings import Finding
    from reviewbot.core.report import Report
    from reviewbot.github.permalinks import Permalinks
    from reviewbot.github.review_comments import Elsewhere

_OPEN: Final = 10
"""Entries that a list may have and still be shown without a click."""
_WHAT: Final = 3_000
_SUMMARY: Final = re.compile(
    r"^### Summary\n\n(?s:.+?)(?=\n\n(?:### |<details>|Fixed:))", re.MULTILINE
)
_WALKTHROUGH: Final = re.compile(
    r"^<details>\n<summary>Walkthrough \([\d,]+ files?\)</summary>\n(?s:.+?)\n</details>$",
    re.MULTILINE,
)
_STATUSES: Final[dict[CoverageStatus, str]] = {
    "reviewed": "reviewed",
    "partly": "reviewed in part",
    "failed": "not reviewed",
    "skipped": "skipped by policy",
}


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of the findings since the review before this one, by their ids.

    ``titles`` has the titles of those that are fixed, as far as they are known.
    """

    new: Collection[str] = ()
    still: Collection[str] = ()
    fixed: Sequence[str] = ()
    titles: Mapping[str, str] = field(default_factory=dict)

    def of(self, finding_id: str) -> str:
        """What there is to say of one that stands."""
        if finding_id in self.new:
            return "new"
        return "still there" if finding_id in self.still else ""


def render(
    report: Report,
    *,
    marker: str,
    rest: Sequence[Elsewhere] = (),
    ignored: Sequence[Finding] = (),
    urls: Mapping[str, str] | None = None,
    changes: Changes | None = None,
    earlier: str = "",
    links: Permalinks | None = None,
    link_hosts: Collection[str] = LINK_HOSTS,
) -> str:
    """The comment, of less than 65,536 characters.

    Args:
        report: the review.
        marker: the hidden text that the comment is known by, its last line.
        rest: what has no comment on a line, from
            :func:`~reviewbot.github.review_comments.plan_comments`.
        ignored: what is ignored and has no comment on a line: by this it is known again.
        urls: the comments on lines, by the id of their finding, as far as they are known.
        changes: what changed since the last review; None at the first.
        earlier: the summary as it is, which we wrote. Where nothing was left to review, what it
            says of the change is kept.
        links: makes addresses of the code.
        link_hosts: the hosts that links of a model may lead to.
    """
    safe, urls = safe_report(report, link_hosts), urls or {}
    addresses = {one.finding.id: one.link for one in rest if one.link} | dict(urls)
    head = f"**{literal(outcome(safe))}**"
    tail = _spent(safe, links)
    told = [] if safe.files else _kept(earlier)
    sections = [
        Section("", _changed(changes), 90),
        Section("", _literal_list(safe.reasons), 85, "reason", share=0.2),
        replace(_files("Not fully reviewed", unreviewed(safe), 80), share=0.3),
        *(told or _summary(safe)),
        _table(safe, addresses, changes),
        *rest_sections(rest, link_hosts),
        _ignored(ignored, link_hosts),
        _fixed(changes, urls),
        *(() if told else (_walkthrough(safe),)),
        *_coverage(safe),
        Section("Notices:", _literal_list(safe.notices), 40, "notice"),
        Section("By model:", _by_model(safe), 15),
    ]
    limit = MAX_BODY - MAX_LENGTH - size(head) - size(tail) - 16
    inert = [replace(one, items=[unmarked(item) for item in one.items]) for one in sections]
    body = fitted(inert, limit)
    text = "\n\n".join(filter(None, (head, body, tail)))
    return with_marker(text, marker)


def _literal_list(texts: Sequence[str]) -> list[str]:
    return [f"- {literal(text)}" for text in texts]


def _changed(changes: Changes | None) -> list[str]:
    if changes is None:
        return []
    parts = [
        f"{len(ids):,} {word}"
        for ids, word in (
            (changes.new, "new"),
            (changes.still, "still there"),
            (changes.fixed, "fixed"),
        )
        if ids
    ]
    return [f"Since the last review: {listed(parts) if parts else 'nothing changed'}."]


def _summary(report: Report) -> list[Section]:
    summary = report.summary
    if summary is None:
        return []
    what = [quoted(summary.what, _WHAT)] if summary.what.strip() else []
    claim = summary.claim_mismatch
    said = [f"**Description and change disagree:** {one_line(claim, 600)}"] if claim else []
    why = [literal(summary.reason)] if summary.reason else []
    look_at = [f"- {code_span(path)}" for path in summary.look_at]
    return [
        Section("### Summary", [*what, *said, *why], 60, gap="\n\n"),
        Section("Look at:", look_at, 50),
    ]


def _kept(earlier: str) -> list[Section]:
    """What an earlier summary of ours says of the change, as it stands there."""
    found = (pattern.search(earlier) for pattern in (_SUMMARY, _WALKTHROUGH))
    return [
        Section("", [match[0]], importance)
        for match, importance in zip(found, (60, 30), strict=True)
        if match
    ]


def _walkthrough(report: Report) -> Section:
    files = report.summary.files if report.summary else ()
    rows = [f"- {code_span(file.path)}: {one_line(file.summary, 300)}" for file in files]
    heading = f"Walkthrough ({count(len(rows), 'file')})"
    return Section(heading, rows, 30, noun="file", folded=True)


def _table(report: Report, addresses: Mapping[str, str], changes: Changes | None) -> Section:
    """Findings that count, worst first; what is held back stands apart."""
    shown = [finding for finding in report.findings if gates(finding)]
    columns = ["Severity", "Where", "Finding", *(["Since"] if changes else [])]
    head = "\n".join(f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns)))
    rows = [_row(finding, addresses.get(finding.id), changes) for finding in shown]
    return Section(f"### Findings\n\n{head}", rows, 75, noun="finding", share=0.5)


def _row(finding: Finding, address: str | None, changes: Changes | None) -> str:
    cells = [finding.severity, cell(place_of(finding, address)), cell(title_of(finding))]
    if changes:
        cells.append(changes.of(finding.id))
    return f"| {' | '.join(cells)} |"


def _fixed(changes: Changes | None, urls: Mapping[str, str]) -> Section:
    """Ids lead to their comments: an address can never be broken by a title."""
    rows = [] if changes is None else [_fixed_row(one, changes, urls) for one in changes.fixed]
    return _list("Fixed", rows, 45, "finding")


def _fixed_row(finding_id: str, changes: Changes, urls: Mapping[str, str]) -> str:
    title = literal(changes.titles.get(finding_id, ""))
    return f"- {linked(finding_id, urls.get(finding_id))} {title}".rstrip()


def _ignored(findings: Sequence[Finding], link_hosts: Collection[str]) -> Section:
    told = [
        beside(one, where=place_of(one, None), reason="", link_hosts=link_hosts) for one in findings
    ]
    heading = f"Ignored ({len(told)})"
    return Section(heading, told, 18, noun="finding", gap="\n\n", folded=True)


def _coverage(report: Report) -> list[Section]:
    counted = {status: len(report.covered(status)) for status in _STATUSES}
    counted["failed"] += len(report.pending)
    parts = [f"{number:,} {_STATUSES[status]}" for status, number in counted.items() if number]
    total = count(sum(counted.values()), "file")
    reviewed = [f"- {code_span(file.path)}" for file in report.covered("reviewed")]
    return [
        Section("### Coverage", [f"{total}: {listed(parts)}."] if parts else [], 65),
        _files("Skipped by policy", report.covered("skipped"), 25),
        Section(f"Reviewed ({len(reviewed)})", reviewed, 10, noun="file", folded=True),
    ]


def _files(heading: str, files: Sequence[FileCoverage], importance: int) -> Section:
    rows = [
        f"- {code_span(file.path)} ({file.status}): {literal(file.reason or NO_REASON)}"
        for file in files
    ]
    return _list(heading, rows, importance, "file")


def _list(heading: str, rows: Sequence[str], importance: int, noun: str) -> Section:
    """A list, folded away if it is long."""
    folded = len(rows) > _OPEN
    shown = f"{heading} ({len(rows):,})" if folded else f"{heading}:"
    return Section(shown, rows, importance, noun, folded=folded)


def _by_model(report: Report) -> list[str]:
    return [f"- {code_span(share.model)}: {share_of(share)}" for share in shares(report)]


def _spent(report: Report, links: Permalinks | None) -> str:
    facts = [", ".join(map(code_span, report.models[:_OPEN])), spending(report)]
    if links:
        facts.insert(0, f"commit {linked(links.head[:7], links.commit())}")
    return unmarked("; ".join(filter(None, facts)))

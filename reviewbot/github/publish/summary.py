"""The one summary comment of a pull request, as Markdown. Pure.

Each push rewrites it in place. Its first line is the verdict. If it is too long, the least
important entries are omitted and counted.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.core.render.markdown import MAX_CAUSE, accepting
from reviewbot.core.render.markdown_text import (
    cell,
    code_span,
    linked,
    literal,
    one_line,
    quoted,
    requirement,
)
from reviewbot.core.render.wording import (
    asked_for,
    causes,
    look_ups,
    placement_reason,
    shallow,
    share_of,
    shares,
    spending,
    titled,
    uncovered,
    verification,
)
from reviewbot.core.safety.markdown import code_block
from reviewbot.core.safety.safe_text import safe_line, safe_markdown
from reviewbot.core.wording import NO_REASON, count, listed
from reviewbot.github.change.subject import LINK_HOSTS
from reviewbot.github.publish.comment_text import (
    place_of,
    safe_report,
    title_of,
    unmarked,
    with_marker,
)
from reviewbot.github.publish.listed_findings import MAX_TEXT, rest_sections
from reviewbot.github.publish.review_comments import NOTES, FindingWithoutComment
from reviewbot.github.publish.sections import Section, fitted, size
from reviewbot.github.publish.verdict import verdict
from reviewbot.github.state.proposals import configuration
from reviewbot.github.state.rounds import REASONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import CoverageStatus, FileCoverage
    from reviewbot.core.events.report import Report, Threshold
    from reviewbot.core.findings.finding import Evidence, Finding
    from reviewbot.github.change.permalinks import Permalinks
    from reviewbot.github.state.block import Record
    from reviewbot.github.state.proposals import Proposal
    from reviewbot.github.state.reconcile import Reconciled

_OPEN: Final = 10
"""Maximum number of entries of a list that is not folded."""
_WHAT: Final = 3_000
MAX_ROWS: Final = 50
"""Maximum number of findings with their own row, those with a comment first; the others are listed
by file."""
_STATUSES: Final[dict[CoverageStatus, str]] = {
    "reviewed": "reviewed",
    "partly": "reviewed in part",
    "failed": "not reviewed",
    "unread": "not read",
    "skipped": "skipped by policy",
}


def render(
    done: Reconciled,
    *,
    marker: str,
    rest: Sequence[FindingWithoutComment] = (),
    urls: Mapping[str, str],
    overview: str = "",
    walkthrough: Mapping[str, str],
    links: Permalinks,
    link_hosts: tuple[str, ...] = LINK_HOSTS,
    files: Mapping[str, FileDiff],
    fail_on: Threshold = "error",
    by_rules: bool = False,
    set_aside: Collection[str] = (),
    proposed: Sequence[Proposal] = (),
) -> str:
    """Return the comment, of at most :data:`.MAX_TEXT` characters and the marker.

    ``marker`` is the last line. ``rest`` has the new findings without an inline comment, and
    ``urls`` the known addresses of inline comments by finding id. ``overview`` is the summary of
    the whole pull request if this review read only a part. ``walkthrough`` has a line about each
    file, and ``files`` the diff, both by path. Links of a model may point to ``link_hosts`` only.
    ``fail_on`` is the lowest severity that fails the check. ``by_rules`` is as in :func:`.verdict`.
    ``set_aside`` are the ids of findings that the author set aside; errors among them have no
    effect. ``proposed`` are rules to turn off.
    """
    safe = safe_report(done.report, link_hosts)
    counted = [one for one in safe.findings if counts_for_fail_on(one)]
    reasons = {unposted.finding.id: unposted.reason for unposted in rest}
    notes = {
        finding.id
        for finding in counted
        if finding.severity == "note"
        and finding.id not in urls
        and reasons.get(finding.id, NOTES) in (NOTES, REASONS["note"])
    }
    doubted = [finding for finding in counted if done.listed.get(finding.id) == "doubt"]
    listed_before = [
        finding
        for finding in counted
        if done.listed.get(finding.id, "doubt") != "doubt"
        and finding.id not in urls | reasons.keys()
    ]
    listed_before = [finding for finding in listed_before if finding.severity != "note"]
    without_row = {unposted.finding.id for unposted in rest if unposted.is_listed_warning}
    aside = [
        finding for finding in counted if finding.id in set_aside and finding.severity != "error"
    ]
    listed_before = [finding for finding in listed_before if finding not in aside]
    doubted = [finding for finding in doubted if finding not in aside]
    folded = (*listed_before, *aside, *doubted)
    without_row |= {finding.id for finding in folded}
    surplus = {unposted.finding.id for unposted in rest if unposted.is_surplus}
    rows = [finding for finding in counted if finding.id not in notes | surplus | without_row]
    ids = {
        finding.id
        for finding in sorted(rows, key=lambda finding: finding.id not in urls)[:MAX_ROWS]
    }
    shown = [finding for finding in rows if finding.id in ids]
    others = [one for one in counted if one.id not in ids]
    code = {one.id: links.of(one, files.get(one.path)) for one in counted}
    addresses = {**code, **{one.finding.id: one.link for one in rest}, **urls}
    without_comment = [one for one in rest if not one.is_surplus]
    without_comment += [
        FindingWithoutComment(
            one,
            placement_reason(one),
            links.of(one, files.get(one.path)),
            links,
        )
        for one in safe.held
        if one.id not in reasons
    ]
    without_comment += [
        FindingWithoutComment(
            finding, NOTES if finding.id in notes else "", code.get(finding.id), links
        )
        for finding in others
        if finding.id not in urls and finding not in folded and not reasons.get(finding.id)
    ]
    first = verdict(safe, fail_on, by_rules=by_rules)
    head = f"**{literal(first)}**"
    tail = _spent(safe, links)
    sections = [
        Section("", [literal(safe.depth)] if safe.depth not in first else [], 95),
        Section("", _changed(done), 90),
        Section("", _causes(safe), 85, "reason", share=0.2),
        replace(_list("Not fully reviewed", _paths(uncovered(safe)), 80, "file"), share=0.25),
        replace(_files("Not read", shallow(safe), 79), share=0.2),
        Section("", accepting(safe), 79),
        *_summary(safe, safe_markdown(overview, link_hosts=link_hosts)),
        _table(shown, addresses, urls, done),
        _folded("Listed before, without a comment", listed_before, addresses),
        _folded("Set aside by the author, and still counted", aside, addresses),
        _folded("Not clear whether fixed", doubted, addresses),
        *rest_sections(without_comment, link_hosts),
        _records("Resolved", done.resolved, urls, 45, done.fixed),
        _records("Dismissed", done.dismissed, urls, 44),
        _walkthrough(walkthrough),
        *_coverage(safe, walkthrough),
        _proposals(proposed),
        Section("Notices:", [f"- {literal(one)}" for one in safe.notices], 40, "notice"),
        Section("", [literal(verification(safe))] if safe.verification else [], 18),
        Section("By model:", _by_model(safe), 15),
        _looked_up(safe),
    ]
    limit = MAX_TEXT - size(head) - size(tail) - 16
    inert = [replace(one, items=[unmarked(item) for item in one.items]) for one in sections]
    body = fitted(inert, limit)
    text = "\n\n".join(filter(None, (head, body, tail)))
    return with_marker(text, marker)


def _causes(report: Report) -> list[str]:
    return [f"- {literal(cause, MAX_CAUSE)}" for cause in causes(report)]


def _changed(done: Reconciled) -> list[str]:
    if done.is_first:
        return []
    new = {one.id for one in done.new}
    counts = (
        (sum(counts_for_fail_on(one) and one.id in new for one in done.report.findings), "new"),
        (
            sum(counts_for_fail_on(one) and one.id not in new for one in done.report.findings),
            "still open",
        ),
        (len(done.resolved), "resolved"),
    )
    parts = [f"{number:,} {word}" for number, word in counts if number]
    return [f"Since the last review: {listed(parts) if parts else 'nothing changed'}."]


def _summary(report: Report, overview: str) -> list[Section]:
    summary = report.summary
    what = [quoted(overview, _WHAT)] if overview.strip() else []
    if summary is None:
        return [Section("### Summary", what, 60)]
    is_written = summary.source == "model" and summary.what.strip()
    if is_written and (report.files or not what):
        what += ["This push:"] * bool(what) + [quoted(summary.what, _WHAT)]
    claim = summary.claim_mismatch
    said = [f"**Description and change disagree:** {one_line(claim, 600)}"] if claim else []
    heading, requirements = asked_for(summary)
    return [
        Section("### Summary", [*what, *said], 60, gap="\n\n"),
        Section("Look at:", _paths(summary.look_at), 50),
        Section(heading, [f"- {requirement(item)}" for item in requirements], 35, folded=True),
    ]


def _walkthrough(lines: Mapping[str, str]) -> Section:
    rows = [
        f"- {code_span(path)}: {one_line(safe_line(line), 300)}" for path, line in lines.items()
    ]
    heading = f"Walkthrough ({count(len(rows), 'file')})"
    return Section(heading, rows, 30, noun="file", folded=True)


def _table(
    shown: Sequence[Finding],
    addresses: Mapping[str, str | None],
    urls: Collection[str],
    done: Reconciled,
) -> Section:
    """Return the findings that are named, worst first."""
    columns = ["Severity", "Where", "Finding", *([] if done.is_first else ["Since"])]
    head = "\n".join(f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns)))
    rows = [
        _row(finding, addresses.get(finding.id), done, commented=finding.id in urls)
        for finding in shown
    ]
    return Section(f"### Findings\n\n{head}", rows, 75, noun="finding", share=0.5)


def _row(finding: Finding, address: str | None, done: Reconciled, *, commented: bool) -> str:
    # Without a comment there is no thread to reply in, so /ignore needs the id.
    own = "" if commented else f" (id {code_span(finding.id)})"
    cells = [titled(finding), cell(place_of(finding, address)), cell(title_of(finding)) + own]
    if not done.is_first:
        cells.append(done.since(finding.id))
    return f"| {' | '.join(cells)} |"


def _folded(
    heading: str, findings: Sequence[Finding], addresses: Mapping[str, str | None]
) -> Section:
    """Return findings of earlier pushes that are open and folded away."""
    rows = [
        f"- {titled(finding)}: {place_of(finding, addresses.get(finding.id))} {title_of(finding)}"
        f" ({code_span(f'/ignore {finding.id}')})"
        for finding in findings
    ]
    return Section(f"{heading} ({len(rows):,})", rows, 73, noun="finding", folded=True, share=0.4)


def _records(
    heading: str,
    records: Sequence[Record],
    urls: Mapping[str, str],
    importance: int,
    fixed: Mapping[str, Evidence] = MappingProxyType({}),
) -> Section:
    """Return a list of findings that are not open: where they were, and their titles.

    ``fixed`` has the code that fixes some of them.
    """
    rows = [
        f"- {record_line(record, urls.get(record.id))}{_by(fixed.get(record.id))}"
        for record in records
    ]
    return _list(heading, rows, importance, "finding")


def _by(fix: Evidence | None) -> str:
    return f" (fixed by {code_span(f'{fix.path}:{fix.line}')})" if fix else ""


def record_line(record: Record, url: str | None) -> str:
    """Return the location of an earlier finding with a link, and its title, as inline Markdown."""
    title = one_line(safe_line(record.title), 200) or code_span(record.rule)
    return f"{linked(f'{record.path}:{record.line}', url)} {title}"


def _proposals(proposed: Sequence[Proposal]) -> Section:
    """Return lines for the configuration that turn off rules whose findings people dismiss."""
    if not proposed:
        return Section("", [], 12)
    text = (
        "People who may write dismissed findings of these rules in these folders again and again."
        " Lines for `.reviewbot.yml`, if you agree:"
    )
    block = code_block(configuration(proposed).rstrip("\n"), "yaml")
    return Section("Proposals", [f"{text}\n\n{block}"], 12, folded=True)


def _coverage(report: Report, walkthrough: Collection[str]) -> list[Section]:
    """Return the counts and the files. Reviewed files that the walkthrough lists are left out."""
    counted = {status: len(report.covered(status)) for status in _STATUSES}
    counted["failed"] += len(report.pending)
    parts = [f"{number:,} {_STATUSES[status]}" for status, number in counted.items() if number]
    total = count(sum(counted.values()), "file")
    paths = [file.path for file in report.covered("reviewed")]
    reviewed = [] if set(paths) <= set(walkthrough) else _paths(paths)
    return [
        Section("### Coverage", [f"{total}: {listed(parts)}."] if parts else [], 65),
        _files("Skipped by policy", report.covered("skipped"), 25),
        Section(f"Reviewed ({len(reviewed)})", reviewed, 10, noun="file", folded=True),
    ]


def _paths(paths: Iterable[str]) -> list[str]:
    return [f"- {code_span(path)}" for path in paths]


def _files(heading: str, files: Sequence[FileCoverage], importance: int) -> Section:
    rows = [
        f"- {code_span(file.path)} ({file.status}): {literal(file.reason or NO_REASON)}"
        for file in files
    ]
    return _list(heading, rows, importance, "file")


def _list(heading: str, rows: Sequence[str], importance: int, noun: str) -> Section:
    """Return a list, folded away if it is long."""
    folded = len(rows) > _OPEN
    shown = f"{heading} ({len(rows):,})" if folded else f"{heading}:"
    return Section(shown, rows, importance, noun, folded=folded)


def _looked_up(report: Report) -> Section:
    tally = report.lookups
    if tally is None:
        return Section("", [], 14)
    rows = [f"- {code_span(activity)}" for activity in tally.activities]
    return Section(look_ups(report), rows, 14, "look-up", folded=True)


def _by_model(report: Report) -> list[str]:
    return [f"- {code_span(share.model)}: {share_of(share)}" for share in shares(report)]


def _spent(report: Report, links: Permalinks) -> str:
    facts = [
        f"commit {linked(links.head[:7], links.commit())}",
        ", ".join(map(code_span, report.models[:_OPEN])),
        spending(report),
    ]
    return unmarked("; ".join(filter(None, facts)))

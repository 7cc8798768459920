"""The one summary comment of a pull request, as Markdown. Pure.

Each push rewrites it in place. Its first line is the verdict. The open findings follow as links,
what changed with the push, and what was not read. All else is folded. If it is too long, the least
important entries are omitted and counted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.core.render.markdown import MAX_CAUSE, accepting
from reviewbot.core.render.markdown_text import (
    code_span,
    link,
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
    shallow,
    share_of,
    shares,
    spending,
    uncovered,
)
from reviewbot.core.safety.markdown import code_block
from reviewbot.core.safety.safe_text import safe_line, safe_markdown
from reviewbot.core.wording import NO_REASON, count, listed
from reviewbot.github.change.subject import LINK_HOSTS
from reviewbot.github.publish.coding_agents import for_agents
from reviewbot.github.publish.comment_text import MAX_BODY, safe_report, unmarked, with_marker
from reviewbot.github.publish.listed_findings import rest_sections
from reviewbot.github.publish.open_findings import arrange, list_of, more_sections
from reviewbot.github.publish.sections import Section, fitted, size
from reviewbot.github.publish.thread_notes import ThreadNotes
from reviewbot.github.publish.verdict import verdict
from reviewbot.github.state.proposals import configuration

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import CoverageStatus, FileCoverage
    from reviewbot.core.events.report import Report, Threshold
    from reviewbot.core.findings.finding import Evidence
    from reviewbot.github.change.permalinks import Permalinks
    from reviewbot.github.publish.review_comments import FindingWithoutComment
    from reviewbot.github.state.block import Record
    from reviewbot.github.state.proposals import Proposal
    from reviewbot.github.state.reconcile import Reconciled

MAX_TEXT: Final = 30_000
"""Maximum characters of what people read of the comment, without the block for coding agents."""
_MODELS: Final = 10
_SHOWN: Final = 8
"""Maximum number of findings in the list with which resolved ones are not folded."""
_CONVERSATIONS: Final = 10
_WHAT: Final = 3_000
_DETAILS: Final = "Coverage and cost"
_NO_NOTES: Final = ThreadNotes()
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
    threads: ThreadNotes = _NO_NOTES,
) -> str:
    """Return the comment, of at most :data:`.MAX_BODY` characters with the marker.

    ``marker`` is the last line. ``rest`` has the new findings without an inline comment, and
    ``urls`` the known addresses of inline comments by finding id. ``overview`` is the summary of
    the whole pull request if this review read only a part. ``walkthrough`` has a line about each
    file, and ``files`` the diff, both by path. Links of a model may point to ``link_hosts`` only.
    ``fail_on`` is the lowest severity that fails the check. ``by_rules`` is as in :func:`.verdict`.
    ``set_aside`` are the ids of findings that the author set aside; errors among them have no
    effect. ``proposed`` are rules to turn off. ``threads`` is about the comments on lines.
    """
    safe = safe_report(done.report, link_hosts)
    findings = arrange(done, safe, rest, urls, set_aside, links=links, files=files)
    new = () if done.is_first else {finding.id for finding in done.new}
    first = verdict(safe, fail_on, by_rules=by_rules)
    head = f"**{literal(first)}**"
    not_posted = f"Not posted ({len(findings.unposted):,})"
    sections = [
        Section("", [literal(safe.depth)] if safe.depth not in first else [], 95),
        list_of(findings, urls, new),
        Section("", _changed(done), 90),
        *_closed(done, urls, named=len(findings.named)),
        *_unread(safe),
        *more_sections(findings),
        *rest_sections(findings.unposted, link_hosts, fold=not_posted),
        *_walkthrough(safe, safe_markdown(overview, link_hosts=link_hosts), walkthrough),
        *_asked_for(safe),
        _batch(threads.suggestions),
        _proposals(proposed),
        _conversations(threads.unresolved),
        *_details(safe, walkthrough, links),
    ]
    inert = [
        replace(section, items=[unmarked(item) for item in section.items]) for section in sections
    ]
    text = "\n\n".join(filter(None, (head, fitted(inert, MAX_TEXT - size(head) - 8))))
    room = MAX_BODY - size(text) - size(marker) - 8
    agents = for_agents(done.report.findings, findings.addresses, room)
    return with_marker("\n\n".join(filter(None, (text, agents))), marker)


def _causes(report: Report) -> list[str]:
    return [f"- {literal(cause, MAX_CAUSE)}" for cause in causes(report)]


def _changed(done: Reconciled) -> list[str]:
    if done.is_first:
        return []
    new = {finding.id for finding in done.new}
    counted = {finding.id for finding in done.report.findings if counts_for_fail_on(finding)}
    counts = (
        (len(counted & new), "new"),
        (len(counted - new), "still open"),
        (len(done.resolved), "resolved"),
    )
    parts = [f"{number:,} {word}" for number, word in counts if number]
    return [f"Since the last review: {listed(parts) if parts else 'nothing changed'}."]


def _closed(done: Reconciled, urls: Mapping[str, str], *, named: int) -> list[Section]:
    """Return the findings that this push resolved, and those that were dismissed.

    ``named`` is the number of findings in the list.
    """
    resolved = [
        f"- {record_line(record, urls.get(record.id))}{_by(done.fixed.get(record.id))}"
        for record in done.resolved
    ]
    dismissed = [f"- {record_line(record, urls.get(record.id))}" for record in done.dismissed]
    is_short = named + len(resolved) <= _SHOWN
    heading, fold = ("Resolved:", "") if is_short else ("", f"Resolved ({len(resolved):,})")
    away = f"Dismissed ({len(dismissed):,})"
    return [
        Section(heading, resolved, 45, "finding", fold=fold),
        Section("", dismissed, 44, "finding", fold=away),
    ]


def _unread(report: Report) -> list[Section]:
    """Return what was not read, with the reasons, and how to accept that."""
    return [
        Section("Why:", _causes(report), 85, "reason", share=0.2),
        Section("Not fully reviewed:", _paths(uncovered(report)), 80, "file", share=0.4),
        Section("Not read:", _files(shallow(report)), 79, "file", share=0.4),
        Section("", accepting(report), 79),
    ]


def _batch(suggestions: int) -> Section:
    """Return how to apply several suggestions in one commit."""
    text = (
        "Under *Files changed*, choose *Add suggestion to batch* at each one, then *Commit"
        " suggestions*. reviewbot itself pushes nothing."
    )
    fold = f"Apply {suggestions:,} suggestions in one commit"
    return Section("", [text] if suggestions > 1 else [], 42, fold=fold)


def _walkthrough(report: Report, overview: str, lines: Mapping[str, str]) -> list[Section]:
    """Return the fold with the summary of the model, where to look, and a line about each file."""
    summary = report.summary
    what = [quoted(overview, _WHAT)] if overview.strip() else []
    is_written = summary and summary.source == "model" and summary.what.strip()
    if summary and is_written and (report.files or not what):
        what += ["This push:"] * bool(what) + [quoted(summary.what, _WHAT)]
    claim = summary.claim_mismatch if summary else None
    said = [f"**Description and change disagree:** {one_line(claim, 600)}"] if claim else []
    rows = [
        f"- {code_span(path)}: {one_line(safe_line(line), 300)}" for path, line in lines.items()
    ]
    facts = [count(len(rows), "file")] * bool(rows) + ["not as described"] * bool(claim)
    fold = f"Walkthrough ({', '.join(facts)})" if facts else "Walkthrough"
    return [
        Section("", [*said, *what], 60, gap="\n\n", fold=fold),
        Section("Look at:", _paths(summary.look_at if summary else ()), 50, fold=fold),
        Section("Files:" if what or claim else "", rows, 30, noun="file", fold=fold),
    ]


def _asked_for(report: Report) -> list[Section]:
    if report.summary is None:
        return []
    heading, requirements = asked_for(report.summary)
    return [Section("", [f"- {requirement(item)}" for item in requirements], 35, fold=heading)]


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
    return Section("", [f"{text}\n\n{block}"], 12, fold="Proposals")


def _conversations(unresolved: Sequence[str]) -> Section:
    """Return what to do if the branch requires that all conversations are resolved."""
    if not unresolved:
        return Section("", [], 42)
    first = unresolved[:_CONVERSATIONS]
    shown = [link(str(number), url) for number, url in enumerate(first, start=1)]
    more = len(unresolved) - len(shown)
    names = listed([*shown, *([f"{more:,} more"] if more else [])])
    text = (
        "GitHub does not let reviewbot resolve the conversations of these closed findings:"
        f" {names}. If the branch requires conversation resolution, resolve them yourself, or give"
        " reviewbot the permission `contents: write`."
    )
    fold = f"Conversations to resolve ({len(unresolved):,})"
    return Section("", [text], 42, fold=fold)


def _details(report: Report, walkthrough: Collection[str], links: Permalinks) -> list[Section]:
    """Return the fold with coverage, notices, models, look-ups and cost.

    Reviewed files that the walkthrough lists are left out.
    """
    counted = {status: len(report.covered(status)) for status in _STATUSES}
    counted["failed"] += len(report.pending)
    parts = [f"{number:,} {_STATUSES[status]}" for status, number in counted.items() if number]
    total = count(sum(counted.values()), "file")
    paths = [file.path for file in report.covered("reviewed")]
    reviewed = [] if set(paths) <= set(walkthrough) else _paths(paths)
    activities = report.lookups.activities if report.lookups else ()
    names = [f"- {code_span(activity)}" for activity in activities]
    sections = [
        Section("", [f"{total}: {listed(parts)}."] if parts else [], 65),
        Section("Skipped by policy:", _files(report.covered("skipped")), 25, "file"),
        Section("Reviewed:", reviewed, 10, "file"),
        Section("Notices:", [f"- {literal(notice)}" for notice in report.notices], 40, "notice"),
        Section("By model:", _by_model(report), 15),
        Section(f"{look_ups(report)}:", names, 14, "look-up"),
        Section("", [_spent(report, links)], 99),
    ]
    return [replace(section, fold=_DETAILS) for section in sections]


def _paths(paths: Iterable[str]) -> list[str]:
    return [f"- {code_span(path)}" for path in paths]


def _files(files: Iterable[FileCoverage]) -> list[str]:
    return [
        f"- {code_span(file.path)} ({file.status}): {literal(file.reason or NO_REASON)}"
        for file in files
    ]


def _by_model(report: Report) -> list[str]:
    return [f"- {code_span(share.model)}: {share_of(share)}" for share in shares(report)]


def _spent(report: Report, links: Permalinks) -> str:
    facts = [
        f"commit {linked(links.head[:7], links.commit())}",
        ", ".join(map(code_span, report.models[:_MODELS])),
        spending(report),
    ]
    return "; ".join(filter(None, facts))

"""Request bodies for the check run of a review. Pure.

The first request is ``POST /repos/{owner}/{repo}/check-runs``. The others are
``PATCH .../check-runs/{id}``.

- Green means that everything was reviewed and nothing was found. A review that is incomplete, or
  that had nothing to review, is never green.
- Annotations are sent at the end: GitHub appends annotations and removes none, but a review may
  withdraw a finding. The first final request concludes the run, so that an interruption leaves the
  run concluded.
- Texts are measured in bytes, because GitHub counts bytes here despite its documentation
  (github/docs#35252).
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from reviewbot.core.events.report import counts_for_fail_on, reaches_threshold
from reviewbot.core.render import TOOL_NAME
from reviewbot.core.render.markdown import MAX_CAUSE, accepting
from reviewbot.core.render.markdown import render as render_markdown
from reviewbot.core.render.markdown_text import code_span, literal
from reviewbot.core.render.wording import (
    causes,
    counted,
    dollars,
    outcome,
    shallow,
    spending,
    titled,
    uncovered,
    unreviewed,
    usage,
)
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.wording import NO_REASON, count
from reviewbot.github.change.subject import LINK_HOSTS
from reviewbot.github.markers import MAX_LENGTH
from reviewbot.github.publish.check_annotations import (
    BATCH,
    MAX_ANNOTATIONS,
    annotation,
    title_line,
)
from reviewbot.github.publish.comment_text import (
    safe_finding,
    safe_report,
    title_of,
    unmarked,
    with_marker,
)
from reviewbot.github.publish.sections import Section, fitted
from reviewbot.github.publish.verdict import verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reviewbot.config.settings import IfIncomplete
    from reviewbot.core.events.events import ReviewProgress
    from reviewbot.core.events.records import Json
    from reviewbot.core.events.report import Report, Threshold
    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.change.permalinks import Permalinks
    from reviewbot.github.change.subject import PublishOptions

Conclusion = Literal["success", "neutral", "failure", "cancelled"]

MAX_TEXT: Final = 65_535
"""Maximum bytes of a summary or a text."""
_SUMMARY: Final = 16_000  # characters, of at most four bytes each
_TEXT: Final = 60_000
_FOUND: Final = 50
"""Maximum number of findings that are listed during the review."""


def _button(identifier: str, label: str, description: str) -> Json:
    return {"label": label, "description": description, "identifier": identifier}


ACTIONS: Final[tuple[Json, ...]] = (
    _button("review", "Review again", "Review this commit once more."),
    _button("review-full", "Full review", "Review all of the pull request."),
)
"""Buttons of a run that has ended. Only the App that owns the run receives clicks."""


def created(
    *,
    head_sha: str,
    external_id: str,
    started_at: str,
    details_url: str | None = None,
    name: str = TOOL_NAME,
) -> Json:
    """Return the body that creates a run.

    Args:
        head_sha: the commit under review.
        external_id: number of the pull request, optionally with more text after a colon, for
            :func:`pull_of`. GitHub does not state the pull request of a fork.
        started_at: RFC 3339 time.
        details_url: page with the progress of the review.
        name: name of the check in branch protection.
    """
    return {
        "name": name,
        "head_sha": head_sha,
        "status": "in_progress",
        "external_id": external_id,
        "started_at": started_at,
        "output": _output("Review has begun", "The change is being read."),
    } | ({"details_url": details_url} if details_url else {})


def pull_of(external_id: str) -> int:
    """Return the pull request of one of our runs; 0 if its external id names none."""
    number = external_id.partition(":")[0]
    return int(number) if re.fullmatch("[1-9][0-9]{0,9}", number) else 0


def updated(report: Report, progress: ReviewProgress, waits_until: str | None = None) -> Json:
    """Return the body that shows progress, findings and cost of a running review.

    ``waits_until`` is the UTC time of the next attempt, such as ``14:05``, while the model service
    is overloaded.
    """
    done = f"{progress.files_done:,} of {count(progress.files_total, 'file')}"
    tokens = usage(progress.usage)
    facts = [
        f"{done} done; {counted(report)} so far.",
        literal(progress.activity or ""),
        f"{tokens}; {dollars(progress.cost_usd)}." if tokens else "",
    ]
    found = [finding for finding in report.findings if counts_for_fail_on(finding)]
    rows = [_found(finding) for finding in found[:_FOUND]]
    if len(found) > _FOUND:
        rows.append(f"- and {len(found) - _FOUND:,} more")
    sections = [
        Section("", list(filter(None, facts)), 2, gap="\n\n"),
        Section("Found so far:", rows, 1, "finding"),
    ]
    title = f"{done}, {counted(report)}"
    if waits_until is not None:
        title = f"Waiting for the model service (overloaded) until {waits_until} UTC; {title}"
    output = _output(title, fitted(sections, _SUMMARY))
    return {"status": "in_progress", "output": output}


def conclusion(
    report: Report, *, fail_on: Threshold, if_incomplete: IfIncomplete = "failure"
) -> Conclusion:
    """Return the conclusion of the run.

    ``if_incomplete`` is the conclusion of an incomplete review without a finding at or above
    ``fail_on``. ``neutral`` lets a required check pass.
    """
    if report.outcome in ("cancelled", "superseded"):
        return "cancelled"
    if reaches_threshold(report, fail_on):
        return "failure"
    if not report.complete or unreviewed(report):
        return if_incomplete
    is_clean = report.outcome == "clean" and not report.findings and not report.covered("unread")
    return "success" if is_clean and report.covered("reviewed") else "neutral"


def completed(
    report: Report,
    options: PublishOptions,
    *,
    completed_at: str,
    marker: str = "",
    comments: Mapping[str, str] = MappingProxyType({}),
    listed: Collection[str] = (),
    by_rules: bool = False,
    links: Permalinks | None = None,
) -> tuple[Json, ...]:
    """Return the bodies that end a run, in order. The first concludes it; all carry annotations.

    ``completed_at`` is an RFC 3339 time. ``marker`` is the hidden marker to append to the text.
    ``comments`` has the addresses of inline comments, by finding id, and ``links`` those of code at
    the reviewed commit. Findings with a comment get no annotation, nor do those with the ids
    ``listed``. Findings without a comment and an annotation are in the text in full.
    ``by_rules`` is as in :func:`.verdict`.
    """
    safe, how = safe_report(report, options.link_hosts), options.if_incomplete
    end: Json = {
        "status": "completed",
        "conclusion": conclusion(report, fail_on=options.fail_on, if_incomplete=how),
        "completed_at": completed_at,
    } | ({"actions": list(ACTIONS)} if options.by_app else {})
    notes = [
        finding.id
        for finding in safe.findings
        if finding.severity == "note" and not finding.placement.held
    ]
    without = {*notes[options.max_notes :], *listed, *comments}
    made = {
        finding.id: entry
        for finding in safe.findings
        if finding.id not in without and (entry := annotation(finding)) is not None
    }
    kept = list(made.values())[:MAX_ANNOTATIONS]
    brief = {*list(made)[:MAX_ANNOTATIONS], *told_in_comments(safe, comments)}
    first = verdict(safe, options.fail_on, by_rules=by_rules)
    output = _output(first, _summary(safe, first, len(made) - len(kept)))
    output["text"] = _text(safe, marker, comments, links, brief)
    starts = range(0, max(len(kept), 1), BATCH)
    batches = [kept[start : start + BATCH] for start in starts]
    return tuple(
        end | {"output": output | ({"annotations": batch} if batch else {})} for batch in batches
    )


def told_in_comments(report: Report, comments: Collection[str]) -> set[str]:
    """Return the ids of findings of which a comment has the whole text.

    ``comments`` are the ids of findings with a comment. A finding of a rule and of a model is left
    out, because its comment may be older than the explanation of the model.
    """
    return {
        finding.id
        for finding in report.findings
        if finding.id in comments and len(finding.sources) <= 1
    }


def ended(conclusion: Conclusion, sentence: str, *, completed_at: str) -> Json:
    """Return the body that ends a run without a review.

    ``sentence`` has the problem and a remedy. ``completed_at`` is an RFC 3339 time.

    Raises:
        ValueError: the conclusion is ``success``.
    """
    if conclusion == "success":
        raise ValueError("a run without a review is no success")
    shown = redact_text(sentence)  # it may quote a value of a configuration file
    output = _output(shown, literal(shown, 4_000))
    return {
        "status": "completed",
        "conclusion": conclusion,
        "completed_at": completed_at,
        "output": output,
    }


def restated(first: Json, external_id: str, at: str) -> Json:
    """Return a run that repeats the failed check of another pull request at the same commit.

    Args:
        first: the body that made a run at that commit (:func:`created`).
        external_id: external id of the failed run.
        at: RFC 3339 time.
    """
    sentence = (
        f"The check of #{pull_of(external_id)} failed at this commit, and a commit has one check."
    )
    begun = {key: value for key, value in first.items() if key != "details_url"}
    return {**begun, "external_id": external_id, **ended("failure", sentence, completed_at=at)}


def _output(title: str, summary: str) -> Json:
    return {"title": title_line(title), "summary": unmarked(summary)}


def _summary(report: Report, first: str, left: int) -> str:
    lines = [f"**{literal(first)}**"]
    if (detail := outcome(report)) != first:
        lines.append(literal(detail))
    if report.held:
        lines.append(f"{count(len(report.held), 'finding')} held back.")
    if left:
        lines.append(f"{count(left, 'more finding')} without an annotation: see below.")
    missing = [f"- {code_span(path)}" for path in uncovered(report)]
    unread = [
        f"- {code_span(file.path)} ({file.status}): {literal(file.reason or NO_REASON)}"
        for file in shallow(report)
    ]
    sections = [
        Section("", lines, 4, gap="\n\n"),
        Section("", [f"- {literal(reason, MAX_CAUSE)}" for reason in causes(report)], 2, "reason"),
        Section("Not fully reviewed:", missing, 1, "file"),
        Section("Not read:", unread, 1, "file"),
        Section("", accepting(report), 3),
        Section("", [spent] if (spent := spending(report)) else [], 3),
    ]
    return fitted(sections, _SUMMARY)


def _text(
    report: Report,
    marker: str,
    comments: Mapping[str, str],
    links: Permalinks | None,
    brief: Collection[str],
) -> str:
    """Return what the summary does not have. If it is too long, blocks at its end are omitted.

    Blocks contain no empty line, because text that could have one is quoted. So no fence or table
    stays open. The folded look-ups are several blocks: all of them are omitted.
    """
    shown = render_markdown(
        report,
        limit=_TEXT,
        links=comments,
        address_of=links.of_rests_on if links else None,
        has_outcome=False,
        brief=brief,
    )
    text = unmarked(shown)
    room = MAX_TEXT - MAX_LENGTH - 8
    if len(text.encode()) > room:
        note = "\n\nThe rest had no room here."
        start = text.encode()[: room - len(note)].decode(errors="ignore")
        start = start[: max(start.rfind("\n\n"), 0)]
        fold = start.rfind("\n\n<details>\n")
        is_open = fold > start.rfind("\n</details>")
        text = (start[:fold] if is_open else start) + note
    return with_marker(text, marker)


def _found(finding: Finding) -> str:
    title = title_of(safe_finding(finding, LINK_HOSTS))
    return f"- {titled(finding)}: {code_span(finding.path)} {title}"

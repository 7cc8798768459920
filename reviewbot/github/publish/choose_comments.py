"""Choose which findings of a reconciled review get a comment on their lines. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.finding import SEVERITIES
from reviewbot.core.render.wording import placement_reason
from reviewbot.github.publish.review_comments import (
    CommentPlan,
    FindingWithoutComment,
    plan_comments,
)
from reviewbot.github.publish.summary import record_line
from reviewbot.github.state.reconcile import SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.change.subject import PublishOptions, Subject
    from reviewbot.github.state.prior import Posted, Prior
    from reviewbot.github.state.reconcile import Reconciled

_TURNED_OFF: Final = "Comments on lines are turned off."
_INVALID: Final = "The configuration of the base is invalid, so only secrets get comments."


def choose_comments(
    done: Reconciled,
    prior: Prior,
    files: Sequence[FileDiff],
    subject: Subject,
    options: PublishOptions,
    *,
    marker: Callable[[Finding], str],
) -> CommentPlan:
    """Return which new findings get a comment on their lines, and which are only listed.

    ``files`` is the whole diff. ``marker`` returns the hidden marker of a finding's comment.
    """
    closed = {record.id for record in done.records if record.state != "open"}
    there = [
        (posted.comment, posted.severity)
        for id_, posted in prior.posted.items()
        if id_ not in closed
    ]
    there += [(comment, "error") for comment in prior.copies]
    there.sort(key=lambda pair: SEVERITIES.index(pair[1]), reverse=True)  # the worst decides
    new = [
        finding
        for finding in done.unposted
        if finding.id not in prior.listed
        and not _has_comment(finding, prior.posted.get(finding.id))
    ]
    is_list_only = done.report.is_list_only
    secrets = [finding for finding in new if finding.rule.startswith(SECRETS)]
    plan = plan_comments(
        secrets if is_list_only else new,
        files,
        marker=marker,
        links=subject.links,
        link_hosts=options.link_hosts,
        most=options.max_inline,
        max_notes=options.max_notes,
        replies=options.replies,
        unshown=subject.unshown,
        listed=done.listed,
        contradicted={
            id_: record_line(
                record, posted.comment.url if (posted := prior.posted.get(record.id)) else None
            )
            for id_, record in done.contradicted.items()
        },
        taken={
            (comment.path, comment.side, comment.line): severity
            for comment, severity in there
            if comment.line is not None
        },
    )
    if is_list_only:
        others = [finding for finding in new if finding not in secrets]
        plan = replace(plan, rest=(*plan.rest, *_only_listed(others, files, subject)))
    return plan if options.review else CommentPlan((), without_comments(plan, _TURNED_OFF))


def without_comments(plan: CommentPlan, reason: str) -> tuple[FindingWithoutComment, ...]:
    """Return all findings of a plan whose comments are not posted for that reason."""
    return (*(planned.without_comment(reason) for planned in plan.inline), *plan.rest)


def _has_comment(finding: Finding, posted: Posted | None) -> bool:
    """Return whether a finding has a comment. An unsigned comment must be on its line."""
    if posted is None or posted.ours:
        return posted is not None
    place = (finding.path, finding.side, max(finding.line, finding.end_line))
    return (posted.comment.path, posted.comment.side, posted.comment.line) == place


def _only_listed(
    findings: Sequence[Finding], files: Sequence[FileDiff], subject: Subject
) -> Iterable[FindingWithoutComment]:
    """Yield findings that an invalid configuration keeps from being posted."""
    by_path = {file.path: file for file in files}
    links = subject.links
    for finding in findings:
        link = links.of(finding, by_path.get(finding.path))
        reason = placement_reason(finding) or _INVALID
        yield FindingWithoutComment(finding, reason, link, links)

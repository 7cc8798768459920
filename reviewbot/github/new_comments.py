"""Which findings of a review get a comment on their lines, and which are told elsewhere. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.report import gates
from reviewbot.github.review_comments import Elsewhere, plan_comments

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.core.findings import Finding
    from reviewbot.github.memory import Memory
    from reviewbot.github.permalinks import Permalinks
    from reviewbot.github.review_comments import CommentPlan
    from reviewbot.github.subject import PublishOptions

_TURNED_OFF: Final = "Comments on lines are turned off."
_TAKEN: Final = "A comment of an earlier review is on its line already."


def plan_new(
    new: Iterable[Finding],
    files: Sequence[FileDiff],
    memory: Memory,
    *,
    held: Collection[str],
    elsewhere: Collection[str],
    options: PublishOptions,
    links: Permalinks,
    unshown: Collection[str],
    marker: Callable[[Finding], str],
) -> CommentPlan:
    """What becomes of findings that have no comment yet.

    Args:
        new: they.
        files: the diff of the pull request at its head.
        memory: what is there.
        held: ids of what the texts of reviews tell of as held back.
        elsewhere: ids of those that are not where their comments are: these may say that they are
            fixed, or will now.
        options: what is posted.
        links: makes addresses of the code.
        unshown: the files that GitHub shows no lines of.
        marker: the hidden text by which the comment on a finding is known.
    """
    open_ = (one.comment for id_, one in memory.posted.items() if id_ not in elsewhere)
    there = (*open_, *memory.copies)
    taken = {(one.path, one.side, one.line) for one in there if one.line is not None}
    # What is held back is read again from the summary, if there is one, so it stands there, too.
    told = set[str]() if options.summary else set(held)
    by_path = {file.path: file for file in files}
    free: list[Finding] = []
    beside: list[Elsewhere] = []
    for finding in new:
        if finding.id in (memory.told if gates(finding) else told):
            continue
        place = (finding.path, finding.side, max(finding.line, finding.end_line))
        link = links.of(finding, by_path.get(finding.path))
        if not options.review:
            beside.append(Elsewhere(finding, _TURNED_OFF, link))
        elif place in taken and finding.placement.kind == "inline":
            beside.append(Elsewhere(finding, _TAKEN, link))
        else:
            free.append(finding)
    plan = plan_comments(
        free,
        files,
        marker=marker,
        links=links,
        link_hosts=options.link_hosts,
        unshown=unshown,
    )
    return replace(plan, rest=(*plan.rest, *beside))

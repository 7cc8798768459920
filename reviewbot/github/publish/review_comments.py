"""Plan the inline comments of a review. Pure.

GitHub accepts a review as a whole or rejects it (422), so each comment must fit the diff:

- A comment covers lines of one hunk: added or unchanged lines on the right side, removed lines on
  the left side.
- If a finding exceeds its hunk, the comment covers the part in the hunk. A suggestion is offered
  only if the comment covers all lines of the finding.
- The start line is set only if it is above the end line: GitHub rejects an empty range.
- GitHub shows no lines of some files, such as very large files. Their findings get no comment.

A finding that cannot have a comment is returned with the reason, for the summary. Each finding is
in exactly one of the two lists.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.findings.finding import rank
from reviewbot.core.render.wording import placement_reason
from reviewbot.github.change.permalinks import is_utf8
from reviewbot.github.change.subject import LINK_HOSTS
from reviewbot.github.publish.comment_text import on_line
from reviewbot.github.state.rounds import REASONS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff, Hunk
    from reviewbot.core.events.records import Json
    from reviewbot.core.findings.finding import Finding, Severity, Side
    from reviewbot.github.change.permalinks import Permalinks
    from reviewbot.github.state.block import Listed

MAX_COMMENTS: Final = 30
"""Maximum number of comments of one review. More comments caused 502 errors (reviewdog#355)."""
NOTES: Final = "Notes are listed, not posted, unless max_notes says otherwise."
"""Reason why a note has no comment on its line."""
_TAKEN: Final = "A comment of an earlier review is on its line already."


@dataclass(frozen=True, slots=True)
class CommentRange:
    """Lines of a comment in one hunk. ``whole`` is True if they are all lines of the finding."""

    side: Side
    first: int
    last: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Inline:
    """A finding with the body of its comment for GitHub.

    ``link`` is the address of the code. ``links`` are those of what the finding rests on.
    """

    finding: Finding
    comment: Json
    link: str | None
    links: Permalinks

    def without_comment(self, reason: str) -> FindingWithoutComment:
        """Return the finding with the reason why it has no comment."""
        return FindingWithoutComment(self.finding, reason, self.link, self.links)


@dataclass(frozen=True, slots=True)
class FindingWithoutComment:
    """A finding that has no comment on a line.

    ``reason`` is a sentence, or empty if the review only has too many findings. ``link`` and
    ``links`` are as in :class:`Inline`.
    """

    finding: Finding
    reason: str
    link: str | None = None
    links: Permalinks | None = None

    @property
    def is_surplus(self) -> bool:
        """True if the finding has no comment only because of ``max_inline``."""
        return not self.reason

    @property
    def is_listed_note(self) -> bool:
        """True if the finding has no comment only because it is a note."""
        return self.reason in (NOTES, REASONS["note"])

    @property
    def is_listed_warning(self) -> bool:
        """True if the finding has no comment because an earlier round had its code."""
        return self.reason in (REASONS["read"], REASONS["hunk"])


@dataclass(frozen=True, slots=True)
class CommentPlan:
    """Findings with and without an inline comment, each worst first."""

    inline: tuple[Inline, ...]
    rest: tuple[FindingWithoutComment, ...]


def plan_comments(
    findings: Iterable[Finding],
    files: Sequence[FileDiff],
    *,
    marker: Callable[[Finding], str],
    links: Permalinks,
    link_hosts: tuple[str, ...] = LINK_HOSTS,
    most: int = MAX_COMMENTS,
    max_notes: int = MAX_COMMENTS,
    unshown: Collection[str] = (),
    taken: Mapping[tuple[str, str, int], Severity] = MappingProxyType({}),
    listed: Mapping[str, Listed] = MappingProxyType({}),
    contradicted: Mapping[str, str] = MappingProxyType({}),
    replies: bool = True,
) -> CommentPlan:
    """Decide which findings get an inline comment, worst first.

    ``findings`` have no comment yet, and ``files`` is the diff at the reviewed commit. ``marker``
    returns the hidden marker of a finding's comment. Links of a model may point to ``link_hosts``
    only. ``most`` is the maximum number of comments, at most :data:`MAX_COMMENTS`, and
    ``max_notes`` that of notes among them. ``unshown`` has the files without visible lines on
    GitHub. ``taken`` has the severity of existing comments by path, side and last line;
    an error gets a comment beside one of a lower severity. ``listed`` has the rules of
    rounds that list findings, by finding id. ``contradicted`` has the location of the earlier
    finding that a finding contradicts, as inline Markdown; such a finding counts as no
    note. ``replies`` says whether replies get an answer.
    """
    diff = _CommentableDiff(files, frozenset(unshown))
    inline: list[Inline] = []
    rest: list[FindingWithoutComment] = []
    notes = 0
    for finding in sorted(findings, key=lambda one: (*rank(one), one.id)):
        link = links.of(finding, diff.file(finding.path))
        place = (
            placement_reason(finding) if finding.placement.kind != "inline" else diff.place(finding)
        )
        last = (finding.path, finding.side, max(finding.line, finding.end_line))
        is_new_error = finding.severity == "error" and taken.get(last) != "error"
        if not isinstance(place, str) and last in taken and not is_new_error:
            place = _TAKEN
        is_note = finding.severity == "note" and finding.id not in contradicted
        if rule := listed.get(finding.id, ""):
            place = NOTES if rule == "note" and not max_notes else REASONS[rule]
        if isinstance(place, str):
            rest.append(FindingWithoutComment(finding, place, link, links))
        elif is_note and notes >= max_notes:
            rest.append(FindingWithoutComment(finding, NOTES, link, links))
        elif len(inline) >= min(most, MAX_COMMENTS):
            rest.append(FindingWithoutComment(finding, "", link, links))
        else:
            text = on_line(
                finding,
                marker=marker(finding),
                offer=place.whole,
                link_hosts=link_hosts,
                links=links,
                contradicted=contradicted.get(finding.id, ""),
                replies=replies,
            )
            comment = _comment(finding.path, place, text)
            inline.append(Inline(finding, comment, link, links))
            notes += is_note
    return CommentPlan(tuple(inline), tuple(rest))


def review_payload(inline: Iterable[Inline], *, commit_id: str, body: str) -> Json:
    """Return a review for ``POST /repos/{owner}/{repo}/pulls/{number}/reviews``.

    The event is set, because a review without an event stays pending and blocks later reviews.

    ``inline`` are the comments of a plan or, after a refusal, a part of them. ``commit_id`` is the
    head of the diff. ``body`` must not be empty, because GitHub rejects an empty body.
    """
    comments = [one.comment for one in inline]
    return {"commit_id": commit_id, "event": "COMMENT", "body": body, "comments": comments}


def _comment(path: str, place: CommentRange, body: str) -> Json:
    """Return a comment with permitted keys only. GitHub rejects a review with any other key."""
    comment: dict[str, Any] = {"path": path, "body": body, "line": place.last, "side": place.side}
    if place.first < place.last:
        comment |= {"start_line": place.first, "start_side": place.side}
    return comment


class _CommentableDiff:
    """Lines of a diff that accept comments."""

    def __init__(self, files: Sequence[FileDiff], unshown: Collection[str]) -> None:
        self._unshown = unshown
        self._files: dict[str, list[FileDiff]] = {}
        for file in files:
            self._files.setdefault(file.path, []).append(file)
        self._removed: dict[tuple[str, int], list[int]] = {}

    def file(self, path: str) -> FileDiff | None:
        """Return the file of that name, if exactly one has it."""
        return next(iter(self._files.get(path, ())), None)

    def place(self, finding: Finding) -> CommentRange | str:
        """Return the lines for a comment on ``finding``, or the reason for no comment."""
        files = self._files.get(finding.path)
        if not files:
            return "Its file is not in the diff of the pull request."
        if len(files) > 1 or files[0].status == "type-changed":
            return "Its file is in the diff more than once, so its lines are ambiguous."
        if not is_utf8(finding.path):
            return "The name of its file is not UTF-8, which GitHub does not accept."
        if finding.path in self._unshown:
            return "GitHub shows no lines of its file, and accepts no comment there."
        places = [
            place
            for index, hunk in enumerate(files[0].hunks)
            if (place := self._within(finding, index, hunk))
        ]
        return places[0] if places else "Its lines are not in the diff of the pull request."

    def _within(self, finding: Finding, index: int, hunk: Hunk) -> CommentRange | None:
        """Return the lines of ``finding`` that are in one hunk."""
        first, last = finding.line, max(finding.line, finding.end_line)
        if finding.side == "RIGHT":
            first = max(first, hunk.new_start)
            last = min(last, hunk.new_start + hunk.new_count - 1)
        elif hunk.old_start + hunk.old_count <= first or last < hunk.old_start:
            return None
        else:
            removed = self._removed_lines(finding.path, index, hunk)
            within = [number for number in removed if first <= number <= last]
            first, last = (within[0], within[-1]) if within else (1, 0)
        if first > last:
            return None
        whole = (first, last) == (finding.line, finding.end_line)
        return CommentRange(finding.side, first, last, whole)

    def _removed_lines(self, path: str, index: int, hunk: Hunk) -> list[int]:
        """Return the numbers of removed lines. Unchanged lines belong to the right side."""
        key = (path, index)
        if key not in self._removed:
            number, found = hunk.old_start - 1, []
            for kind, _ in hunk.iter_raw():
                number += kind != "added"
                if kind == "removed":
                    found.append(number)
            self._removed[key] = found
        return self._removed[key]

"""Arrange the open findings of a pull request in its summary comment. Pure.

The list names all errors and some other findings, each by a link. The rest is folded: more open
findings by a line each, and in full what has no comment on a line.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.report import counts_for_fail_on
from reviewbot.core.findings.finding import Placement
from reviewbot.core.findings.join import rule_of
from reviewbot.core.render.markdown_text import code_span, link
from reviewbot.core.render.wording import placement_reason, titled
from reviewbot.github.publish.comment_text import place_of, title_of, unmarked
from reviewbot.github.publish.listed_findings import lines_by_file
from reviewbot.github.publish.review_comments import NOTES, FindingWithoutComment
from reviewbot.github.publish.sections import Section
from reviewbot.github.state.rounds import REASONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.change.permalinks import Permalinks
    from reviewbot.github.state.reconcile import Reconciled

MAX_OTHERS: Final = 10
"""Maximum number of warnings and notes in the list, those with a comment first."""
FEW_FILES: Final = 10
ROOM: Final = 850
"""Characters of the list in a review of at most :data:`FEW_FILES` files; errors have no limit."""
_MARKS: Final = 20
"""Characters of a line besides title and path."""
MAX_TITLE: Final = 100
"""Maximum characters of a title in the list; the comment has the rest."""


@dataclass(frozen=True, slots=True)
class FoldedFindings:
    """Findings of earlier pushes that stay open and are folded. An error is never one of them.

    Attributes:
        listed_before: findings that an earlier push listed because of its round.
        set_aside: findings that the author set aside.
        doubted: findings of which two answers in a row did not tell whether they are fixed.
    """

    listed_before: tuple[Finding, ...]
    set_aside: tuple[Finding, ...]
    doubted: tuple[Finding, ...]

    @classmethod
    def of(
        cls,
        done: Reconciled,
        counted: Iterable[Finding],
        set_aside: Collection[str],
        *,
        known: Collection[str],
    ) -> FoldedFindings:
        """Return the findings of ``counted`` to fold.

        ``known`` are the ids of findings with a comment or of this push, which are not folded.
        """
        listed, aside, doubted = [], [], []
        for finding in counted:
            rule = done.listed.get(finding.id)
            if finding.severity == "error":
                continue
            if finding.id in set_aside:
                aside.append(finding)
            elif rule == "doubt":
                doubted.append(finding)
            elif rule is not None and finding.id not in known and finding.severity != "note":
                listed.append(finding)
        return cls(tuple(listed), tuple(aside), tuple(doubted))

    @property
    def ids(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(
            finding.id for finding in (*self.listed_before, *self.set_aside, *self.doubted)
        )


@dataclass(frozen=True, slots=True)
class OpenFindings:
    """The findings of one review by their place in the summary.

    Attributes:
        named: findings in the list, errors first.
        more: other findings that only a folded line names.
        folded: findings of earlier pushes.
        unposted: findings without a comment on a line that are shown in full.
        addresses: the address of the comment of each finding, or of its code, by finding id.
    """

    named: tuple[Finding, ...]
    more: tuple[Finding, ...]
    folded: FoldedFindings
    unposted: tuple[FindingWithoutComment, ...]
    addresses: Mapping[str, str | None]


def arrange(
    done: Reconciled,
    safe: Report,
    rest: Sequence[FindingWithoutComment],
    urls: Mapping[str, str],
    set_aside: Collection[str],
    *,
    links: Permalinks,
    files: Mapping[str, FileDiff],
) -> OpenFindings:
    """Decide where the summary shows each finding; each is in at least one place.

    ``safe`` is the report with safe texts. The other arguments are as in :func:`.render`. A finding
    that is held back is left out if an open finding of a rule or linter reports the same.
    """
    counted = [finding for finding in safe.findings if counts_for_fail_on(finding)]
    reasons = {unposted.finding.id: unposted.reason for unposted in rest}
    code = {finding.id: links.of(finding, files.get(finding.path)) for finding in counted}
    notes = {
        finding.id
        for finding in counted
        if finding.severity == "note"
        and finding.id not in urls
        and reasons.get(finding.id, NOTES) in (NOTES, REASONS["note"])
    }
    folded = FoldedFindings.of(done, counted, set_aside, known=urls.keys() | reasons.keys())
    listed = (
        {unposted.finding.id for unposted in rest if unposted.is_listed_warning}
        | notes
        | folded.ids
    )
    shown = [finding for finding in counted if finding.id not in listed]
    errors = [finding for finding in shown if finding.severity == "error"]
    others = [finding for finding in shown if finding.severity != "error"]
    others.sort(key=lambda finding: finding.id not in urls)
    below = [unposted for unposted in rest if not unposted.is_surplus]
    below += [
        FindingWithoutComment(
            held, placement_reason(held), links.of(held, files.get(held.path)), links
        )
        for held in safe.held
        if held.id not in reasons
    ]
    below += [
        FindingWithoutComment(note, NOTES, code[note.id], links)
        for note in counted
        if note.id in notes - reasons.keys() - folded.ids
    ]
    number = _number_of(others, errors, is_small=len(safe.coverage) <= FEW_FILES)
    return OpenFindings(
        named=(*errors, *others[:number]),
        more=tuple(others[number:]),
        folded=folded,
        unposted=tuple(
            unposted for unposted in below if not _is_duplicate(unposted.finding, counted)
        ),
        addresses={**code, **{unposted.finding.id: unposted.link for unposted in rest}, **urls},
    )


def _number_of(others: Sequence[Finding], errors: Sequence[Finding], *, is_small: bool) -> int:
    """Return how many of ``others`` the list names besides ``errors``."""
    if not is_small:
        return MAX_OTHERS
    room = ROOM - sum(map(_length, errors))
    lengths = accumulate(map(_length, others[:MAX_OTHERS]))
    return sum(length <= room for length in lengths)


def _length(finding: Finding) -> int:
    """Return about how many characters a reader sees of a line of the list."""
    return min(len(finding.title), MAX_TITLE) + len(finding.path) + _MARKS


def _is_duplicate(finding: Finding, counted: Iterable[Finding]) -> bool:
    """Return whether a held-back finding reports what an open finding of a rule reports."""
    if not finding.placement.held or not finding.is_placed:
        return False
    rules = [
        other
        for other in counted
        if other.path == finding.path and other.id != finding.id and not other.is_from_model
    ]
    return rule_of(replace(finding, placement=Placement("inline")), rules) is not None


def list_of(findings: OpenFindings, urls: Collection[str], new: Collection[str]) -> Section:
    """Return the list. ``urls`` are the ids of findings with a comment, ``new`` of new ones."""
    shown_elsewhere = {unposted.finding.id for unposted in findings.unposted} | {*urls}
    items = [
        _item(
            finding,
            findings.addresses.get(finding.id),
            has_id=finding.id not in shown_elsewhere,
            is_new=finding.id in new,
        )
        for finding in findings.named
    ]
    return Section("", items, 92, "finding", share=0.6)


def _item(finding: Finding, address: str | None, *, has_id: bool, is_new: bool) -> str:
    """Return a line of the list: severity, title with a link, and place.

    ``/ignore`` needs the id of a finding without a comment. If the finding is shown in full below,
    its id is there.
    """
    severity = f"{titled(finding)}, new" if is_new else titled(finding)
    own = f" (id {code_span(finding.id)})" if has_id else ""
    where = place_of(finding, None)
    title = link(title_of(finding, MAX_TITLE), address)
    return unmarked(f"- {severity}: {title} {where}{own}")


def more_sections(findings: OpenFindings) -> list[Section]:
    """Return the folded lines of the other open findings."""
    folded, addresses = findings.folded, findings.addresses
    more = ((finding, addresses.get(finding.id)) for finding in findings.more)
    groups = (
        ("", lines_by_file(more)),
        ("Listed before, without a comment:", _ignorable(folded.listed_before, addresses)),
        ("Set aside by the author, and still counted:", _ignorable(folded.set_aside, addresses)),
        ("Not clear whether fixed:", _ignorable(folded.doubted, addresses)),
    )
    fold = f"More open findings ({len(findings.more) + len(folded.ids):,})"
    return [
        Section(heading, list(rows), 73, "finding", fold=fold, share=0.4)
        for heading, rows in groups
    ]


def _ignorable(findings: Iterable[Finding], addresses: Mapping[str, str | None]) -> Iterator[str]:
    """Yield a line for each finding, with the command that dismisses it."""
    for finding in findings:
        where = place_of(finding, addresses.get(finding.id))
        command = code_span(f"/ignore {finding.id}")
        yield unmarked(f"- {titled(finding)}: {where} {title_of(finding)} ({command})")

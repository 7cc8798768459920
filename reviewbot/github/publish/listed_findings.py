"""List the findings that have no comment on a line: in a review body or the summary. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.render.markdown_text import code_span, literal
from reviewbot.core.render.wording import outcome, titled
from reviewbot.core.wording import count
from reviewbot.github.change.subject import LINK_HOSTS
from reviewbot.github.markers import MAX_FINDINGS
from reviewbot.github.publish.comment_text import (
    finding_block,
    place_of,
    safe_finding,
    title_of,
    unmarked,
)
from reviewbot.github.publish.sections import Section, fitted, size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reviewbot.core.events.report import Report
    from reviewbot.github.publish.review_comments import FindingWithoutComment

MAX_TEXT: Final = 20_000
"""Maximum characters of the text of a review, and of what people read of a summary comment."""


@dataclass(frozen=True, slots=True)
class ReviewText:
    """A review body, and the findings that it lists without an inline comment."""

    text: str
    listed: tuple[FindingWithoutComment, ...]


def review_text(
    report: Report,
    inline: int,
    *,
    below: Sequence[FindingWithoutComment] = (),
    elsewhere: Sequence[FindingWithoutComment] = (),
    link_hosts: tuple[str, ...] = LINK_HOSTS,
) -> ReviewText:
    """Return the review body: the outcome, and findings without an inline comment.

    ``inline`` is the number of inline comments. The body lists ``below``, as far as it fits. The
    summary comment lists ``elsewhere``. Links of a model may point to ``link_hosts`` only.
    """
    head = f"**{literal(outcome(report))}** {count(inline, 'comment')} on lines."
    head += _where(sum(not unposted.finding.placement.held for unposted in below), "below")
    counted = sum(not unposted.finding.placement.held for unposted in elsewhere)
    head += _where(counted, "in the summary comment")
    sections = rest_sections(below, link_hosts)
    text = fitted(sections, MAX_TEXT - size(head) - 8)
    # Surplus findings are recorded, too, so that later reviews post no comment on them.
    surplus = [unposted for unposted in elsewhere if unposted.is_surplus][
        : max(0, MAX_FINDINGS - len(below))
    ]
    recorded = (*below[:MAX_FINDINGS], *surplus)
    return ReviewText("\n\n".join(filter(None, (head, text))), recorded)


def rest_sections(
    rest: Iterable[FindingWithoutComment], link_hosts: tuple[str, ...]
) -> list[Section]:
    """Return sections for findings without an inline comment and for held-back findings."""
    surplus: list[FindingWithoutComment] = []
    notes: list[FindingWithoutComment] = []
    others: list[FindingWithoutComment] = []
    listed: list[FindingWithoutComment] = []
    held: list[FindingWithoutComment] = []
    for unposted in rest:
        group = surplus if unposted.is_surplus else notes if unposted.is_listed_note else others
        if unposted.is_listed_warning:
            group = listed
        if unposted.finding.placement.held:
            group = held
        group.append(unposted)
    blocks = [_block(unposted, link_hosts) for unposted in others]
    held_blocks = [_block(unposted, link_hosts) for unposted in held]
    heading = f"### More findings ({len(surplus):,})"
    return [
        Section(heading, list(_lines(surplus, link_hosts)), 72, noun="finding", share=0.5),
        Section(
            f"Listed without a comment ({len(listed):,})",
            [_block(unposted, link_hosts) for unposted in listed],
            71,
            noun="finding",
            gap="\n\n",
            folded=True,
            share=0.5,
        ),
        Section("### Not on a line", blocks, 70, noun="finding", gap="\n\n", share=0.7),
        Section(
            f"Notes ({len(notes):,})",
            [
                _block(replace(unposted, reason=""), link_hosts)
                for in_file in _by_file(notes)
                for unposted in in_file
            ],
            22,
            noun="note",
            gap="\n\n",
            folded=True,
        ),
        Section(
            f"Held back ({len(held):,})", held_blocks, 20, noun="finding", gap="\n\n", folded=True
        ),
    ]


def _by_file(rest: Iterable[FindingWithoutComment]) -> list[list[FindingWithoutComment]]:
    """Return the findings of each file. Files and their findings keep their order."""
    files: dict[str, list[FindingWithoutComment]] = {}
    for unposted in rest:
        files.setdefault(unposted.finding.path, []).append(unposted)
    return list(files.values())


def _lines(rest: Iterable[FindingWithoutComment], link_hosts: tuple[str, ...]) -> Iterator[str]:
    """Yield a line for each finding, below the name of its file."""
    for in_file in _by_file(rest):
        heading = unmarked(f"- {code_span(in_file[0].finding.path)}\n")
        for number, unposted in enumerate(in_file):
            yield f"{'' if number else heading}  - {_line(unposted, link_hosts)}"


def _line(unposted: FindingWithoutComment, link_hosts: tuple[str, ...]) -> str:
    """Return a finding in one line: its severity, place, title and id."""
    safe = safe_finding(unposted.finding, link_hosts)
    where = place_of(unposted.finding, unposted.link)
    return unmarked(f"{titled(safe)}: {where} {title_of(safe)} (id {code_span(safe.id)})")


def _block(unposted: FindingWithoutComment, link_hosts: tuple[str, ...]) -> str:
    where = place_of(unposted.finding, unposted.link)
    return finding_block(
        unposted.finding,
        where=where,
        reason=unposted.reason,
        link_hosts=link_hosts,
        links=unposted.links,
    )


def _where(number: int, where: str) -> str:
    verb = "is" if number == 1 else "are"
    return f" {count(number, 'more finding')} {verb} {where}." if number else ""

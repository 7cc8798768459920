"""List the findings that have no comment on a line: in a review body or the summary. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

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
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Finding
    from reviewbot.github.publish.review_comments import FindingWithoutComment

T = TypeVar("T")

MAX_TEXT: Final = 20_000
"""Maximum characters of the text of a review."""


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
    rest: Iterable[FindingWithoutComment], link_hosts: tuple[str, ...], *, fold: str = ""
) -> list[Section]:
    """Return sections for findings without an inline comment and for held-back findings.

    All of them are in the fold with the label ``fold``. Without one, only the less important ones
    are folded.
    """
    groups: dict[str, list[FindingWithoutComment]] = {
        name: [] for name in ("surplus", "listed", "others", "notes", "held")
    }
    for unposted in rest:
        groups[_group(unposted)].append(unposted)
    surplus, notes = groups["surplus"], groups["notes"]
    shown = ((safe_finding(unposted.finding, link_hosts), unposted.link) for unposted in surplus)
    by_line = list(lines_by_file(shown))
    plain = [
        replace(note, reason="")
        for in_file in by_file(notes, lambda note: note.finding.path)
        for note in in_file
    ]
    named: tuple[tuple[str, Sequence[FindingWithoutComment], int, float], ...] = (
        ("Not on a line", groups["others"], 70, 0.7),
        ("Listed without a comment", groups["listed"], 71, 0.5),
        ("Notes", plain, 22, 1.0),
        ("Held back", groups["held"], 20, 1.0),
    )
    heading = f"### More findings ({len(surplus):,})"
    sections = [Section(heading, by_line, 72, noun="finding", fold=fold, share=0.5)]
    for name, unposted_ones, importance, share in named:
        label = f"{name} ({len(unposted_ones):,})"
        is_open = not fold and name == "Not on a line"
        sections.append(
            Section(
                f"**{label}**" if fold else f"### {name}" if is_open else "",
                [_block(unposted, link_hosts) for unposted in unposted_ones],
                importance,
                noun="finding",
                gap="\n\n",
                fold=fold or ("" if is_open else label),
                share=share,
            )
        )
    return sections


def _group(unposted: FindingWithoutComment) -> str:
    if unposted.finding.placement.held:
        return "held"
    if unposted.is_listed_warning:
        return "listed"
    return "surplus" if unposted.is_surplus else "notes" if unposted.is_listed_note else "others"


def by_file(entries: Iterable[T], path_of: Callable[[T], str]) -> list[list[T]]:
    """Return the entries of each file. Files and their entries keep their order."""
    files: dict[str, list[T]] = {}
    for entry in entries:
        files.setdefault(path_of(entry), []).append(entry)
    return list(files.values())


def lines_by_file(findings: Iterable[tuple[Finding, str | None]]) -> Iterator[str]:
    """Yield a line for each safe finding with its address, below the name of its file."""
    for in_file in by_file(findings, lambda entry: entry[0].path):
        heading = unmarked(f"- {code_span(in_file[0][0].path)}\n")
        for number, (finding, address) in enumerate(in_file):
            yield f"{'' if number else heading}  - {line_of(finding, address)}"


def line_of(safe: Finding, address: str | None) -> str:
    """Return a safe finding in one line: its severity, place, title and id."""
    where = place_of(safe, address)
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

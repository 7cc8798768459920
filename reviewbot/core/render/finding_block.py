"""One finding on a terminal: title, location, code with a gutter, texts, suggestion. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from reviewbot.core.render.layout import Line, Span, clip, paragraph, shown, wrap
from reviewbot.core.render.rests_on import LABEL, rests_on
from reviewbot.core.render.wording import confidence, placement_reason, state_of
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.findings.finding import Finding, Severity

Sign: TypeAlias = Literal["+", "-", " "]
CodeLine: TypeAlias = tuple[int | None, Sign, str]
"""A line around a finding: its number on the finding's side (None if it is not on that side), its
sign in the diff, and its text."""

STYLES: Final[dict[Severity, str]] = {
    "error": "bold red",
    "warning": "bold yellow",
    "note": "bold cyan",
}
_KINDS: Final[dict[Sign, str]] = {"+": "green", "-": "red", " ": ""}
_GUTTER: Final = "dim"

CODE_LINES: Final = 24
"""Lines of code or suggestion that a block shows; more are counted."""
_MESSAGE_LINES: Final = 60


def finding_block(
    finding: Finding, code: Sequence[CodeLine], width: int, *, is_update: bool = False
) -> list[Line]:
    """Return the block of one finding.

    Args:
        finding: the finding.
        code: the diff around the finding; if empty, its quote is shown.
        width: columns of the terminal.
        is_update: whether the block replaces one that was shown.
    """
    rows = list(code) or _quoted(finding)
    # Findings on lines have code, even if the filters hold them back.
    placed = finding.placement.kind == "inline" or (finding.placement.held and bool(code))
    digits = max((len(str(number)) for number, _, _ in rows if number is not None), default=1)
    blank: Span = (f"  {' ' * digits} |", _GUTTER)
    lines = [
        *_heading(finding, width, is_update),
        *_place(finding, digits, width, placed=placed),
        (blank,),
    ]
    lines += _code(finding, rows, digits, width)
    for text in (finding.scenario, finding.message):
        if text.strip():
            lines += [(blank,), *_words(text, blank, width)]
    lines += _suggestion(finding, rows, blank, width)
    lines.append((blank,))
    equals: Span = (f"  {' ' * digits} = ", _GUTTER)
    if finding.placement.kind != "inline":
        lines += paragraph(placement_reason(finding), width, first=equals)
    if (rule := finding.guideline) is not None:
        lines += paragraph(f"rule: {rule.path}:{rule.line}: {rule.quote}", width, first=equals)
    if places := rests_on(finding):
        lines += paragraph(f"{LABEL.lower()}: {places}", width, first=equals)
    facts = [finding.category, *finding.models, *confidence(finding)]
    if finding.rule != finding.category:
        facts.insert(1, finding.rule)
    if finding.cached:
        facts.append("cached")
    return [*lines, *paragraph(", ".join(facts), width, first=equals, style="dim")]


def _heading(finding: Finding, width: int, is_update: bool) -> list[Line]:
    states = filter(None, ("updated" if is_update else "", state_of(finding)))
    state = "".join(f" ({state})" for state in states)
    first = (f"{finding.severity}{state}: ", STYLES[finding.severity])
    title = " ".join(finding.title.split())
    return paragraph(title, width, first=first, style="bold")


def _place(finding: Finding, digits: int, width: int, *, placed: bool) -> list[Line]:
    where = finding.path
    if placed:
        where += f":{finding.line}"
        where += f"-{finding.end_line}" if finding.end_line > finding.line else ""
        where += " (old file)" if finding.side == "LEFT" else ""
    return paragraph(where, width, first=(f" {' ' * digits} --> ", _GUTTER))


def _quoted(finding: Finding) -> list[CodeLine]:
    """Return the quote as code, with line numbers if the finding is placed."""
    placed = finding.placement.kind == "inline"
    kind: Sign = "-" if finding.side == "LEFT" else " "
    return [
        (finding.line + index if placed else None, kind, text)
        for index, text in enumerate(finding.quote.removesuffix("\n").split("\n"))
    ]


def _code(finding: Finding, rows: Sequence[CodeLine], digits: int, width: int) -> list[Line]:
    lines: list[Line] = []
    for number, kind, text in rows[:CODE_LINES]:
        mark = ("> " if _hit(finding, number, kind) else "  ", STYLES[finding.severity])
        gutter = (f"{'' if number is None else number:>{digits}} | ", _GUTTER)
        body = clip(shown(text), max(width - digits - 7, 20))
        lines.append((mark, gutter, (f"{kind} {body}", _KINDS[kind])))
    if len(rows) > CODE_LINES:
        more = f"  {' ' * digits} | ... {count(len(rows) - CODE_LINES, 'more line')}"
        lines.append(((more, _GUTTER),))
    return lines


def _words(text: str, blank: Span, width: int) -> list[Line]:
    room = max(width - len(blank[0]) - 1, 20)
    lines = [part for line in text.strip().split("\n") for part in wrap(shown(line), room)]
    if len(lines) > _MESSAGE_LINES:
        lines = [*lines[:_MESSAGE_LINES], f"... {count(len(lines) - _MESSAGE_LINES, 'more line')}"]
    return [(blank, (f" {line}", "")) for line in lines]


def _suggestion(finding: Finding, rows: Sequence[CodeLine], blank: Span, width: int) -> list[Line]:
    """Return the suggestion as a small diff against the lines that it replaces."""
    if finding.suggestion is None:
        return []
    new = finding.suggestion.removesuffix("\n").split("\n") if finding.suggestion else []
    old = [text for number, kind, text in rows if _hit(finding, number, kind)]
    label = " suggestion:"
    if not finding.suggestion_applies:
        label, old = " suggestion, to be adapted by hand:", []
    diff = _changes(old, new)
    lines: list[Line] = [(blank,), (blank, (label, "bold"))]
    for sign, text in diff[:CODE_LINES]:
        body = clip(shown(text), max(width - len(blank[0]) - 3, 20))
        lines.append((blank, (f" {sign} {body}", _KINDS[sign])))
    if len(diff) > CODE_LINES:
        more = f" ... {count(len(diff) - CODE_LINES, 'more line')}"
        lines.append((blank, (more, _GUTTER)))
    return lines


def _changes(old: Sequence[str], new: Sequence[str]) -> list[tuple[Sign, str]]:
    """Return the lines to remove and to add, without equal lines at both ends."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    gone: list[tuple[Sign, str]] = [("-", text) for text in old[start : len(old) - end]]
    return [*gone, *(("+", text) for text in new[start : len(new) - end])]


def _hit(finding: Finding, number: int | None, kind: Sign) -> bool:
    """Return whether a line of code belongs to the finding."""
    other = "-" if finding.side == "RIGHT" else "+"
    placement = finding.placement
    placed = (placement.kind == "inline" or placement.held) and kind != other
    return placed and number is not None and finding.line <= number <= finding.end_line

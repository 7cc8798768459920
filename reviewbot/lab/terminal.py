"""Render each study of the lab as one screen of a terminal. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.verdicts import WITHDRAWING
from reviewbot.core.render.layout import cells, clip, paragraph, shown
from reviewbot.core.render.wording import duration
from reviewbot.core.wording import count
from reviewbot.lab.review import STYLE_OF_VERDICT
from reviewbot.lab.turns import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reviewbot.core.render.layout import Line, Span
    from reviewbot.lab.budget import BudgetStudy
    from reviewbot.lab.cost import CostStudy
    from reviewbot.lab.review import ReviewStudy
    from reviewbot.lab.stream import StreamStudy
    from reviewbot.lab.temperature import TemperatureStudy
    from reviewbot.lab.tokens import Piece, TokenStudy
    from reviewbot.lab.turns import TurnStep, TurnStudy

SCREEN: Final = 23
"""Lines of a screen at 80 columns: a terminal has 24, and the prompt of the shell takes one."""
_BAR: Final = 30
"""Columns of a bar."""
_LANE: Final = 60
"""Columns of a time line."""
_COLOURS: Final = ("black on cyan", "black on yellow", "black on green", "black on magenta")


def token_lines(study: TokenStudy, *, width: int, marks: bool) -> list[Line]:
    """Return the screen about tokens.

    Args:
        study: what is shown.
        width: columns of the terminal.
        marks: whether a bar separates the tokens, for an output without colour.
    """
    most = max(part.estimated for part in study.parts)
    lines = _heading(
        f"Tokens: about {study.estimated:,} in the first request to {study.model}",
        "A model reads and bills tokens, not characters."
        f" Here a token has {study.per_token:.1f} characters of the diff.",
        width,
    )
    for part in study.parts:
        text = f"  {part.name:<16}{part.characters:>8,} characters {part.estimated:>7,} tokens  "
        room = max(min(_BAR, width - len(text)), 0)
        lines.append(((text, ""), ("#" * round(part.estimated / most * room), "cyan")))
    lines.append(())
    cut = [[(("  ", ""), *_cut(pieces, width - 2, marks=marks))] for pieces in study.lines]
    how = f"Estimated: tokens of o200k, times {study.factor:g} for {study.model}."
    if study.exact is not None:
        how = f"The endpoint counts {study.exact:,} tokens. {how}"
    after = [(), *paragraph(f"{how} {study.problem or ''}".rstrip(), width, style="dim")]
    return _one_screen(lines, cut, after, "line", left=study.more)


def _cut(pieces: Sequence[Piece], room: int, *, marks: bool) -> list[Span]:
    """Return the pieces as spans of at most ``room`` columns."""
    spans: list[Span] = []
    for piece in pieces:
        text = f"{'|' if marks and spans else ''}{shown(piece.text)}"
        fitting = clip(text, room)
        spans.append((fitting, _COLOURS[piece.number % len(_COLOURS)]))
        room -= cells(fitting)
        if fitting != text or room <= 3:
            break
    return spans


def cost_lines(study: CostStudy, *, width: int) -> list[Line]:
    """Return the screen about cost."""
    lesson = "The form of an answer decides how many tokens a model writes."
    if study.ratio is not None:
        lesson += f" {study.model} charges {study.ratio:g} times as much for them as for input."
    title = f"Cost: {count(study.findings, 'finding')} in four forms"
    lines = _heading(title, f"{lesson} {study.source}", width)
    lines += _table(
        [
            ("form", "output tokens", "its description, input tokens"),
            *study.figures,
        ],
        width,
    )
    lines += [(), (("  US dollars for a million reviews", "bold"),)]
    chosen = [one for one in study.models if one.model == study.model]
    others = [one for one in study.models if one.model != study.model]
    head, *models = _table(
        [
            ("model", *(form.name for form in study.forms)),
            *(
                (one.model, *(f"{amount:,.0f}" for amount in one.dollars))
                for one in chosen + others
            ),
        ],
        width,
    )
    after = [(), *paragraph(study.method, width, style="dim")]
    return _one_screen([*lines, head], [[one] for one in models], after, "model")


def stream_lines(study: StreamStudy, *, width: int) -> list[Line]:
    """Return the screen about streams."""
    first = study.findings[0].at if study.findings else None
    gain = (
        f"The first finding can be read {duration(study.end - first)} before the answer ends."
        if first is not None
        else "The answer has no finding."
    )
    title = f"Stream: {duration(study.end)} for an answer of {study.recording.model}"
    lines = _heading(title, f"{study.recording.source} {gain}", width)
    lines += [((f"  {name:<26}", "dim"), (value, "")) for name, value in study.figures]
    lines.append(())
    room = min(_LANE, max(width - 16, 20))
    lines.append(
        (
            ("  streamed  ", "dim"),
            (_lane([one.at for one in study.findings], study.end, room), "green"),
        )
    )
    buffered = (study.end,) * len(study.findings)
    lines.append((("  buffered  ", "dim"), (_lane(buffered, study.end, room), "yellow")))
    scale = f"0 s{duration(study.end).rjust(room - 3)}"
    lines.append((("            " + scale, "dim"),))
    return [*lines, (), *paragraph("A digit is the number of findings that arrived.", width)]


def _lane(times: Sequence[float], end: float, room: int) -> str:
    """Return a time line: the number of findings in each column, a dot for none."""
    counts = [0] * room
    for at in times:
        counts[min(int(at / end * room) if end else 0, room - 1)] += 1
    return "".join("." if not number else str(min(number, 9)) for number in counts)


def temperature_lines(study: TemperatureStudy, *, width: int) -> list[Line]:
    """Return the screen about temperature."""
    lines = _heading(
        "Temperature: how a sampler chooses the next token",
        "A model scores every token. Temperature flattens or sharpens the scores; top-k and top-p"
        " leave out the tail. This distribution is invented:"
        f' the next word after "{study.distribution.text} ...".',
        width,
    )
    names = [_sampler(one.temperature, one.top_k, one.top_p) for one in study.samplers]
    rows = [
        (token, *(_share(shares[at]) for shares in study.shares))
        for at, token in enumerate(study.distribution.tokens)
    ]
    bits = ("bits of choice", *(f"{one:.1f}" for one in study.bits))
    head, *tokens, last = _table([("", *names), *rows, bits], width)
    answered = [line for name, answers in study.answers for line in _answers(name, answers, width)]
    text = (
        "Temperature 0 always takes the best token. A server can still answer differently, because"
        " sums in parallel are not exact. 0 bits: no choice; each bit doubles the choice."
    )
    after = [last, *([(), *answered] if answered else [])]
    after += [(), *paragraph(study.problem or text, width, style="dim")]
    return _one_screen([*lines, head], [[one] for one in tokens], after, "token")


def _answers(name: str, answers: Sequence[str], width: int) -> list[Line]:
    """Return each different answer on a line, with its number."""
    lines: list[Line] = []
    for text, times in Counter(answers).most_common():
        start = f"  {'' if lines else name:<15}  {times} of {len(answers)}  "
        lines.append(((start, "bold"), (clip(shown(text), width - len(start)), "")))
    return lines


def _sampler(temperature: float, top_k: int, top_p: float) -> str:
    parts = [f"T {temperature:g}"]
    parts += [f"k {top_k}"] if top_k else []
    parts += [f"p {top_p:g}"] if top_p < 1 else []
    return ", ".join(parts)


def _share(share: float) -> str:
    return "-" if share == 0 else f"{share:.1%}"


def budget_lines(study: BudgetStudy, *, width: int) -> list[Line]:
    """Return the screen about budgets."""
    lines = _heading(
        f"Budget: {study.diff:,} tokens of diff for {study.model}",
        f"Each request repeats {study.prefix:,} tokens of rules, examples and paths. So small"
        " requests cost more, but a model finds less in a large one.",
        width,
    )
    room = max(width - 40, 20)
    head, *files = _table(
        [
            ("file", "tokens"),
            *(
                (clip(shown(one.path), room), f"{one.tokens:,}" if one.tokens else "-")
                for one in study.files
            ),
        ],
        width,
        notes=["", *(shown(one.fate) for one in study.files)],
    )
    limits = _table(
        [
            ("limit", "requests", "files split", "files cut", "input tokens", "dollars"),
            *(one.figures for one in study.limits),
        ],
        width,
    )
    after = [(), *limits]
    for one in study.limits:
        if one.problem:
            after += paragraph(one.problem, width, first=("  ", ""), style="yellow")
    text = (
        "The first row has your settings. Input tokens and dollars include the summary if it is on,"
        " and no verification. All numbers are estimates; nothing was sent."
    )
    after += [(), *paragraph(text, width, style="dim")]
    return _one_screen([*lines, head], [[one] for one in files], after, "file")


def review_lines(study: ReviewStudy, *, width: int) -> list[Line]:
    """Return the screen about one review."""
    report = study.report
    lines = _heading(
        f"Review: {count(len(study.steps), 'finding')} raised, {len(report.findings)} open",
        f"{study.source} A quote decides the line of a finding, and a verdict needs a quote, too.",
        width,
    )
    for name, text in study.stages:
        lines += paragraph(text, width, first=(f"  {name:<10}", "dim"))
    lines.append(())
    steps = []
    for step in sorted(study.steps, key=lambda step: step.verdict not in WITHDRAWING):
        finding = step.finding
        name = step.verdict.replace("_", " ")
        head = (f"  {name:<15}", STYLE_OF_VERDICT[step.verdict])
        text = f"{step.anchor} {step.reason}".rstrip()
        steps.append(
            [
                *paragraph(f"{finding.title} ({finding.path})", width, first=head),
                *paragraph(text, width, first=(" " * 17, ""), style="dim"),
            ]
        )
    return _one_screen(lines, steps, [], "finding")


def turn_lines(study: TurnStudy, *, width: int) -> list[Line]:
    """Return the screen about the turns of a conversation with look-ups."""
    lookups, turns = count(study.lookups, "look-up"), count(len(study.steps), "turn")
    lines = _heading(
        f"Turns: {lookups} in {turns}, {study.price}",
        "Each turn sends the whole conversation again, but only what is new is read at the full"
        f" price. Of at most {study.most} turns and {study.limit} look-ups, one turn is reserved"
        " for the report.",
        width,
    )
    head, *rows = _table([COLUMNS, *(step.figures for step in study.steps)], width)
    turn_items = [[row, *_told(step, width)] for row, step in zip(rows, study.steps, strict=True)]
    style = "green" if study.complete else "yellow"
    after = [(), *paragraph(study.outcome, width, style=style)]
    after += paragraph(study.source, width, style="dim")
    return _one_screen([*lines, head], turn_items, after, "turn")


def _told(step: TurnStep, width: int) -> list[Line]:
    """Return the reports, the look-ups and the note of a turn, each on a line."""
    entries = [("reports", text, "green") for text in step.reported]
    entries += [
        (lookup.activity, lookup.short, "red" if lookup.failed else "cyan")
        for lookup in step.lookups
    ]
    entries += [("is told", step.note, "yellow")] if step.note else []
    lines: list[Line] = []
    for label, text, style in entries:
        start = clip(f"      {shown(label)}: ", width)
        room = width - cells(start)
        lines.append(((start, style), (clip(shown(text), room) if room > 3 else "", "")))
    return lines


def _heading(title: str, lesson: str, width: int) -> list[Line]:
    """Return the title and the lesson of a screen."""
    return [*paragraph(title, width, style="bold"), *paragraph(lesson, width), ()]


def _one_screen(
    before: Sequence[Line],
    items: Sequence[Sequence[Line]],
    after: Sequence[Line],
    noun: str,
    *,
    left: int = 0,
) -> list[Line]:
    """Return a screen with as many items as it has room for, and the number of the others.

    Args:
        before: lines above the items.
        items: the lines of each item.
        after: lines below the items.
        noun: the word for an item.
        left: items that are not among ``items``.
    """
    room = SCREEN - len(before) - len(after)
    if left or sum(map(len, items)) > room:
        room -= 1
    lines: list[Line] = []
    for number, item in enumerate(items):
        if len(lines) + len(item) > room:
            left += len(items) - number
            break
        lines += item
    more: list[Line] = [((f"  and {count(left, f'more {noun}')}", "dim"),)] if left else []
    return [*before, *lines, *more, *after]


def _table(rows: Iterable[Sequence[str]], width: int, *, notes: Sequence[str] = ()) -> list[Line]:
    """Return rows as columns, the first aligned left, the others right; a note follows its row.

    A row that is wider than the terminal is cut off.
    """
    rows = [tuple(map(shown, row)) for row in rows]
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    lines: list[Line] = []
    for number, (first, *others) in enumerate(rows):
        padded = [first + " " * (widths[0] - cells(first))]
        padded += [text.rjust(size) for text, size in zip(others, widths[1:], strict=True)]
        note = f"  {notes[number]}" if number < len(notes) else ""
        text = clip(f"  {'  '.join(padded)}{note}", width)
        lines.append(((text, "" if number else "dim"),))
    return lines

"""Reports of consistency as text and as JSON. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from reviewbot.core.render.layout import shown
from reviewbot.eval.consistency import LEAST_RUNS, TEXTBOOK_BANDS
from reviewbot.eval.tables import aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.eval.consistency import Estimated, Score

_NAMES = ("task", "setting", "runs", "by id", "by text", "reappears", "empty", "findings", "words")


def text_report(scores: Sequence[Score], *, model: str, length: str) -> str:
    """Return the scores as a table for people.

    Args:
        scores: the scores, in the order of the rows.
        model: phrase about the model and its sampler.
        length: phrase about the length of the answers.
    """
    bands = ", ".join(f"{low:g} to {high:g} at {at:g}" for at, low, high in TEXTBOOK_BANDS)
    lines = [
        aligned([_NAMES, *map(_row, scores)]),
        "",
        f"Model: {shown(model)}. Length: {length}.",
        "A score is the mean Jaccard index of all pairs of runs, by the ids of the findings and by"
        " the words of the texts, with its standard error.",
        "reappears: the probability at which a finding (of a prompt: a word) must reappear for this"
        " score. Two empty runs count as equal, so read the share of empty runs, too.",
        f"Textbooks name {bands} for temperatures: an orientation, not a test.",
    ]
    if any(score.by_text is None for score in scores):
        lines.append(f"A setting with fewer than {LEAST_RUNS} complete runs has no score.")
    return "\n".join(lines)


def _row(score: Score) -> tuple[str, ...]:
    main = score.by_id or score.by_text
    failed = f" ({score.failed} failed)" if score.failed else ""
    return (
        score.task,
        score.setting,
        f"{score.runs}{failed}",
        _estimated(score.by_id),
        _estimated(score.by_text),
        "-" if main is None else f"{main.reappears:.0%}",
        f"{score.empty:.0%}",
        "-" if score.findings is None else f"{score.findings:.1f}",
        f"{score.words:.0f}",
    )


def _estimated(one: Estimated | None) -> str:
    return "-" if one is None else f"{one.value:.2f} +-{one.error:.2f}"


def to_json(scores: Sequence[Score], *, model: str, length: str) -> str:
    """Return the scores as JSON."""
    record = {"model": model, "length": length, "scores": [asdict(score) for score in scores]}
    return json.dumps(record, indent=2, ensure_ascii=False) + "\n"

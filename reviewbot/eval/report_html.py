"""The report of an evaluation as one HTML page without scripts and without other resources.

The page allows itself only its own style and images in the text. Every text of a case, of a tool
or of a model is escaped.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.escape import cut, show
from reviewbot.eval.plots import difference_plot, score_plot
from reviewbot.eval.tables import sentences, tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.eval.report import Evaluation, Outcome
    from reviewbot.eval.results import Comment

MAX_TEXT: Final = 500
MAX_OTHERS: Final = 20
"""Comments of a contestant on a case that are shown in full."""


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """A golden comment, and for each contestant in how many of its runs it was found."""

    place: str
    text: str
    optional: bool
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OtherRow:
    """A comment that found nothing."""

    contestant: str
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class CaseSection:
    """A case with what was found in it. ``more`` is the number of comments that are left out."""

    id: str
    golden: tuple[GoldenRow, ...]
    others: tuple[OtherRow, ...]
    errors: tuple[str, ...]
    more: int


def html_report(evaluation: Evaluation) -> str:
    """Return the page."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = (files("reviewbot.eval") / "report.html.j2").read_text("utf-8")
    style = (files("reviewbot.eval") / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    names = [shown_text(one.name) for one in evaluation.contestants]
    return environment.from_string(source).render(
        style=style,
        digest=digest,
        names=names,
        specs=[shown_text(one.spec) for one in evaluation.contestants],
        sentences=[shown_text(one) for one in sentences(evaluation)],
        tables=[
            [[shown_text(cell) for cell in row] for row in rows] for rows in tables(evaluation)
        ],
        scores=score_plot(evaluation),
        differences=difference_plot(evaluation) if evaluation.comparisons else "",
        cases=sections(evaluation),
    )


def sections(evaluation: Evaluation) -> list[CaseSection]:
    """Return a section for each case that was reviewed."""
    by_case: dict[str, list[Outcome]] = {}
    for one in evaluation.outcomes:
        by_case.setdefault(one.case, []).append(one)
    names = [one.name for one in evaluation.contestants]
    found = []
    for case in evaluation.cases:
        outcomes = by_case.get(case.id, [])
        others = [(one.contestant, comment) for one in outcomes for comment in one.others]
        golden = tuple(
            GoldenRow(
                shown_text(f"{wanted.path}:{wanted.line}"),
                shown_text(wanted.text),
                wanted.optional,
                tuple(_share(outcomes, name, index) for name in names),
            )
            for index, wanted in enumerate(case.golden)
        )
        limit = MAX_OTHERS * len(names)
        found.append(
            CaseSection(
                shown_text(case.id),
                golden,
                tuple(_other(name, comment) for name, comment in others[:limit]),
                tuple(shown_text(f"{o.contestant}: {o.error}") for o in outcomes if o.error),
                max(0, len(others) - limit),
            )
        )
    return found


def _share(outcomes: Sequence[Outcome], contestant: str, golden: int) -> str:
    """Return in how many runs a contestant found a golden comment, such as ``2/3``."""
    runs = [one for one in outcomes if one.contestant == contestant]
    return f"{sum(golden in one.found for one in runs)}/{len(runs)}"


def _other(contestant: str, comment: Comment) -> OtherRow:
    place = f"{comment.path}:{comment.line}" if comment.inline else f"{comment.path}, not inline"
    return OtherRow(shown_text(contestant), shown_text(place), shown_text(comment.text))


def shown_text(text: str) -> str:
    """Return a text without characters that hide or reorder text, and not too long."""
    return cut("\n".join(map(show, text.split("\n"))), MAX_TEXT)

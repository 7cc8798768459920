"""Studies made by hand, and the screens and the page of them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from reviewbot.core.events.events import (
    Estimate,
    Event,
    FindingRaised,
    FindingVerified,
    FindingWithdrawn,
    ReviewStarted,
    Usage,
)
from reviewbot.core.findings.finding import Evidence, Placement
from reviewbot.core.prompt.request import Prompt
from reviewbot.core.render.layout import plain
from reviewbot.lab import terminal
from reviewbot.lab.budget import BudgetStudy, FileFate, Limit
from reviewbot.lab.cost import CostStudy, Form, ModelCost
from reviewbot.lab.page import LabStudies
from reviewbot.lab.review import ReviewStudy, study_review
from reviewbot.lab.stream import Frame, Recording, study_stream
from reviewbot.lab.temperature import study_temperature
from reviewbot.lab.tokens import Part, TokenStudy, by_line, cut_text
from reviewbot.lab.turns import TurnLookup, TurnStep, TurnStudy
from tests.fake_anthropic import Answer
from tests.fake_anthropic.replies import finding as reported
from tests.support.findings import finding

SCREENS: Final = Path(__file__).parents[2] / "fixtures" / "lab"

SHOWN: Final = 'R1+|def total(order):\nR2+|    return sum(order.lines, "€")'


def tokens(shown: str = SHOWN) -> TokenStudy:
    parts = (Part("rules", 5_619, 1_390, 2_224), Part("diff", 4_668, 1_400, 2_240))
    return TokenStudy("model-a", 1.6, parts, tuple(by_line(cut_text(shown))), 7)


def cost() -> CostStudy:
    forms = (Form("verbose JSON", "{\n}", 900, 200), Form("plain text", "none", 300, 16))
    models = (ModelCost("model-b", (1_000.4, 400.0)), ModelCost("model-a", (12_345.6, 4_000.0)))
    source = "The findings are those of this review."
    return CostStudy(2, source, "model-a", 5, 1.6, forms, models)


def frames_of(answer: Answer, *, first: float = 0.5, pace: float = 0.25) -> tuple[Frame, ...]:
    """The frames of an answer, the first after ``first`` seconds, then one each ``pace``."""
    found: list[Frame] = []
    for frame in filter(None, answer.wire().decode().split("\n\n")):
        name, data = (line.partition(": ")[2] for line in frame.split("\n"))
        found.append(Frame(first + pace * len(found), name, data.rstrip()))
    return tuple(found)


def recording(*titles: str) -> Recording:
    answer = Answer(
        [reported(title=title) for title in titles or ("First", "Second")], delta_size=64
    )
    return Recording("model-a", "A recording made by hand.", frames_of(answer))


def budget() -> BudgetStudy:
    files = (
        FileFate("app.py", 1_200, "in 2 parts"),
        FileFate("package-lock.json", 0, "skipped: Lockfile: a package manager writes it."),
    )
    limits = (
        Limit("200,000 window", is_own=True, requests=1, input=6_000, cost_usd=0.0312),
        Limit("8,000 window", problem="a context of 8,000 tokens is too small"),
        Limit("2,000 a request", requests=3, split=1, cut=1, input=16_000, cost_usd=None),
    )
    return BudgetStudy("model-a", 200_000, 4_800, 1_200, files, limits)


def events() -> tuple[Event, ...]:
    first, second = finding(id="a", title="First"), finding(id="b", title="Second")
    evidence = Evidence("app.py", 9, "raise ValueError")
    return (
        ReviewStarted(("model-a",), (), (), 1, Estimate(1, 6_000, 500, 0.03)),
        FindingRaised(first),
        FindingRaised(second),
        FindingVerified("a", "supported", "It fails.", evidence, Placement("inline")),
        FindingWithdrawn("b", "It cannot happen.", evidence, "wrong"),
    )


def review() -> ReviewStudy:
    return study_review(events(), [], source="A review made by hand.", recording=recording())


def turns(text: str = "lib/tax.py") -> TurnStudy:
    read = TurnLookup(
        f"reading {text} 1-9", f"=== file {text}, unchanged\nR1 |{text}", failed=False
    )
    refused = TurnLookup(f"reading ../{text} 1-9", "`path` must be within it.", failed=True)
    steps = (
        TurnStep(
            1, 17_742, Usage(0, 108, 0, 7_656), 0.0202, (), (read, refused), 0, f"Now {text}."
        ),
        TurnStep(2, 1_080, Usage(0, 440, 7_656, 488), 0.0033, (f"1 finding, {text}",), (), 0, ""),
    )
    source = "A conversation made by hand."
    end = f"1 error in {text}."
    return TurnStudy(source, "model-a", 2, 8, steps, 0.0235, 0.04, end, complete=True)


def studies(name: str = "made by hand", shown: str = SHOWN) -> LabStudies:
    return LabStudies(
        name=name,
        prompt=Prompt("rules", "examples", shown),
        tokens=tokens(shown),
        cost=cost(),
        stream=study_stream(recording()),
        temperature=study_temperature(),
        budget=budget(),
        review=review(),
        turns=turns(),
    )


def screens() -> dict[Path, str]:
    """The screens by the path of their golden file."""
    made = studies()
    found = {}
    for width in (100, 60):
        shown = {
            "tokens": terminal.token_lines(made.tokens, width=width, marks=True),
            "cost": terminal.cost_lines(made.cost, width=width),
            "stream": terminal.stream_lines(made.stream, width=width),
            "temperature": terminal.temperature_lines(made.temperature, width=width),
            "budget": terminal.budget_lines(made.budget, width=width),
            "review": terminal.review_lines(made.review, width=width),
            "turns": terminal.turn_lines(made.turns, width=width),
        }
        for concept, lines in shown.items():
            found[SCREENS / f"{concept}-{width}.txt"] = plain(lines)
    return found

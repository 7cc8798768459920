"""``reviewbot lab``: seven concepts of a streaming reviewer, on the user's own diff."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.config.load import read_settings
from reviewbot.config.settings import OFFLINE
from reviewbot.core.render.layout import plain, rich_text
from reviewbot.errors import EXIT_INCOMPLETE, EXIT_OK, ConfigError, ReviewbotError
from reviewbot.lab import runs, terminal, turn_runs
from reviewbot.lab.budget import study_budget
from reviewbot.lab.cost import study_cost
from reviewbot.lab.page import LabStudies, render_page
from reviewbot.lab.stream import study_stream
from reviewbot.lab.subject import demo_or_file, demo_subject
from reviewbot.lab.temperature import study_temperature
from reviewbot.lab.tokens import study_tokens
from reviewbot.models.base import ModelFault
from reviewbot.pipeline.output import PLAIN_WIDTH
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from reviewbot.config.settings import Settings
    from reviewbot.core.render.layout import Line
    from reviewbot.lab.cost import CostStudy
    from reviewbot.lab.review import ReviewStudy
    from reviewbot.lab.stream import StreamStudy
    from reviewbot.lab.subject import Subject
    from reviewbot.lab.temperature import TemperatureStudy
    from reviewbot.lab.tokens import TokenStudy
    from reviewbot.lab.turns import TurnStudy

CONCEPTS: Final = {
    "tokens": "how the diff is cut into tokens",
    "cost": "the same findings in four forms, in tokens and dollars",
    "stream": "the times of an answer, streamed and buffered",
    "temperature": "what temperature, top-k and top-p do",
    "budget": "what fits in a window, and what a limit costs",
    "review": "one review taken apart",
    "turns": "what a model looks up, turn by turn, and what that costs",
}
"""The concepts, each with a phrase about it."""

EPILOG: Final = (
    "concepts:\n"
    + "\n".join(f"  {name:<12} {phrase}" for name, phrase in CONCEPTS.items())
    + """

examples:
  reviewbot lab tokens                     on the diff of the package
  git diff | reviewbot lab budget -        on your own diff
  reviewbot lab review change.diff         reviewed by the offline rules
  reviewbot lab stream change.diff --live  one review by your model
  reviewbot lab turns --live               look-ups of your model in the demo
  reviewbot lab --html lab.html            all concepts on one page
"""
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("concept", nargs="?", metavar="CONCEPT", help=", ".join(CONCEPTS))
    parser.add_argument(
        "diff",
        nargs="?",
        metavar="DIFF",
        help="a diff file, or - for standard input (default: a diff of the package)",
    )
    parser.add_argument("--model", metavar="NAME", help="model of the numbers, and of --live")
    parser.add_argument(
        "--live", action="store_true", help="ask the model, which costs money; else nothing is sent"
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write all concepts to FILE as one page"
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="read this file instead of .reviewbot.yml"
    )
    parser.epilog = EPILOG


def run(args: argparse.Namespace) -> int:
    """Show a concept, or write the page."""
    concept, diff = args.concept, args.diff
    if diff is None and concept is not None and concept not in CONCEPTS:
        concept, diff = None, concept
    if concept is not None and concept not in CONCEPTS:
        raise ConfigError(f"no such concept: {concept}; supported are {', '.join(CONCEPTS)}")
    if concept is None and args.html is None:
        raise ConfigError(f"name a concept ({', '.join(CONCEPTS)}), or a page with --html FILE")
    settings = read_settings({"model": args.model}, config=args.config)
    if args.live and settings.model.name == OFFLINE:
        raise ConfigError("--live needs a model: set ANTHROPIC_API_KEY, or give --model")
    target = None if args.html is None else OutputTarget(args.html)  # checked before money is spent
    lab = _Lab(demo_or_file(diff, settings), settings, live=args.live)
    if target is not None:
        target.replace(render_page(lab.all()))
        print(f"Wrote {args.html}.")  # noqa: T201  the command's output
    if concept is not None:
        _show(lab, concept)
    return EXIT_OK if lab.is_complete else EXIT_INCOMPLETE


def _show(lab: _Lab, concept: str) -> None:
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((PLAIN_WIDTH, 25)).columns
    lines = lab.screen(concept, width=width, marks=not colour)
    if not colour:
        sys.stdout.write(plain(lines))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    console.print(rich_text(lines), end="", soft_wrap=True)


class _Lab:
    """The studies of one diff, each made when it is needed; the model is asked only if ``live``."""

    def __init__(self, subject: Subject, settings: Settings, *, live: bool) -> None:
        self._subject, self._settings, self._live = subject, settings, live
        self._reviewed: ReviewStudy | None = None
        self._turns: TurnStudy | None = None

    @property
    def is_complete(self) -> bool:
        """False if the model was asked for a review and did not complete it."""
        complete = (
            self._reviewed is None or self._reviewed.report.complete,
            self._turns is None or self._turns.complete,
        )
        return not self._live or all(complete)

    def screen(self, concept: str, *, width: int, marks: bool) -> list[Line]:
        """Return the screen of a concept."""
        screens: dict[str, Callable[[], list[Line]]] = {
            "tokens": lambda: terminal.token_lines(self.tokens(), width=width, marks=marks),
            "cost": lambda: terminal.cost_lines(self.cost(), width=width),
            "stream": lambda: terminal.stream_lines(self.stream(), width=width),
            "temperature": lambda: terminal.temperature_lines(self.temperature(), width=width),
            "budget": lambda: terminal.budget_lines(study_budget(self._subject), width=width),
            "review": lambda: terminal.review_lines(self.review(), width=width),
            "turns": lambda: terminal.turn_lines(self.turns(), width=width),
        }
        return screens[concept]()

    def all(self) -> LabStudies:
        """Return all studies."""
        return LabStudies(
            name=self._subject.name,
            prompt=self._subject.prompt,
            tokens=self.tokens(),
            cost=self.cost(),
            stream=self.stream(),
            temperature=self.temperature(),
            budget=study_budget(self._subject),
            review=self.review(),
            turns=asyncio.run(turn_runs.study_script(demo_subject(self._settings))),
        )

    def tokens(self) -> TokenStudy:
        """Return the study of tokens; with a model, its endpoint counts them."""
        if not self._live:
            return study_tokens(self._subject)
        try:
            return study_tokens(self._subject, exact=asyncio.run(runs.count_live(self._subject)))
        except ModelFault as fault:
            problem = f"The endpoint did not count: {fault}"
            return study_tokens(self._subject, problem=problem)

    def cost(self) -> CostStudy:
        """Return the study of cost, with the findings of the review, or else those of the demo."""
        study = self.review()
        source = "The findings are those of this review."
        if not study.steps:
            study = asyncio.run(runs.replay_demo(demo_subject(self._settings)))
            source = "The review has no finding, so the findings are those of the demo."
        found = [step.finding for step in study.steps]
        return study_cost(found, source, self._subject.info)

    def stream(self) -> StreamStudy:
        """Return the study of the stream of the review, or else of the recorded stream."""
        if not self._live:
            return study_stream(runs.demo_recording())
        study = self.review()
        if study.recording is None:
            raise ReviewbotError(f"the model did not answer: {' '.join(study.report.reasons)}")
        return study_stream(study.recording)

    def temperature(self) -> TemperatureStudy:
        """Return the study of temperature; with a model that accepts one, it answers."""
        if not self._live:
            return study_temperature()
        return asyncio.run(runs.sample_live(self._subject))

    def turns(self) -> TurnStudy:
        """Return the study of the turns of a conversation about the demo."""
        study = turn_runs.study_live if self._live else turn_runs.study_script
        self._turns = asyncio.run(study(demo_subject(self._settings)))
        return self._turns

    def review(self) -> ReviewStudy:
        """Return the study of the review, which runs once."""
        if self._reviewed is None:
            self._reviewed = asyncio.run(self._review())
        return self._reviewed

    async def _review(self) -> ReviewStudy:
        if self._live:
            from rich.console import Console

            from reviewbot.lab.live_view import LiveView

            with LiveView(Console(stderr=True)) as view:
                return await runs.review_live(self._subject, view)
        if self._subject.is_demo:
            return await runs.replay_demo(self._subject)
        return await runs.review_offline(self._subject)

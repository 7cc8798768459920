"""The rules of a team for one review, as selected from its guideline files. Pure.

:mod:`~reviewbot.core.prompt.guideline_selection` selects them. They are stored with a review.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reviewbot.core.findings.finding import Guideline
from reviewbot.core.safety.escape import show
from reviewbot.core.wording import listed


@dataclass(frozen=True, slots=True)
class SelectedRule:
    """A selected unit: its line, the nearest heading and its text."""

    line: int
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class GuidelineFile:
    """The selection from one file.

    Attributes:
        path: path of the file.
        scope: paths that it applies to, for the model; empty for the repository.
        rules: the selected units, in their order.
        total: number of units that look like rules.
        dropped: headings without a selected unit.
    """

    path: str
    scope: str = ""
    rules: tuple[SelectedRule, ...] = ()
    total: int = 0
    dropped: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The rules as the model gets them, below their headings."""
        lines: list[str] = []
        heading = ""
        for rule in self.rules:
            if rule.heading != heading:
                heading = rule.heading
                lines.append(f"# {heading}")
            lines.append(rule.text)
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Guidelines:
    """The rules of a team for one review, and the commit that they come from.

    Attributes:
        commit: the base commit; empty without rules.
        files: the files that were read, the nearest first.
        problems: sentences about files that were not read.
    """

    commit: str = ""
    files: tuple[GuidelineFile, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[GuidelineFile, ...]:
        """The files with a selected rule."""
        return tuple(file for file in self.files if file.rules)

    @property
    def text(self) -> str:
        """The part that affects a response of a model: all but the commit."""
        return "\n\n".join(f"{one.path} {one.scope}\n{one.text}" for one in self.used)

    @property
    def rules(self) -> tuple[Guideline, ...]:
        """The selected rules with their locations."""
        return tuple(
            Guideline(file.path, rule.line, rule.text) for file in self.files for rule in file.rules
        )

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for the report: the files that were used, and those that were not read."""
        if not self.used:
            return self.problems
        names = listed([describe(file) for file in self.used])
        return (f"Rules read from {names}.", *self.problems)


def details(guidelines: Guidelines) -> tuple[str, ...]:
    """Return sentences about the files that were used, and the headings that have no rule."""
    dropped = (
        f"Headings of {show(file.path)} without a selected rule: {listed(file.dropped)}."
        for file in guidelines.files
        if file.dropped
    )
    return (*guidelines.notices, *dropped)


NO_GUIDELINES: Final = Guidelines()


def describe(file: GuidelineFile) -> str:
    """Return the path of a file, with the numbers of its rules if some were left out."""
    kept = len(file.rules)
    path = show(file.path)
    return path if kept == file.total else f"{path} ({kept} of {file.total})"

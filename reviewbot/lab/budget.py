"""Budgets: what fits in a window, what is split or left out, and what a limit costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.core.plan.chunks import BATCH_BUDGET, LARGE_BATCH_BUDGET
from reviewbot.core.render.wording import dollars
from reviewbot.errors import ConfigError
from reviewbot.pipeline.prepare import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.config.settings import Settings
    from reviewbot.lab.subject import Subject
    from reviewbot.pipeline.prepare import Prepared

WINDOWS: Final = (8_000, 32_000, 200_000)
BATCHES: Final = (2_000, BATCH_BUDGET, LARGE_BATCH_BUDGET)


@dataclass(frozen=True, slots=True)
class FileFate:
    """A file under the settings of the user: its tokens, and what becomes of it."""

    path: str
    tokens: int
    fate: str


@dataclass(frozen=True, slots=True)
class Limit:
    """The plan under one limit.

    Attributes:
        name: the limit.
        is_own: True for the settings of the user.
        requests: number of requests for reviews of batches.
        split: number of files that are split.
        cut: number of files with a line that is shown in part.
        input: estimated input tokens, summary included.
        cost_usd: estimated cost; None if prices are unknown.
        problem: reason why there is no plan; None if there is one.
    """

    name: str
    is_own: bool = False
    requests: int = 0
    split: int = 0
    cut: int = 0
    input: int = 0
    cost_usd: float | None = None
    problem: str | None = None

    @property
    def figures(self) -> tuple[str, ...]:
        """The limit and its numbers as texts."""
        if self.problem:
            return (self.name, *["-"] * 5)
        cost = "unknown" if self.cost_usd is None else dollars(self.cost_usd)
        numbers = (self.requests, self.split, self.cut, self.input)
        return (self.name, *(f"{number:,}" for number in numbers), cost)


@dataclass(frozen=True, slots=True)
class BudgetStudy:
    """The files of a diff, and its plan under several limits.

    Attributes:
        model: name of the model.
        window: its context window in tokens.
        prefix: tokens of each request besides the diff.
        diff: tokens of the diff in all requests.
        files: the files, in the order of the diff.
        limits: the plan of the user's settings, then the others.
    """

    model: str
    window: int
    prefix: int
    diff: int
    files: tuple[FileFate, ...]
    limits: tuple[Limit, ...]


def study_budget(subject: Subject) -> BudgetStudy:
    """Return what fits, and what each limit costs. Nothing is sent."""
    prepared, info = subject.prepared, subject.info
    own = _limit(f"{info.context:,} window", prepared)
    return BudgetStudy(
        model=info.name,
        window=info.context,
        prefix=prepared.job.prefix_tokens,
        diff=prepared.job.plan.tokens,
        files=tuple(_fates(prepared)),
        limits=(replace(own, is_own=True), *_others(subject)),
    )


def _fates(prepared: Prepared) -> Iterator[FileFate]:
    plan = prepared.job.plan
    chunks = plan.by_id
    for file in plan.files:
        mine = [chunks[one] for one in file.chunks]
        fate = "whole"
        if file.reason:
            fate = f"{'unread' if file.is_unread else 'skipped'}: {file.reason}"
        elif len(mine) > 1:
            fate = f"in {len(mine)} parts"
        if not file.reason and any(chunk.cut for chunk in mine):
            fate += ", long lines cut"
        yield FileFate(file.path, sum(chunk.tokens for chunk in mine), fate)


def _others(subject: Subject) -> Iterator[Limit]:
    settings, name = subject.settings, subject.info.name
    for window in WINDOWS:
        if window < subject.info.context:
            facts = {**settings.models.get(name, {}), "context": window}
            models = {**settings.models, name: facts}
            yield _planned(f"{window:,} window", subject, replace(settings, models=models))
    for tokens in BATCHES:
        limited = replace(settings, batch_tokens=tokens, chunk_tokens=tokens)
        yield _planned(f"{tokens:,} a request", subject, limited)


def _planned(name: str, subject: Subject, settings: Settings) -> Limit:
    try:
        return _limit(name, prepare(subject.data, settings))
    except ConfigError as error:  # the window is too small for the prompt
        return Limit(name, problem=error.message)


def _limit(name: str, prepared: Prepared) -> Limit:
    plan, estimate = prepared.job.plan, prepared.job.estimate
    return Limit(
        name,
        requests=len(plan.reviewed_batches),
        split=sum(len(file.chunks) > 1 for file in plan.files),
        cut=len({chunk.file for chunk in plan.chunks if chunk.cut}),
        input=estimate.input_tokens,
        cost_usd=estimate.cost_usd,
    )

"""Run contestants on cases: several at once, in an order that can be resumed."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from reviewbot.core.decode import decoder
from reviewbot.errors import ConfigError, ReviewbotError, SourceError
from reviewbot.eval.cases import read_lines
from reviewbot.eval.contestants import Recorded
from reviewbot.eval.judgements import judgement_line, judgement_of
from reviewbot.eval.results import result_line, result_of
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from reviewbot.eval.cases import Case
    from reviewbot.eval.contestants import Contestant
    from reviewbot.eval.results import Result

T = TypeVar("T")

HEADER: Final = "run.json"
RESULTS: Final = "results.jsonl"
JUDGEMENTS: Final = "judgements.jsonl"


@dataclass(frozen=True, slots=True)
class Header:
    """Identity of an evaluation: the cases, the plan and the contestants of its results.

    ``plan`` is the digest of the plan file at the start; empty without one. ``id`` is chosen when
    the folder is made, so that a deleted evaluation and its repetition differ.
    """

    cases: str
    contestants: dict[str, str]
    plan: str = ""
    id: str = ""
    version: int = 1


class Lines(Generic[T]):
    """File of lines of JSON that grows while the evaluation runs.

    Args:
        path: the file; it need not exist.
        read: makes a value of the JSON of a line; raises ValueError for an invalid one.
        write: makes a line of a value.

    Raises:
        SourceError: the file cannot be read or written.
    """

    def __init__(self, path: Path, read: Callable[[Any], T], write: Callable[[T], str]) -> None:
        self._path, self._read, self._write = path, read, write
        try:
            if path.exists():  # an interrupted process may have left the start of a line
                data = path.read_bytes()
                whole = data[: data.rfind(b"\n") + 1]
                if whole != data:
                    path.write_bytes(whole)
        except OSError as error:
            raise SourceError(f"cannot use {path}: {error.strerror}") from error

    def read(self) -> tuple[T, ...]:
        """Return the values so far.

        Raises:
            SourceError: a line is invalid.
        """
        return read_lines(self._path, self._read) if self._path.exists() else ()

    def append(self, value: T) -> None:
        """Add a value at once, so that it survives an interruption.

        Raises:
            SourceError: the file cannot be written.
        """
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(self._write(value))
        except OSError as error:
            raise SourceError(f"cannot write {self._path}: {error.strerror}") from error


class Store:
    """Folder with the results of an evaluation, and the judgements about them.

    Args:
        folder: the folder; it is made if it does not exist.
        header: identity of the evaluation.

    Raises:
        ConfigError: the folder has results of another evaluation.
        SourceError: the folder cannot be read or written.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            known = _read_header(folder)
            if known is not None:
                _check_same(folder, known, header)
                contestants = {**known.contestants, **header.contestants}
                header = replace(header, contestants=contestants, id=known.id)
            else:
                header = replace(header, id=secrets.token_hex(8))
            text = json.dumps(asdict(header), indent=2)
            OutputTarget(folder / HEADER).replace(f"{text}\n")
        except OSError as error:
            raise SourceError(f"cannot use {folder}: {error.strerror}") from error
        self.id = header.id
        self.results = Lines(folder / RESULTS, result_of, result_line)
        self.judgements = Lines(folder / JUDGEMENTS, judgement_of, judgement_line)


def _read_header(folder: Path) -> Header | None:
    path = folder / HEADER
    if not path.exists():
        return None
    try:
        return cast("Header", decoder(Header)(json.loads(path.read_text("utf-8")), ""))
    except ValueError as error:
        raise SourceError(f"{path.name}: {error}") from error


def _check_same(folder: Path, known: Header, wanted: Header) -> None:
    """Check that new results can be added to known ones.

    Raises:
        ConfigError: they cannot.
    """
    remedy = f"choose another --output, or delete {folder.name}"
    if known.cases != wanted.cases:
        raise ConfigError(f"{folder.name} has results of other cases; {remedy}")
    if known.plan != wanted.plan:
        raise ConfigError(f"the plan has changed since {folder.name} was begun; {remedy}")
    for name, spec in wanted.contestants.items():
        if known.contestants.get(name, spec) != spec:
            raise ConfigError(
                f"{name} has changed since its results were made; {remedy}"
                f" (then: {known.contestants[name]}; now: {spec})"
            )


@dataclass(frozen=True, slots=True)
class Work:
    """A review that is to be made."""

    contestant: Contestant
    case: Case
    run: int

    @property
    def key(self) -> tuple[str, int, str]:
        """The key of its result."""
        return self.contestant.name, self.run, self.case.id


def latest(results: Iterable[Result]) -> tuple[Result, ...]:
    """Return the last result of each key, since a failed review may have been repeated."""
    return tuple({one.key: one for one in results}.values())


def open_work(
    contestants: Sequence[Contestant],
    cases: Sequence[Case],
    runs: int,
    done: Collection[tuple[str, int, str]],
) -> list[Work]:
    """Return the reviews without a result: all contestants of a case, then the next case.

    Args:
        contestants: the contestants.
        cases: the cases.
        runs: reviews of each case by each contestant.
        done: keys of results that exist.
    """
    every = (
        Work(contestant, case, run)
        for run in range(1, runs + 1)
        for case in cases
        for contestant in contestants
    )
    return [one for one in every if one.key not in done]


def expected_cost(work: Sequence[Work]) -> float | None:
    """Return the sum of the estimates in US dollars; None if one is not known.

    Raises:
        ReviewbotError: a case cannot be planned.
    """
    known: dict[tuple[str, str], float | None] = {}
    costs: list[float] = []
    for one in work:
        key = one.contestant.name, one.case.id
        if key not in known:
            known[key] = one.contestant.estimate(one.case)
        cost = known[key]
        if cost is None:
            return None
        costs.append(cost)
    return sum(costs)


async def perform(
    work: Sequence[Work],
    take: Callable[[Result], None],
    *,
    jobs: int,
    budget_usd: float | None = None,
) -> bool:
    """Make the reviews, and return whether all were made.

    Args:
        work: the reviews.
        take: gets each result when it is there.
        jobs: reviews at a time.
        budget_usd: no review is begun after this sum was spent; recorded costs are not spent.

    Raises:
        ReviewbotError: what ``take`` raised; the other reviews are cancelled.
    """
    waiting = iter(work)
    spent = 0.0
    left_out = False

    async def worker() -> None:
        nonlocal spent, left_out
        for one in waiting:
            if budget_usd is not None and spent >= budget_usd:
                left_out = True
                return
            result = await one.contestant.review(one.case, one.run)
            if not isinstance(one.contestant, Recorded):
                spent += result.cost_usd or 0.0
            take(result)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(jobs):
                group.create_task(worker())
    except* ReviewbotError as errors:
        raise first_error(errors) from None
    return not left_out


def first_error(errors: ExceptionGroup[ReviewbotError]) -> ReviewbotError:
    """Return the first error of a group, which may be nested."""
    error = errors.exceptions[0]
    return first_error(error) if isinstance(error, ExceptionGroup) else error

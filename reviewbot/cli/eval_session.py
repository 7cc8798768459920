"""What all commands that review cases share: arguments, questions, progress and settings."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.cli.amounts import dollars, whole_number
from reviewbot.config.installation import install_command
from reviewbot.config.load import read_settings
from reviewbot.core.render.inert import neutralize_commands
from reviewbot.core.render.wording import dollars as in_dollars
from reviewbot.core.safety.escape import show
from reviewbot.core.wording import count
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterator, Sequence
    from typing import Self

    from reviewbot.eval.cases import Case
    from reviewbot.eval.contestants import Contestant
    from reviewbot.eval.judge import JudgeTask
    from reviewbot.eval.result_folder import Store
    from reviewbot.eval.results import Result
    from reviewbot.eval.rubric import RatingTask
    from reviewbot.eval.run import Spending, Work
    from reviewbot.models.offline.parser import Parser

EXTRA: Final = ("numpy", "scipy", "matplotlib")
MAX_RUNS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionArguments:
    """The arguments of every command that keeps results in a folder."""

    model: str | None
    output: Path | None
    jobs: int
    budget_usd: float | None
    retry_failed: bool
    yes: bool
    config: Path | None

    @property
    def unit(self) -> str:
        """Word for what is made."""
        return "review"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseArguments(SessionArguments):
    """The arguments of the commands that review cases at several settings."""

    cases: Path
    vary: Sequence[str]


def add_case_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the commands that review cases at several settings."""
    parser.add_argument("cases", type=Path, metavar="CASES", help="the cases, as JSONL")
    parser.add_argument(
        "--vary",
        action="extend",
        nargs="+",
        default=[],
        metavar="SETTING=A,B",
        help="review with every combination of settings, such as verify=on,off examples=0,3",
    )
    add_common_arguments(parser)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of every command that keeps results in a folder."""
    parser.add_argument("--model", metavar="NAME", help="model that reviews; offline needs no key")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of results and reports; an existing one is continued",
    )
    parser.add_argument(
        "--jobs",
        type=whole_number(1, MAX_RUNS),
        default=4,
        metavar="N",
        help="reviews at once (default: 4)",
    )
    parser.add_argument(
        "--budget-usd",
        type=dollars,
        metavar="X",
        help="begin no review, and no request to a judge, after X dollars; what is begun is"
        " finished",
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="repeat the reviews that ended with an error"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before spending")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="read this file instead of .reviewbot.yml"
    )


def named(text: str, example: str) -> tuple[str, str]:
    """Return name and value of an argument such as ``other=results.jsonl``.

    Raises:
        ConfigError: one of them is missing.
    """
    name, equals, value = text.partition("=")
    if not name.strip() or not equals or not value.strip():
        raise ConfigError(f"{text!r:.80} must be NAME=VALUE, such as {example}")
    return name.strip(), value


def check_extra() -> None:
    """Check that the extra ``eval`` is installed.

    Raises:
        ConfigError: a library is missing.
    """
    for name in EXTRA:
        if find_spec(name) is None:
            raise ConfigError(
                f"the evaluation is not installed ({name} is missing):"
                f" install reviewbot with its extra, as in {install_command('eval')}"
            )


def open_reviews(
    args: SessionArguments,
    contestants: Sequence[Contestant],
    cases: Sequence[Case],
    store: Store,
    *,
    runs: int = 1,
) -> list[Work]:
    """Return the reviews that are not in the store, and say how many are.

    Each case has ``runs`` reviews by each contestant.
    """
    from reviewbot.eval.run import latest, open_work

    found = latest(store.results.read())
    done = {one.key for one in found if one.error is None or not args.retry_failed}
    work = open_work(contestants, cases, runs, done)
    if work and done:
        note(f"{count(len(done), args.unit)} made before: kept.")
    return work


async def confirm_reviews(
    args: SessionArguments,
    work: Sequence[Work],
    judging: Sequence[JudgeTask | RatingTask] = (),
) -> None:
    """Say what reviews will cost, with the requests to judges, and ask whether to continue.

    ``judging`` has the requests to judges as far as they can be known.

    Raises:
        ConfigError: nobody can be asked, or the answer is no.
    """
    from reviewbot.eval.results import known_sum
    from reviewbot.eval.run import expected_cost

    if work or judging:
        what = [count(len(work), args.unit)] if work else []
        what += [f"about {count(len(judging), 'request')} to judges"] if judging else []
        reviews = await asyncio.to_thread(expected_cost, work)
        cost = known_sum([reviews, *(task.expected_usd for task in judging)])
        confirm(f"{' and '.join(what)} to make", cost, confirmed=args.yes)


async def make_reviews(
    args: SessionArguments, work: Sequence[Work], store: Store, spending: Spending
) -> bool:
    """Make the reviews, and return whether the budget was enough.

    ``store`` takes the results. ``spending`` counts for the whole command.
    """
    from reviewbot.eval.run import perform

    with Progress(len(work)) as progress:

        def take(result: Result) -> None:
            store.results.append(result)
            progress.step()

        complete = await perform(work, take, jobs=args.jobs, spending=spending)
    if not complete:
        note(f"the budget is spent; run again to make the other {args.unit}s.")
    return complete


def results_of(args: SessionArguments, names: Collection[str], store: Store) -> list[Result]:
    """Return the last result of each review by contestants, and say how many failed, and why."""
    from reviewbot.eval.run import latest

    results = [one for one in latest(store.results.read()) if one.contestant in names]
    for name in names:
        made = [one for one in results if one.contestant == name]
        reasons = [one.error for one in made if one.error is not None]
        if reasons:
            note(
                f"{len(reasons):,} of {count(len(made), args.unit)} by {name} failed"
                f" (--retry-failed repeats them); the first reason: {reasons[0]}"
            )
    return results


def own_reviews(
    args: CaseArguments, parser: Parser, repositories: Path | None = None
) -> list[Contestant]:
    """Return reviewbot at each combination of the settings of ``--vary``.

    Raises:
        ConfigError: a setting is invalid, or a model has no key.
    """
    from reviewbot.eval.contestants import OwnReview
    from reviewbot.eval.vary import combinations

    if repositories is None and any(re.match(r"context(_lines)?=", one) for one in args.vary):
        note("context has no effect, since the diffs are reviewed without their repositories.")
    found: list[Contestant] = []
    for name, values in combinations(args.vary).items():
        settings = read_settings({"model": args.model} | values, config=args.config)
        found.append(OwnReview(name or "reviewbot", settings, parser, repositories))
    return found


def confirm(what: str, cost: float | None, *, confirmed: bool) -> None:
    """Say what work will cost, and ask whether to continue if it costs something.

    Args:
        what: the work.
        cost: US dollars; None if unknown.
        confirmed: whether the user has agreed already.

    Raises:
        ConfigError: nobody can be asked, or the answer is no.
    """
    expected = "nothing" if cost == 0 else f"about {in_dollars(cost)}"
    note(f"{what}; expected cost: {'unknown' if cost is None else expected}.")
    if cost == 0 or confirmed:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigError("this may cost money; confirm it with --yes")
    try:
        with _interruptible():
            answer = input("Continue? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        raise ConfigError("the costs were not confirmed; results so far are kept")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end a call that waits: a running event loop would only cancel its task."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread gets signals
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Progress:
    """Progress bar on standard error, if that is a terminal and there is something to do."""

    def __init__(self, steps: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        console = Console(file=sys.stderr)
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        shown = console.is_terminal and steps > 0
        self._bar = Progress(*columns, console=console, disable=not shown)
        self._task = self._bar.add_task("", total=steps)

    def step(self) -> None:
        """Count one step."""
        self._bar.advance(self._task)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def note(text: str) -> None:
    """Print a line for people on standard error."""
    print(f"reviewbot: {neutralize_commands(show(text))}", file=sys.stderr)  # noqa: T201  for people

"""Judges of ``reviewbot eval run``: models that are asked, and files that people fill in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from reviewbot.cli.eval_session import CaseArguments, Progress, note
from reviewbot.config.load import read_settings
from reviewbot.config.settings import OFFLINE
from reviewbot.core.wording import count
from reviewbot.errors import ConfigError
from reviewbot.eval.matching import MatchingRule

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from contextlib import AsyncExitStack

    from reviewbot.eval.cases import Case
    from reviewbot.eval.judge import JudgeTask
    from reviewbot.eval.judgements import Judgement
    from reviewbot.eval.ratings import CaseRatings
    from reviewbot.eval.result_folder import Store
    from reviewbot.eval.results import Result
    from reviewbot.eval.rubric import RatingTask
    from reviewbot.eval.run import Spending
    from reviewbot.models.summary import SummaryModel


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeArguments(CaseArguments):
    """The arguments about matching and judging."""

    match: MatchingRule
    judge: Sequence[str]
    judge_file: Sequence[Path]


def add_judge_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments about matching and judging."""
    parser.add_argument(
        "--match",
        choices=get_args(MatchingRule),
        default="ranges",
        help="a comment is near a golden comment if their lines touch (ranges, the default), or if"
        " its middle line is at most three lines away (middle), which does not favour wide ranges",
    )
    parser.add_argument(
        "--judge",
        action="append",
        default=[],
        metavar="MODEL",
        help="model that decides whether near comments report the same issue, and that rates all"
        " comments, mixed and without names; can be repeated",
    )
    parser.add_argument(
        "--judge-file",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="file in which a person rates the comments; a new one is written, mixed and without"
        " names, to be filled in before the next run; can be repeated",
    )


def check_judges(args: JudgeArguments) -> None:
    """Check the judges before any review is made.

    Raises:
        ConfigError: a model cannot judge, or two files have the same name.
    """
    from reviewbot.pipeline.model_clients import check_choices

    if OFFLINE in args.judge:
        raise ConfigError("the offline rules cannot judge; name a model: --judge MODEL")
    for name in args.judge:
        check_choices(read_settings({"model": name}, config=args.config))
    names = [path.name for path in args.judge_file]
    if len({*names, *args.judge}) < len(names) + len({*args.judge}):
        raise ConfigError("the files of --judge-file must have different names")


def open_judges(args: JudgeArguments, stack: AsyncExitStack) -> list[SummaryModel]:
    """Return the judges that are models, which the end of ``stack`` closes."""
    from reviewbot.pipeline.model_clients import claude_of

    models: list[SummaryModel] = []
    for name in dict.fromkeys(args.judge):
        settings = read_settings({"model": name}, config=args.config)
        model = claude_of(settings.model, settings)
        stack.push_async_callback(model.aclose)
        models.append(model)
    return models


def judge_requests(
    judges: Sequence[SummaryModel],
    cases: Sequence[Case],
    results: Sequence[Result],
    store: Store,
) -> list[JudgeTask | RatingTask]:
    """Return the requests to judges about results that have no answer yet."""
    from reviewbot.eval.judge import judge_tasks
    from reviewbot.eval.ratings import blind_cases
    from reviewbot.eval.rubric import rating_tasks

    judged = {judgement.key for judgement in store.judgements.read() if judgement.error is None}
    rated = {
        case_ratings.key for case_ratings in store.ratings.read() if case_ratings.error is None
    }
    return [
        *judge_tasks(judges, cases, results, judged),
        *rating_tasks(judges, blind_cases(cases, results) if judges else [], rated),
    ]


async def ask_judges(
    args: JudgeArguments,
    tasks: Sequence[JudgeTask | RatingTask],
    store: Store,
    spending: Spending,
) -> int:
    """Ask the judges, keep their answers, and return the number of requests without a valid one."""
    from reviewbot.eval.judge import judge
    from reviewbot.eval.ratings import CaseRatings

    answered = 0
    with Progress(len(tasks)) as progress:

        def take(answer: Judgement | CaseRatings) -> None:
            nonlocal answered
            if isinstance(answer, CaseRatings):
                store.ratings.append(answer)
            else:
                store.judgements.append(answer)
            if answer.error is None:
                answered += 1
            else:
                note(f"not judged: {answer.judge} on {answer.case}: {answer.error}")
            progress.step()

        if not await judge(tasks, take, jobs=args.jobs, spending=spending):
            note("the budget is spent; run again to ask the judges the other questions.")
    return len(tasks) - answered


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The answers of all judges on the present results.

    ``raters`` are the judges who rate comments: models and files. ``are_complete`` is False if a
    file lacks ratings. ``notices`` are sentences for the report.
    """

    judgements: tuple[Judgement, ...]
    ratings: tuple[CaseRatings, ...]
    raters: tuple[str, ...]
    are_complete: bool
    notices: tuple[str, ...]


def judge_verdicts(
    args: JudgeArguments, cases: Sequence[Case], results: Sequence[Result], store: Store
) -> Verdicts:
    """Return the answers of models and files; a file without any rating is written.

    Raises:
        ReviewbotError: a file cannot be read or written, or a rating in it is invalid.
    """
    from reviewbot.eval.judge_file import has_ratings, read_judge_file, write_judge_file
    from reviewbot.eval.ratings import blind_cases

    blind = blind_cases(cases, results)
    names = {result.contestant for result in results}
    ratings = [
        case_ratings for case_ratings in store.ratings.read() if case_ratings.judge in args.judge
    ]
    notices: list[str] = []
    for path in args.judge_file:
        if not path.exists() or not has_ratings(path):
            write_judge_file(path, blind)
            note(
                f"the comments to rate are in {path}, mixed and without names; replace each null,"
                " and run the same command again."
            )
        rated = read_judge_file(path, blind)
        ratings += rated
        if len(rated) < len(blind):
            missing = count(len(blind) - len(rated), "case")
            notices.append(f"{path.name} lacks ratings for {missing}.")
    return Verdicts(
        judgements=tuple(
            judgement
            for judgement in store.judgements.read()
            if judgement.contestant in names and judgement.judge in args.judge
        ),
        ratings=tuple(ratings),
        raters=(*dict.fromkeys(args.judge), *(path.name for path in args.judge_file)),
        are_complete=not notices,
        notices=tuple(notices),
    )

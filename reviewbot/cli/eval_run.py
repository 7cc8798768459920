"""``reviewbot eval run``: review the cases with every contestant, and report the scores."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.cli.amounts import whole_number
from reviewbot.cli.eval_judges import (
    JudgeArguments,
    add_judge_arguments,
    ask_judges,
    check_judges,
    judge_requests,
    judge_verdicts,
    open_judges,
)
from reviewbot.cli.eval_session import (
    MAX_RUNS,
    add_case_arguments,
    check_extra,
    confirm_reviews,
    make_reviews,
    named,
    note,
    open_reviews,
    own_reviews,
    results_of,
)
from reviewbot.cli.typed_arguments import typed_arguments
from reviewbot.core.wording import count
from reviewbot.errors import EXIT_INCOMPLETE, EXIT_OK, ConfigError, SourceError
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Sequence

    from reviewbot.cli.eval_judges import Verdicts
    from reviewbot.eval.cases import Case
    from reviewbot.eval.contestants import Contestant
    from reviewbot.eval.plan_file import Plan, PlanStatus
    from reviewbot.eval.report import Evaluation
    from reviewbot.eval.result_folder import Store
    from reviewbot.eval.results import Result
    from reviewbot.eval.run import Work
    from reviewbot.models.offline.parser import Parser


RECORDED: Final = "A folder answered the requests to models; tokens and costs are estimates."


@dataclass(frozen=True, slots=True, kw_only=True)
class RunArguments(JudgeArguments):
    """The arguments of ``eval run``."""

    runs: int
    repositories: Path | None
    command: Sequence[str]
    pr_agent: Sequence[str]
    recorded: Sequence[str]
    plan: Path | None
    held_out: bool
    record: Path | None
    html: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``eval run``."""
    add_case_arguments(parser)
    add_judge_arguments(parser)
    parser.add_argument(
        "--runs",
        type=whole_number(1, MAX_RUNS),
        default=1,
        metavar="N",
        help="reviews of each case (default: 1)",
    )
    parser.add_argument(
        "--repositories",
        type=Path,
        metavar="DIR",
        help="folder with clones of the repositories, for context around the hunks",
    )
    parser.add_argument(
        "--command",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="add a tool that prints SARIF or rdjson; {diff}, {repository}, {base}, {head} and"
        " {url} are those of the case; can be repeated",
    )
    parser.add_argument(
        "--pr-agent",
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="add PR-Agent's command line, such as 'pr-agent=pr-agent --pr_url={url} review"
        " --config.publish_output=false --github_action_config.enable_output=true'",
    )
    parser.add_argument(
        "--recorded",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="add recorded results of another tool, as JSONL; can be repeated",
    )
    parser.add_argument(
        "--plan", type=Path, metavar="FILE", help="plan with the metric and the held-out cases"
    )
    parser.add_argument(
        "--held-out", action="store_true", help="review only the held-out cases of the plan"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="send nothing: write each request to a model to DIR/requests, and read its answer from"
        " DIR/answers; a review without an answer fails until --retry-failed",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write the report as one page to FILE, too"
    )


def run(args: argparse.Namespace) -> int:
    """Review the cases and print the report.

    Raises:
        ReviewbotError: an argument or a file is wrong, or the cost was not confirmed.
    """
    return _run(typed_arguments(RunArguments, vars(args)))


def _run(args: RunArguments) -> int:
    from reviewbot.eval.cases import read_cases
    from reviewbot.eval.plan_file import read_plan

    check_extra()
    check_judges(args)
    if args.record is not None:
        _record(args.record)
        args = replace(args, yes=True)  # nothing is spent
    cases = read_cases(args.cases)
    folder = args.output or Path(f"eval-{args.cases.stem}{'-held-out' if args.held_out else ''}")
    plan = None
    if args.plan is not None:
        plan = read_plan(args.plan, cases)
        cases = plan.choose(cases, held_out=args.held_out)
        if not cases:
            raise ConfigError("the plan leaves no case to review", source=args.plan.name)
    elif args.held_out:
        raise ConfigError("--held-out needs a plan that names the cases: --plan FILE")
    complete = asyncio.run(_evaluate(args, cases, folder, plan))
    return EXIT_OK if complete else EXIT_INCOMPLETE


def _record(folder: Path) -> None:
    """Answer all requests to models from a folder."""
    from reviewbot.models.anthropic.recorded import TRANSPORT, RecordedAnswers

    try:
        TRANSPORT.set(RecordedAnswers(folder))
    except OSError as error:
        raise SourceError(f"cannot use {folder}: {error.strerror}") from error
    note(f"requests to models are kept in {folder / 'requests'}, and none is sent.")


async def _evaluate(
    args: RunArguments, cases: Sequence[Case], folder: Path, plan: Plan | None
) -> bool:
    from reviewbot.eval.cases import cases_digest
    from reviewbot.eval.plan_file import status
    from reviewbot.eval.result_folder import Header, open_store
    from reviewbot.eval.run import Spending
    from reviewbot.pipeline.workers import own_pool

    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(own_pool())
        contestants = _contestants(args, pool.for_tenant("eval"))
        specs = {
            contestant.name: f"{contestant.spec}{_by_hand(args, contestant)}"
            for contestant in contestants
        }
        digest = plan.digest if plan else ""
        store = stack.enter_context(open_store(folder, Header(cases_digest(cases), specs, digest)))
        # Other contestants, judges or rules are another look at the held-out cases.
        judging = [*args.judge, *(path.name for path in args.judge_file), args.match]
        identity = json.dumps([store.id, specs, judging])
        respected = status(plan, identity, held_out=args.held_out) if plan else None
        _say_size(cases, args.runs)
        judges = open_judges(args, stack)
        work = open_reviews(args, contestants, cases, store, runs=args.runs)
        planned = _results_with(work, specs, store)
        requests = await asyncio.to_thread(judge_requests, judges, cases, planned, store)
        await confirm_reviews(args, work, requests)
        spending = Spending(args.budget_usd)
        complete = await make_reviews(args, work, store, spending)
        results = results_of(args, specs, store)
        requests = await asyncio.to_thread(judge_requests, judges, cases, results, store)
        unanswered = await ask_judges(args, requests, store, spending)
        missed = f"Judges did not answer {count(unanswered, 'request')}; run again to ask them."
        verdicts = await asyncio.to_thread(judge_verdicts, args, cases, results, store)
        notices = [
            *([missed] if unanswered else []),
            *verdicts.notices,
            *([RECORDED] if args.record else []),
        ]
        evaluation = _evaluation(
            args, cases, results, verdicts, specs, plan=respected, notices=notices
        )
        _write(args, evaluation, folder)
    return complete and not unanswered and verdicts.are_complete


def _by_hand(args: RunArguments, contestant: Contestant) -> str:
    """Return the end of a specification: a note if a folder answers the models, else empty."""
    from reviewbot.eval.contestants import OwnReview

    by_hand = args.record is not None and isinstance(contestant, OwnReview)
    return "; answered from a folder" if by_hand else ""


def _contestants(args: RunArguments, parser: Parser) -> list[Contestant]:
    from reviewbot.eval.commands import pr_agent, results_command
    from reviewbot.eval.contestants import check_names, recorded

    found = own_reviews(args, parser, args.repositories)
    found += [results_command(*named(one, "'tool=tool {diff}'")) for one in args.command]
    found += [pr_agent(*named(one, "'pr-agent=pr-agent review'")) for one in args.pr_agent]
    for name, path in (named(one, "other=results.jsonl") for one in args.recorded):
        found.append(recorded(name, Path(path)))
    check_names(found)
    return found


def _say_size(cases: Sequence[Case], runs: int) -> None:
    from reviewbot.eval.statistics import power
    from reviewbot.eval.tables import power_sentence

    note(power_sentence(power([len(case.required) for case in cases], runs)))


def _results_with(work: Sequence[Work], names: Collection[str], store: Store) -> list[Result]:
    """Return the results of contestants, and expected ones for the reviews to make."""
    from reviewbot.eval.judge import expected_results
    from reviewbot.eval.run import latest

    results = {one.key: one for one in latest(store.results.read()) if one.contestant in names}
    return [*(results | {one.key: one for one in expected_results(work)}).values()]


def _evaluation(
    args: RunArguments,
    cases: Sequence[Case],
    results: Sequence[Result],
    verdicts: Verdicts,
    specs: dict[str, str],
    *,
    plan: PlanStatus | None,
    notices: Sequence[str],
) -> Evaluation:
    from reviewbot.eval.agreement import agreements
    from reviewbot.eval.judgements import same_issues
    from reviewbot.eval.pool import pool_of
    from reviewbot.eval.ratings import blind_cases
    from reviewbot.eval.report import evaluate
    from reviewbot.eval.results import known_sum
    from reviewbot.eval.scores import score_all

    judges = tuple(dict.fromkeys(args.judge))
    judgements, ratings = verdicts.judgements, verdicts.ratings
    same = same_issues(cases, results, judgements, len(judges)) if judges else None
    scored = score_all(cases, results, same, args.match)
    if not scored:
        raise SourceError("no review was made, so there is nothing to report")
    blind = blind_cases(cases, results)
    return evaluate(
        cases,
        scored,
        specs,
        judges=judges,
        match=args.match,
        pool=pool_of(blind, results, ratings, verdicts.raters, [*specs]) if ratings else None,
        agreements=agreements(judgements, ratings),
        judges_usd=known_sum(
            [
                *(judgement.cost_usd for judgement in judgements),
                *(case_ratings.cost_usd for case_ratings in ratings),
            ]
        ),
        plan=plan,
        notices=notices,
    )


def _write(args: RunArguments, evaluation: Evaluation, folder: Path) -> None:
    from reviewbot.eval.report import FILE, to_json
    from reviewbot.eval.tables import text_report

    OutputTarget(folder / FILE).replace(to_json(evaluation))
    if args.html is not None:
        from reviewbot.eval.report_html import html_report

        OutputTarget(args.html).replace(html_report(evaluation))
    print(text_report(evaluation))  # noqa: T201  the command's output
    note(f"Results and reports are in {folder}.")

"""``reviewbot eval run``: review the cases with every contestant, and report the scores."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.cli.amounts import whole_number
from reviewbot.cli.eval_session import (
    MAX_RUNS,
    CaseArguments,
    Progress,
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
from reviewbot.config.load import read_settings
from reviewbot.config.settings import OFFLINE
from reviewbot.core.wording import count
from reviewbot.errors import EXIT_INCOMPLETE, EXIT_OK, ConfigError, SourceError
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Sequence

    from reviewbot.eval.cases import Case
    from reviewbot.eval.contestants import Contestant
    from reviewbot.eval.judge import JudgeTask
    from reviewbot.eval.judgements import Judgement
    from reviewbot.eval.plan_file import Plan, PlanStatus
    from reviewbot.eval.report import Evaluation
    from reviewbot.eval.result_folder import Store
    from reviewbot.eval.results import Result
    from reviewbot.eval.run import Spending, Work
    from reviewbot.models.offline.parser import Parser
    from reviewbot.models.summary import SummaryModel


@dataclass(frozen=True, slots=True, kw_only=True)
class RunArguments(CaseArguments):
    """The arguments of ``eval run``."""

    runs: int
    repositories: Path | None
    command: Sequence[str]
    pr_agent: Sequence[str]
    recorded: Sequence[str]
    judge: Sequence[str]
    judge_others: bool
    plan: Path | None
    held_out: bool
    html: Path | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``eval run``."""
    add_case_arguments(parser)
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
        "--judge",
        action="append",
        default=[],
        metavar="MODEL",
        help="model that decides whether near comments report the same issue; can be repeated",
    )
    parser.add_argument(
        "--judge-others",
        action="store_true",
        help="let the judges decide which comments are real problems, too",
    )
    parser.add_argument(
        "--plan", type=Path, metavar="FILE", help="plan with the metric and the held-out cases"
    )
    parser.add_argument(
        "--held-out", action="store_true", help="review only the held-out cases of the plan"
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
    from reviewbot.pipeline.model_clients import check_choices

    check_extra()
    if args.judge_others and not args.judge:
        raise ConfigError("--judge-others needs a judge: --judge MODEL")
    if OFFLINE in args.judge:
        raise ConfigError("the offline rules cannot judge; name a model: --judge MODEL")
    for name in args.judge:
        check_choices(read_settings({"model": name}, config=args.config))
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
        specs = {one.name: one.spec for one in contestants}
        digest = plan.digest if plan else ""
        store = stack.enter_context(open_store(folder, Header(cases_digest(cases), specs, digest)))
        # Other contestants or judges in the same folder are another look at the held-out cases.
        identity = json.dumps([store.id, specs, args.judge])
        respected = status(plan, identity, held_out=args.held_out) if plan else None
        _say_size(cases, args.runs)
        judges = _judges(args, stack)
        work = open_reviews(args, contestants, cases, store, runs=args.runs)
        planned = _results_with(work, specs, store)
        await confirm_reviews(args, work, _judge_tasks(args, judges, cases, planned, store))
        spending = Spending(args.budget_usd)
        complete = await make_reviews(args, work, store, spending)
        results = results_of(args, specs, store)
        tasks = _judge_tasks(args, judges, cases, results, store)
        unjudged = await _judge(args, tasks, store, spending)
        missed = f"Judges did not answer {count(unjudged, 'request')}; run again to ask them."
        notices = [missed] if unjudged else []
        judgements = [one for one in store.judgements.read() if one.contestant in specs]
        evaluation = _evaluation(
            args, cases, results, judgements, specs, plan=respected, notices=notices
        )
        _write(args, evaluation, folder)
    return complete and not unjudged


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


def _judges(args: RunArguments, stack: AsyncExitStack) -> list[SummaryModel]:
    """Return the judges, which the end of ``stack`` closes."""
    from reviewbot.pipeline.model_clients import claude_of

    found: list[SummaryModel] = []
    for name in dict.fromkeys(args.judge):
        settings = read_settings({"model": name}, config=args.config)
        model = claude_of(settings.model, settings)
        stack.push_async_callback(model.aclose)
        found.append(model)
    return found


def _results_with(work: Sequence[Work], names: Collection[str], store: Store) -> list[Result]:
    """Return the results of contestants, and expected ones for the reviews to make."""
    from reviewbot.eval.judge import expected_results
    from reviewbot.eval.run import latest

    results = {one.key: one for one in latest(store.results.read()) if one.contestant in names}
    return [*(results | {one.key: one for one in expected_results(work)}).values()]


def _judge_tasks(
    args: RunArguments,
    judges: Sequence[SummaryModel],
    cases: Sequence[Case],
    results: Sequence[Result],
    store: Store,
) -> list[JudgeTask]:
    """Return the requests to judges about results that have no answer yet."""
    from reviewbot.eval.judge import judge_tasks
    from reviewbot.eval.questions import REAL, SAME

    done = {one.key for one in store.judgements.read() if one.error is None}
    questions = (SAME, REAL) if args.judge_others else (SAME,)
    return judge_tasks(judges, questions, cases, results, done)


async def _judge(
    args: RunArguments, tasks: Sequence[JudgeTask], store: Store, spending: Spending
) -> int:
    """Ask the judges, and return the number of requests without an answer."""
    from reviewbot.eval.judge import judge

    answered = 0
    with Progress(len(tasks)) as progress:

        def take(judgement: Judgement) -> None:
            nonlocal answered
            store.judgements.append(judgement)
            if judgement.error is None:
                answered += 1
            else:
                note(f"not judged: {judgement.judge} on {judgement.case}: {judgement.error}")
            progress.step()

        if not await judge(tasks, take, jobs=args.jobs, spending=spending):
            note("the budget is spent; run again to ask the judges the other questions.")
    return len(tasks) - answered


def _evaluation(
    args: RunArguments,
    cases: Sequence[Case],
    results: Sequence[Result],
    judgements: Sequence[Judgement],
    specs: dict[str, str],
    *,
    plan: PlanStatus | None,
    notices: Sequence[str],
) -> Evaluation:
    from reviewbot.eval.judgements import agreements, real_problems, same_issues
    from reviewbot.eval.report import evaluate
    from reviewbot.eval.results import known_sum
    from reviewbot.eval.scores import score_all

    judges = tuple(dict.fromkeys(args.judge))
    judgements = [one for one in judgements if one.judge in judges]
    same = same_issues(cases, results, judgements, len(judges)) if judges else None
    real = real_problems(results, judgements, len(judges)) if args.judge_others else {}
    scored = score_all(cases, results, same, real)
    if not scored:
        raise SourceError("no review was made, so there is nothing to report")
    return evaluate(
        cases,
        scored,
        specs,
        judges=judges,
        judges_others=args.judge_others,
        agreements=agreements(judgements),
        judges_usd=known_sum([one.cost_usd for one in judgements]),
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

"""``reviewbot eval``: measure how good reviews are, and compare them."""

from __future__ import annotations

import argparse
import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from reviewbot.cli.keys import dollars
from reviewbot.config.load import read_settings
from reviewbot.core.wording import count
from reviewbot.errors import EXIT_INCOMPLETE, EXIT_OK, ConfigError, SourceError
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.eval.cases import Case
    from reviewbot.eval.contestants import Contestant
    from reviewbot.eval.results import Result
    from reviewbot.eval.run import Store, Work
    from reviewbot.models.offline.parser import Parser

EXTRA: Final = ("numpy", "scipy", "matplotlib")
INNER: Final = ("repo", ".git")
"""Folders within the folder of a repository that may hold its git directory."""
MAX_RUNS: Final = 100

EPILOG: Final = """\
examples:
  reviewbot eval run cases.jsonl --model offline
  reviewbot eval run cases.jsonl --vary context=0,10 verify=on,off --runs 3
  reviewbot eval run cases.jsonl --command 'other=other-tool --sarif {diff}'
  reviewbot eval compare eval-before eval-after
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run_parser = commands.add_parser(
        "run", help="review cases with known problems, and report scores"
    )
    _add_run(run_parser)
    run_parser.set_defaults(perform=_run)
    _add_imports(commands)
    compare_parser = commands.add_parser(
        "compare", help="say what is significant between two evaluations, and which cases changed"
    )
    compare_parser.add_argument("before", type=Path, metavar="A", help="folder of eval run")
    compare_parser.add_argument("after", type=Path, metavar="B", help="folder of eval run")
    compare_parser.add_argument(
        "--contestant",
        action="append",
        default=[],
        metavar="NAME",
        help="contestant to compare (default: all that both have); can be repeated",
    )
    compare_parser.set_defaults(perform=_compare)
    parser.epilog = EPILOG


def _add_imports(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    import_parser = commands.add_parser("import", help="make cases from a published set")
    import_parser.add_argument("format", choices=("aacr-bench", "bc-bench"), help="the set")
    import_parser.add_argument("file", type=Path, metavar="FILE", help="file with the data")
    import_parser.add_argument(
        "--repositories", type=Path, metavar="DIR", help="folder with the clones of repositories"
    )
    import_parser.set_defaults(perform=_import)
    history = commands.add_parser(
        "import-history", help="make cases from the small fixes of a repository, in reverse"
    )
    history.add_argument(
        "repository", nargs="?", type=Path, default=Path(), metavar="REPO", help="default: ."
    )
    history.add_argument(
        "--commits",
        type=_count,
        default=1_000,
        metavar="N",
        help="newest commits to look for fixes in (default: 1000)",
    )
    history.set_defaults(perform=_import_history)
    for parser in (import_parser, history):
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="write the cases to FILE (default: print)"
        )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("cases", type=Path, metavar="CASES", help="the cases, as JSONL")
    parser.add_argument("--model", metavar="NAME", help="model that reviews; offline needs no key")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder of results and reports (default: eval-CASES); an existing one is continued",
    )
    parser.add_argument(
        "--runs", type=_runs, default=1, metavar="N", help="reviews of each case (default: 1)"
    )
    parser.add_argument(
        "--jobs", type=_runs, default=4, metavar="N", help="reviews at once (default: 4)"
    )
    parser.add_argument(
        "--vary",
        nargs="+",
        default=[],
        metavar="SETTING=A,B",
        help="review with every combination of settings, such as context=0,10 verify=on,off",
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
        "--budget-usd", type=dollars, metavar="X", help="begin no review after X dollars"
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write the report as one page to FILE, too"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before spending")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="read this file instead of .reviewbot.yml"
    )


def _runs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_RUNS:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number from 1 to {MAX_RUNS}")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 10**6:
        raise argparse.ArgumentTypeError(f"{text!r} must be a number from 1 to 1000000")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Run the action, and return the exit code."""
    check_extra()
    code: int = args.perform(args)
    return code


def check_extra() -> None:
    """Check that the extra ``eval`` is installed.

    Raises:
        ConfigError: a library is missing.
    """
    for name in EXTRA:
        if find_spec(name) is None:
            raise ConfigError(
                f"the evaluation is not installed ({name} is missing):"
                " install reviewbot with its extra, as in pip install 'reviewbot[eval]'"
            )


def _run(args: argparse.Namespace) -> int:
    from reviewbot.eval.cases import read_cases

    cases = read_cases(args.cases)
    folder = args.output or Path(f"eval-{args.cases.stem}")
    complete = asyncio.run(_evaluate(args, cases, folder))
    return EXIT_OK if complete else EXIT_INCOMPLETE


async def _evaluate(args: argparse.Namespace, cases: Sequence[Case], folder: Path) -> bool:
    from reviewbot.eval.cases import cases_digest
    from reviewbot.eval.run import Header, Store, open_work, perform
    from reviewbot.pipeline.workers import own_pool

    async with own_pool() as pool:
        contestants = _contestants(args, pool.for_tenant("eval"))
        specs = {one.name: one.spec for one in contestants}
        store = Store(folder, Header(cases_digest(cases), specs))
        done = {one.key for one in store.read()}
        work = open_work(contestants, cases, args.runs, done)
        _say_size(cases, args.runs)
        if work:
            await asyncio.to_thread(_ask, args, work, len(done))
            with _Progress(len(work)) as progress:

                def take(result: Result) -> None:
                    store.append(result)
                    progress.step()

                complete = await perform(work, take, jobs=args.jobs, budget_usd=args.budget_usd)
        else:
            complete = True
    _report(args, cases, store, specs, folder)
    return complete


def _contestants(args: argparse.Namespace, parser: Parser) -> list[Contestant]:
    from reviewbot.eval.commands import pr_agent, results_command
    from reviewbot.eval.contestants import OwnReview, names_of, recorded
    from reviewbot.eval.vary import combinations

    found: list[Contestant] = []
    for name, values in combinations(args.vary).items():
        settings = read_settings({"model": args.model} | values, config=args.config)
        found.append(OwnReview(name or "reviewbot", settings, parser))
    found += [results_command(*_named(one)) for one in args.command]
    found += [pr_agent(*_named(one)) for one in args.pr_agent]
    found += [recorded(name, Path(path)) for name, path in map(_named, args.recorded)]
    names_of(found)
    return found


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name.strip() or not equals or not value:
        raise ConfigError(f"{text!r:.80} must be NAME=VALUE, such as other=results.jsonl")
    return name.strip(), value


def _say_size(cases: Sequence[Case], runs: int) -> None:
    from reviewbot.eval.statistics import power
    from reviewbot.eval.tables import power_sentence

    _note(power_sentence(power([len(case.required) for case in cases], runs)))


def _ask(args: argparse.Namespace, work: Sequence[Work], done: int) -> None:
    """Say what the work will cost, and ask whether to continue if it costs something.

    Raises:
        ConfigError: nobody can be asked, or the answer is no.
    """
    from reviewbot.core.render.wording import dollars as in_dollars
    from reviewbot.eval.run import expected_cost

    cost = expected_cost(work)
    known = f", after {done:,} that are there already" if done else ""
    what = "nothing" if cost == 0 else f"about {in_dollars(cost)}"
    what = "an unknown sum" if cost is None else what
    _note(f"{count(len(work), 'review')} to make{known}; they cost {what}.")
    if cost == 0 or args.yes:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigError("this may cost money; confirm it with --yes")
    if input("Continue? [y/N] ").strip().lower() not in ("y", "yes"):
        raise ConfigError("nothing was reviewed, since the costs were not confirmed")


class _Progress:
    """Progress bar on standard error, if that is a terminal."""

    def __init__(self, steps: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        console = Console(file=sys.stderr)
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("reviews", total=steps)

    def step(self) -> None:
        """Count one review."""
        self._bar.advance(self._task)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _report(
    args: argparse.Namespace,
    cases: Sequence[Case],
    store: Store,
    specs: dict[str, str],
    folder: Path,
) -> None:
    from reviewbot.eval.report import FILE, evaluate, to_json
    from reviewbot.eval.scores import score_all
    from reviewbot.eval.tables import text_report

    scored = [one for one in score_all(cases, store.read()) if one.result.contestant in specs]
    if not scored:
        raise SourceError("no review was made, so there is nothing to report")
    evaluation = evaluate(cases, scored, specs)
    OutputTarget(folder / FILE).replace(to_json(evaluation))
    if args.html is not None:
        from reviewbot.eval.report_html import html_report

        OutputTarget(args.html).replace(html_report(evaluation))
    print(text_report(evaluation))  # noqa: T201  the command's output
    _note(f"Results and reports are in {folder}.")


def _compare(args: argparse.Namespace) -> int:
    from reviewbot.eval.compare import compare, pairs
    from reviewbot.eval.report import read_report
    from reviewbot.eval.tables import change_report

    before, after = read_report(args.before), read_report(args.after)
    parts = [
        change_report(compare(before, after, *names))
        for names in pairs(before, after, args.contestant)
    ]
    print("\n\n".join(parts))  # noqa: T201  the command's output
    return EXIT_OK


def _import(args: argparse.Namespace) -> int:
    from reviewbot.eval.importers import IMPORTERS

    imported = IMPORTERS[args.format](args.file, args.repositories)
    for name, reason in imported.left_out:
        _note(f"left out {name}: {reason}")
    _write_cases(args.output, imported.cases)
    return EXIT_OK


def _import_history(args: argparse.Namespace) -> int:
    from reviewbot.eval.history import History, import_history

    directory = args.repository.resolve()
    folder = next(one for one in (directory, *directory.parents) if one.name not in INNER)
    name = folder.name.replace("+", "/", 1).removesuffix(".git")
    cases = tuple(import_history(History(directory), name, limit=args.commits))
    _write_cases(args.output, cases)
    return EXIT_OK


def _write_cases(path: Path | None, cases: Sequence[Case]) -> None:
    from reviewbot.eval.cases import write_cases

    if not cases:
        raise SourceError("no case could be made")
    OutputTarget(path).replace(write_cases(cases))
    golden = sum(len(case.required) for case in cases)
    _note(f"{count(len(cases), 'case')} with {count(golden, 'golden comment')}.")


def _note(text: str) -> None:
    print(f"reviewbot: {text}", file=sys.stderr)  # noqa: T201  for people

"""``reviewbot eval``: measure how good reviews are, and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.cli import eval_check, eval_consistency, eval_run
from reviewbot.cli.amounts import whole_number
from reviewbot.cli.eval_session import check_extra, note
from reviewbot.core.wording import count
from reviewbot.errors import EXIT_OK, SourceError
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from reviewbot.eval.cases import Case

INNER: Final = ("repo", ".git")
"""Folders within the folder of a repository that may hold its git directory."""

EPILOG: Final = """\
examples:
  reviewbot eval run cases.jsonl --model offline
  reviewbot eval run cases.jsonl --vary verify=on,off --runs 3
  reviewbot eval run cases.jsonl --vary context=0,10 --repositories clones
  reviewbot eval run cases.jsonl --command 'other=other-tool --sarif {diff}'
  reviewbot eval run cases.jsonl --judge-file ratings.json
  reviewbot eval compare eval-before eval-after
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run_parser = _add(commands, "run", "review cases with known problems, and report scores")
    eval_run.add_arguments(run_parser)
    run_parser.set_defaults(perform=eval_run.run)
    check_parser = _add(
        commands, "check", "rename and reorder files, split diffs, add a comment: what gets lost?"
    )
    eval_check.add_arguments(check_parser)
    check_parser.set_defaults(perform=eval_check.run)
    consistency_parser = _add(
        commands,
        "consistency",
        "repeat one review, or a prompt, and score how alike the results are",
    )
    eval_consistency.add_arguments(consistency_parser)
    consistency_parser.set_defaults(perform=eval_consistency.run)
    _add_imports(commands)
    compare_parser = _add(
        commands,
        "compare",
        "say what is significant between two evaluations, and which cases changed",
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


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)


def _add_imports(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    import_parser = _add(commands, "import", "make cases from a published set")
    import_parser.add_argument("format", choices=("aacr-bench", "bc-bench"), help="the set")
    import_parser.add_argument("file", type=Path, metavar="FILE", help="file with the data")
    import_parser.add_argument(
        "--repositories", type=Path, metavar="DIR", help="folder with the clones of repositories"
    )
    import_parser.set_defaults(perform=_import)
    history = _add(
        commands,
        "import-history",
        "make cases from the small fixes of a repository, in reverse, and from changes that lasted",
    )
    history.add_argument(
        "repository", nargs="?", type=Path, default=Path(), metavar="REPO", help="default: ."
    )
    history.add_argument(
        "--commits",
        type=whole_number(1, 10**6),
        default=1_000,
        metavar="N",
        help="newest commits to read (default: 1000)",
    )
    history.set_defaults(perform=_import_history)
    for parser in (import_parser, history):
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="write the cases to FILE (default: print)"
        )


def run(args: argparse.Namespace) -> int:
    """Run the action, and return the exit code."""
    code: int = args.perform(args)
    return code


def _compare(args: argparse.Namespace) -> int:
    from reviewbot.eval.change_text import change_report
    from reviewbot.eval.compare import compare, pairs
    from reviewbot.eval.report import read_report

    check_extra()
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
        note(f"left out {name}: {reason}")
    if not imported.cases:
        raise SourceError("no case could be made")
    _write_cases(args.output, imported.cases)
    return EXIT_OK


def _import_history(args: argparse.Namespace) -> int:
    from reviewbot.eval.history import History, import_history

    directory = args.repository.resolve()
    folder = next(one for one in (directory, *directory.parents) if one.name not in INNER)
    name = folder.name.replace("+", "/", 1).removesuffix(".git")
    cases = import_history(History(directory), name, limit=args.commits)
    if not cases:
        raise SourceError(
            f"no case could be made: none of the newest {count(args.commits, 'commit')} is a small"
            " fix whose subject begins with fix or bug; read more of them with --commits"
        )
    _write_cases(args.output, cases)
    return EXIT_OK


def _write_cases(path: Path | None, cases: Sequence[Case]) -> None:
    from reviewbot.eval.cases import write_cases

    OutputTarget(path).replace(write_cases(cases))
    golden = sum(len(case.required) for case in cases)
    clean = sum(not case.required for case in cases)
    note(f"{count(len(cases), 'case')} ({clean:,} clean) with {count(golden, 'golden comment')}.")

"""``reviewbot review``: the arguments. Only a run imports the pipeline, so ``--help`` is fast."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path
from typing import Final

from reviewbot.cli.amounts import dollars, whole_number
from reviewbot.core.render import FINAL

FORMATS: Final = ("terminal", "ndjson", *FINAL)

MAX_JOBS: Final = 64
MAX_LOOKUPS: Final = 40
_COLLECT_AFTER: Final = 50_000
"""New objects after which garbage is collected: the import of the pipeline leaves none."""

EPILOG: Final = """\
examples:
  reviewbot review                         what changed in this working tree
  reviewbot review --base main             what this branch changes
  reviewbot review --commit HEAD           what the last commit changes
  reviewbot review v1.0..v1.1              what changed between two revisions
  reviewbot review change.diff             a diff file
  reviewbot review --pr octo/hello#42      a pull request on GitHub
  gh pr diff 42 | reviewbot review -       a diff from another program
  reviewbot review --dry-run               what would be sent, and its cost

exit codes:
  0 nothing at or above --fail-on   1 a finding at or above it
  2 usage or configuration          3 incomplete, even if there are findings
  130 interrupted
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        "diff",
        nargs="?",
        metavar="DIFF",
        help="a diff file, - for standard input, or a range of revisions such as v1..v2",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--base", metavar="REV", help="all changes since the branch left REV")
    source.add_argument("--commit", metavar="REV", help="what one commit changes")
    source.add_argument("--staged", action="store_true", help="staged changes only")
    source.add_argument(
        "--pr", metavar="OWNER/REPO#N", help="a pull request on GitHub, or the address of its page"
    )
    parser.add_argument(
        "--untracked",
        action="store_true",
        help="send untracked files to a model, too; offline they are always reviewed",
    )
    parser.add_argument("--model", metavar="NAME", help="model that reviews; offline needs no key")
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="terminal",
        metavar="FORMAT",
        help=f"{', '.join(FORMATS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the format to FILE, text to the terminal"
    )
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colour text for the terminal (default: %(default)s)",
    )
    parser.add_argument(
        "--fail-on",
        choices=("error", "warning", "note", "never"),
        help="exit 1 if any finding has this severity or higher (default: error)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print files, chunks, tokens and cost; ask no model"
    )
    parser.add_argument(
        "--budget-usd", type=dollars, metavar="X", help="stop before spending more than X dollars"
    )
    parser.add_argument(
        "--jobs",
        type=whole_number(1, MAX_JOBS),
        metavar="N",
        help="model requests at once (default: 8)",
    )
    parser.add_argument("--no-summary", action="store_true", help="do not ask for a summary")
    parser.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="let one more request try to disprove the findings of a model (default: no)",
    )
    parser.add_argument(
        "--lookups",
        type=whole_number(0, MAX_LOOKUPS),
        metavar="N",
        help="reads and searches of code outside the diff by a model; 0: none (default: 20)",
    )
    parser.add_argument("--title", default="", help="title of the change, for the summary")
    parser.add_argument(
        "--description-file",
        type=Path,
        metavar="FILE",
        help="file with the description of the change, for the summary",
    )
    parser.add_argument(
        "--server",
        metavar="URL",
        help="let a reviewbot server review it, and show findings as they arrive",
    )
    parser.add_argument(
        "--import",
        dest="imports",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="report results of another tool on changed lines: SARIF or rdjson; can be repeated",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="read this file instead of .reviewbot.yml"
    )
    parser.epilog = EPILOG


def run(args: argparse.Namespace) -> int:
    """Review a diff, and return the exit code."""
    gc.set_threshold(_COLLECT_AFTER)
    if args.server is None:
        from reviewbot.core.safety.leak_process import start_early

        start_early()
    from reviewbot.cli.review_run import ReviewArguments, review_diff
    from reviewbot.cli.typed_arguments import typed_arguments

    return review_diff(typed_arguments(ReviewArguments, vars(args)))

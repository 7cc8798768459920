"""Measure the offline review: ``make quality ARGS="COMMAND ..."``; no arguments print the help."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import aclosing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.quality import doubles, false_alarms, hunks, planted, reversed_fixes, verdicts
from benchmarks.quality.history import listed_repositories, named_repository

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.quality.history import Repository


_EXAMPLES: Final = """\
examples (FOLDER has the repositories of benchmarks/quality/repositories.toml, each as OWNER+NAME):
  make quality ARGS="false-alarms --listed FOLDER --commits 25"
  make quality ARGS="false-alarms --ordinary FOLDER --commits 60"
  make quality ARGS="planted benchmarks/quality/planted.jsonl"
  make quality ARGS="doubles benchmarks/quality/planted.jsonl"
  make quality ARGS="doubles fixtures/demo.diff --stream fixtures/streams/recorded-claude.ndjson"
  make quality ARGS="reversed --listed FOLDER --commits 200"
  make quality ARGS="hunks --listed FOLDER --commits 60"

docs/offline-rules.md explains what they measure.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and print its tables; without a command, print the help."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.quality",
        description="Measure the offline review.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=lambda _: parser.format_help())
    commands = parser.add_subparsers(metavar="COMMAND")
    alarms = commands.add_parser("false-alarms", help="review commits, and join stored verdicts")
    _add_repositories(alarms, commits=25)
    alarms.add_argument("--since", metavar="REV", help="review only commits after REV")
    alarms.add_argument("--save", type=Path, metavar="FILE", help="write the hits to FILE")
    alarms.add_argument(
        "--saved",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="read hits that --save wrote instead of reviewing; can be repeated",
    )
    alarms.set_defaults(run=_false_alarms)
    bugs = commands.add_parser("planted", help="find planted bugs")
    bugs.add_argument("file", type=Path, metavar="FILE", help="the cases, such as planted.jsonl")
    bugs.add_argument("--details", action="store_true", help="list the missed bugs")
    bugs.set_defaults(run=_planted)
    twice = commands.add_parser("doubles", help="find faults that rule and model both report")
    twice.add_argument("file", type=Path, metavar="FILE", help="planted bugs, or a diff")
    twice.add_argument(
        "--stream", type=Path, metavar="FILE", help="recorded events of a model's review of a diff"
    )
    twice.add_argument("--details", action="store_true", help="list the findings of both")
    twice.set_defaults(run=_doubles)
    fixes = commands.add_parser("reversed", help="find what small fixes repaired")
    _add_repositories(fixes, commits=1_000)
    fixes.add_argument("--details", action="store_true", help="list the fixes that were found")
    fixes.set_defaults(run=_reversed)
    parsed = commands.add_parser("hunks", help="count the hunks that can be parsed")
    _add_repositories(parsed, commits=25)
    parsed.set_defaults(run=_hunks)
    args = parser.parse_args(arguments)
    print(args.run(args))


def _add_repositories(parser: argparse.ArgumentParser, *, commits: int) -> None:
    parser.add_argument(
        "repositories", nargs="*", type=Path, metavar="REPO", help="git directory or working tree"
    )
    parser.add_argument(
        "--listed",
        type=Path,
        metavar="FOLDER",
        help="folder with the well-kept repositories of repositories.toml, each as OWNER+NAME",
    )
    parser.add_argument(
        "--ordinary", type=Path, metavar="FOLDER", help="the same for the ordinary repositories"
    )
    parser.add_argument(
        "--commits",
        type=int,
        default=commits,
        metavar="N",
        help="newest commits of each repository (default: %(default)s)",
    )


def _repositories(args: argparse.Namespace) -> list[Repository]:
    if not (args.repositories or args.listed or args.ordinary):
        sys.exit("benchmarks.quality: name a repository, or a folder with --listed or --ordinary")
    listed = listed_repositories(args.listed) if args.listed else []
    ordinary = listed_repositories(args.ordinary, "ordinary") if args.ordinary else []
    return [*map(named_repository, args.repositories), *listed, *ordinary]


def _false_alarms(args: argparse.Namespace) -> str:
    stored = verdicts.read_verdicts(verdicts.STORED.read_text("utf-8"))
    if args.saved:
        measured = [one for file in args.saved for one in false_alarms.read(file.read_text())]
    else:
        measured = asyncio.run(_measure(args))
    return false_alarms.report(measured, stored)


async def _measure(args: argparse.Namespace) -> list[false_alarms.MeasuredCommit]:
    measured = []
    with args.save.open("w", encoding="utf-8") if args.save else nullcontext() as file:
        found = false_alarms.measure(_repositories(args), limit=args.commits, since=args.since)
        async with aclosing(found):
            async for one in found:
                measured.append(one)
                if file:
                    file.write(false_alarms.write(one))
                    file.flush()
    return measured


def _planted(args: argparse.Namespace) -> str:
    cases = planted.read_cases(args.file.read_text("utf-8"))
    return planted.report(asyncio.run(planted.measure(cases)), details=args.details)


def _doubles(args: argparse.Namespace) -> str:
    if args.stream:
        stream = args.stream.read_text("utf-8")
        measured = doubles.measure_diff(args.file.name, args.file.read_bytes(), stream)
    else:
        measured = doubles.measure(planted.read_cases(args.file.read_text("utf-8")))
    return doubles.report(asyncio.run(measured), details=args.details)


def _reversed(args: argparse.Namespace) -> str:
    measured = asyncio.run(reversed_fixes.measure(_repositories(args), limit=args.commits))
    return reversed_fixes.report(measured, details=args.details)


def _hunks(args: argparse.Namespace) -> str:
    return hunks.report(hunks.measure(_repositories(args), limit=args.commits))


if __name__ == "__main__":
    main()

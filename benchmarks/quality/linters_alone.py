"""Run the linters with their own default rules, for comparison.

This is what a repository without configuration gets from the same programs. Results count only on
added lines. Files above the size limits of reviewbot are left out here, too.
"""

from __future__ import annotations

import json
import sys
from threading import Event
from typing import TYPE_CHECKING, Any, Final

from benchmarks.quality.history import file_at
from reviewbot.core.diff.parse import SUBMODULE, parse_diff
from reviewbot.core.plan.chunk_view import SYMLINK
from reviewbot.models.linters.base import NotLintedError
from reviewbot.models.linters.process import run_linter
from reviewbot.models.linters.programs import find_programs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from reviewbot.core.diff.parse import FileDiff

Place = tuple[str, int, str]
"""Path, line and rule of a result."""

_ARGUMENTS: Final[dict[str, tuple[str, ...]]] = {
    "ruff": ("check", "--isolated", "--no-cache", "--output-format=json"),
    "oxlint": ("--disable-nested-config", "--no-ignore", "--threads=1", "--format=json"),
    "shellcheck": ("--norc", "--format=json1"),
    "hadolint": ("--format=json",),
    "zizmor": ("--offline", "--no-config", "--no-progress", "--quiet", "--format=json-v1"),
}
"""No flag selects rules: the flags only hide configuration and choose the format."""


def lint_revision(
    directory: Path, revision: str, diff: bytes, paths: Collection[str]
) -> list[Place]:
    """Return the results of the linters on the added lines of a diff.

    Args:
        directory: a git directory or a working tree.
        revision: the revision that the diff leads to.
        diff: the diff.
        paths: the files to lint.
    """
    found: list[Place] = []
    for file in parse_diff(diff):
        added = added_lines(file)
        if added and file.path in paths and file.new_mode not in (SYMLINK, SUBMODULE):
            found += lint_file(file.path, file_at(directory, revision, file.path), added)
    return found


def added_lines(file: FileDiff) -> set[int]:
    """Return the numbers of the added lines."""
    lines = (line for hunk in file.hunks for line in hunk.lines if line.kind == "added")
    return {line.new_no for line in lines if line.new_no is not None}


def lint_file(path: str, content: bytes, added: Collection[int]) -> list[Place]:
    """Return the results of the linters on the added lines of one file.

    Args:
        path: path of the file.
        content: content of the file.
        added: numbers of the added lines.
    """
    first_line = content.partition(b"\n")[0].decode("utf-8", "replace")
    found: list[Place] = []
    for program in find_programs():
        linter = program.linter
        if not linter.reads(path, first_line) or len(content) > linter.max_bytes:
            continue
        name = linter.copy_path(path)
        try:
            done = run_linter(
                program.path,
                (*_ARGUMENTS[linter.name], f"./{name}"),
                copy=(name, content),
                configuration=None,
                stop=Event(),
            )
            results = [*_PARSERS[linter.name](json.loads(done.output))]
        except (NotLintedError, ValueError) as error:  # it crashed, or wrote a message, not JSON
            print(f"{linter.name} did not read {path}: {error}", file=sys.stderr)
            continue
        found += [
            (path, line, f"{linter.name}/{rule}")
            for line, rule in dict.fromkeys(results)
            if line in added
        ]
    return found


def _ruff(output: Any) -> Iterator[tuple[int, str]]:  # noqa: ANN401 - JSON of a linter
    for one in output:
        yield one["location"]["row"], one["code"] or "syntax"


def _oxlint(output: Any) -> Iterator[tuple[int, str]]:  # noqa: ANN401 - JSON of a linter
    for one in output["diagnostics"]:
        if one.get("labels"):
            rule = (one.get("code") or "syntax").rpartition("(")[2].removesuffix(")")
            yield one["labels"][0]["span"]["line"], rule


def _shellcheck(output: Any) -> Iterator[tuple[int, str]]:  # noqa: ANN401 - JSON of a linter
    for one in output["comments"]:
        yield one["line"], f"SC{one['code']}"


def _hadolint(output: Any) -> Iterator[tuple[int, str]]:  # noqa: ANN401 - JSON of a linter
    for one in output:
        yield one["line"], one["code"]


def _zizmor(output: Any) -> Iterator[tuple[int, str]]:  # noqa: ANN401 - JSON of a linter
    for one in output:
        for place in one["locations"]:
            if place["symbolic"]["kind"] == "Primary":
                yield place["concrete"]["location"]["start_point"]["row"] + 1, one["ident"]


_PARSERS: Final[dict[str, Callable[[Any], Iterator[tuple[int, str]]]]] = {
    "ruff": _ruff,
    "oxlint": _oxlint,
    "shellcheck": _shellcheck,
    "hadolint": _hadolint,
    "zizmor": _zizmor,
}

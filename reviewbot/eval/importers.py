"""Import published sets of cases: AACR-Bench and BC-Bench.

Formats: ``dataset/positive_samples.json`` of alibaba/aacr-bench (540dd9b);
``dataset/codereview.jsonl`` of microsoft/BC-Bench (7a509ed).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reviewbot.code.git_repository import open_repository
from reviewbot.core.diff.parse import parse_diff
from reviewbot.errors import DiffError, SourceError
from reviewbot.eval.cases import Case, Golden, diff_bytes, diff_text, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from reviewbot.core.findings.finding import Severity

_PULL: Final = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)/pull/(\d+)")
_SEVERITIES: Final[Mapping[str, Severity]] = {
    "critical": "error",
    "high": "error",
    "medium": "warning",
    "low": "note",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """Imported cases, and the ids of those that could not be made, with the reason."""

    cases: tuple[Case, ...]
    left_out: tuple[tuple[str, str], ...]


def import_aacr_bench(path: Path, repositories: Path | None) -> Imported:
    """Return the pull requests whose repository and commits are in a folder.

    The set has no diffs, so they are made from the repositories: from the merge base to the
    reviewed head.

    Args:
        path: ``positive_samples.json``.
        repositories: folder with the repositories, as for :func:`find_repository`.

    Raises:
        SourceError: the file cannot be read, or is not in the format of the set.
    """
    if repositories is None:
        raise SourceError("AACR-Bench has no diffs; name a folder of clones: --repositories DIR")
    try:
        samples = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"cannot read {path.name} as JSON") from error
    if not isinstance(samples, list):
        raise SourceError(f"{path.name}: a list of pull requests is expected")
    cases: list[Case] = []
    left_out: list[tuple[str, str]] = []
    for number, sample in enumerate(samples, 1):
        try:
            case = _pull_request(sample)
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(f"{path.name}: pull request {number} is invalid") from error
        try:
            cases.append(_with_diff(case, repositories))
        except (SourceError, DiffError) as error:
            left_out.append((case.id, str(error)))
    return Imported(tuple(cases), tuple(left_out))


def _pull_request(sample: Mapping[str, Any]) -> Case:
    found = _PULL.fullmatch(sample["githubPrUrl"])
    if found is None:
        raise ValueError(sample["githubPrUrl"])
    golden = []
    for one in sample["comments"]:
        first, last = sorted((_line(one["from_line"]), _line(one["to_line"])))
        side = {"right": "RIGHT", "left": "LEFT"}[one["side"]]
        golden.append(Golden(str(one["path"]), first, last, side, text=str(one["note"])))  # type: ignore[arg-type]
    return Case(
        id=f"{found[1]}#{found[2]}",
        diff="",
        golden=tuple(golden),
        repository=found[1],
        base=str(sample["source_commit"]),
        head=str(sample["target_commit"]),
        url=found[0],
    )


def _with_diff(case: Case, repositories: Path) -> Case:
    """Return a case with the diff from its repository.

    Raises:
        SourceError: the repository or a commit is missing.
        DiffError: the diff cannot be read.
    """
    directory = find_repository(repositories, case.repository)
    if directory is None:
        raise SourceError(f"{case.repository} is not in the folder")
    repository = open_repository(directory, span=f"{case.base}...{case.head}")
    data = repository.changes()
    if not parse_diff(data):
        raise SourceError("the diff is empty")
    return Case(
        id=case.id,
        diff=diff_text(data),
        golden=case.golden,
        repository=case.repository,
        base=repository.start,
        head=repository.end or "",
        url=case.url,
    )


def find_repository(folder: Path, name: str) -> Path | None:
    """Return the repository ``owner/name`` in a folder; None if it is not there.

    It may be ``owner/name``, ``owner+name`` or ``name``, and contain the git directory as ``repo``.

    Args:
        folder: the folder.
        name: the name of the repository.
    """
    parts = name.split("/")
    if len(parts) > 2 or not all(re.fullmatch(r"[\w-][\w.-]*", part) for part in parts):
        return None
    for place in (folder / name, folder / "+".join(parts), folder / parts[-1]):
        for inner in (place / "repo", place):
            if (inner / ".git").exists() or (inner / "objects").is_dir():
                return inner
    return None


def import_bc_bench(path: Path, repositories: Path | None) -> Imported:
    """Return the cases of BC-Bench, which have their diffs with them.

    Args:
        path: ``codereview.jsonl``.
        repositories: not used.

    Raises:
        SourceError: the file cannot be read, or a line is invalid.
    """
    del repositories
    cases: list[Case] = []
    left_out: list[tuple[str, str]] = []
    for case in read_lines(path, _instance):
        try:
            parse_diff(diff_bytes(case.diff))
            cases.append(case)
        except DiffError as error:
            left_out.append((case.id, str(error)))
    return Imported(tuple(cases), tuple(left_out))


def _instance(value: Any) -> Case:  # noqa: ANN401 - decoded JSON of any kind
    try:
        wanted = [_comment(one) for one in value["expected_comments"]]
        ignored = [_comment(one, optional=True) for one in value.get("ignored_comments") or ()]
        return Case(
            id=str(value["instance_id"]),
            diff=str(value["patch"]),
            golden=(*wanted, *ignored),
            repository=str(value["repo"]),
            base=str(value["base_commit"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{type(error).__name__} {error}") from error


def _comment(value: Mapping[str, Any], *, optional: bool = False) -> Golden:
    first, last = sorted((_line(value["line_start"]), _line(value["line_end"])))
    return Golden(
        str(value["file"]),
        first,
        last,
        severity=_SEVERITIES.get(str(value["severity"]).lower()),
        text=str(value["body"]),
        optional=optional,
    )


def _line(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"{value!r:.40} is not the number of a line")
    return value


IMPORTERS: Final[Mapping[str, Callable[[Path, Path | None], Imported]]] = {
    "aacr-bench": import_aacr_bench,
    "bc-bench": import_bc_bench,
}

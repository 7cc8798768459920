"""Repositories in which a model looks code up."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any, Final

import pytest

from reviewbot.code.git_files import GitFiles
from reviewbot.code.git_repository import open_repository
from reviewbot.code.lookup_files import LookupFiles
from reviewbot.code.lookups import Lookups
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.plan.policy import Policy, path_patterns
from reviewbot.core.prompt.lookup_tools import LookupCall, LookupResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reviewbot.code.at_commit import CodeAtCommit

_JSON: Final = r'"(?:[^"\\]|\\.)*"'
RESULT_LINE: Final = re.compile(
    rf"=== file {_JSON}, unchanged(?:, lines \d+ to \d+ of \d+)?"
    rf"|=== search for {_JSON}: \d+ lines? in \d+ files?"
    r"|R\d+ \|.*"
    r"|--- not searched: binary files, .*"
    r"|--- cut here: read on from line \d+"
    r"|--- and \d+ more .*"
)
"""Any line of the result of a look-up in unchanged code."""

IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, *arguments]
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    environment = {**os.environ, **alone}
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)
    return done.stdout.decode(errors="surrogateescape")


def write(root: Path, files: Mapping[str, str | bytes]) -> None:
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(
            content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
        )


def commit(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files and commit everything in the working tree."""
    write(root, files)
    git(root, "add", "--all")
    git(root, "commit", "-q", "--allow-empty", "-m", "x")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


def files_of(
    root: Path, *, exclude: Sequence[str] = (), staged: bool = False, span: str | None = None
) -> LookupFiles:
    """The files of a review of the working tree, or of a range of commits."""
    repository = open_repository(root, span=span)
    diff = repository.staged() if staged else repository.changes()
    policy = Policy(path_patterns(exclude))
    return LookupFiles(parse_diff(diff), policy, source=GitFiles(repository, staged=staged))


def of_diff(diff: str, source: CodeAtCommit | None = None) -> LookupFiles:
    """The files of a review of a diff."""
    return LookupFiles(parse_diff(diff.encode()), Policy(), source=source)


class Desk:
    """Asks for look-ups as a model does."""

    def __init__(self, files: LookupFiles) -> None:
        self.answer = Lookups(files)

    async def call(self, tool: str, **fields: Any) -> LookupResult:
        return await self.answer(LookupCall(tool, fields))

    async def read(self, path: str, first: int = 1, last: int = 200, **fields: Any) -> LookupResult:
        return await self.call("read_code", path=path, first=first, last=last, **fields)

    async def search(self, text: str, **fields: Any) -> LookupResult:
        return await self.call("search_code", text=text, **fields)


def code_of(result: LookupResult) -> list[str]:
    """The lines of a result that carry the prefix of a line of code."""
    assert not result.failed, result.text
    return [line for line in result.text.split("\n") if line[0] in "RL"]

"""Pull requests that try to keep a part of their diff out of the review."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.errors import SourceError
from reviewbot.github.change.fetch import get_change
from reviewbot.github.change.local_diff import LocalDiffError, find_git
from tests.fake_anthropic import FakeAnthropic
from tests.fake_github import FakeGitHub
from tests.github.action_runs import Runner, find_marked
from tests.support.github_changes import REPO, by_list, by_path, opened, texts
from tests.support.github_stories import BASE, app, conclusions

if TYPE_CHECKING:
    from pathlib import Path

CALM, EVIL = {"a.py": "x = 2\n"}, {"a.py": "x = eval(input())\n"}


@pytest.mark.parametrize("in_one_piece", [True, False])
async def test_the_diff_of_a_head_is_that_heads_though_the_branch_goes_there_and_back(
    in_one_piece: bool,
) -> None:
    """Somebody pushes another commit while the diff is fetched, and the first again after it."""
    async with opened({"a.py": "x = 1\n"}, EVIL) as (github, pull, api):
        evil = pull.head_sha
        if not in_one_piece:
            by_list(github)
        calls: list[str] = []

        def there_and_back(name: str) -> None:
            real = getattr(api.pulls, name)

            async def call(*args: Any, **more: Any) -> Any:
                pull.force_push(CALM)
                try:
                    return await real(*args, **more)
                finally:
                    calls.append(name)
                    pull.repo.move(pull.head_ref, evil, by="octocat")

            setattr(api.pulls, name, call)

        for name in ("compare_diff", "compare", "files"):
            there_and_back(name)
        change = await get_change(api, REPO, 1)
        assert change.pull.head.sha == evil
        assert texts(by_path(change)["a.py"]) == ["-x = 1", "+x = eval(input())"]


async def test_a_list_that_is_of_another_head_is_not_taken() -> None:
    """The list of a large change is the one that no commit can be named for."""
    async with opened({"a.py": "x = 1\n"}, EVIL) as (github, pull, api):
        by_list(github)
        github.rules.compared_files = 0
        evil, real, meanwhile = pull.head_sha, api.pulls.files, [CALM]

        async def files(repo: str, of: Any) -> Any:
            for tree in meanwhile:
                pull.force_push(tree)
            found = await real(repo, of)
            pull.repo.move(pull.head_ref, evil, by="octocat")
            return found

        api.pulls.files = files  # type: ignore[method-assign, assignment]  # between two answers
        with pytest.raises(SourceError, match="changed 3 times"):
            await get_change(api, REPO, 1)
        meanwhile.clear()
        change = await get_change(api, REPO, 1)
        assert texts(by_path(change)["a.py"]) == ["-x = 1", "+x = eval(input())"]


@pytest.mark.parametrize(
    "name", [".env", "Dockerfile", "Makefile", "deploy.ps1", "main.tf", "App.vue"]
)
async def test_a_change_cannot_hide_a_file_of_any_kind_by_attributes_that_it_brings(
    name: str,
) -> None:
    head = {"a.py": "x = 1\n", name: "a line\n", ".gitattributes": "* -diff\n"}
    async with opened({"a.py": "x = 1\n"}, head) as (_, pull, api):
        sections = pull.diff_text.split(b"diff --git ")
        at = next(n for n, one in enumerate(sections) if one.startswith(b"a/" + name.encode()))
        header, _, _ = sections[at].partition(b"--- ")
        sections[at] = header + f"Binary files /dev/null and b/{name} differ\n".encode()
        hidden = b"diff --git ".join(sections)

        async def diff(*_: Any, **__: Any) -> bytes:
            return hidden

        api.pulls.compare_diff = diff  # type: ignore[method-assign]  # the fake knows no attributes
        change = await get_change(api, REPO, 1)
        assert texts(by_path(change)[name]) == ["+a line"]


async def test_a_zero_byte_in_a_script_does_not_make_a_green_check(tmp_path: Path) -> None:
    """JavaScript takes one in a comment; git takes the file for binary."""
    async with FakeGitHub() as github, FakeAnthropic() as model:
        model.respond = find_marked
        head: dict[str, Any] = {
            "evil.js": b"// \0\nexec(process.env.CMD) // BUG error It runs anything\n"
        }
        pull = github.pull(base=BASE, head={**BASE, **app((10, "line_10 = 11")), **head})
        runner = Runner(github, model, tmp_path)
        await runner.run(pull)
        assert conclusions(pull) == ["neutral"]  # not success: a finding


def test_git_is_never_a_program_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows, which() looks into the working folder first: a checkout may hold a git.exe."""
    planted = tmp_path / "git.exe"
    planted.write_text("#!/bin/sh\n")
    planted.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(shutil, "_win_path_needs_curdir", lambda *_: True, raising=False)
    monkeypatch.setenv("PATHEXT", ".exe")
    try:
        found = find_git()
    except LocalDiffError:
        return
    assert tmp_path not in (tmp_path / found).parents

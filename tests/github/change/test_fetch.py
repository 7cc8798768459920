"""The diff of a pull request, from GitHub or from the list of files."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, given, settings

from reviewbot.core.diff.parse import SUBMODULE, FileDiff, parse_diff
from reviewbot.errors import SourceError
from reviewbot.github.change.fetch import Change, get_change
from tests.fake_github import Blob, FakeGitHub, Fault, PullRequest, faults
from tests.fake_github.shapes_pulls import full_pull_request
from tests.support.examples import examples
from tests.support.git_trees import Tree, changes
from tests.support.github_changes import EDITED, LARGE, REPO, by_list, by_path, opened, texts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.github.api.gateway import Api


# --- In one piece


async def test_a_small_change_is_githubs_own_diff() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 2\n", "b c.py": "y\n"}) as (_, pull, api):
        told: list[str] = []
        change = await get_change(api, REPO, 1, report=told.append)
        assert change.diff == pull.diff_text
        assert change.pull == await api.pulls.get(REPO, 1)
        assert change.merge_base == pull.merge_base
        assert (change.missing, change.notices) == ((), ())
        assert told == ["the pull request", "its merge base", "the diff"]


async def test_the_merge_base_is_where_the_branch_left_the_base_and_not_its_tip() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as (_, pull, api):
        left = pull.base_sha
        pull.repo.commit(None, {"other.py": "z\n"})
        pull.push({"b.py": "y\n"})
        assert pull.repo.branches["main"] != left
        change = await get_change(api, REPO, 1)
        assert change.merge_base == left
        assert list(by_path(change)) == ["a.py", "b.py"]


@pytest.mark.parametrize("same_file", [True, False])
@pytest.mark.parametrize("how", ["merged", "rebased"])
async def test_what_a_branch_has_from_its_base_is_not_its_change(
    how: str, *, same_file: bool
) -> None:
    """Though the commit that GitHub names as the base stays where it was."""
    old = "".join(f"x_{number} = 1\n" for number in range(40))
    async with opened({"a.py": old}, {"a.py": old.replace("x_3 = 1", "x_3 = 2")}) as (_, pull, api):
        theirs = {"a.py": old.replace("x_30 = 1", "x_30 = 2")} if same_file else {"b.py": "y\n"}
        named = pull.base_sha
        if how == "merged":
            pull.repo.commit(None, theirs)
            pull.update_branch()
        else:
            pull.rebase(theirs)
        change = await get_change(api, REPO, 1)
        assert change.pull.base.sha == named
        assert change.diff == pull.diff_text
        assert list(by_path(change)) == ["a.py"]
        changed = [text for text in texts(by_path(change)["a.py"]) if not text.startswith(" ")]
        assert changed == ["-x_3 = 1", "+x_3 = 2"]
        assert change.notices == ()


async def test_what_a_branch_has_from_a_base_that_is_gone_is_not_its_change() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as (github, pull, api):
        pull.repo.commit(None, {"b.py": "y\n"})
        pull.update_branch()
        github.fail(faults.error("GET", "/git/ref/heads/main", 404, times=None))
        change = await get_change(api, REPO, 1)
        assert list(by_path(change)) == ["a.py"]
        assert len(change.notices) == 1


async def test_a_number_of_files_that_is_from_before_a_push_changes_nothing() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as (github, pull, api):
        pull.push({"b.py": "y\n"})
        late = full_pull_request(pull) | {"changed_files": 1}
        github.fail(Fault("GET", "/pulls/1$", 200, late, times=None))
        change = await get_change(api, REPO, 1)
        assert change.diff == pull.diff_text
        assert change.notices == ()


async def test_a_pull_request_that_was_merged_still_has_its_change() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as (_, pull, api):
        left = pull.merge_base
        pull.merge()
        change = await get_change(api, REPO, 1)
        assert change.merge_base == left
        assert texts(by_path(change)["a.py"]) == ["-x = 1", "+x = 2"]
        assert change.notices == ()


async def test_a_merge_base_that_github_does_not_return_is_none() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as (github, pull, api):
        github.fail(faults.error("GET", "/compare/", 404))
        change = await get_change(api, REPO, 1)
        assert change.merge_base is None
        assert change.diff == pull.diff_text


async def test_a_change_without_a_file_is_an_empty_diff() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 1\n"}) as (_, _pull, api):
        change = await get_change(api, REPO, 1)
        assert (change.diff, change.missing, change.notices) == (b"", (), ())


async def test_a_deleted_fork_can_be_read_either_way() -> None:
    async with opened({"a.py": LARGE}, {"a.py": EDITED}, fork="mallory") as (github, pull, api):
        pull.delete_fork()
        whole = await get_change(api, REPO, 1)
        assert whole.pull.is_fork
        github.rules.patch_lines = 1
        by_list(github)
        assert [texts(file) for file in parse_diff((await get_change(api, REPO, 1)).diff)] == [
            texts(file) for file in parse_diff(whole.diff)
        ]


# --- While somebody pushes


@asynccontextmanager
async def pushed_at_each_diff(
    times: int,
) -> AsyncGenerator[tuple[FakeGitHub, PullRequest, Api]]:
    """A pull request that is pushed to, ``times`` times, while its diff is fetched."""
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as (github, pull, api):
        real, left = api.pulls.compare_diff, list(range(times))

        async def diff(repo: str, base: str, head: str, *, max_bytes: int) -> bytes:
            found = await real(repo, base, head, max_bytes=max_bytes)
            if left:
                pull.push({"a.py": f"x = {left.pop() + 10}\n"})
            return found

        api.pulls.compare_diff = diff  # type: ignore[method-assign]  # between the answer and the next call
        yield github, pull, api


async def test_a_push_meanwhile_has_the_diff_taken_again_so_that_head_and_diff_fit() -> None:
    async with pushed_at_each_diff(2) as (_, pull, api):
        change = await get_change(api, REPO, 1)
        assert change.pull.head.sha == pull.head_sha
        assert change.diff == pull.diff_text
        assert texts(by_path(change)["a.py"]) == ["-x = 1", "+x = 10"]


async def test_another_base_meanwhile_has_the_diff_taken_again() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as (_, pull, api):
        pull.repo.commit("release", {"b.py": "y\n"})
        real = api.pulls.compare_diff

        async def diff(repo: str, base: str, head: str, *, max_bytes: int) -> bytes:
            found = await real(repo, base, head, max_bytes=max_bytes)
            pull.retarget("release")
            return found

        api.pulls.compare_diff = diff  # type: ignore[method-assign]  # as above
        change = await get_change(api, REPO, 1)
        assert change.pull.base.ref == "release"
        assert change.diff == pull.diff_text


async def test_pushes_without_an_end_are_an_error_that_says_so() -> None:
    async with pushed_at_each_diff(9) as (_, _pull, api):
        with pytest.raises(SourceError, match=r"octo/hello#1 changed 3 times while its diff"):
            await get_change(api, REPO, 1)


# --- Both ways say the same


def named(tree: Tree) -> dict[str, Any]:
    """A tree for the fake; of names as GitHub sends them, which is in UTF-8."""
    return {
        os.fsdecode(path): Blob(entry.content, entry.mode)
        for path, entry in tree.items()
        if path.isascii() or path.decode("utf-8", "ignore").encode() == path
    }


def as_sent(file: FileDiff) -> list[tuple[Any, ...]]:
    """The lines; GitHub sends those of patches in UTF-8."""
    return [
        (
            *line[:3],
            line.text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"),
            line[4],
        )
        for hunk in file.hunks
        for line in hunk.lines
    ]


@settings(max_examples=examples(60))
@given(changes())
def test_the_list_gives_the_same_files_as_the_diff(change: tuple[Tree, Tree]) -> None:
    base, head = map(named, change)

    async def both() -> tuple[Change, Change]:
        async with opened(base, head) as (github, _, api):
            whole = await get_change(api, REPO, 1)
            by_list(github)
            return whole, await get_change(api, REPO, 1)

    whole, listed = asyncio.run(both())
    assert whole.missing == ()
    found, expected = by_path(listed), by_path(whole)
    for one in listed.missing:
        # A submodule has no content; of what is binary on one side only, or the same on both, no
        # lines fit to those that are counted.
        gone = expected.pop(one.path)
        assert gone.status == "type-changed"
        alike = base[one.path].data == head[one.path].data
        assert alike or gone.binary or SUBMODULE in (gone.old_mode, gone.new_mode)
    assert found.keys() == expected.keys()
    for path, file in expected.items():
        same = found[path]
        event(file.status)
        if file.status == "type-changed":  # the list has one content before and one after
            assert same.status == "modified"
            assert same.binary or same.added - same.removed == file.added - file.removed
            continue
        assert (same.status, same.old_path, same.new_path) == (
            file.status,
            file.old_path,
            file.new_path,
        )
        assert as_sent(same) == as_sent(file)
        assert same.binary == file.binary or file.status == "renamed"

"""The change of a pull request, whole or with what is missing, from a GitHub that is strict."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import event, given, settings

from reviewbot.config.settings import SecretText
from reviewbot.core.diff.parse import SUBMODULE, FileDiff, parse_diff
from reviewbot.core.events.events import FileCoverage
from reviewbot.errors import SourceError
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.change.fetch import Change, ChangeLimits, get_change
from reviewbot.github.client.errors import (
    BadCredentialsError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
)
from tests.fake_github import EXECUTABLE, SYMLINK, Blob, FakeGitHub, Fault, PullRequest, faults
from tests.fake_github import SUBMODULE as SUBMODULE_MODE
from tests.fake_github.shapes_pulls import full_pull_request
from tests.support.examples import examples
from tests.support.git_trees import Tree, changes
from tests.support.github_changes import REPO, by_list, by_path, opened, texts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from reviewbot.github.api.gateway import Api

LARGE = "".join(f"value_{number} = {number}\n" for number in range(3_000))
EDITED = LARGE.replace("value_7 = 7\n", "value_7 = 8\nmore = 1\n").replace("_2999 = 2999", "_x = 0")
PUT_TOGETHER = "GitHub does not give this diff in one piece"


def reasons(change: Change) -> dict[str, str | None]:
    assert {one.status for one in change.missing} <= {"failed"}
    return {one.path: one.reason for one in change.missing}


# --- In one piece


async def test_a_small_change_is_githubs_own_diff() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 2\n", "b c.py": "y\n"}) as (_, pull, api):
        told: list[str] = []
        change = await get_change(api, REPO, 1, tell=told.append)
        assert change.diff == pull.diff_text
        assert change.pull == await api.pulls.get(REPO, 1)
        assert change.merge_base == pull.merge_base
        assert (change.missing, change.notices) == ((), ())
        assert told == ["the pull request", "where its branch left the base", "the diff"]


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


async def test_a_merge_base_that_github_does_not_tell_is_none() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}) as (github, pull, api):
        github.fail(faults.error("GET", "/compare/", 404))
        change = await get_change(api, REPO, 1)
        assert change.merge_base is None
        assert change.diff == pull.diff_text


async def test_a_change_without_a_file_is_an_empty_diff() -> None:
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 1\n"}) as (_, _pull, api):
        change = await get_change(api, REPO, 1)
        assert (change.diff, change.missing, change.notices) == (b"", (), ())


async def test_a_fork_that_was_deleted_is_still_had_either_way() -> None:
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


# --- From the list of files


async def test_four_hundred_files_come_from_the_list_without_one_missing() -> None:
    many = {f"d/{number:03}.py": f"x = {number}\n" for number in range(400)}
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 1\n"} | many) as (github, pull, api):
        told: list[str] = []
        change = await get_change(api, REPO, 1, tell=told.append)
        expected = {file.path: texts(file) for file in parse_diff(pull.diff_text)}
        assert {path: texts(file) for path, file in by_path(change).items()} == expected
        assert len(expected) == 400
        assert change.missing == ()
        assert change.notices[0].startswith(PUT_TOGETHER)
        assert "the list of 400 files" in told
        assert not github.called("GET", "/git/blobs")


async def test_more_than_twenty_thousand_lines_in_one_file_are_compared_here() -> None:
    old = "".join(f"{number}\n" for number in range(21_000))
    new = old.replace("777\n", "778\n").replace("\n20", "\n-20")
    async with opened({"big.txt": old, "a.py": "x\n"}, {"big.txt": new, "a.py": "y\n"}) as (
        github,
        pull,
        api,
    ):
        github.rules.diff_lines = 1_000
        change = await get_change(api, REPO, 1)
        assert change.missing == ()
        found, expected = by_path(change), {one.path: one for one in parse_diff(pull.diff_text)}
        assert found["big.txt"].added == expected["big.txt"].added > 1_000
        assert [texts(found[path]) for path in expected] == [
            texts(expected[path]) for path in expected
        ]


AWKWARD_BASE: dict[str, Any] = {
    "edited.py": LARGE,
    "gone.py": LARGE.replace("value", "gone"),
    "moved.py": LARGE,
    "only moved.py": LARGE + "#\n",
    "run.sh": "echo\n",
    "image.png": b"\x89PNG\0" + b"1" * 40,
    "unended.txt": "a\nb",
    "caf\u00e9.py": LARGE,
    "link": Blob(b"target", SYMLINK),
    "module": Blob(b"1" * 40, SUBMODULE_MODE),
    "crlf.txt": LARGE.replace("\n", "\r\n"),
}
AWKWARD_HEAD: dict[str, Any] = {
    "edited.py": EDITED,
    "moved/here.py": EDITED.replace("more", "less"),
    "only/moved.py": LARGE + "#\n",
    "run.sh": Blob(b"echo\n", EXECUTABLE),
    "image.png": b"\x89PNG\0" + b"2" * 40,
    "new.png": b"\x89PNG\0" + b"3" * 40,
    "unended.txt": "a\nc",
    "caf\u00e9.py": EDITED,
    'quo"te \\ tab\t.py': EDITED,
    "new\nline.py": EDITED,
    "link": Blob(b"elsewhere", SYMLINK),
    "module": Blob(b"2" * 40, SUBMODULE_MODE),
    "more module": Blob(b"3" * 40, SUBMODULE_MODE),
    "crlf.txt": EDITED.replace("\n", "\r\n"),
    "empty.py": "",
}


@pytest.mark.parametrize("patch_lines", [2_000, 0], ids=["patches", "contents"])
async def test_whatever_became_of_a_file_the_list_tells_it_as_the_diff_does(
    patch_lines: int,
) -> None:
    async with opened(AWKWARD_BASE, AWKWARD_HEAD) as (github, _, api):
        whole = by_path(await get_change(api, REPO, 1))
        github.rules.patch_lines = patch_lines
        by_list(github)
        change = await get_change(api, REPO, 1)
        found = by_path(change)
        if not patch_lines:  # a submodule has no content, and a hash is its whole patch
            assert set(reasons(change)) == {"module", "more module"}
            for path in reasons(change):
                del whole[path]
        else:
            assert change.missing == ()
            assert (found["module"].new_mode, found["more module"].new_mode) == (SUBMODULE,) * 2
        assert found.keys() == whole.keys()
        for path, file in whole.items():
            same = found[path]
            assert (same.status, same.binary) == (file.status, file.binary), path
            assert (same.old_path, same.new_path) == (file.old_path, file.new_path)
            assert texts(same) == texts(file), path
            assert [line for hunk in same.hunks for line in hunk.lines] == [
                line for hunk in file.hunks for line in hunk.lines
            ]
        assert found["gone.py"].status == "deleted"
        assert found["run.sh"].hunks == ()
        assert found["run.sh"].old_mode != found["run.sh"].new_mode


async def test_a_patch_that_is_not_whole_or_not_readable_counts_as_none() -> None:
    names = ("cut.py", "odd.py", "fine.py", "two.py")
    base = dict.fromkeys(names, LARGE)
    head = {name: EDITED + f"# {name}\n" for name in names}
    async with opened(base, head) as (github, pull, api):
        by_list(github)
        listed = await listing(github, api)
        cut = next(one for one in listed if one["filename"] == "cut.py")
        first, _, rest = cut["patch"].partition("\n@@ ")
        assert rest
        cut["patch"] = first
        odd = next(one for one in listed if one["filename"] == "odd.py")
        odd["patch"] = odd["patch"].rpartition("\n")[0]
        two = next(one for one in listed if one["filename"] == "two.py")
        two["patch"] += (
            "\ndiff --git a/x b/x\nnew file mode 100644\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+x"
        )
        lists(github, listed)
        change = await get_change(api, REPO, 1)
        assert change.missing == ()
        assert {path: texts(file) for path, file in by_path(change).items()} == {
            file.path: texts(file) for file in parse_diff(pull.diff_text)
        }
        assert len(github.called("GET", "/git/blobs")) == 3


async def listing(github: FakeGitHub, api: Api) -> list[dict[str, Any]]:
    """The list of files as it is sent, to be changed; from now on no comparison has it."""
    github.rules.compared_files = 0
    await get_change(api, REPO, 1)
    sent: list[dict[str, Any]] = json.loads(github.called("GET", "/files")[-1].answer)
    return sent


def lists(github: FakeGitHub, listed: list[dict[str, Any]]) -> None:
    """From now on GitHub has this list."""
    body, kind = json.dumps(listed).encode(), {"content-type": "application/json"}
    github.fail(Fault("GET", "/files$", 200, body, kind, times=None))


async def test_a_rename_without_its_old_name_is_a_change_in_place() -> None:
    async with opened({"a.py": "x\n"}, {"a.py": "y\n"}) as (github, _, api):
        by_list(github)
        listed = await listing(github, api)
        listed[0] |= {"status": "renamed"}
        lists(github, listed)
        file = by_path(await get_change(api, REPO, 1))["a.py"]
        assert (file.status, file.old_path, texts(file)) == ("modified", "a.py", ["-x", "+y"])


async def test_one_file_that_cannot_be_read_loses_no_other() -> None:
    async with opened({"a.py": "x\n", "b.py": "x\n"}, {"a.py": "y\n", "b.py": "y\n"}) as (
        github,
        _,
        api,
    ):
        by_list(github)
        listed = await listing(github, api)
        listed[0] |= {"status": "added"}  # but its patch takes lines away
        lists(github, listed)
        change = await get_change(api, REPO, 1)
        assert list(by_path(change)) == ["b.py"]
        assert reasons(change) == {"a.py": "What GitHub tells of it cannot be read as a diff."}


async def test_a_name_that_no_file_can_have_is_missing_and_loses_no_other() -> None:
    async with opened({"a.py": "x\n", "b.py": "x\n"}, {"a.py": "y\n", "b.py": "y\n"}) as (
        github,
        _,
        api,
    ):
        by_list(github)
        listed = await listing(github, api)
        listed[0] |= {"filename": "\ud800.py"}
        lists(github, listed)
        change = await get_change(api, REPO, 1)
        assert list(by_path(change)) == ["b.py"]
        assert list(reasons(change)) == ["\ud800.py"]


async def test_a_diff_that_lacks_a_file_is_not_believed() -> None:
    base, head = {"a.py": "x\n", "b.py": "x\n"}, {"a.py": "y\n", "b.py": "y\n"}
    async with opened(base, head) as (_, pull, api):
        half = pull.diff_text[: pull.diff_text.index(b"diff --git", 1)]
        for broken in (half, b"@@ no diff", half + b"diff --git a/b.py b/b.py\nindex 1..2"):

            async def diff(*_: Any, broken: bytes = broken, **__: Any) -> bytes:
                return broken

            api.pulls.compare_diff = diff  # type: ignore[method-assign]  # GitHub never sent such a one
            change = await get_change(api, REPO, 1)
            assert list(by_path(change)) == ["a.py", "b.py"]
            assert change.notices[0].startswith(PUT_TOGETHER)


@pytest.mark.parametrize("status", [422, 406])
async def test_a_diff_that_is_refused_for_what_it_takes_comes_from_the_list(status: int) -> None:
    async with opened({"a.py": "x\n"}, {"a.py": "y\n"}) as (github, _, api):
        # The first comparison is for the merge base.
        github.fail(Fault("GET", "/compare/", status, {"message": "It takes too long."}, skip=1))
        change = await get_change(api, REPO, 1)
        assert texts(by_path(change)["a.py"]) == ["-x", "+y"]


async def test_a_diff_above_our_own_limit_comes_from_the_list() -> None:
    async with opened({"a.py": "x\n"}, {"a.py": "y\n"}) as (_, _pull, api):
        change = await get_change(api, REPO, 1, limits=ChangeLimits(diff_bytes=10))
        assert texts(by_path(change)["a.py"]) == ["-x", "+y"]
        assert change.notices[0].startswith(PUT_TOGETHER)


# --- What cannot be had


async def test_files_that_github_does_not_list_are_one_entry_that_counts_them() -> None:
    many = {f"{number:02}.py": f"x = {number}\n" for number in range(12)}
    async with opened({"a.py": "x\n"}, {"a.py": "x\n"} | many) as (github, _, api):
        by_list(github)
        github.rules.listed_files = github.rules.compared_files = 10
        change = await get_change(api, REPO, 1)
        assert len(by_path(change)) == 10
        assert change.missing == (
            FileCoverage(
                "(2 more files)",
                "failed",
                "GitHub lists 10 of the 12 files that this pull request changes.",
            ),
        )


@asynccontextmanager
async def large_ones(**names: str) -> AsyncGenerator[tuple[FakeGitHub, PullRequest, Api]]:
    """Files that have to be compared here, and a small one; by name and content at the head."""
    base: dict[str, Any] = {f"{name}.py": LARGE for name in names}
    head = {f"{name}.py": content for name, content in names.items()}
    async with opened(base | {"s.py": "x\n"}, head | {"s.py": "y\n"}) as (github, pull, api):
        github.rules.patch_lines = 2
        by_list(github)
        yield github, pull, api


async def test_a_content_above_the_limit_is_missing_and_the_others_are_not() -> None:
    async with large_ones(a=EDITED, b=EDITED + "#" * 9_000) as (_, _pull, api):
        limits = ChangeLimits(file_bytes=len(EDITED) + 100)
        change = await get_change(api, REPO, 1, limits=limits)
        assert set(by_path(change)) == {"a.py", "s.py"}
        assert reasons(change) == {
            "b.py": "GitHub gives no diff of it, and its content has more than"
            f" {limits.file_bytes:,} bytes."
        }


async def test_a_content_that_github_itself_does_not_give_is_missing() -> None:
    async with large_ones(a=EDITED, b=EDITED + "#" * 9_000) as (github, _, api):
        github.rules.blob_bytes = len(EDITED) + 100
        change = await get_change(api, REPO, 1)
        assert set(by_path(change)) == {"a.py", "s.py"}
        assert "its content has more than" in (reasons(change)["b.py"] or "")


@pytest.mark.parametrize(
    "limits", [ChangeLimits(files=5), ChangeLimits(all_bytes=5 * 2 * len(EDITED))]
)
async def test_no_more_is_fetched_than_the_limits_and_the_rest_is_missing(
    limits: ChangeLimits,
) -> None:
    many = {f"f{number}": EDITED for number in range(12)}
    async with large_ones(**many) as (github, _, api):
        change = await get_change(api, REPO, 1, limits=limits)
        fetched = len(github.called("GET", "/git/blobs"))
        assert fetched == (5 if limits.files == 5 else 8)  # four at a time
        assert len(change.missing) == 12 - fetched
        assert len(by_path(change)) == fetched + 1
        assert "no more than" in str(change.missing[0].reason)


async def test_what_would_be_missing_is_compared_before_what_only_is_not_certain() -> None:
    images = {f"{number}.png": b"\0%d" % number for number in range(9)}
    changed = {name: content + b"!" for name, content in images.items()}
    base: dict[str, Any] = {"z.py": LARGE, "gone.py": LARGE, **images}
    async with opened(base, {"z.py": EDITED, **changed}) as (github, _, api):
        github.rules.patch_lines = 2
        by_list(github)
        change = await get_change(api, REPO, 1, limits=ChangeLimits(files=1))
        found = by_path(change)
        assert change.missing == ()
        assert found["z.py"].hunks
        assert all(found[name].binary for name in images)
        assert found["gone.py"].status == "deleted"


async def test_without_git_what_must_be_compared_is_missing_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    async with large_ones(a=EDITED) as (github, _, api):
        await get_change(api, REPO, 1)  # the fake has made its own diffs
        before = len(github.called("GET", "/git/blobs"))
        monkeypatch.setenv("PATH", str(tmp_path))
        change = await get_change(api, REPO, 1)
        assert list(by_path(change)) == ["s.py"]
        assert reasons(change) == {
            "a.py": "GitHub gives no diff of it, and git is not installed here."
        }
        assert len(github.called("GET", "/git/blobs")) == before


@pytest.mark.parametrize(
    ("call", "status", "why"),
    [
        ("/git/blobs/", 404, "its content could not be had: GitHub has nothing for"),
        ("/git/blobs/", 403, "its content could not be had: GitHub does not permit"),
        ("/contents/", 404, "its old content is not there"),
        ("/compare/", 404, "GitHub does not tell where its branch left the base"),
    ],
)
async def test_what_fails_of_one_file_is_its_reason(call: str, status: int, why: str) -> None:
    async with large_ones(a=EDITED) as (github, _, api):
        github.fail(faults.error("GET", call, status, times=None))
        change = await get_change(api, REPO, 1)
        assert list(by_path(change)) == ["s.py"]
        assert why in (reasons(change)["a.py"] or "")


async def test_contents_that_do_not_fit_to_the_change_are_not_taken_for_it() -> None:
    """The contents API follows a symbolic link: it gives what another file has."""
    async with large_ones(a=EDITED) as (github, _, api):
        github.fail(Fault("GET", "/contents/", 200, b"some other file\n"))
        change = await get_change(api, REPO, 1)
        assert "do not fit to the lines that GitHub counts" in (reasons(change)["a.py"] or "")


@pytest.mark.parametrize("odd", [{"filename": "\ud800.py"}, {"sha": "no id"}])
async def test_a_content_that_cannot_be_asked_for_is_missing(odd: dict[str, str]) -> None:
    async with large_ones(a=EDITED) as (github, _, api):
        listed = await listing(github, api)
        listed[0] |= odd
        lists(github, listed)
        change = await get_change(api, REPO, 1)
        assert list(by_path(change)) == ["s.py"]
        (reason,) = reasons(change).values()
        assert "in a way that it cannot be asked for" in (reason or "")


async def test_a_file_whose_new_content_has_no_id_is_read_at_the_head() -> None:
    async with large_ones(a=EDITED) as (github, pull, api):
        listed = await listing(github, api)
        del listed[0]["sha"]
        lists(github, listed)
        change = await get_change(api, REPO, 1)
        assert change.missing == ()
        assert {path: texts(file) for path, file in by_path(change).items()} == {
            file.path: texts(file) for file in parse_diff(pull.diff_text)
        }
        assert github.called("GET", "/contents/")[-1].query["ref"] == pull.head_sha


# --- Attributes that the change brings


@pytest.mark.parametrize("in_one_piece", [True, False])
async def test_a_change_cannot_hide_its_code_by_attributes_that_it_brings(
    in_one_piece: bool,
) -> None:
    base: dict[str, Any] = {
        "a.py": "x = 1\n",
        "i.png": b"\0" + b"1",
        "run.py": "y\n",
        "m.py": LARGE,
    }
    head: dict[str, Any] = {
        "a.py": "x = eval(input())\n", "i.png": b"\0" + b"2", ".gitattributes": "*.py -diff\n",
        "moved.py": LARGE, "real.bin": b"\0binary", "run.py": "y\n", "empty.py": "",
    }  # fmt: skip
    async with opened(base, head) as (github, pull, api):
        told = parse_diff(pull.diff_text)
        sections = pull.diff_text.split(b"diff --git ")
        if in_one_piece:
            at = next(n for n, one in enumerate(sections) if one.startswith(b"a/a.py"))
            header, _, _ = sections[at].partition(b"--- ")
            sections[at] = header + b"Binary files a/a.py and b/a.py differ\n"
            hidden = b"diff --git ".join(sections)

            async def diff(*_: Any, **__: Any) -> bytes:
                return hidden

            api.pulls.compare_diff = diff  # type: ignore[method-assign]  # the fake knows no attributes
        else:
            by_list(github)
            listed = await listing(github, api)
            one = next(one for one in listed if one["filename"] == "a.py")
            del one["patch"]
            one |= {"additions": 0, "deletions": 0}
            lists(github, listed)
        change = await get_change(api, REPO, 1)
        found = by_path(change)
        assert change.missing == ()
        assert set(found) == {file.path for file in told}
        assert texts(found["a.py"]) == ["-x = 1", "+x = eval(input())"]
        assert [path for path, file in found.items() if file.binary] == ["i.png", "real.bin"]
        assert change.notices[-1].startswith("GitHub shows no lines of a.py, as .gitattributes")
        github.fail(faults.error("GET", "/contents/a.py", 404, times=None))
        assert list(reasons(await get_change(api, REPO, 1))) == ["a.py"]


# --- GitHub's refusals


async def test_a_pull_request_that_is_not_there_is_githubs_error() -> None:
    async with opened({"a.py": "x\n"}, {"a.py": "y\n"}) as (_, _pull, api):
        with pytest.raises(NotFoundError, match="GitHub has nothing for GET /repos/octo/hello"):
            await get_change(api, REPO, 2)


async def test_a_missing_permission_is_githubs_error() -> None:
    async with FakeGitHub() as github:
        pull = github.pull({"a.py": "x\n"}, {"a.py": "y\n"})
        token = github.token(pull.repo, {"issues": "read"})
        async with Gateway(SecretText(token.value), base_url=github.url) as gateway:
            with pytest.raises(ForbiddenError, match="needs the permission"):
                await get_change(gateway.holder(), REPO, 1)


@pytest.mark.parametrize("call", ["/pulls/1$", "/files$", "/compare/", "/git/blobs/"])
async def test_a_limit_that_lasts_is_githubs_error_wherever_it_comes(call: str) -> None:
    async with large_ones(a=EDITED, b=EDITED) as (github, _, api):
        github.rules.compared_files = 0
        github.fail(faults.primary("GET", call, reset=github.clock.now() + 3_000, times=9))
        with pytest.raises(RateLimitedError, match="rate limit is used up"):
            await get_change(api, REPO, 1)


async def test_a_token_that_ends_on_the_way_is_githubs_error() -> None:
    async with large_ones(a=EDITED) as (github, _, api):
        github.fail(faults.error("GET", "/git/blobs/", 401, times=None))
        with pytest.raises(BadCredentialsError):
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

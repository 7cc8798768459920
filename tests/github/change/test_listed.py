"""A diff that is read from the list of files."""

from __future__ import annotations

from typing import Any

import pytest

from reviewbot.core.diff.parse import SUBMODULE, parse_diff
from reviewbot.core.events.events import FileCoverage
from reviewbot.github.change import fetch
from reviewbot.github.change.fetch import get_change
from tests.fake_github import EXECUTABLE, SYMLINK, Blob, Fault
from tests.fake_github import SUBMODULE as SUBMODULE_MODE
from tests.support.github_changes import (
    EDITED,
    LARGE,
    REPO,
    by_list,
    by_path,
    listing,
    lists,
    opened,
    reasons,
    texts,
)

PUT_TOGETHER = "GitHub does not provide this diff in one piece"


# --- From the list of files


async def test_four_hundred_files_come_from_the_list_without_one_missing() -> None:
    many = {f"d/{number:03}.py": f"x = {number}\n" for number in range(400)}
    async with opened({"a.py": "x = 1\n"}, {"a.py": "x = 1\n"} | many) as (github, pull, api):
        told: list[str] = []
        change = await get_change(api, REPO, 1, report=told.append)
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
        assert reasons(change) == {
            "a.py": "The patch that GitHub returns for it is not a valid diff."
        }


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


async def test_a_diff_above_our_own_limit_comes_from_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetch, "MAX_DIFF", 10)
    async with opened({"a.py": "x\n"}, {"a.py": "y\n"}) as (_, _pull, api):
        change = await get_change(api, REPO, 1)
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

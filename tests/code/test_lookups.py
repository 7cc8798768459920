"""Look-ups of a model: what they return, in which form, and how much."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.code import at_commit, git_contents, lookups
from reviewbot.code.at_commit import FILE_BYTES, FilesWith, SearchError
from reviewbot.code.given_files import GivenFiles
from reviewbot.code.lookup_text import FILE_MATCHES, MATCHES
from reviewbot.core.prompt.lookup_tools import MAX_RESULT_BYTES, MAX_RESULT_LINES
from tests.support.lookups import (
    Desk,
    code_of,
    commit,
    files_of,
    git,
    of_diff,
    root,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["root"]

SHOP = "import tax\n\n\ndef charge(order):\n    due = order.net\n    return tax.of(due)\n"
TAX = "def of(due):\n    return due * 2\n"


@pytest.fixture
def shop(root: Path) -> Path:
    """A repository whose last commit changes one line."""
    commit(root, {"shop.py": SHOP, "lib/tax.py": TAX, "tests/test_shop.py": "charge(1)\n"})
    commit(root, {"shop.py": SHOP.replace("order.net", "order.gross")})
    return root


@pytest.fixture
def desk(shop: Path) -> Desk:
    return Desk(files_of(shop, span="HEAD~1..HEAD"))


async def test_lines_are_numbered_as_the_diff_is(desk: Desk) -> None:
    result = await desk.read("shop.py", 4, 6)
    assert result.text.split("\n") == [
        '=== file "shop.py", modified, lines 4 to 6 of 6',
        "R4 |def charge(order):",
        "R5+|    due = order.gross",
        "R6 |    return tax.of(due)",
    ]
    assert result.activity == "reading shop.py 4-6"


async def test_an_unchanged_file_is_read_from_the_commit(desk: Desk) -> None:
    result = await desk.read("lib/tax.py")
    assert result.text.startswith('=== file "lib/tax.py", unchanged, lines 1 to 2 of 2\n')
    assert code_of(result) == ["R1 |def of(due):", "R2 |    return due * 2"]


async def test_the_old_version_of_a_changed_file_is_read(desk: Desk) -> None:
    result = await desk.read("shop.py", 4, 5, base=True)
    assert result.text.startswith('=== file "shop.py", old version, lines 4 to 5 of 6\n')
    assert code_of(result) == ["L4 |def charge(order):", "L5-|    due = order.net"]
    assert result.activity == "reading shop.py 4-5, old version"


async def test_the_old_version_of_a_renamed_file_has_its_old_path(root: Path) -> None:
    commit(root, {"old.py": SHOP})
    git(root, "mv", "old.py", "new.py")
    commit(root, {"new.py": SHOP + "# end\n"})
    desk = Desk(files_of(root, span="HEAD~1..HEAD"))
    for path in ("new.py", "old.py"):
        result = await desk.read(path, 1, 1, base=True)
        assert result.text.startswith('=== file "old.py", old version, lines 1 to 1 of 6\n')
    assert (await desk.read("old.py")).failed
    assert code_of(await desk.read("new.py", 7, 7)) == ["R7+|# end"]


async def test_a_deleted_file_has_only_its_old_version(root: Path) -> None:
    commit(root, {"old.py": SHOP, "a.py": ""})
    git(root, "rm", "-q", "old.py")
    commit(root, {})
    desk = Desk(files_of(root, span="HEAD~1..HEAD"))
    result = await desk.read("old.py")
    assert result.failed
    assert "base=true" in result.text
    assert code_of(await desk.read("old.py", 1, 1, base=True)) == ["L1-|import tax"]
    assert code_of(await desk.search("charge")) == []


async def test_an_added_file_has_no_old_version(root: Path) -> None:
    commit(root, {"a.py": ""})
    commit(root, {"new.py": SHOP})
    desk = Desk(files_of(root, span="HEAD~1..HEAD"))
    assert code_of(await desk.read("new.py", 1, 1)) == ["R1+|import tax"]
    assert (await desk.read("new.py", base=True)).failed


async def test_a_file_without_a_change_has_the_same_old_version(desk: Desk) -> None:
    assert code_of(await desk.read("lib/tax.py", 1, 1, base=True)) == ["L1 |def of(due):"]


async def test_a_local_review_reads_and_searches_the_working_tree(shop: Path) -> None:
    write(shop, {"shop.py": SHOP + "refund = 1\n", "lib/tax.py": "rate = 2\n"})
    desk = Desk(files_of(shop))
    assert code_of(await desk.read("shop.py", 7, 7)) == ["R7+|refund = 1"]
    assert code_of(await desk.read("shop.py", 5, 5, base=True)) == ["L5-|    due = order.gross"]
    assert code_of(await desk.search("refund")) == ["R7+|refund = 1"]
    assert code_of(await desk.search("def of")) == []
    assert code_of(await desk.search("rate")) == ["R1+|rate = 2"]
    assert "tests/test_shop.py" in (await desk.search("charge")).text


async def test_a_review_of_staged_changes_does_not_see_other_changes(shop: Path) -> None:
    write(shop, {"shop.py": SHOP + "staged = 1\n"})
    git(shop, "add", "shop.py")
    write(shop, {"shop.py": SHOP + "unstaged = 1\n"})
    desk = Desk(files_of(shop, staged=True))
    assert code_of(await desk.search("staged")) == ["R7+|staged = 1"]
    assert code_of(await desk.search("unstaged")) == []
    assert code_of(await desk.read("shop.py", 7, 7)) == ["R7+|staged = 1"]


async def test_a_search_lists_changed_files_first_and_vendored_files_last(root: Path) -> None:
    files = {
        "a.md": "charge\n",
        "vendor/v.py": "charge\n",
        "tests/test_a.py": "charge\n",
        "lib/x.py": "charge\n",
        "app/near.py": "charge\n",
        "app/z.py": "charge\n",
    }
    commit(root, files)
    commit(root, {"app/z.py": "charge\n\n"})
    result = await Desk(files_of(root, span="HEAD~1..HEAD")).search("charge")
    headings = [line.split('"')[1] for line in result.text.split("\n") if "=== file" in line]
    source = ["app/z.py", "app/near.py", "lib/x.py", "tests/test_a.py"]
    assert headings == [*source, "a.md", "vendor/v.py"]


async def test_a_file_that_defines_the_name_comes_first(root: Path) -> None:
    commit(root, {"a.py": "charge(1)\n", "b.py": "def charge(x):\n    pass\n"})
    result = await Desk(files_of(root)).search("charge")
    assert code_of(result) == ["R1 |def charge(x):", "R1 |charge(1)"]


async def test_an_identifier_matches_as_a_whole_word_and_other_text_anywhere(root: Path) -> None:
    commit(root, {"a.py": "recharge\ncharged\ncharge\nx.charge()\ncharg\u00e9\n"})
    desk = Desk(files_of(root))
    assert code_of(await desk.search("charge")) == ["R3 |charge", "R4 |x.charge()"]
    assert code_of(await desk.search(".charge(")) == ["R4 |x.charge()"]
    assert code_of(await desk.search("charg\u00e9")) == ["R5 |charg\u00e9"]


async def test_a_search_can_be_limited_to_a_folder_or_a_file(desk: Desk) -> None:
    for path in ("lib", "lib/", "./lib/", "lib/tax.py"):
        result = await desk.search("due", path=path)
        assert code_of(result) == ["R1 |def of(due):", "R2 |    return due * 2"], path
        assert result.activity == f"searching `due` in {path.removeprefix('./')}"
    for everywhere in ("", ".", "./", None):
        assert len(code_of(await desk.search("due", path=everywhere))) == 4
    assert code_of(await desk.search("due", path="tests")) == []


async def test_a_folder_that_does_not_exist_is_not_reported_as_no_match(desk: Desk) -> None:
    result = await desk.search("due", path="nowhere")
    assert result.failed
    assert "no such file or folder" in result.text


async def test_a_search_without_a_match_says_what_was_not_searched(desk: Desk) -> None:
    result = await desk.search("nowhere_to_be_seen")
    assert not result.failed
    assert result.text.split("\n") == [
        '=== search for "nowhere_to_be_seen": 0 lines in 0 files',
        "--- not searched: binary files, files of more than 500,000 bytes, and files that are"
        " withheld",
    ]


async def test_parts_of_names_are_found_if_no_whole_word_is(root: Path) -> None:
    commit(root, {"a.go": "const BlockFile_Term = 1\nvar x = BlockFile_Env\n"})
    desk = Desk(files_of(root))
    result = await desk.search("BlockFile_")
    assert len(code_of(result)) == 2
    assert "--- no whole word: these lines have it as a part of longer names" in result.text
    whole = await desk.search("BlockFile_Env")
    assert code_of(whole) == ["R2 |var x = BlockFile_Env"]
    assert "whole word" not in whole.text


async def test_a_result_has_a_limited_number_of_lines_and_says_how_to_go_on(root: Path) -> None:
    commit(root, {"a.py": "".join(f"x{number} = 1\n" for number in range(1, 501))})
    desk = Desk(files_of(root))
    result = await desk.read("a.py", 11, 500)
    lines = result.text.split("\n")
    assert lines[0] == '=== file "a.py", unchanged, lines 11 to 130 of 500'
    assert lines[1] == "R11 |x11 = 1"
    assert lines[-2:] == ["R130 |x130 = 1", "--- cut here: read on from line 131"]
    assert len(code_of(result)) == MAX_RESULT_LINES


async def test_a_result_has_at_most_sixteen_kilobytes(root: Path) -> None:
    commit(root, {"a.py": "\u00e9\u200b" * 400 + "\n" + f"name = '{'x' * 900}'\n" * 150})
    desk = Desk(files_of(root))
    for result in (await desk.read("a.py"), await desk.search("name"), await desk.search("'x")):
        assert len(result.text.encode()) <= MAX_RESULT_BYTES
    rest = await desk.read("a.py", 1, 150)
    assert "--- cut here: read on from line" in rest.text


async def test_a_very_long_line_is_shortened_but_never_stops_a_result(root: Path) -> None:
    commit(root, {"a.js": f"let a = '{'y' * 50_000} needle {'z' * 50_000}';\nlet b = 1\n"})
    desk = Desk(files_of(root))
    first, second = code_of(await desk.read("a.js"))
    assert len(first) < 1_000
    assert "[CUT " in first
    assert second == "R2 |let b = 1"
    (match,) = code_of(await desk.search("needle"))
    assert " needle " in match
    assert len(match) < 500


async def test_a_search_counts_what_it_does_not_show(root: Path) -> None:
    commit(root, {f"f{number:02}.py": "charge\n" * 15 for number in range(30)})
    result = await Desk(files_of(root)).search("charge")
    lines = result.text.split("\n")
    assert lines[0] == '=== search for "charge": 450 lines in 30 files'
    assert len(code_of(result)) == MATCHES
    assert f"--- and {15 - FILE_MATCHES} more lines of this file" in lines
    names = ", ".join(f'"f{number:02}.py"' for number in range(5, 25))
    assert f"--- and 375 more lines in 25 more files: {names} and 5 more; give a path" in lines


async def test_a_search_in_one_file_shows_all_of_its_lines(root: Path) -> None:
    commit(root, {"a.py": "charge\n" * 15, "b.py": "charge\n"})
    result = await Desk(files_of(root)).search("charge", path="a.py")
    assert len(code_of(result)) == 15
    assert "more lines" not in result.text


async def test_a_search_that_did_not_read_all_files_says_so(root: Path) -> None:
    commit(root, {f"f{number:03}.py": "charge\n" for number in range(lookups.CANDIDATES + 5)})
    result = await Desk(files_of(root)).search("charge")
    assert "--- the search did not cover all files: more lines may contain the text" in result.text


class Unsearchable(GivenFiles):
    """Files that cannot be searched, or not completely."""

    def __init__(self, found: FilesWith | None) -> None:
        super().__init__({"a.py": b"x = 1\n"})
        self.found = found

    async def files_with(self, text: str, *, word: bool, under: str = "") -> FilesWith:  # noqa: ARG002
        if self.found is None:
            raise SearchError("git could not search the code")
        return self.found


class WordsOnly(GivenFiles):
    """Files in which only whole words can be searched."""

    async def files_with(self, text: str, *, word: bool, under: str = "") -> FilesWith:
        if not word:
            raise SearchError("git could not search the code")
        return await super().files_with(text, word=word, under=under)


async def test_no_whole_word_is_reported_though_parts_cannot_be_searched() -> None:
    result = await Desk(of_diff("", WordsOnly({"a.py": b"charge_all\n"}))).search("charge")
    assert not result.failed
    assert "0 lines in 0 files" in result.text
    assert "--- matched as a whole word: longer names may contain the text" in result.text


@pytest.mark.parametrize("found", [None, FilesWith((), stopped=True), FilesWith((), absent=3)])
async def test_could_not_search_is_never_reported_as_not_found(found: FilesWith | None) -> None:
    result = await Desk(of_diff("", Unsearchable(found))).search("charge")
    assert result.failed
    assert "does not mean that" in result.text
    assert "0 lines" not in result.text


async def test_contents_that_are_not_in_the_clone_are_reported_beside_the_matches() -> None:
    files = of_diff("", Unsearchable(FilesWith(("a.py",), absent=3)))
    result = await Desk(files).search("x =")
    assert code_of(result) == ["R1 |x = 1"]
    assert "--- not searched: 3 files whose contents are not in the clone" in result.text


async def test_a_partial_clone_reports_the_contents_that_it_lacks(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(root, {"a.py": "charge\n", "b.py": "charge\n\n"})
    git(root, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone.git"
    source = root.as_uri()
    git(root, "clone", "-q", "--bare", "--filter=blob:none", source, str(clone))
    desk = Desk(files_of_bare(clone))
    monkeypatch.setenv("GIT_NO_LAZY_FETCH", "1")
    result = await desk.search("charge")
    assert result.failed
    assert "does not mean that" in result.text
    read = await desk.read("a.py")
    assert read.failed
    assert "says nothing about the file" in read.text


def files_of_bare(clone: Path) -> Any:
    from reviewbot.code.git_files import GitFiles
    from reviewbot.code.git_repository import open_commit

    repository = open_commit(clone, git(clone, "rev-parse", "HEAD").strip())
    assert repository is not None
    return of_diff("", GitFiles(repository))


async def test_a_bare_clone_is_read_and_searched(shop: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone.git"
    git(shop, "clone", "-q", "--bare", str(shop), str(clone))
    desk = Desk(files_of_bare(clone))
    assert code_of(await desk.read("lib/tax.py", 1, 1)) == ["R1 |def of(due):"]
    assert len(code_of(await desk.search("due"))) == 4
    assert (await desk.read("shop.py", base=True)).failed, "the base of the review is not known"


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for git")
async def test_a_search_has_two_seconds(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert at_commit.SEARCH_S == 2
    slow = tmp_path / "bin/git"
    slow.parent.mkdir()
    slow.write_text(
        f'#!/bin/sh\ncase "$2" in grep) exec sleep 60;; esac\nexec {shutil.which("git")} "$@"\n'
    )
    slow.chmod(0o755)
    desk = Desk(files_of(shop))
    monkeypatch.setenv("PATH", str(slow.parent), prepend=os.pathsep)
    monkeypatch.setattr(git_contents, "SEARCH_S", 0.05)
    result = await desk.search("due")
    assert result.failed
    assert "does not mean that" in result.text


async def test_a_search_stops_reading_files_after_two_seconds(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "SEARCH_S", -1.0)
    result = await Desk(files_of(shop)).search("due")
    assert result.failed
    assert "does not mean that" in result.text


async def test_a_look_up_that_hangs_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(GivenFiles):
        async def read(self, paths: Sequence[str], *, base: bool = False) -> Any:  # noqa: ARG002
            await asyncio.Event().wait()

    monkeypatch.setattr(lookups, "LOOKUP_S", 0.01)
    result = await Desk(of_diff("", Hanging({}))).read("a.py")
    assert result.failed
    assert "took more than" in result.text


async def test_an_unexpected_error_is_a_failed_result_without_its_message() -> None:
    class Broken(GivenFiles):
        async def read(self, paths: Sequence[str], *, base: bool = False) -> Any:  # noqa: ARG002
            raise RuntimeError("secret")

    result = await Desk(of_diff("", Broken({}))).read("a.py")
    assert result.failed
    assert "secret" not in result.text


async def test_look_ups_of_one_turn_are_answered_together(desk: Desk) -> None:
    results = await asyncio.gather(
        *(desk.read("shop.py", number, number) for number in range(1, 7)), desk.search("due")
    )
    assert not [one for one in results if one.failed]
    assert [code_of(one)[0][:3] for one in results[:6]] == [
        "R1 ", "R2 ", "R3 ", "R4 ", "R5+", "R6 ",
    ]  # fmt: skip


async def test_files_that_a_caller_gives_are_read_and_searched() -> None:
    desk = Desk(of_diff("", GivenFiles({"lib/a.py": b"charge\n", "b.py": b"recharge\n"})))
    assert code_of(await desk.read("b.py")) == ["R1 |recharge"]
    assert code_of(await desk.search("charge")) == ["R1 |charge"]
    assert code_of(await desk.search("charge", path="lib")) == ["R1 |charge"]
    assert (await desk.search("charge", path="li")).failed
    assert "folder" in (await desk.read("lib")).text
    assert (await desk.read("c.py")).failed
    assert (await desk.read("b.py", base=True)).failed


ADDED = """\
diff --git a/new.py b/new.py
new file mode 100644
--- /dev/null
+++ b/new.py
@@ -0,0 +1 @@
+charge = 1
"""


async def test_without_a_repository_only_the_diff_is_read() -> None:
    desk = Desk(of_diff(ADDED))
    assert code_of(await desk.read("new.py")) == ["R1+|charge = 1"]
    assert (await desk.read("other.py")).failed
    result = await desk.search("charge")
    assert code_of(result) == ["R1+|charge = 1"]
    assert "did not cover all files" in result.text
    assert (await desk.search("refund")).failed


async def test_a_large_file_is_neither_read_nor_searched_and_both_is_said(root: Path) -> None:
    commit(root, {"big.py": "charge\n" * (FILE_BYTES // 7 + 1)})
    desk = Desk(files_of(root))
    read = await desk.read("big.py")
    assert "500,000 bytes" in read.text
    assert read.failed
    result = await desk.search("charge")
    assert code_of(result) == []
    assert "files of more than 500,000 bytes" in result.text


async def test_the_path_of_a_result_can_be_read_as_it_is_shown(root: Path) -> None:
    commit(root, {"odd\u202ename.py": "charge\n"})
    desk = Desk(files_of(root))
    result = await desk.search("charge")
    assert r"odd\\u202ename.py" in result.text
    assert code_of(await desk.read(r"odd\u202ename.py")) == ["R1 |charge"]


async def test_paths_as_a_diff_writes_them_are_understood(desk: Desk) -> None:
    for path in ("./shop.py", "a/shop.py", "b/shop.py"):
        assert code_of(await desk.read(path, 1, 1)) == ["R1 |import tax"]


async def test_text_that_a_gitattributes_declares_binary_is_searched(root: Path) -> None:
    commit(root, {".gitattributes": "*.py binary\n", "a.py": "charge\n"})
    assert code_of(await Desk(files_of(root)).search("charge")) == ["R1 |charge"]


async def test_changes_of_the_working_tree_without_lines_do_not_stop_a_search(root: Path) -> None:
    commit(root, {"a.py": "due = 1\n", "data.bin": b"\0", "b.py": ""})
    write(root, {"data.bin": b"\0\1"})
    (root / "a.py").chmod(0o755)
    (root / "empty.py").touch()
    git(root, "add", "empty.py")
    desk = Desk(files_of(root))
    result = await desk.search("due")
    assert code_of(result) == ["R1 |due = 1"]
    assert "did not cover" not in result.text
    assert (await desk.read("empty.py")).text == "The file is empty."
    assert (await desk.read("data.bin")).text == "It is a binary file."

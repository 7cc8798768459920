"""Files of a local repository: which version is read, and what git never runs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from reviewbot.code import git_command
from reviewbot.code.git_files import GitFiles
from reviewbot.code.git_repository import open_commit, open_repository

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
SHOP_AND_USE = ["lib/shop.py", "use.py", "use.py"]
CHARGE = "def charge(order):\n    return order.net\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "lib").mkdir()
    (folder / "lib/shop.py").write_text(CHARGE)
    (folder / "use.py").write_text("from lib.shop import charge\n\ncharge(1)\n")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "-q", "-m", "x")


def traces(folder: Path) -> list[tuple[Path, int]]:
    """The files that a program of the repository touched, and when."""
    return [(one, one.stat().st_mtime_ns) for one in sorted(folder.rglob("ran"))]


async def content(files: GitFiles, path: str) -> bytes | None:
    return (await files.contents([path])).get(path)


async def found(files: GitFiles, name: str) -> list[str]:
    """The paths of the lines with a name."""
    lines = await files.search(name)
    assert lines is not None
    return [line.path for line in lines]


async def test_the_lines_with_a_name_are_found_and_files_are_read(root: Path) -> None:
    (root / "lib/other.py").write_text("# charge is not called here, nor charged\ncharged = 1\n")
    commit(root)
    files = GitFiles(open_repository(root))
    assert await files.search("charge") == [
        ("lib/other.py", "# charge is not called here, nor charged"),
        ("lib/shop.py", "def charge(order):"),
        ("use.py", "from lib.shop import charge"),
        ("use.py", "charge(1)"),
    ]
    assert await files.search("refund") == []
    assert await content(files, "lib/shop.py") == CHARGE.encode()
    assert await content(files, "missing.py") is None


async def test_changed_and_unchanged_files_are_read_together(root: Path) -> None:
    (root / "old.py").write_text(CHARGE * 5)
    commit(root)
    (root / "lib/shop.py").write_text("# new\n" + CHARGE)
    git(root, "mv", "old.py", "new.py")
    paths = ["lib/shop.py", "use.py", "old.py", "new.py", "missing.py"]
    assert await GitFiles(open_repository(root)).contents(paths) == {
        "lib/shop.py": b"# new\n" + CHARGE.encode(),
        "use.py": b"from lib.shop import charge\n\ncharge(1)\n",
        "new.py": CHARGE.encode() * 5,
    }


async def test_no_path_reads_no_file(root: Path) -> None:
    (root / "lib/shop.py").write_text("# new\n")
    assert await GitFiles(open_repository(root)).contents([]) == {}


async def test_a_commit_is_read_without_the_working_tree(root: Path) -> None:
    head = git(root, "rev-parse", "HEAD").strip()
    (root / "lib/shop.py").write_text("# second\n" + CHARGE)
    commit(root)
    (root / "lib/shop.py").write_text("# of the working tree\n" + CHARGE)
    repository = open_commit(root, head)
    assert repository is not None
    assert await content(GitFiles(repository), "lib/shop.py") == CHARGE.encode()
    assert open_commit(root, "HEAD") is None
    assert open_commit(root, "0" * 40) is None


async def test_paths_are_those_from_the_root_in_a_folder_too(root: Path) -> None:
    files = GitFiles(open_repository(root / "lib"))
    assert await found(files, "charge") == SHOP_AND_USE
    assert await content(files, "lib/shop.py") == CHARGE.encode()


async def test_changed_files_are_read_from_the_working_tree_and_others_from_head(
    root: Path,
) -> None:
    (root / "lib/shop.py").write_text("# new\n" + CHARGE)
    files = GitFiles(open_repository(root))
    assert await content(files, "lib/shop.py") == b"# new\n" + CHARGE.encode()
    assert await content(files, "use.py") == b"from lib.shop import charge\n\ncharge(1)\n"


async def test_staged_changes_are_read_from_the_index(root: Path) -> None:
    (root / "lib/shop.py").write_text("# staged\n" + CHARGE)
    git(root, "add", "--all")
    (root / "lib/shop.py").write_text("# not staged\n" + CHARGE)
    files = GitFiles(open_repository(root), staged=True)
    assert await content(files, "lib/shop.py") == b"# staged\n" + CHARGE.encode()


async def test_a_range_is_read_at_its_end(root: Path) -> None:
    (root / "lib/shop.py").write_text("# second\n" + CHARGE)
    (root / "late.py").write_text("def late():\n    pass\n")
    commit(root)
    (root / "lib/shop.py").write_text("# third\n" + CHARGE)
    (root / "late.py").unlink()
    commit(root)
    files = GitFiles(open_repository(root, span="HEAD~2..HEAD~1"))
    assert await content(files, "lib/shop.py") == b"# second\n" + CHARGE.encode()
    assert await found(files, "late") == ["late.py"]


async def test_a_deleted_file_has_no_content(root: Path) -> None:
    (root / "use.py").unlink()
    assert await content(GitFiles(open_repository(root)), "use.py") is None


async def test_links_are_not_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("def secret():\n    pass\n")
    (root / "link.py").symlink_to(tmp_path / "secret.py")
    (root / "secret").symlink_to("def secret(")
    commit(root)
    files = GitFiles(open_repository(root))
    assert await found(files, "secret") == []
    assert await content(files, "link.py") is None
    (root / "lib/shop.py").unlink()
    (root / "lib/shop.py").symlink_to(tmp_path / "secret.py")
    changed = GitFiles(open_repository(root))
    assert await content(changed, "lib/shop.py") is None


@pytest.mark.parametrize(
    "path", ["../secret.py", "/etc/passwd", "-x", ":(glob)*", "a\nb", "", "lib"]
)
async def test_a_hostile_path_is_no_file(root: Path, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.py").write_text("x\n")
    files = GitFiles(open_repository(root))
    assert await content(files, path) is None
    (root / "lib/shop.py").write_text("# new\n")
    assert await content(files, path) is None


@pytest.mark.parametrize(
    "symbol", ["-Orm", "-Otouch ran", "--open-files-in-pager=touch ran", "a\nb", "x" * 300, ""]
)
async def test_a_hostile_name_runs_nothing_and_finds_nothing(root: Path, symbol: str) -> None:
    files = GitFiles(open_repository(root))
    assert await found(files, symbol) == []
    assert not (root / "ran").exists()


async def test_the_search_itself_takes_no_name_for_an_option(root: Path) -> None:
    repository = open_repository(root)
    assert repository.search("--open-files-in-pager=touch ran") == []
    assert repository.search("-Otouch ran") == []
    assert not (root / "ran").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
async def test_programs_of_the_repository_are_not_run(root: Path) -> None:
    for key in (
        "core.pager",
        "pager.grep",
        "core.fsmonitor",
        "diff.x.textconv",
        "diff.x.command",
        "filter.x.smudge",
        "alias.grep",
    ):
        git(root, "config", key, "!touch ran" if key == "alias.grep" else "touch ran; cat")
    git(root, "config", "grep.color", "always")
    git(root, "config", "color.ui", "always")
    git(root, "config", "grep.patternType", "perl")
    git(root, "config", "grep.column", "true")
    (root / ".gitattributes").write_text("*.py diff=x filter=x\n")
    git(root, "-c", "filter.x.smudge=", "add", ".gitattributes")
    git(root, "-c", "core.fsmonitor=", "commit", "-q", "-m", "y")
    before = traces(root)
    files = GitFiles(open_repository(root))
    assert await found(files, "charge") == SHOP_AND_USE
    assert await content(files, "lib/shop.py") == CHARGE.encode()
    assert traces(root) == before


async def test_a_path_with_a_line_break_confuses_no_other_path(root: Path) -> None:
    (root / "a\nuse.py").write_text(CHARGE)
    commit(root)
    assert await found(GitFiles(open_repository(root)), "charge") == SHOP_AND_USE


async def test_much_output_is_cut_after_a_whole_line(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a.py").write_text("def charge(): pass\n" * 1000)
    (root / "z.py").write_text("def charge(): pass\n")
    commit(root)
    repository = open_repository(root)
    monkeypatch.setattr(git_command, "START_BYTES", 2_000)
    found = repository.search("charge")
    assert 10 < len(found) < 100
    assert set(found) == {("a.py", "def charge(): pass")}


async def test_a_search_that_takes_too_long_is_stopped(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = open_repository(root)
    monkeypatch.setattr(git_command, "START_S", 0.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(git_command, "find_git", lambda: sys.executable)
        patch.setattr(
            "reviewbot.code.git_repository._SEARCH", ("-c", "import time; time.sleep(60)")
        )
        assert repository.search("charge") == []


async def test_a_repository_without_a_commit_has_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git(tmp_path, "init", "-q")
    files = GitFiles(open_repository(tmp_path))
    assert await found(files, "charge") == []
    assert await content(files, "a.py") is None

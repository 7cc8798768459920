"""What ``reviewbot review`` reviews: commits, ranges, untracked files, and nothing at all."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from reviewbot.cli import repository_source
from reviewbot.cli.main import main
from tests.support.repositories import _alone, git

__all__ = ["_alone"]

GOOD = "def double(number):\n    return number * 2\n"
BAD = "def drop(orders):\n    for key in orders.keys():\n        del orders[key]\n"
pytestmark = pytest.mark.usefixtures("repository")


def write(text: str, name: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def commit(text: str, name: str, message: str) -> None:
    write(text, name)
    git("add", name)
    git("commit", "-m", message)


@pytest.fixture
def repository() -> None:
    git("init")
    commit(GOOD, "app.py", "one")


@pytest.mark.parametrize("arguments", [[], ["--staged"], ["--base", "HEAD"], ["HEAD..HEAD"]])
def test_no_changes_are_no_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["review", *arguments]) == 0
    assert capsys.readouterr().out == "No changes.\n"


def test_no_changes_are_an_empty_document_in_other_formats(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["review", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["outcome"], report["coverage"]) == ("clean", [])


def test_a_commit_whose_parent_a_shallow_checkout_lacks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(BAD, "bad.py", "two")
    git("clone", "--depth", "1", Path.cwd().as_uri(), str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    assert main(["review", "--commit", "HEAD"]) == 2
    assert "git fetch --deepen 1" in capsys.readouterr().err


def test_an_empty_file_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    write("\n", "x.diff")
    assert main(["review", "x.diff"]) == 2
    assert capsys.readouterr().err == "reviewbot: Nothing to review: x.diff is empty\n"


def test_empty_standard_input_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert main(["review", "-"]) == 2
    assert "Nothing to review: standard input is empty" in capsys.readouterr().err


def test_untracked_files_are_reviewed_offline_and_the_index_stays_as_it_is() -> None:
    write(BAD, "folder/new.py")
    write("folder/ignored.py\n", ".gitignore")
    write(BAD, "folder/ignored.py")
    index = Path(".git/index").read_bytes()
    assert main(["review"]) == 1
    assert Path(".git/index").read_bytes() == index


def test_untracked_files_are_found_from_a_folder_below(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(BAD, "other/new.py")
    Path("folder").mkdir()
    monkeypatch.chdir("folder")
    assert main(["review"]) == 1
    assert "--> other/new.py:3" in capsys.readouterr().out


@pytest.mark.parametrize("index", ["--sparse-index", "--no-sparse-index"])
def test_untracked_files_outside_of_a_sparse_checkout_are_reviewed(
    index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in ("kept/a.py", "left/out/b.py"):
        write("x = 1\n", path)
    git("add", ".")
    git("commit", "--quiet", "-m", "x")
    git("sparse-checkout", "init", "--cone", index)
    git("sparse-checkout", "set", "kept")
    assert not Path("left").exists()
    write(BAD, "left/out/new.py")
    write("x = 1\n", "left/more.py")
    before = Path(".git/index").read_bytes()
    assert main(["review"]) == 1
    out = capsys.readouterr().out
    assert "--> left/out/new.py:3" in out
    assert "2 files" in out
    assert Path(".git/index").read_bytes() == before
    assert not Path("left/out/b.py").exists()


def test_an_untracked_file_in_a_folder_that_was_a_file_is_reviewed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write("x = 1\n", "a")
    git("add", ".")
    git("commit", "--quiet", "-m", "x")
    Path("a").unlink()
    write(BAD, "a/new.py")
    assert main(["review"]) == 1
    assert "--> a/new.py:3" in capsys.readouterr().out


def test_a_model_gets_untracked_files_only_if_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-" + "fake")
    write(BAD, "new.py")
    assert main(["review", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "0 files, 0 to review" in out
    assert "Not in the diff: 1 untracked file (new.py); --untracked sends them." in out
    assert main(["review", "--dry-run", "--untracked"]) == 0
    assert "1 file, 1 to review" in capsys.readouterr().out


def test_large_untracked_files_and_those_beyond_the_limit_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(repository_source, "MOST_UNTRACKED", 2)
    monkeypatch.setattr(repository_source, "MOST_UNTRACKED_BYTES", 100)
    write("x = 1\n" * 20, "large.py")
    for number in range(6):
        write("x = 1\n", f"new_{number}.py")
    write("x" * 200, "large.csv")
    assert main(["review", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["outcome"] == "shallow"
    statuses = {one["path"]: one["status"] for one in report["coverage"]}
    assert statuses.pop("large.csv") == "skipped"
    assert statuses.pop("large.py") == "unread"
    assert sorted(statuses.values()) == ["reviewed"] * 2 + ["unread"] * 4


def test_the_configuration_can_accept_untracked_files_that_are_too_large(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(repository_source, "MOST_UNTRACKED_BYTES", 100)
    write("x = 1\n" * 20, "large.py")
    write("x = 1\n", "small.py")
    write("accept_unread: [large.py]\n", ".reviewbot.yml")
    assert main(["review", "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["outcome"] == "clean"
    assert "large.py" in [one["path"] for one in report["coverage"] if one["status"] == "skipped"]


def test_an_untracked_file_that_cannot_be_read_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, _mode: Path(path).name != "closed.py")
    write("x = 1\n", "closed.py")
    write("x = 1\n", "open.py")
    assert main(["review"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "not read closed.py: This untracked file cannot be read." in out


def test_a_secret_in_the_name_of_an_untracked_file_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-" + "fake")
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" * 2
    write("x = 1\n", f"{token}.py")
    assert main(["review", "--dry-run"]) == 0
    assert token not in capsys.readouterr().out


def test_another_repository_in_the_working_tree_is_left_alone() -> None:
    git("init", "nested")
    write(BAD, "nested/new.py")
    assert main(["review"]) == 0


def test_a_commit_is_compared_with_its_parent(capsys: pytest.CaptureFixture[str]) -> None:
    commit(BAD, "bad.py", "two")
    commit("x = 1\n", "good.py", "three")
    assert main(["review", "--commit", "HEAD"]) == 0
    assert main(["review", "--commit", "HEAD~1"]) == 1
    capsys.readouterr()
    assert main(["review", "--commit", "HEAD~2", "--format", "json"]) == 0
    assert [one["path"] for one in json.loads(capsys.readouterr().out)["coverage"]] == ["app.py"]


def test_a_range_is_compared_from_end_to_end_or_from_the_merge_base() -> None:
    git("checkout", "-b", "topic")
    commit("x = 1\n", "topic.py", "on the topic")
    git("checkout", "main")
    commit(BAD, "bad.py", "on main")
    assert main(["review", "topic..main"]) == 1
    assert main(["review", "HEAD~1.."]) == 1
    assert main(["review", "main...topic"]) == 0
    assert main(["review", "topic...main"]) == 1


def test_a_file_whose_name_has_two_dots_is_a_file() -> None:
    write("", "a..b")
    assert main(["review", "a..b"]) == 2


@pytest.mark.parametrize("name", ["../x.diff", "./a..b", "/a..b/x.diff"])
def test_a_path_that_does_not_exist_is_no_range(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", name]) == 2
    assert f"cannot read {Path(name)}" in capsys.readouterr().err


def test_a_range_that_is_too_long_for_a_file_name_is_an_unknown_revision(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["review", "a" * 5000 + "..b"]) == 2
    assert "git does not know the revision" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nope..HEAD"], "git does not know the revision 'nope'"),
        (["--commit", "nope"], "git does not know the revision 'nope'"),
        (["--commit=--output=pwned"], "git does not know the revision '--output=pwned'"),
        (["HEAD..HEAD", "--staged"], "give either a diff or --base, --commit or --staged"),
    ],
)
def test_a_wrong_revision_gets_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert not Path("pwned").exists()

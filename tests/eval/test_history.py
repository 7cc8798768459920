"""Cases from a repository: its small fixes in reverse, without what tells where to look."""

from __future__ import annotations

from pathlib import Path

import pytest

from reviewbot.cli.main import main
from reviewbot.errors import SourceError
from reviewbot.eval.cases import read_cases, write_cases
from reviewbot.eval.history import Commit, FileChange, History, fixed_files, import_history
from tests.support.evaluations import golden
from tests.support.repositories import _alone, git, write

__all__ = ["_alone"]

LINES = [f"line_{number} = {number}" for number in range(1, 41)]


def commit(subject: str, **files: str) -> None:
    for name, text in files.items():
        write(text, f"{name}.py")
    git("add", ".")
    git("commit", "--quiet", "-m", subject)


def changed(*changes: tuple[int, str | None]) -> str:
    """Return the lines with some of them replaced, or left out for None."""
    wanted = dict(changes)
    lines = (wanted.get(number, line) for number, line in enumerate(LINES, 1))
    return "".join(f"{line}\n" for line in lines if line is not None)


@pytest.fixture
def repository() -> Path:
    """A repository with two fixes, and other commits."""
    git("init", "--quiet", "-b", "main")
    commit("Fix from the beginning", app=changed((5, "wrong_5"), (6, "wrong_6"), (30, None)))
    commit("Add a test", test_app="assert True\n", app=changed((30, None), (5, "wrong_5")))
    commit("Fix the sum of line 5", app=changed((30, None)), test_app="assert 5\n")
    commit("fixes a missing line", app=changed())
    commit("Bug: rewrite all", app="".join(f"new_{number}\n" for number in range(40)))
    return Path()


def test_a_repository_cannot_have_a_program_check_signatures(
    repository: Path, tmp_path: Path
) -> None:
    program = tmp_path / "gpg"
    program.write_text(
        "#!/bin/sh\n"
        "cat > /dev/null\n"
        'echo > "$0.ran"\n'
        'echo "[GNUPG:] SIG_CREATED " >&2\n'
        'echo "-----BEGIN PGP SIGNATURE-----"\n'
    )
    program.chmod(0o700)
    git("config", "gpg.program", str(program))
    git("config", "log.showSignature", "true")
    git("commit", "--quiet", "--allow-empty", "-Skey", "-m", "Add nothing")
    ran = tmp_path / "gpg.ran"
    ran.unlink()
    assert len([*import_history(History(repository), "o/r", limit=100)]) == 2
    assert not ran.exists()


def test_a_small_fix_becomes_a_case_in_reverse(repository: Path, tmp_path: Path) -> None:
    missing, wrong = import_history(History(repository), "o/r", limit=100)
    # The reverse of a fix that changes a line brings the faulty line in.
    assert wrong.golden == (golden(5, path="app.py", text="Fix the sum of line 5"),)
    assert "\n+wrong_5\n" in wrong.diff
    assert "\n-line_5 = 5\n" in wrong.diff
    # The reverse of a fix that adds a line removes that line.
    assert missing.golden == (golden(30, path="app.py", side="LEFT", text="fixes a missing line"),)
    assert "test_app" not in wrong.diff + missing.diff
    assert "Fix" not in wrong.diff
    assert (wrong.repository, wrong.id) == ("o/r", f"o/r@{wrong.base[:12]}")
    file = tmp_path / "cases.jsonl"
    file.write_text(write_cases([wrong, missing]))
    assert read_cases(file) == (wrong, missing)


def test_a_change_whose_files_no_later_fix_touched_is_a_clean_case() -> None:
    git("init", "--quiet", "-b", "main")
    names = ("fixed", "reverted", "kept", "also_kept", "late")
    commit("Begin", **dict.fromkeys(names, changed()))
    for name in ("fixed", "reverted", "kept", "also_kept"):
        commit(f"Change {name}", **{name: changed((7, "other_7"))}, test_kept=f"'{name}'\n")
    commit("Fix fixed", fixed=changed((7, "right_7")))
    commit('Revert "Change reverted"', reverted=changed())
    for number in range(3):
        commit(f"Change late {number}", late=changed((9, f"late_{number}")))
    # One fix makes one faulty case, so of the two clean changes the newer one is taken.
    fault, clean = import_history(History(Path()), "r", limit=100)
    assert fault.golden == (golden(7, path="fixed.py", text="Fix fixed"),)
    assert clean.golden == ()
    assert clean.diff.count("diff --git") == 1
    assert "\n-line_7 = 7\n+other_7\n" in clean.diff
    assert "b/also_kept.py" in clean.diff
    assert clean.id == f"r@{clean.head[:12]}"


def test_only_the_newest_commits_are_searched(repository: Path) -> None:
    assert [one.golden[0].line for one in import_history(History(repository), "r", limit=2)] == [30]


def test_a_small_fix_changes_few_lines_of_at_most_two_source_files() -> None:
    one, test = FileChange("a.py", 5, 5), FileChange("tests/test_a.py", 90, 0)
    assert fixed_files([one, test, FileChange("CHANGES.md", 9, 0)]) == [one]
    assert fixed_files([one, FileChange("b.py", 10, 1)]) == []
    assert fixed_files([FileChange(f"{name}.py", 1, 1) for name in "abc"]) == []


@pytest.mark.parametrize(
    ("subject", "is_fix"),
    [("Fix it", True), ("bugfix: x", True), ("Prefix names", False), ("Add a fix", False)],
)
def test_a_fix_is_known_by_the_start_of_its_subject(subject: str, is_fix: bool) -> None:
    assert Commit("1a", subject).is_fix == is_fix


def test_the_command_writes_the_cases(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "import-history", "--output", "cases.jsonl"]) == 0
    assert "2 cases (0 clean) with 2 golden comments." in capsys.readouterr().err
    name = repository.resolve().name
    assert [one.repository for one in read_cases(Path("cases.jsonl"))] == [name] * 2
    assert main(["eval", "import-history", "--commits", "1"]) == 2
    out, err = capsys.readouterr()
    assert (out, "no case could be made" in err) == ("", True)


def test_a_folder_without_a_repository_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a git repository"):
        History(tmp_path).commits(limit=1)

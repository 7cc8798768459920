"""``make quality``: hits and verdicts, planted bugs, and measurements of a small repository."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import pytest

from benchmarks.quality.__main__ import main
from benchmarks.quality.false_alarms import MeasuredCommit, read, report, write
from benchmarks.quality.history import LISTED, listed_repositories, named_repository
from benchmarks.quality.planted import Bug, Case, match
from benchmarks.quality.verdicts import (
    STORED,
    Hit,
    count_verdicts,
    read_verdicts,
    without_verdict,
)
from tests.support.repositories import _alone, git

__all__ = ["_alone"]

CORRECT = "import subprocess\n\n\ndef run(host):\n    subprocess.run(['ping', host])\n"
FAULTY = CORRECT.replace("['ping', host]", "f'ping {host}', shell=True")


def hit(line: int, *, inline: bool = True) -> Hit:
    return Hit("o/r", "c1", "a.py", line, "ruff/F821", "error", 0.9, inline=inline)


def verdict(line: int, judgement: str = "worth_fixing", why: str = "A reason.") -> str:
    fields = {"repository": "o/r", "commit": "c1", "path": "a.py", "line": line}
    return json.dumps({**fields, "rule": "ruff/F821", "verdict": judgement, "why": why})


def test_verdicts_are_joined_by_commit_path_line_and_rule() -> None:
    verdicts = read_verdicts(f"{verdict(1)}\n{verdict(2, 'false')}\n{verdict(9)}\n")
    hits = [hit(1), hit(2), hit(3), hit(4, inline=False)]
    assert count_verdicts(hits, verdicts) == {"worth_fixing": 1, "true_but_minor": 0, "false": 1}
    assert without_verdict(hits, verdicts) == [hit(3)]


@pytest.mark.parametrize(
    "text", [verdict(1, "maybe"), verdict(1, why=""), f"{verdict(1)}\n{verdict(1, 'false')}"]
)
def test_an_unclear_verdict_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="verdict"):
        read_verdicts(text)


def test_the_stored_verdicts_are_on_commits_of_listed_repositories() -> None:
    verdicts = read_verdicts(STORED.read_text("utf-8"))
    listed = LISTED.read_text("utf-8")
    assert {one.repository for one in verdicts.values() if f'"{one.repository}"' not in listed} == (
        set()
    )


def test_the_name_of_an_ordinary_repository_decides_its_half(tmp_path: Path) -> None:
    for one in tomllib.loads(LISTED.read_text("utf-8"))["ordinary"]:
        (tmp_path / one["name"].replace("/", "+")).mkdir()
    ordinary = listed_repositories(tmp_path, "ordinary")
    assert listed_repositories(tmp_path) == []
    halves = [one for one in ordinary if one.group.startswith("half")]
    assert len(halves) > 80
    for one in halves:
        odd = hashlib.sha256(one.name.encode()).digest()[-1] % 2
        assert one.group == ("half B" if odd else "half A"), one.name


def test_the_table_counts_hits_per_added_line_and_names_hits_without_a_verdict() -> None:
    commit = MeasuredCommit("o/r", "new", "c1", "", 4_000, (hit(1), hit(2)), ("ruff/F401",))
    skipped = MeasuredCommit("o/r", "new", "c2", skipped="no added lines")
    assert read(write(commit) + write(skipped)) == [commit, skipped]
    text = report([commit, skipped], read_verdicts(verdict(1)))
    assert "1 commits reviewed; skipped: 1 with no added lines." in text
    assert "| 1 new | 1 | 4,000 | 2 | 0.50 | 1 (50 %) | 0 | 0 | 0 | 1 | 0.25 |" in text
    assert "o/r c1:a.py:2 ruff/F821" in text
    assert "o/r c1:a.py:1" not in text


def test_a_finding_one_line_from_a_planted_bug_counts_and_farther_away_it_does_not() -> None:
    case = Case("x", "Python", "a.py", "", "", (Bug((10, 11), "t", "w"), Bug((20,), "t", "w")))
    findings = [(9, 9, "r/near"), (13, 13, "r/far"), (15, 22, "r/around")]
    assert match(case, findings) == ({0, 1}, [(13, "r/far")])


@pytest.fixture
def repository() -> Path:
    """A repository with a faulty commit and its fix."""
    folder = Path("owner+name")
    folder.mkdir()
    git("-C", str(folder), "init")
    for subject, text in (("Add run", FAULTY), ("Fix the injection", CORRECT)):
        Path(folder, "run.py").write_text(text, "utf-8")
        git("-C", str(folder), "add", "run.py")
        git("-C", str(folder), "commit", "-m", subject)
    return folder


def test_a_repository_is_named_after_its_folder(repository: Path) -> None:
    assert named_repository(repository).name == "owner/name"
    assert named_repository(repository / ".git").name == "owner/name"


def test_false_alarms_reviews_each_commit(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["false-alarms", str(repository), "--save", "hits.jsonl"])
    first = capsys.readouterr().out
    assert "2 commits reviewed; skipped: none." in first
    assert "| `python/shell-injection` | 1 | 0 | 0 | 0 |" in first
    main(["false-alarms", "--saved", "hits.jsonl"])
    assert capsys.readouterr().out == first


def test_a_folder_of_ordinary_repositories_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["false-alarms", "--ordinary", str(tmp_path)])
    assert "0 commits reviewed; skipped: none." in capsys.readouterr().out


def test_reversed_finds_what_a_fix_repaired(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["reversed", str(repository), "--details"])
    text = capsys.readouterr().out
    assert "| Python | 1 | 1 | 1 (100 %) |" in text
    assert "python/shell-injection" in text


def test_planted_reports_recall_by_language_and_mode(capsys: pytest.CaptureFixture[str]) -> None:
    bugs = [{"lines": [5], "title": "An injection", "why": "The shell reads the host."}]
    case = {"id": "one", "language": "Python", "path": "run.py", "before": "import subprocess\n"}
    Path("cases.jsonl").write_text(json.dumps({**case, "after": FAULTY, "bugs": bugs}), "utf-8")
    main(["planted", "cases.jsonl"])
    assert "| Python | 1 | 1 (100 %) | 1 (100 %) | " in capsys.readouterr().out


def test_hunks_counts_by_language(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["hunks", str(repository)])
    assert "| Python | 1 | 100 % | 100 % | 0 % |" in capsys.readouterr().out


def test_without_arguments_the_help_shows_each_way_to_measure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main([])
    text = capsys.readouterr().out
    for command in ("false-alarms", "planted", "reversed", "hunks"):
        assert f'make quality ARGS="{command} ' in text


@pytest.mark.parametrize("command", ["false-alarms", "reversed", "hunks"])
def test_a_measurement_of_no_repositories_is_an_error(command: str) -> None:
    with pytest.raises(SystemExit, match="name a repository"):
        main([command])

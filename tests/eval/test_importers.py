"""Published sets become cases; what cannot be rebuilt is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reviewbot.cli.main import main
from reviewbot.errors import SourceError
from reviewbot.eval.cases import Case
from reviewbot.eval.history import History
from reviewbot.eval.importers import find_repository, import_aacr_bench, import_bc_bench
from tests.support.evaluations import added, golden
from tests.support.repositories import _alone, git, write

__all__ = ["_alone"]


def instance(**changes: Any) -> dict[str, Any]:
    """An invented instance in the format of BC-Bench."""
    comment = {
        "file": "a.py",
        "line_start": 4,
        "line_end": 5,
        "severity": "critical",
        "domain": "security",
        "body": "The key is logged.",
    }
    return {
        "instance_id": "synthetic__x-1",
        "repo": "o/r",
        "base_commit": "1a",
        "patch": added(lines=9),
        "expected_comments": [comment],
    } | changes


def bc_bench(*instances: object) -> Path:
    path = Path("codereview.jsonl")
    path.write_text("\n".join(map(json.dumps, instances)))
    return path


def test_bc_bench_has_its_diffs_with_it() -> None:
    optional = {"file": "a.py", "line_start": 7, "line_end": 7, "severity": "low", "body": "Nit."}
    path = bc_bench(instance(ignored_comments=[optional]), instance(instance_id="clean"))
    found = import_bc_bench(path, None)
    assert found.cases[0] == Case(
        id="synthetic__x-1",
        diff=added(lines=9),
        golden=(
            golden(4, 5, severity="error", text="The key is logged."),
            golden(7, severity="note", text="Nit.", optional=True),
        ),
        repository="o/r",
        base="1a",
    )


def test_an_instance_without_a_valid_diff_is_left_out_by_name() -> None:
    broken = instance(instance_id="broken", patch=added(lines=9).rpartition("+")[0])
    found = import_bc_bench(bc_bench(instance(), broken), None)
    assert [one.id for one in found.cases] == ["synthetic__x-1"]
    assert [name for name, _ in found.left_out] == ["broken"]


@pytest.mark.parametrize("value", [[], {}, instance(expected_comments=[{"file": "a.py"}])])
def test_an_invalid_instance_is_an_error_with_its_line(value: object) -> None:
    with pytest.raises(SourceError, match=r"codereview.jsonl: line 2: "):
        import_bc_bench(bc_bench(instance(), value), None)


def sample(base: str, head: str, **changes: Any) -> dict[str, Any]:
    """An invented pull request in the format of AACR-Bench."""
    comment = {"path": "a.py", "side": "right", "from_line": 8, "to_line": 6, "note": "No."}
    return {
        "githubPrUrl": "https://github.com/o/r/pull/7",
        "source_commit": base,
        "target_commit": head,
        "comments": [comment],
    } | changes


def aacr_bench(*samples: object) -> Path:
    path = Path("positive_samples.json")
    path.write_text(json.dumps(samples))
    return path


@pytest.fixture
def commits() -> tuple[str, str]:
    """Base and head of a pull request in clones/o+r, whose target branch has moved on."""
    Path("clones/o+r").mkdir(parents=True)
    run = ("-C", "clones/o+r")
    git(*run, "init", "--quiet", "-b", "main")

    def commit(name: str) -> str:
        write("x = 1\n" * 9, f"clones/o+r/{name}")
        git(*run, "add", ".")
        git(*run, "commit", "--quiet", "-m", name)
        (made,) = History(Path("clones/o+r")).commits(limit=1)
        return made.id

    commit("first.py")
    git(*run, "switch", "--quiet", "-c", "topic")
    head = commit("a.py")
    git(*run, "switch", "--quiet", "main")
    return commit("later.py"), head


def test_aacr_bench_is_rebuilt_from_clones(commits: tuple[str, str]) -> None:
    base, head = commits
    gone = sample(base, head, githubPrUrl="https://github.com/o/gone/pull/1")
    unknown = sample("0" * 40, head, githubPrUrl="https://github.com/o/r/pull/8")
    found = import_aacr_bench(aacr_bench(sample(base, head), gone, unknown), Path("clones"))
    (case,) = found.cases
    assert case.golden == (golden(6, 8, text="No."),)
    assert (case.id, case.head, case.url) == ("o/r#7", head, "https://github.com/o/r/pull/7")
    assert "a.py" in case.diff
    assert "later.py" not in case.diff
    assert [name for name, _ in found.left_out] == ["o/gone#1", "o/r#8"]


@pytest.mark.parametrize(
    "value",
    [
        {},
        sample("1a", "2b", githubPrUrl="https://example.org/o/r/pull/7"),
        sample("1a", "2b", comments=[{"path": "a", "side": "up", "from_line": 1, "to_line": 1}]),
        sample("1a", "2b", comments=[{"path": "a", "side": "right", "from_line": 0}]),
    ],
)
def test_an_invalid_pull_request_is_an_error(value: object) -> None:
    with pytest.raises(SourceError, match="pull request 1 is invalid"):
        import_aacr_bench(aacr_bench(value), Path())


def test_aacr_bench_needs_clones_and_json() -> None:
    with pytest.raises(SourceError, match="--repositories DIR"):
        import_aacr_bench(aacr_bench(), None)
    Path("other.json").write_text("{}")
    with pytest.raises(SourceError, match="a list of pull requests"):
        import_aacr_bench(Path("other.json"), Path())


def test_a_name_never_leads_out_of_the_folder_of_clones() -> None:
    for place in ("clones/o+r/.git", "clones/p/q/repo/objects", "secret/.git"):
        Path(place).mkdir(parents=True)
    clones = Path("clones")
    assert find_repository(clones, "o/r") == clones / "o+r"
    assert find_repository(clones, "p/q") == clones / "p/q/repo"
    for name in ("../secret", "o/../secret", "/secret", "..", "", "o/none", "-x/y"):
        assert find_repository(clones, name) is None


def test_the_command_writes_cases_and_names_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bc_bench(instance(), instance(instance_id="broken", patch="--- a\n"))
    assert main(["eval", "import", "bc-bench", "codereview.jsonl"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["id"] == "synthetic__x-1"
    assert "left out broken: " in err
    assert "1 case (0 clean) with 1 golden comment." in err

"""Fuzz target: a fixed set of cases, the regression cases, and the watchdog itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.diff.parse import parse_diff
from reviewbot.errors import DiffError
from tests.fuzz.__main__ import GENERATORS, generate, run
from tests.fuzz.cases import INNOCENT, added_file, diff_of, edit_of, read_case, text_of
from tests.fuzz.watchdog import Verdict, Watchdog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fuzz.cases import Case, Parts

REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.json"))
SEED, CASES = 5, 20


@pytest.fixture(scope="module")
def watchdog() -> Iterator[Watchdog]:
    with Watchdog() as watchdog:
        yield watchdog


@pytest.mark.slow
def test_a_fixed_set_of_cases_passes(tmp_path: Path) -> None:
    lines: list[str] = []
    cases = [generate(SEED, number) for number in range(CASES)]
    summary = run(cases, tmp_path, every=CASES, say=lines.append)
    assert not summary.failed, "\n".join(lines)
    assert summary.statuses["ok"] > CASES // 2


@pytest.mark.slow
@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_a_regression_case_passes(path: Path, watchdog: Watchdog) -> None:
    case = read_case(path)
    verdict = watchdog.run(case)
    assert verdict.passed, verdict
    assert len(verdict.stopped) == case.get("stopped", 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "status", "detail"),
    [
        ("hang", "hang", "_planted"),
        ("crash", "crash", "signal SIGABRT"),
        ("exit", "crash", "exit code 7"),
        ("exception", "exception", "ValueError: a planted fault"),
        ("memory", "memory", ""),
        ("wrong", "wrong", "a planted fault"),
    ],
)
def test_the_watchdog_reports_a_fault_and_runs_the_next_case(
    fault: str, status: str, detail: str
) -> None:
    with Watchdog(limit=20.0 if fault == "memory" else 2.0, memory=512 << 20) as watchdog:
        verdict = watchdog.run({"name": "planted", "plant": fault})
        assert (verdict.name, verdict.status, verdict.passed) == ("planted", status, False)
        assert detail in verdict.detail
        assert watchdog.run({"name": "next", "plant": "nothing"}).passed


@pytest.mark.slow
def test_a_case_with_too_much_processor_time_is_slow() -> None:
    with Watchdog(cpu=0.0) as watchdog:
        assert watchdog.run({"name": "any", "scan": ["x = 1"]}).status == "slow"


@pytest.mark.slow
def test_a_failed_case_is_saved_and_can_be_replayed(tmp_path: Path) -> None:
    case: Case = {"name": "planted", "plant": "exception"}
    lines: list[str] = []
    summary = run([case], tmp_path, every=1, say=lines.append)
    assert summary.failed == 1
    (path,) = tmp_path.iterdir()
    assert f"    again: python -m tests.fuzz --replay {path}" in lines
    assert read_case(path) == case
    assert "1 cases: 0 ok, 0 refused, 0 hang, 0 crash, 1 exception" in str(summary)


@pytest.mark.slow
def test_another_finding_of_the_innocent_file_is_wrong(watchdog: Watchdog) -> None:
    twice = added_file(INNOCENT, "def load(x):\n\n    return eval(x + 1)").decode("latin-1")
    verdict = watchdog.run({"name": "twice", "diff": twice})
    assert verdict.status == "wrong", verdict
    assert "the innocent file has the findings" in verdict.detail


@pytest.mark.slow
@pytest.mark.parametrize("kind", GENERATORS)
def test_a_case_depends_on_its_seed_and_number_alone(kind: str) -> None:
    cases = [generate(7, number, [kind]) for number in range(8)]
    assert cases == [generate(7, number, [kind]) for number in range(8)]
    assert len({json.dumps(case) for case in cases}) == len(cases)
    assert cases != [generate(8, number, [kind]) for number in range(8)]


@pytest.mark.parametrize("kind", ["code", "nested", "secrets"])
def test_generated_diffs_are_well_formed(kind: str) -> None:
    for number in range(20):
        case = generate(3, number, [kind])
        paths = [file.path for file in parse_diff(diff_of(case))]
        assert paths[0] == INNOCENT
        assert len(paths) == 2 or "diff" in case


def test_mutated_diffs_are_refused_and_accepted() -> None:
    def accepted(number: int) -> bool:
        try:
            return len(parse_diff(diff_of(generate(3, number, ["diff"])))) > 1
        except DiffError:
            return False

    results = [accepted(number) for number in range(60)]
    assert 10 < sum(results) < 55


def test_a_text_is_its_parts() -> None:
    parts: Parts = ["a", {"repeat": "bc", "times": 2}, {"draw": "x", "times": 3, "seed": 1}]
    assert text_of(parts) == "abcbcxxx"


def test_an_edit_is_cut_into_lines() -> None:
    lines = {"before": ["a\n", "b"], "after": ["a\nc"], "old": ["b"], "new": ["c"]}
    edit = edit_of({"edit": {"language": "python", **lines}})
    assert (edit.before, edit.after, edit.old, edit.new) == (["a", "b"], ["a", "c"], ["b"], ["c"])


def test_a_file_without_a_case_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    path.write_text('{"limit": 3}', "utf-8")
    with pytest.raises(ValueError, match=r"none\.json must hold exactly one of files, diff"):
        read_case(path)


def test_a_verdict_passes_only_if_nothing_is_wrong() -> None:
    statuses = ("ok", "refused", "hang", "crash", "exception", "memory", "slow", "wrong")
    assert [one for one in statuses if Verdict("x", one).passed] == ["ok", "refused"]

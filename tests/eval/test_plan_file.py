"""A plan is checked, and a report says whether it was respected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.errors import ConfigError, SourceError
from reviewbot.eval.change_text import change_report
from reviewbot.eval.compare import compare
from reviewbot.eval.plan_file import PlanStatus, log_of, read_plan, status
from reviewbot.eval.report import Evaluation, evaluate
from reviewbot.eval.scores import score_all
from reviewbot.eval.tables import text_report
from tests.support.evaluations import case, comment, golden, result

if TYPE_CHECKING:
    from pathlib import Path

CASES = [case(name, golden(5)) for name in "abcd"]


def plan_file(folder: Path, text: str = "metric: f1\nheld_out: [b, d]\n") -> Path:
    path = folder / "plan.yml"
    path.write_text(text)
    return path


def test_a_plan_divides_the_cases(tmp_path: Path) -> None:
    plan = read_plan(plan_file(tmp_path), CASES)
    assert [case.id for case in plan.choose(CASES, held_out=False)] == ["a", "c"]
    assert [case.id for case in plan.choose(CASES, held_out=True)] == ["b", "d"]
    assert plan.metric == "f1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metric: luck\n", r"plan.yml: metric: 'luck' must be one of precision, recall, f1, f05"),
        ("metric: f1\nheld_out: [x]\n", "held_out: there is no case 'x'"),
        ("held_out: [a]\n", "metric is missing"),
        ("metric: [f1\n", "a plan has the keys"),
        ("- f1\n", "a plan has the keys"),
        ("metric: f1\nheld_out: a\n", "held_out is 'a', not an array"),
    ],
)
def test_an_invalid_plan_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_plan(plan_file(tmp_path, text), CASES)


def test_a_missing_plan_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot read"):
        read_plan(tmp_path / "plan.yml", CASES)


def test_held_out_cases_may_be_evaluated_once(tmp_path: Path) -> None:
    plan = read_plan(plan_file(tmp_path), CASES)
    tuning = status(plan, "tuning", held_out=False)
    assert tuning == PlanStatus(plan.digest, "f1", 2, is_final=False)
    assert len(log_of(plan).read_text("utf-8").splitlines()) == 1
    first = status(plan, "final", held_out=True)
    assert (first.uses, first.is_respected) == (1, True)
    assert status(plan, "final", held_out=True) == first
    second = status(plan, "again", held_out=True)
    assert (second.uses, second.is_respected) == (2, False)


def test_a_plan_that_was_changed_is_not_respected(tmp_path: Path) -> None:
    plan = read_plan(plan_file(tmp_path), CASES)
    status(plan, "final", held_out=True)
    other = read_plan(plan_file(tmp_path, "metric: recall\nheld_out: [b, d]\n"), CASES)
    after = status(other, "other", held_out=True)
    assert (after.changed, after.is_respected) == (True, False)


def test_a_plan_that_was_changed_after_tuning_is_not_respected(tmp_path: Path) -> None:
    status(read_plan(plan_file(tmp_path), CASES), "tuning", held_out=False)
    changed = read_plan(plan_file(tmp_path, "metric: recall\nheld_out: [b, d]\n"), CASES)
    more = status(changed, "more tuning", held_out=False)
    assert (more.uses, more.changed, more.is_respected) == (0, True, False)
    final = status(changed, "final", held_out=True)
    assert (final.uses, final.changed, final.is_respected) == (1, True, False)


def evaluated(plan: PlanStatus | None) -> Evaluation:
    results = [result(one.id, comment(5)) for one in CASES]
    return evaluate(CASES, score_all(CASES, results), {"tool": ""}, plan=plan)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (PlanStatus("d", "f1", 2, is_final=False), "Both are respected: no held-out case"),
        (
            PlanStatus("d", "f1", 2, is_final=True, uses=1),
            "Both are respected: only held-out cases",
        ),
        (
            PlanStatus("d", "f1", 2, is_final=True, uses=3, changed=True),
            "They are not respected: this is evaluation 3 of the held-out cases and the plan was"
            " changed since an earlier evaluation.",
        ),
        (
            PlanStatus("d", "f1", 2, is_final=False, uses=1, changed=True),
            "They are not respected: the plan was changed since an earlier evaluation.",
        ),
    ],
)
def test_the_report_says_whether_the_plan_was_respected(plan: PlanStatus, said: str) -> None:
    text = text_report(evaluated(plan))
    assert "The plan d names the metric F1 and 2 held-out cases. " in text
    assert said in text


def test_a_comparison_under_one_plan_decides_by_its_metric() -> None:
    one = evaluated(PlanStatus("d", "f05", 2, is_final=False))
    other = evaluated(PlanStatus("e", "f05", 2, is_final=False))
    same = change_report(compare(one, one, "tool", "tool"))
    assert "The change of the planned metric F0.5 is not significant; others are" in same
    assert "planned" not in change_report(compare(one, other, "tool", "tool"))
    assert "planned" not in change_report(compare(evaluated(None), one, "tool", "tool"))

"""Budgets: what fits, what is split, and what a limit costs."""

from __future__ import annotations

from reviewbot.lab.budget import study_budget
from reviewbot.lab.subject import demo_subject, read_subject
from tests.support.reviews import added
from tests.support.settings import load


def test_the_first_limit_is_the_plan_of_the_settings() -> None:
    subject = demo_subject(load())
    own, *others = study_budget(subject).limits
    estimate = subject.prepared.job.estimate
    assert own.is_own
    assert (own.input, own.cost_usd) == (estimate.input_tokens, estimate.cost_usd)
    assert not any(one.is_own for one in others)


def test_a_window_too_small_for_the_prompt_has_a_reason() -> None:
    limits = {one.name: one for one in study_budget(demo_subject(load())).limits}
    assert "too small" in (limits["8,000 window"].problem or "")
    assert limits["8,000 window"].figures[1:] == ("-",) * 5
    assert limits["32,000 window"].problem is None


def test_smaller_requests_split_files_and_cost_more() -> None:
    lines = [f"    total += order.line_{number} * rate_{number}" for number in range(120)]
    subject = read_subject(added("app.py", *lines).encode(), load(), name="x")
    study = study_budget(subject)
    small, medium = (
        next(one for one in study.limits if one.name == f"{tokens:,} a request")
        for tokens in (2_000, 12_000)
    )
    assert small.split == 1
    assert small.requests > medium.requests
    assert small.cost_usd is not None
    assert medium.cost_usd is not None
    assert small.cost_usd > medium.cost_usd


def test_each_file_has_its_fate() -> None:
    fates = {one.path: one.fate for one in study_budget(demo_subject(load())).files}
    assert fates["shop/orders.py"] == "whole"
    assert fates["web/package-lock.json"].startswith("skipped: ")


def test_a_line_that_is_cut_is_counted() -> None:
    short = [f"const name{number} = compute({number});" for number in range(80)]
    long = added("app.js", *short, "const a = '" + "xy z " * 2_000 + "';")
    study = study_budget(read_subject(long.encode(), load(chunk_tokens=2_000), name="x"))
    assert study.limits[0].cut == 1
    assert study.files[0].fate.endswith("long lines cut")

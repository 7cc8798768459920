"""Attempts reserve what they may cost, and stay within the budget."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from reviewbot.core.diff.parse import DiffLine
from reviewbot.core.events.events import Usage
from reviewbot.core.plan.chunk_view import ShownHunk
from reviewbot.core.prompt.request import ModelRequest
from reviewbot.models.attempts import Attempts
from reviewbot.models.base import Stop
from reviewbot.models.batch import BatchTask
from reviewbot.models.budget import Budget
from reviewbot.models.catalog import lookup
from tests.models.scripted import Say, Scripted, item
from tests.support.attempts import Run, by_task, chunk, task
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from reviewbot.models.catalog import ModelInfo


@in_virtual_time
async def test_a_request_asks_for_no_more_than_the_budget_can_pay() -> None:
    model = Scripted(Say(usage=Usage(input=1000, output=1000)))
    budget = Budget(0.05, by_task)
    await Run().of(model, budget=budget)
    worst = 2 * (1150 * 2.5e-6 + model.max_tokens[0] * 1e-5)
    assert 0.05 - 2e-5 < worst <= 0.05
    assert budget.spent_usd == pytest.approx(1000 * 2e-6 + 1000 * 1e-5)


@in_virtual_time
async def test_what_a_request_reserves_is_counted_on_all_the_text_that_it_sends() -> None:
    prompts: list[str] = []

    def measure(info: ModelInfo, prompt: str) -> int:
        del info
        prompts.append(prompt)
        return 1000

    line = DiffLine("added", None, 1, "x = '\x01\x02'")
    hunk = ShownHunk(1, 1, "", (line,), (True,))
    shown = replace(chunk("c1", "c1.py"), hunks=(hunk,), instructions=("Mind the frobs.",))
    model = Scripted(
        Say([item(1, path="c1.py", title="Known already")], cut=-1, stop=Stop.TRUNCATED), Say()
    )
    attempts = Attempts([model], budget=Budget(5.0, measure))
    await attempts(BatchTask("b1", ModelRequest((shown,), ())), Run().emit)
    first, second = prompts
    for text in ("report_findings", "x = '\\x01\\x02'", "Mind the frobs."):
        assert text in first
    assert "Known already" in second


@in_virtual_time
async def test_a_budget_that_is_used_up_fails_the_chunk_without_asking() -> None:
    model = Scripted(Say())
    [outcome] = (await Run().of(model, budget=Budget(0.001, by_task))).outcomes
    assert (outcome.status, model.requests) == ("failed", [])
    assert "budget of $0.001" in (outcome.reason or "")


@in_virtual_time
async def test_a_model_without_a_price_cannot_be_held_to_a_budget() -> None:
    model = Scripted(Say(), info=lookup("some-local-model"))
    [outcome] = (await Run().of(model, budget=Budget(1.0, by_task))).outcomes
    assert "price of some-local-model is not known" in (outcome.reason or "")


@in_virtual_time
async def test_requests_wait_for_each_others_reservations_and_never_pass_the_limit() -> None:
    budget = Budget(0.1, by_task)
    model = Scripted(Say(wait_s=5, usage=Usage(input=1000, output=1200)))
    attempts = Attempts([model], budget=budget)
    results = await asyncio.gather(*(attempts(task(), Run().emit) for _ in range(12)))
    done = [one.outcomes[0].status for one in results].count("reviewed")
    assert budget.spent_usd <= 0.1
    assert done == pytest.approx(budget.spent_usd / (1000 * 2e-6 + 1200 * 1e-5))
    assert 3 <= done < 12

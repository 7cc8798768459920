"""The turns of a conversation: real look-ups in the repository of the demo."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from reviewbot.config.load import read_settings
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.events.events import Usage
from reviewbot.lab.subject import demo_diff, demo_subject
from reviewbot.lab.turn_runs import demo_repository, study_script
from reviewbot.lab.turns import NOT_ANSWERED, SentTurn, study_turns
from reviewbot.models.base import ToolCall
from reviewbot.models.catalog import lookup
from reviewbot.models.conversation import Conversation, ToolResult, Turn
from reviewbot.models.dialogue import ONLY_REPORT
from tests.fake_anthropic import Answer, FakeAnthropic
from tests.support.commands import run_command

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.lab.turns import TurnStudy

INFO = lookup("claude-sonnet-5-5")


@cache
def scripted(model: str = "") -> TurnStudy:
    settings = read_settings({"model": model} if model else {}, config=None)
    return asyncio.run(study_script(demo_subject(settings)))


def test_the_repository_of_the_demo_has_the_files_as_its_diff_leaves_them() -> None:
    repository = demo_repository()
    changed = [file for file in parse_diff(demo_diff()) if file.path in repository]
    assert len(changed) == 4
    for file in changed:
        lines = repository[file.path].decode().split("\n")
        new = {line.new_no: line.text for hunk in file.hunks for line in hunk.lines}
        shown = {number: text for number, text in new.items() if number}
        assert shown == {number: lines[number - 1] for number in shown}


def test_the_script_looks_up_reports_is_told_to_end_and_completes() -> None:
    study = scripted()
    assert [len(step.lookups) for step in study.steps] == [2, 2, 1, 0]
    assert [step.left for step in study.steps] == [3, 1, 0, 0]
    assert [step.note for step in study.steps] == [
        "Look-ups left: 3.",
        "Look-ups left: 1.",
        ONLY_REPORT,
        "",
    ]
    reported = [step.reported for step in study.steps]
    assert reported == [(), (), ("1 finding, continuing",), ("1 finding, complete",)]
    assert study.lookups == study.limit == 5
    assert study.complete


def test_the_look_ups_of_the_script_find_what_its_findings_rest_on() -> None:
    lookups = [lookup for step in scripted().steps for lookup in step.lookups]
    assert not any(lookup.failed for lookup in lookups)
    read = next(lookup for lookup in lookups if lookup.activity == "reading shop/api.py 1-20")
    assert 'R14 |    status = request.args.get("status", "open")' in read.result
    assert read.short.endswith('file "shop/api.py", unchanged, lines 1 to 15 of 15')


def test_a_turn_adds_what_is_new_and_reads_the_rest_from_the_cache() -> None:
    study = scripted()
    for before, step in zip(study.steps, study.steps[1:], strict=False):
        assert step.usage.cache_read == before.usage.cache_read + before.usage.cache_write
        assert step.added >= sum(len(lookup.result) for lookup in before.lookups) + len(before.note)
    costs = [step.cost_usd for step in study.steps]
    assert study.cost_usd == pytest.approx(sum(filter(None, costs)))
    assert study.uncached_usd is not None
    assert study.cost_usd is not None
    assert study.cost_usd < study.uncached_usd


def test_a_script_spends_no_budget() -> None:
    settings = replace(read_settings({}, config=None), budget_usd=0.0001)
    study = asyncio.run(study_script(demo_subject(settings)))
    assert len(study.steps) == len(scripted().steps)


def test_a_model_without_look_ups_gets_the_numbers_of_another_and_is_named() -> None:
    study = scripted("claude-haiku-4-5")
    small = lookup("claude-haiku-4-5")
    assert study.model == (small.name if small.looks_up else INFO.name)
    assert study.steps[-1].reported == ("1 finding, complete",)


def test_look_ups_after_the_last_one_and_unreadable_reports_are_named() -> None:
    calls = tuple(ToolCall(str(number), "read_code", {}) for number in (1, 2))
    results = (ToolResult("1", "=== file a"), ToolResult("2", "Not answered.", failed=True))
    answered = Conversation(turns=(Turn("[]", results, ONLY_REPORT, lookups=("reading a.py",)),))
    first = SentTurn(Conversation(), "prompt", Usage(10, 5), calls, reports=["{", "[]", "{}"])
    last = SentTurn(answered, "prompt", reports=['{"findings": [1, 2], "outcome": "complete"}'])
    unpriced = replace(INFO, prices=None)
    study = study_turns([first, last], unpriced, source="", limit=1, most=8, outcome="")
    assert [lookup.activity for lookup in study.steps[0].lookups] == [
        "reading a.py",
        NOT_ANSWERED,
    ]
    assert [step.left for step in study.steps] == [0, 0]
    broken = "a report that cannot be read"
    assert study.steps[0].reported == (broken, broken, "0 findings, no outcome")
    assert study.steps[1].reported == ("2 findings, complete",)
    assert study.price == "cost unknown"
    assert study_turns([], INFO, source="", limit=1, most=8, outcome="").lookups == 0


@pytest.mark.slow
async def test_a_live_model_looks_up_in_the_demo(tmp_path: Path) -> None:
    async with FakeAnthropic() as fake:
        read = ("read_code", {"path": "shop/api.py", "first": 1, "last": 20})
        fake.enqueue(Answer(call=False, lookups=[read], thinking=""), Answer())
        done = await run_command(
            tmp_path,
            *("lab", "turns", "--live", "--model", "claude-sonnet-5-5"),
            ANTHROPIC_API_KEY=fake.key,
            ANTHROPIC_BASE_URL=fake.base_url,
        )
    assert done.code == 0, done.err
    assert len(fake.requests) == 2
    assert "Turns: 1 look-up in 2 turns" in done.text
    assert "reading shop/api.py 1-20: " in done.text
    assert "reports: 0 findings, complete" in done.text
    assert "claude-sonnet-5-5 reviewed the demo just now" in done.text


@pytest.mark.slow
async def test_a_conversation_that_fails_is_incomplete(tmp_path: Path) -> None:
    async with FakeAnthropic(lambda _: Answer(outcome="continuing")) as fake:
        done = await run_command(
            tmp_path,
            *("lab", "turns", "--live", "--model", "claude-sonnet-5-5"),
            ANTHROPIC_API_KEY=fake.key,
            ANTHROPIC_BASE_URL=fake.base_url,
        )
    assert done.code == 3
    assert "0 findings, continuing" in done.text

"""The request to a model waits for linters for a short time; later results are added."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from reviewbot.config.settings import load_settings
from reviewbot.core.events.events import ChunkFinished
from reviewbot.core.events.report import fold
from reviewbot.core.findings.draft import own_draft
from reviewbot.models.batch import BatchResult, ChunkOutcome, Drafted
from reviewbot.models.linters import batches as module
from reviewbot.models.linters.batches import RequestCheckpoints
from reviewbot.models.linters.linters import Linted, Linters
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import workers
from reviewbot.rules.load import rules_for
from tests.in_process import parser
from tests.models.linters.samples import need
from tests.models.scripted import item
from tests.support.reviews import added

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.core.events.events import Event
    from reviewbot.models.batch import BatchEvent, BatchTask, Emit
    from reviewbot.pipeline.workers import Workers

DIFF = added("a.py", "def f(x):", '    if x is "a":', "        return unknown")
LISTED = "line 2 (ruff/F632), line 3 (ruff/F821)"
OWN_RULES = f"{len(rules_for('python'))} rules for Python"
TOO_LONG_S = 10.0


@pytest.fixture(autouse=True)
def _no_linters() -> None:
    """The installed linters run."""
    need("ruff")


class HeldLinters:
    """Linters that do not begin before the test releases them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.release = asyncio.Event()
        self.cancelled = False
        lint = Linters.lint

        async def held(linters: Linters, *arguments: Any, **options: Any) -> Linted:
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancelled = True
                raise
            return await lint(linters, *arguments, **options)

        monkeypatch.setattr(Linters, "lint", held)
        monkeypatch.setattr(module, "REQUEST_WAIT_S", 0.01, raising=False)


class Model:
    """A model with these findings, and a review by it.

    ``falls_back`` lets the own rules answer instead.
    """

    def __init__(
        self, *findings: dict[str, Any], diff: str = DIFF, falls_back: bool = False
    ) -> None:
        self.requested = asyncio.Event()
        self.instructions: list[str] = []
        self.results: list[BatchResult] = []
        self._findings, self._diff, self._falls_back = findings, diff, falls_back

    async def review(self, **options: Any) -> list[Event]:
        settings = load_settings(flags={}, env={"ANTHROPIC_API_KEY": "unused"})
        prepared = prepare(self._diff.encode(), settings)
        async with workers(prepared, settings, parser=parser()) as able:

            async def answer(task: BatchTask, emit: Emit) -> BatchResult:
                return await self._answer(able, task, emit)

            linted = able.with_linters(answer, **options)

            async def run_batch(task: BatchTask, emit: Emit) -> BatchResult:
                self.results.append(await linted(task, emit))
                return self.results[-1]

            return [one async for one in review(prepared.job, run_batch)]

    async def _answer(self, able: Workers, task: BatchTask, emit: Emit) -> BatchResult:
        chunks = task.request.chunks
        self.instructions += [text for one in chunks for text in one.instructions]
        self.requested.set()
        if self._falls_back:
            return await able.own_rules[task.id](task, emit)
        ids = tuple(one.id for one in chunks)
        drafts = tuple(Drafted(own_draft(one), "m", 1, "answer", ids) for one in self._findings)
        ends = tuple(ChunkOutcome(name, "reviewed", "m", 1) for name in ids)
        events: tuple[BatchEvent, ...] = (*drafts, *ends)
        for event in events:
            await emit(event)
        return BatchResult(drafts, ends, ())


async def released_after_request(
    model: Model, linters: HeldLinters, **options: Any
) -> Sequence[Event]:
    """The events of a review whose linters begin after the request."""
    async with asyncio.timeout(TOO_LONG_S):
        reviewing = asyncio.create_task(model.review(**options))
        await model.requested.wait()
        linters.release.set()
        return await reviewing


def rules(events: Sequence[Event]) -> dict[str | None, int]:
    return {finding.rule: finding.line for finding in fold(events).findings}


async def test_a_request_lists_what_linters_report_in_time() -> None:
    model = Model()
    events = await model.review()
    assert [text for text in model.instructions if LISTED in text]
    assert rules(events) == {"ruff/F632": 2, "ruff/F821": 3}


async def test_a_request_does_not_wait_for_slow_linters(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model()
    events = await released_after_request(model, HeldLinters(monkeypatch))
    assert model.instructions == []
    assert rules(events) == {"ruff/F632": 2, "ruff/F821": 3}
    (file,) = fold(events).coverage
    assert (file.status, file.checks) == ("reviewed", (OWN_RULES, "ruff"))


async def test_a_chunk_ends_once_and_after_the_results_of_its_linter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = await released_after_request(Model(), HeldLinters(monkeypatch))
    kinds = [one.type for one in events]
    last_finding = len(kinds) - kinds[::-1].index("finding")
    assert kinds.count(ChunkFinished.type) == 1
    assert kinds.index(ChunkFinished.type) >= last_finding


async def test_the_stored_result_of_a_batch_has_later_results_of_linters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Model()
    await released_after_request(model, HeldLinters(monkeypatch))
    (result,) = model.results
    assert [one.draft.rule for one in result.drafts] == ["ruff/F632", "ruff/F821"]
    assert [one.checks for one in result.outcomes] == [(OWN_RULES, "ruff")]


async def test_a_fault_that_model_and_slow_linter_report_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    same = item(3, quote="        return unknown", title="Undefined name `unknown`")
    other = item(1, quote="def f(x):")
    model = Model(same, other)
    report = fold(await released_after_request(model, HeldLinters(monkeypatch)))
    assert sorted(one.line for one in report.findings) == [1, 2, 3]


async def test_own_rules_in_place_of_a_model_are_compared_with_slow_linters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linters = HeldLinters(monkeypatch)
    linters.release.set()
    expected = rules(await Model(falls_back=True).review())
    linters.release.clear()
    events = await released_after_request(Model(falls_back=True), linters)
    assert rules(events) == expected == {"ruff/F632": 2, "ruff/F821": 3}


async def test_an_evaluation_waits_for_slow_linters(monkeypatch: pytest.MonkeyPatch) -> None:
    model, linters = Model(), HeldLinters(monkeypatch)
    reviewing = asyncio.create_task(model.review(wait_for_all=True))
    await asyncio.sleep(0.05)
    assert not model.requested.is_set()
    linters.release.set()
    await reviewing
    assert [text for text in model.instructions if LISTED in text]


async def test_a_stopped_review_ends_linters_that_outlast_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, linters = Model(), HeldLinters(monkeypatch)
    reviewing = asyncio.create_task(model.review())
    async with asyncio.timeout(TOO_LONG_S):
        await model.requested.wait()
        reviewing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reviewing
    assert linters.cancelled


async def test_a_request_that_is_sent_again_lists_no_later_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored: dict[str, BatchResult] = {}
    first, again = Model(), Model()
    store = RequestCheckpoints(save=stored.__setitem__)
    await released_after_request(first, HeldLinters(monkeypatch), checkpoints=store)
    monkeypatch.setattr(module, "REQUEST_WAIT_S", TOO_LONG_S)
    events = await again.review(checkpoints=RequestCheckpoints(stored))
    assert first.instructions == again.instructions == []
    assert rules(events) == {"ruff/F632": 2, "ruff/F821": 3}


async def test_a_request_that_is_sent_again_lists_the_same_results(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stored: dict[str, BatchResult] = {}
    first, again = Model(), Model()
    await first.review(checkpoints=RequestCheckpoints(save=stored.__setitem__))
    linters, kept = HeldLinters(monkeypatch), RequestCheckpoints(stored)
    events = await released_after_request(again, linters, checkpoints=kept)
    assert [text for text in first.instructions if LISTED in text]
    assert again.instructions == first.instructions
    assert rules(events) == {"ruff/F632": 2, "ruff/F821": 3}

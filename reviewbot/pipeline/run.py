"""Run a review: the models, the rules, the linters, the verifier and the summary together.

Every entry point (command line, Action, server, evaluation, lab) describes its run and calls
:func:`run_review`, so that all of them find the same.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reviewbot.code.at_commit import problem_of
from reviewbot.core.events.events import ReviewFinished
from reviewbot.core.prompt.purpose import NO_PURPOSE
from reviewbot.models.batch import VERIFICATION
from reviewbot.pipeline.review import review
from reviewbot.pipeline.workers import Workers, workers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.config.settings import ModelChoice, Settings
    from reviewbot.core.events.events import Event
    from reviewbot.core.prompt.purpose import Purpose
    from reviewbot.core.prompt.question import Inquiry
    from reviewbot.models.base import Model
    from reviewbot.models.batch import RunBatch
    from reviewbot.models.exchange import TurnCheckpoints
    from reviewbot.models.linters.batches import RequestCheckpoints
    from reviewbot.models.linters.imported import ImportedHit
    from reviewbot.models.linters.slots import ReviewSlots
    from reviewbot.models.offline.parser import Parser
    from reviewbot.pipeline.job import PriorRun, StopSignal
    from reviewbot.pipeline.prepare import Prepared


def _unchanged(value: Any) -> Any:  # noqa: ANN401 - the identity, for any value
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """One run of a review.

    Attributes:
        prepared: the job: the diff, its plan, and what is known of the repository.
        settings: the settings with which it was prepared.
        purpose: the purpose of the change, for the summary of a whole change alone.
        inquiry: the question that the job answers; None reviews.
        imported: results of other tools, which are reported, too.
        code: the code at the reviewed commit; None without it.
        turns: store of the turns of conversations with look-ups; None stores nothing.
        spent_usd: US dollars that earlier runs have spent of the budget.
        earlier: what earlier runs have found; None for the first run.
        parser: parser of source code; None starts a separate process.
        lint_slots: limits the processes of linters at a time; None limits those of this review.
        client_of: function that returns the client of a model in place of the usual one, or None.
        wait_for_linters: whether a request to a model waits for every linter, so that it is the
            same each time.
        listed: store of the linter results that the requests list; None stores nothing.
        wrap_models: function that wraps what sends requests to models, such as a cache.
        wrap_batches: function that wraps the runner of whole batches, linters included.
    """

    prepared: Prepared
    settings: Settings
    purpose: Purpose = NO_PURPOSE
    inquiry: Inquiry | None = None
    imported: Sequence[ImportedHit] = ()
    code: CodeAtCommit | None = None
    turns: TurnCheckpoints | None = None
    spent_usd: float = 0.0
    earlier: PriorRun | None = None
    parser: Parser | None = None
    lint_slots: ReviewSlots | None = None
    client_of: Callable[[ModelChoice], Model | None] | None = None
    wait_for_linters: bool = False
    listed: RequestCheckpoints | None = None
    wrap_models: Callable[[Workers], Workers] = _unchanged
    wrap_batches: Callable[[RunBatch], RunBatch] = _unchanged


async def run_review(
    run: RunDescription, *, stop: StopSignal | None = None
) -> AsyncGenerator[Event, None]:
    """Run a review; yield its events. Close the generator to end it early.

    Raises:
        ConfigError: a model has no key, or its overrides are invalid.
        Postponed: batches have to wait (:func:`reviewbot.pipeline.review.review`).
    """
    async with AsyncExitStack() as stack:
        able = run.wrap_models(await stack.enter_async_context(_workers(run)))
        runner = able.with_linters(
            able.run_batch,
            run.imported,
            wait_for_all=run.wait_for_linters,
            checkpoints=run.listed,
        )
        events = review(
            replace(run.prepared.job, lookups=able.lookups),
            run.wrap_batches(runner),
            summarize=able.summarize,
            verify=able.verify,
            find_uses=able.find_uses,
            check_quotes=able.check_quotes,
            keeps_syntax=able.keeps_syntax,
            earlier=run.earlier,
            stop=stop,
        )
        await stack.enter_async_context(aclosing(events))
        async for event in events:
            problem = problem_of(run.code)
            if problem is not None and isinstance(event, ReviewFinished):
                yield replace(event, reasons=(*event.reasons, problem))
            else:
                yield event


def _workers(run: RunDescription) -> AbstractAsyncContextManager[Workers]:
    if run.inquiry is not None:
        from reviewbot.pipeline.explain import explainers

        return explainers(
            run.prepared,
            run.settings,
            run.inquiry,
            spent_usd=run.spent_usd,
            code=run.code,
            parser=run.parser,
            turns=run.turns,
        )
    # A part of the diff cannot be compared with the purpose of the whole.
    purpose = NO_PURPOSE if run.prepared.job.is_part else run.purpose
    finished = run.earlier.finished if run.earlier else {}
    used = {name: len(result.lookups) for name, result in finished.items()}
    checks = sum(count for name, count in used.items() if name.endswith(VERIFICATION))
    return workers(
        run.prepared,
        run.settings,
        purpose=purpose,
        spent_usd=run.spent_usd,
        parser=run.parser,
        lint_slots=run.lint_slots,
        code=run.code,
        client_of=run.client_of,
        lookups_used=sum(used.values()) - checks,
        check_lookups_used=checks,
        turns=run.turns,
    )

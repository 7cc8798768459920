"""Request the overview of a review from a model, once, after the last batch.

The walkthrough is made of the lines that the models wrote about the files.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from reviewbot.core.events.events import Usage, WalkthroughEntry
from reviewbot.core.prompt.purpose import NO_PURPOSE
from reviewbot.core.prompt.summary import parse_summary, render_summary
from reviewbot.core.safety.shown_text import shown_line
from reviewbot.models.base import Fault, ModelFault
from reviewbot.models.batch import Spent
from reviewbot.models.catalog import cost_usd

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.events.events import ReviewSummary
    from reviewbot.core.prompt.purpose import Purpose
    from reviewbot.core.prompt.summary import SummaryPrompt
    from reviewbot.models.budget import Budget
    from reviewbot.models.catalog import ModelInfo
    from reviewbot.pipeline.job import SummaryTask

MAX_TOKENS: Final = 8_000
"""Maximum output tokens: a few sentences, and the thinking of the model before them."""


@runtime_checkable
class SummaryModel(Protocol):
    """A model that can write a JSON object to a schema."""

    @property
    def info(self) -> ModelInfo:
        """Its name and prices."""
        ...

    async def answer_json(
        self,
        system: str,
        user: str,
        schema: dict[str, Any],
        *,
        max_tokens: int,
        used: Callable[[Usage], None],
    ) -> dict[str, Any]:
        """Return one JSON response; call ``used`` with the usage so far, perhaps several times.

        Raises:
            ModelFault: there is no valid response.
        """
        ...


class Summarizer:
    """Summarizer that uses the model ``writer``; an instance is a ``review.Summarize``.

    Args:
        writer: the model.
        budget: budget that the review shares, if there is a limit.
        purpose: the purpose of the change; shown to the model as claims.
    """

    def __init__(
        self,
        writer: SummaryModel,
        budget: Budget | None = None,
        purpose: Purpose = NO_PURPOSE,
    ) -> None:
        self._writer = writer
        self._budget = budget
        self._purpose = purpose

    async def __call__(self, task: SummaryTask, book: Callable[[Spent], None]) -> ReviewSummary:
        """Return the summary, made safe to show.

        Raises:
            ModelFault: the model wrote no valid summary.
        """
        prompt = await asyncio.to_thread(self._prompt, task)
        info, used, reserved = self._writer.info, [Usage()], 0.0
        try:
            max_tokens = min(MAX_TOKENS, info.max_output)
            if self._budget:
                # The model adds the schema in words.
                text = f"{prompt.system}\n{prompt.user}\n{prompt.schema}"
                max_tokens, reserved = await self._budget.reserve(info, text, max_tokens)
            answer = await self._writer.answer_json(
                prompt.system,
                prompt.user,
                prompt.schema,
                max_tokens=max_tokens,
                used=used.append,
            )
            summary = parse_summary(answer, [file.path for file in task.files], task.changes)
        except ValueError as error:
            reason = f"The answer is not a summary: {error}."
            raise ModelFault(reason, fault=Fault.UNUSABLE) from None
        finally:
            spent = Spent(info.name, used[-1], cost_usd(info, used[-1]), purpose="summary")
            if self._budget:
                await self._budget.settle(reserved, spent.cost_usd or 0.0)
            book(spent)
        if not prompt.has_claims:  # then there is no mismatch
            summary = replace(summary, claim_mismatch=None)
        if not prompt.asks_for_requirements:
            summary = replace(summary, asked_for=())
        lines = [(file.path, task.changes.get(file.path)) for file in task.files]
        files = tuple(WalkthroughEntry(path, line) for path, line in lines if line)
        return await asyncio.to_thread(_safe, replace(summary, files=files))

    def _prompt(self, task: SummaryTask) -> SummaryPrompt:
        return render_summary(
            purpose=self._purpose.redacted(),
            manifest=task.manifest,
            findings=task.findings,
            coverage=task.coverage,
            changes=task.changes,
        )


def _safe(summary: ReviewSummary) -> ReviewSummary:
    """Return the summary with the texts of its own request made safe; the lines are safe."""
    claim = summary.claim_mismatch
    return replace(
        summary,
        what=shown_line(summary.what),
        claim_mismatch=claim and shown_line(claim),
        asked_for=tuple(
            replace(requirement, what=shown_line(requirement.what))
            for requirement in summary.asked_for
        ),
    )

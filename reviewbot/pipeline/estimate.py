"""The expected tokens and dollars of a plan, before any request is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.events.events import Estimate, ModelEstimate, Usage
from reviewbot.models.catalog import cost_usd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.core.findings.prior import FollowUp
    from reviewbot.core.plan.chunks import Batch, Plan
    from reviewbot.pipeline.planner import Chains, Planner

OUTPUT_BASE: Final = 500
OUTPUT_LIMIT: Final = 4_000
"""Bounds of the estimated output tokens of a request; see :func:`output_tokens`."""

SUMMARY_PROMPT: Final = 1_200
"""Tokens of the prompt of a summary, with a few findings, but without its files and claims."""
SUMMARY_FILE: Final = 60
"""Tokens of a file and the line about it in the prompt of a summary."""
SUMMARY_FILES: Final = 150
"""Files that fit in the prompt of a summary."""
SUMMARY_OUTPUT: Final = 400
VERIFICATION_PROMPT: Final = 3_000
"""Tokens of the findings and the evidence that a verification adds to the request of a batch."""
VERIFICATION_OUTPUT: Final = 400
CHARS_PER_TOKEN: Final = 3
"""Characters of a token of code, for the request about findings of earlier reviews."""


def output_tokens(diff_tokens: int) -> int:
    """Return the expected output tokens of a request: the report grows with the diff.

    A finding has 200 to 300 tokens. The thinking of a model depends on the code and is not
    estimated; it is charged once the server reports it.
    """
    return min(OUTPUT_BASE + diff_tokens // 4, OUTPUT_LIMIT)


class Estimator:
    """Estimator of the plans of one diff.

    ``follow_ups`` have the findings of earlier reviews, about which one more request asks each.
    """

    def __init__(
        self,
        planner: Planner,
        settings: Settings,
        chains: Chains,
        *,
        follow_ups: Sequence[FollowUp] = (),
    ) -> None:
        self._planner, self._settings, self._chains = planner, settings, chains
        self._follow_ups = follow_ups

    def of(self, planned: Plan, fallback: int = 0) -> Estimate:
        """Return the expected usage of ``planned``, in total and by model.

        Args:
            planned: plan to estimate.
            fallback: number of models of each chain that are assumed to fail; the last model of a
                chain never fails.
        """
        by_model: dict[str, list[Batch]] = {}
        for batch in planned.reviewed_batches:
            choices = self._chains.choices(batch.chain)
            by_model.setdefault(choices[: fallback + 1][-1].name, []).append(batch)
        writer = self._settings.model.name
        is_written = self._settings.summary and planned.reviewed_batches
        if is_written and not self._planner.info(writer).offline:
            by_model.setdefault(writer, [])
        else:
            writer = ""
        files = sum(bool(file.chunks) and not file.is_unread for file in planned.files)
        parts = tuple(
            self._of_model(model, batches, files if model == writer else None)
            for model, batches in by_model.items()
        )
        costs = [part.cost_usd for part in parts]
        return Estimate(
            requests=sum(part.requests for part in parts),
            input_tokens=sum(part.input_tokens for part in parts),
            output_tokens=sum(part.output_tokens for part in parts),
            cost_usd=None if None in costs else sum(cost or 0.0 for cost in costs),
            by_model=parts,
            verification=self._verification(by_model),
        )

    def _verification(self, by_model: Mapping[str, list[Batch]]) -> tuple[ModelEstimate, ...]:
        """Return the usage of one verification for each batch that a model reviews.

        The requests about findings of earlier reviews are added.
        """
        chosen = self._settings.verify_model
        found: dict[str, list[Usage]] = {}
        reviewers = [name for name in by_model if not self._planner.info(name).offline]
        if self._follow_ups and reviewers:
            found[chosen.name if chosen else reviewers[0]] = [
                Usage(
                    input=VERIFICATION_PROMPT + len(follow_up.diff) // CHARS_PER_TOKEN,
                    output=VERIFICATION_OUTPUT,
                )
                for follow_up in self._follow_ups
            ]
        for reviewer in reviewers if self._settings.verify else ():
            batches = by_model[reviewer]
            model = chosen.name if chosen else reviewer
            prefix = self._planner.prefix(model)
            found.setdefault(model, []).extend(
                Usage(
                    input=batch.tokens + VERIFICATION_PROMPT,
                    output=VERIFICATION_OUTPUT,
                    cache_read=prefix,
                )
                for batch in batches
            )
        return tuple(self._sum(model, usages) for model, usages in found.items() if usages)

    def fallbacks(self, planned: Plan) -> tuple[Estimate, ...]:
        """Return the estimates if the first model of each chain fails, the first two, and so on."""
        chains = {batch.chain for batch in planned.reviewed_batches}
        longest = max((len(self._chains.choices(chain)) for chain in chains), default=1)
        return tuple(self.of(planned, fallback) for fallback in range(1, longest))

    def _of_model(self, model: str, batches: list[Batch], described: int | None) -> ModelEstimate:
        """Return the estimate of one model.

        The first request writes the shared prefix to the model's cache; the others read the prefix.

        Args:
            model: name of the model.
            batches: batches whose first model this is.
            described: number of files in the summary; None if the model writes no summary.
        """
        info = self._planner.info(model)
        if info.offline:
            tokens = sum(batch.tokens for batch in batches)
            return ModelEstimate(model, len(batches), tokens, 0, 0.0)
        prefix = self._planner.prefix(model)
        usages = [
            (Usage(cache_write=prefix) if number == 0 else Usage(cache_read=prefix))
            + Usage(input=batch.tokens, output=output_tokens(batch.tokens))
            for number, batch in enumerate(batches)
        ]
        if described is not None:
            shown = SUMMARY_PROMPT + SUMMARY_FILE * min(described, SUMMARY_FILES)
            usages.append(Usage(input=shown, output=SUMMARY_OUTPUT))
        return self._sum(model, usages)

    def _sum(self, model: str, usages: Sequence[Usage]) -> ModelEstimate:
        """Return the estimate of requests to ``model``."""
        costs = [cost_usd(self._planner.info(model), usage) for usage in usages]
        return ModelEstimate(
            model=model,
            requests=len(usages),
            input_tokens=sum(one.input + one.cache_read + one.cache_write for one in usages),
            output_tokens=sum(one.output for one in usages),
            cost_usd=None if None in costs else sum(cost or 0.0 for cost in costs),
        )

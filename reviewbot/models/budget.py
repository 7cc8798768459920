"""Budget of a review in dollars: requests reserve their worst case, and then are charged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.core.events.events import Usage
from reviewbot.models.base import Fault, ModelFault
from reviewbot.models.catalog import cost_usd

if TYPE_CHECKING:
    from reviewbot.models.catalog import ModelInfo

MIN_OUTPUT_TOKENS: Final = 1024
"""Minimum output tokens for which a request is worthwhile."""

_INPUT_MARGIN: Final = 1.15
"""Factor for the reserved input tokens, because the tokenizer is not that of the model."""

Measure: TypeAlias = Callable[["ModelInfo", str], int]
"""Function that returns the tokens of a prompt for a model. Uses the CPU."""


class Budget:
    """Budget that keeps the sum of charges and reservations within ``limit_usd``.

    A request that does not fit waits until running requests are charged, because most requests use
    far less than they reserve.

    Args:
        limit_usd: maximum charge of the review.
        measure: counts the tokens of the final prompt. The estimates of the plan are not
            sufficient, because a malicious diff can have more tokens than estimated.
        spent_usd: charges of an earlier run of the review.
    """

    def __init__(self, limit_usd: float, measure: Measure, *, spent_usd: float = 0.0) -> None:
        self.limit_usd = limit_usd
        self.spent_usd = spent_usd
        self._measure = measure
        self._reserved = 0.0
        self._changed = asyncio.Condition()

    async def reserve(
        self,
        info: ModelInfo,
        prompt: str,
        max_tokens: int,
        *,
        requests: int = 1,
        held: float = 0.0,
        waits: bool = True,
    ) -> tuple[int, float]:
        """Reserve the maximum cost of a response.

        Args:
            info: the model.
            prompt: all text of one request.
            max_tokens: desired maximum of output tokens.
            requests: maximum number of consecutive requests for the response.
            held: dollars that an earlier call reserved for the same response; the new reservation
                replaces them.
            waits: whether to wait for running requests. One that holds a reservation must not:
                two of them would wait for each other.

        Returns:
            The maximum of output tokens of a request, and the reserved dollars.

        Raises:
            ModelFault: not even a short response fits, or the model has no price (Fault.BUDGET).
        """
        input_tokens = await asyncio.to_thread(self._measure, info, prompt)
        floor = min(MIN_OUTPUT_TOKENS, max_tokens)
        async with self._changed:
            while True:
                free = self.limit_usd - self.spent_usd - self._reserved + held
                left = free / requests
                if self._worst(info, input_tokens, floor) <= left:
                    break
                if not self._reserved or not waits:
                    raise ModelFault(
                        f"The budget of ${self.limit_usd:.4g} does not admit another request:"
                        f" ${self.spent_usd:.4f} are spent, and the next one needs at least"
                        f" ${self._worst(info, input_tokens, floor) * requests:.4f}.",
                        fault=Fault.BUDGET,
                    )
                await self._changed.wait()
            allowed = self._affordable(info, input_tokens, floor, max_tokens, left)
            reserved = self._worst(info, input_tokens, allowed) * requests
            self._reserved = max(0.0, self._reserved - held) + reserved
            return allowed, reserved

    async def settle(self, reserved: float, spent: float) -> None:
        """Release a reservation, and charge the actual cost of the request, in dollars."""
        async with self._changed:
            self._reserved = max(0.0, self._reserved - reserved)
            self.spent_usd += spent
            self._changed.notify_all()

    def _affordable(
        self, info: ModelInfo, input_tokens: int, low: int, high: int, left: float
    ) -> int:
        """Return the most output tokens whose worst case is within ``left``, by bisection."""
        while low < high:
            middle = (low + high + 1) // 2
            if self._worst(info, input_tokens, middle) <= left:
                low = middle
            else:
                high = middle - 1
        return low

    @staticmethod
    def _worst(info: ModelInfo, input_tokens: int, output_tokens: int) -> float:
        """Return the cost if all input is written to the cache and all output is used."""
        tokens = int(input_tokens * _INPUT_MARGIN)
        cost = cost_usd(info, Usage(cache_write=tokens, output=output_tokens))
        if cost is None:
            raise ModelFault(
                f"A budget is set, but the price of {info.name} is not known; "
                f"set models.{info.name}.prices in the configuration.",
                fault=Fault.BUDGET,
            )
        return cost

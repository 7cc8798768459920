"""What each model can do and costs, as data with a source and a date; overridable in configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens. Above ``long_from`` input tokens the ``long`` prices hold."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    long_from: int | None = None
    long: Prices | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Capabilities and prices of one model.

    ``token_factor`` is its tokens per o200k token on diffs. ``cache_minimum`` is the shortest prefix, in
    tokens, that is cached at all. ``prices`` is None where unknown: cost is then shown as unknown.
    ``source`` says where and when the facts were read.
    """

    name: str
    provider: Literal["anthropic", "offline"]
    context: int
    max_output: int
    token_factor: float
    forced_tools: bool
    strict_tools: bool
    eager_input: bool
    structured_output: bool
    thinking: Literal["adaptive", "budget", "none"]
    sampling: bool
    cache_minimum: int
    prices: Prices | None
    source: str

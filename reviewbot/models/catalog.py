"""Capabilities and prices of models, with source and date. Users can override them.

The data is ``data/models.toml``. No code of reviewbot depends on the name of a model. Code checks
the capabilities in :class:`ModelInfo`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from reviewbot.core.prompt.request import PromptProfile
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.core.events.events import Usage

ThinkingMode = Literal["adaptive", "budget", "none"]
Effort = Literal["low", "medium", "high", "xhigh", "max"]
Provider = Literal["anthropic", "offline"]


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars per million tokens. Above ``long_from`` input tokens the ``long`` prices apply."""

    input: float
    output: float
    cache_read: float
    cache_write: float
    long_from: int | None = None
    long: Prices | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Capabilities and prices of one model.

    Args:
        name: name that is sent to the server.
        provider: a server of the Messages API, or the rules on this machine.
        context: maximum tokens of input and output together.
        max_output: the largest ``max_tokens`` that is accepted.
        token_factor: tokens of the model per o200k token on diffs.
        forced_tools: a forced ``tool_choice`` is accepted and does not silence its thinking.
        strict_tools: ``strict`` on a tool is accepted.
        eager_input: ``eager_input_streaming`` on a tool is accepted.
        structured_output: ``output_config.format`` is accepted.
        thinking: kind of thinking that can be requested.
        sampling: ``temperature`` is accepted; Anthropic's own API refuses it.
        prompt: ``compact`` for models that follow short instructions better than long ones.
        source: source and date of the facts.
        lookups: the model can call tools over several turns, to look up code.
        effort: the ``effort`` to request; None for the model's default.
        temperature: the ``temperature`` to request, if ``sampling`` is true.
        cache_minimum: the shortest prefix, in tokens, that can be cached; None without a cache.
        prices: the prices; None if unknown, so that the cost is unknown, too.
        prefill_tokens_per_s: input tokens that a slow server reads in a second, at least; the time
            limits of a request grow by this. None for a fast server.
        parallel: requests that the server answers at once; others wait here, where no time limit
            counts. None without a limit.
    """

    name: str
    provider: Provider
    context: int
    max_output: int
    token_factor: float
    forced_tools: bool
    strict_tools: bool
    eager_input: bool
    structured_output: bool
    thinking: ThinkingMode
    sampling: bool
    prompt: PromptProfile
    source: str
    lookups: bool = False
    effort: Effort | None = None
    temperature: float = 0.0
    cache_minimum: int | None = None
    prices: Prices | None = None
    prefill_tokens_per_s: float | None = None
    parallel: int | None = None

    @property
    def gets_temperature(self) -> bool:
        """True if every request states a temperature: a request for thinking states none."""
        return self.sampling and self.thinking == "none"

    @property
    def looks_up(self) -> bool:
        """True if requests may offer look-ups, which the compact prompt does not explain."""
        return self.lookups and self.prompt == "full"

    @property
    def offline(self) -> bool:
        """True for the rules on this machine, which are not a model."""
        return self.provider == "offline"


def lookup(name: str, overrides: Mapping[str, Mapping[str, object]] | None = None) -> ModelInfo:
    """Return a model's capabilities and prices; for an unknown model, those of a local server.

    Args:
        name: the model, for example ``claude-sonnet-5-5``, ``offline`` or a local server's name.
        overrides: from the configuration: model name to fields of :class:`ModelInfo`; a table of
            ``prices`` replaces the known one as a whole.

    Raises:
        ConfigError: an override has an unknown key or a value of the wrong kind.
    """
    data = _load()
    known = data["models"].get(data["aliases"].get(name, name), {"base": "server"})
    facts = data[known.get("base", "claude")] | known
    facts.pop("base", None)
    where = f"models.{name}"
    for key, value in (overrides or {}).get(name, {}).items():
        if key not in _CHECKS:
            valid = ", ".join(sorted(_CHECKS))
            raise ConfigError(f"no such capability; supported are {valid}", key=f"{where}.{key}")
        facts[key] = _checked(key, value, where)
    prices = facts.pop("prices", None)
    return ModelInfo(name=name, prices=_prices(prices, f"{where}.prices"), **facts)


def known_models() -> tuple[str, ...]:
    """Return all names of the catalogue, best known first."""
    return tuple(_load()["models"])


def cost_usd(info: ModelInfo, usage: Usage) -> float | None:
    """Return the cost of one request's ``usage`` in US dollars; None if prices are unknown.

    The whole input, cached or not, decides the price tier.
    """
    prices = info.prices
    if prices is None:
        return None
    total_input = usage.input + usage.cache_read + usage.cache_write
    if prices.long and prices.long_from is not None and total_input > prices.long_from:
        prices = prices.long
    millionths = (
        usage.input * prices.input
        + usage.output * prices.output
        + usage.cache_read * prices.cache_read
        + usage.cache_write * prices.cache_write
    )
    return millionths / 1_000_000


def caching_pays(info: ModelInfo, reads: float) -> bool:
    """Return whether a cache breakpoint costs less than sending its prefix each time.

    Args:
        info: the model. Without known prices, one read has to be expected.
        reads: expected number of later requests that read the prefix within its lifetime.
    """
    prices = info.prices
    if prices is None:
        return reads >= 1
    return reads * (prices.input - prices.cache_read) > prices.cache_write - prices.input


@cache
def _load() -> dict[str, Any]:
    import tomllib

    data = tomllib.loads((files("reviewbot") / "data" / "models.toml").read_text("utf-8"))
    data["aliases"] = {
        alias: name for name, facts in data["models"].items() for alias in facts.pop("aliases", ())
    }
    return data


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6


def _truth(value: object) -> bool:
    return isinstance(value, bool)


_CHECKS: Final = {
    "context": (_whole, "a whole number of tokens"),
    "max_output": (_whole, "a whole number of tokens"),
    "token_factor": (lambda value: _amount(value) and value > 0, "a number above 0"),
    "forced_tools": (_truth, "true or false"),
    "strict_tools": (_truth, "true or false"),
    "eager_input": (_truth, "true or false"),
    "structured_output": (_truth, "true or false"),
    "lookups": (_truth, "true or false"),
    "thinking": (
        lambda value: value in get_args(ThinkingMode),
        "one of " + ", ".join(get_args(ThinkingMode)),
    ),
    "sampling": (_truth, "true or false"),
    "effort": (
        lambda value: value is None or value in get_args(Effort),
        "one of " + ", ".join(get_args(Effort)),
    ),
    "temperature": (lambda value: _amount(value) and value <= 2, "a number from 0 to 2"),
    "cache_minimum": (lambda value: value is None or _whole(value), "a whole number of tokens"),
    "prompt": (
        lambda value: value in get_args(PromptProfile),
        "one of " + ", ".join(get_args(PromptProfile)),
    ),
    "prefill_tokens_per_s": (
        lambda value: value is None or (_amount(value) and value >= 1),
        "a number from 1 on",
    ),
    "parallel": (lambda value: value is None or _whole(value), "a whole number of requests"),
    "prices": (lambda _: True, ""),  # checked by _prices
}
"""Overridable fields: a check of the value, and a description of valid values."""


def _checked(key: str, value: object, where: str) -> object:
    check, right = _CHECKS[key]
    if not check(value):
        raise ConfigError(f"must be {right}, not {value!r}", key=f"{where}.{key}")
    return value


def _prices(data: object, where: str) -> Prices | None:
    if data is None:
        return None
    if not isinstance(data, dict):
        raise ConfigError(f"must be a table of prices, not {data!r}", key=where)
    names = [field.name for field in fields(Prices)]
    for key, value in data.items():
        if key not in names:
            problem = f"no such price; supported are {', '.join(names)}"
            raise ConfigError(problem, key=f"{where}.{key}")
        if key != "long" and not (_whole if key == "long_from" else _amount)(value):
            raise ConfigError(f"must be an amount, not {value!r}", key=f"{where}.{key}")
    missing = [name for name in names[:4] if name not in data]
    if missing:
        raise ConfigError(f"{' and '.join(missing)} missing", key=where)
    values = {key: value for key, value in data.items() if key != "long"}
    return Prices(**values, long=_prices(data.get("long"), f"{where}.long"))

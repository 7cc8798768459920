"""Cost: the same findings in four forms, in tokens and in dollars for a million reviews."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.findings.report_tool import FINDING_SCHEMA, REPORT_TOOL
from reviewbot.lab.tokens import count_pieces
from reviewbot.models.catalog import known_models, lookup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.findings.finding import Finding
    from reviewbot.models.catalog import ModelInfo

_FIELDS: Final[tuple[str, ...]] = tuple(FINDING_SCHEMA["properties"])
_PLAIN: Final = "Write each problem as: path:line severity category (confidence) title. text"
_NAMES: Final = ("verbose JSON", "compact JSON", "tool call", "plain text")


@dataclass(frozen=True, slots=True)
class Form:
    """The findings in one form.

    ``output`` are the o200k tokens that a model writes, ``input`` those of the description of the
    form in each request.
    """

    name: str
    text: str
    output: int
    input: int


@dataclass(frozen=True, slots=True)
class ModelCost:
    """US dollars for a million reviews with one model, by form in the order of the forms."""

    model: str
    dollars: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CostStudy:
    """The forms of ``findings`` findings, and their costs by model, the cheapest first.

    ``source`` is a sentence about the findings. ``model`` is the model that the user chose, and
    ``ratio`` the price of its output tokens in input tokens, None without prices. ``factor``
    is the number of its tokens for one of o200k.
    """

    findings: int
    source: str
    model: str
    ratio: float | None
    factor: float
    forms: tuple[Form, ...]
    models: tuple[ModelCost, ...]

    @property
    def figures(self) -> tuple[tuple[str, ...], ...]:
        """Each form with the tokens of the chosen model: output, and input of its description."""
        return tuple(
            (form.name, *(f"{round(one * self.factor):,}" for one in (form.output, form.input)))
            for form in self.forms
        )

    @property
    def method(self) -> str:
        """Sentences about what is counted."""
        return (
            "Only the answer and the description of its form are counted. Estimated: tokens of"
            f" o200k, times {self.factor:g} for {self.model}, and the factor of each model for its"
            " dollars. The prices are those of the catalogue, without the cache."
        )


def study_cost(findings: Sequence[Finding], source: str, chosen: ModelInfo) -> CostStudy:
    """Return the cost of ``findings`` in each form.

    Args:
        findings: findings of a review.
        source: sentence about the findings.
        chosen: model that the user chose; its prices are added to those of the catalogue.
    """
    forms = forms_of([{name: getattr(one, name) for name in _FIELDS} for one in findings])
    infos = {chosen.name: chosen} | {name: lookup(name) for name in known_models()}
    priced = [info for info in infos.values() if info.prices and not info.offline]
    costs = [ModelCost(info.name, tuple(million(form, info) for form in forms)) for info in priced]
    models = tuple(sorted(costs, key=lambda cost: cost.dollars))
    prices = chosen.prices
    ratio = prices.output / prices.input if prices and prices.input else None
    return CostStudy(len(findings), source, chosen.name, ratio, chosen.token_factor, forms, models)


def forms_of(findings: Sequence[Mapping[str, Any]]) -> tuple[Form, ...]:
    """Return the forms of findings that have the fields of the report tool."""
    report = {"findings": list(findings), "outcome": "complete"}
    schema = json.dumps(FINDING_SCHEMA, separators=(",", ":"))
    call = {"name": REPORT_TOOL["name"], "input": report}
    texts = {
        _NAMES[0]: (json.dumps(report, indent=2, ensure_ascii=False), schema),
        _NAMES[1]: (_compact(report), schema),
        _NAMES[2]: (_compact(call), _compact(REPORT_TOOL)),
        _NAMES[3]: ("\n".join(map(_plain, findings)), _PLAIN),
    }
    return tuple(
        Form(name, text, count_pieces(text), count_pieces(described))
        for name, (text, described) in texts.items()
    )


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _plain(finding: Mapping[str, Any]) -> str:
    fixed = f"\n{finding['suggestion']}" if finding["suggestion"] else ""
    return (
        f"{finding['path']}:{finding['line']} {finding['severity']} {finding['category']}"
        f" ({finding['confidence']:g}) {finding['title']}. {finding['scenario']}"
        f" {finding['message']}{fixed}"
    )


def million(form: Form, info: ModelInfo) -> float:
    """Return the dollars of a million reviews in ``form``: prices are per million tokens."""
    if info.prices is None:
        raise ValueError(f"{info.name} has no price")
    price = form.output * info.prices.output + form.input * info.prices.input
    return price * info.token_factor

"""Texts about model failures for the author of a change, who is rarely the operator. Pure.

The reason of a failure names servers, ports and requests. It is for the log and the command line.
What is posted on a pull request has one sentence for each kind of failure instead.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reviewbot.core.events.coverage import answered, reasons_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.events.events import FileCoverage
    from reviewbot.core.events.report import Report

UNCHECKED_USES: Final = "Uses of changed definitions were not checked"
"""Beginning of the reason why a request about the change as a whole failed."""
_MAINTAINER: Final = "a maintainer of this repository"

SENTENCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "transient": "The model service was not available; try again later.",
        "overloaded": "The model service is overloaded; try again later.",
        "rate_limited": "The model service limits the rate of requests; try again later.",
        "unusable": "The answers of the model were not usable; try again, or ask"
        f" {_MAINTAINER} to choose another model.",
        "could_not_review": "The model said that it could not review all of it.",
        "refused": "The model declined the request.",
        "rejected": f"The model service rejected the request; {_MAINTAINER} must correct the"
        " settings of the model.",
        "spend_limit": "The spend limit at the model service is reached;"
        f" {_MAINTAINER} must raise it.",
        "auth": f"The model service refused the API key; {_MAINTAINER} must renew it.",
        "budget": "The budget of the review does not admit another request;"
        f" {_MAINTAINER} can raise it.",
    }
)
"""Sentence for each kind of failure (``models.base.Fault``)."""
_OTHER: Final = "The model failed; the operator of reviewbot has the reason."


def failure(fault: str) -> str:
    """Return the sentence for a kind of failure, also for a kind of a newer version."""
    return SENTENCES.get(fault, _OTHER)


def cause(fault: str) -> str:
    """Return the sentence without its remedy, as a part of a sentence."""
    return failure(fault).rstrip(".").partition(";")[0]


def without_details(report: Report) -> Report:
    """Return ``report`` without the operator's details of model failures."""
    coverage = tuple(
        replace(file, reason=failure(file.fault)) if file.fault else file
        for file in report.coverage
    )
    before, after = _causes(report, report.coverage), _causes(report, coverage)
    others = [
        f"{UNCHECKED_USES}." if reason.startswith(UNCHECKED_USES) else reason
        for reason in report.reasons
        if reason not in before
    ]
    causes = after if len(others) < len(report.reasons) else ()
    return replace(report, coverage=coverage, reasons=(*causes, *others))


def _causes(report: Report, coverage: Sequence[FileCoverage]) -> tuple[str, ...]:
    return reasons_of(coverage) if report.question is None else answered(coverage)[1]

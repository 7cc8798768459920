"""Measure faults that a review with a model shows twice, or loses, compared with an offline review.

The answers of the model are stored: the planted bugs, in the words of those who planted them, or
the findings of a recorded review.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from benchmarks.quality.history import run_git
from benchmarks.quality.planted import NEAR, commit_case
from benchmarks.quality.reviewing import change_of, model_settings, offline_settings, reviewer
from benchmarks.quality.tables import table
from reviewbot.core.events.events import Usage
from reviewbot.models.base import Stop, Stopped, ToolInput, UsageReport
from reviewbot.models.catalog import lookup
from reviewbot.pipeline.sources import Source

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Sequence

    from benchmarks.quality.planted import Bug, Case
    from benchmarks.quality.reviewing import Reviewed, Reviewer
    from reviewbot.core.findings.finding import Finding
    from reviewbot.core.prompt.request import ModelRequest
    from reviewbot.models.base import ModelEvent
    from reviewbot.models.catalog import ModelInfo

Answer = dict[str, Any]
"""A finding as a model reports it."""

NAME: Final = "claude-sonnet-5-5"
REPORTS: Final = "A model reports: "
"""Beginning of the explanation in a joined finding."""


class StoredModel:
    """Model that reports the stored findings whose code a request shows."""

    def __init__(self, findings: Sequence[Answer]) -> None:
        self._findings = findings

    @property
    def info(self) -> ModelInfo:
        """The entry of a model in the catalogue."""
        return lookup(NAME)

    async def stream(
        self,
        request: ModelRequest,
        *,
        max_tokens: int,  # noqa: ARG002 - the protocol's; stored answers are short
    ) -> AsyncGenerator[ModelEvent, None]:
        """Yield the report."""
        shown = {
            (view.path, line.text)
            for view in request.chunks
            for hunk in view.hunks
            for line in hunk.lines
        }
        findings = [
            finding
            for finding in self._findings
            if (finding["path"], finding["quote"].split("\n")[0]) in shown
        ]
        yield ToolInput(json.dumps({"findings": findings, "outcome": "complete"}))
        yield UsageReport(Usage())
        yield Stopped(Stop.COMPLETE)

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A change that was reviewed offline and with the stored answers of a model.

    Attributes:
        id: name of the change.
        reported: findings that the model reported on a line.
        lost: findings of the offline review that the other review does not have.
        joined: findings of rules that have the explanation of the model.
        doubles: open findings of rule and model on the same or on adjacent lines. They need not be
            the same fault.
    """

    id: str
    reported: int
    lost: tuple[Finding, ...]
    joined: tuple[Finding, ...]
    doubles: tuple[tuple[Finding, Finding], ...]


def answers_of(case: Case) -> list[Answer]:
    """Return the planted bugs of a case as a model reports them."""
    return [_answer(case, bug) for bug in case.bugs]


def recorded_answers(stream: str) -> list[Answer]:
    """Return the findings of models in a recorded review, as the models reported them."""
    events = [json.loads(line) for line in stream.splitlines()]
    found = [event["finding"] for event in events if event["type"] == "finding"]
    return [finding for finding in found if "/" not in finding["rule"]]


def _answer(case: Case, bug: Bug) -> Answer:
    first = last = min(bug.lines)
    while last + 1 in bug.lines:
        last += 1
    code = case.after.split("\n")[first - 1 : last]
    return {
        "path": case.path,
        "quote": "\n".join(code),
        "line": first,
        "end_line": last,
        "side": "RIGHT",
        "scenario": bug.why,
        "category": "bug",
        "severity": "error",
        "confidence": 0.9,
        "title": bug.title,
        "message": bug.why,
        "suggestion": None,
    }


def compare(name: str, offline: Reviewed, with_model: Reviewed) -> Compared:
    """Compare two reviews of a change."""
    by_rules = [finding for finding in with_model.inline if not finding.is_from_model]
    by_models = [finding for finding in with_model.inline if finding.is_from_model]
    joined = tuple(finding for finding in by_rules if len(finding.models) > 1)
    return Compared(
        name,
        len(by_models) + len(joined),
        tuple(
            finding for id_, finding in offline.findings.items() if id_ not in with_model.findings
        ),
        joined,
        tuple((rule, model) for rule in by_rules for model in by_models if _is_near(rule, model)),
    )


def _is_near(finding: Finding, other: Finding) -> bool:
    is_apart = finding.line > other.end_line + NEAR or other.line > finding.end_line + NEAR
    return (finding.path, finding.side) == (other.path, other.side) and not is_apart


async def measure(cases: Sequence[Case]) -> list[Compared]:
    """Review each case offline, and with its planted bugs as the answers of a model."""
    with TemporaryDirectory(prefix="reviewbot-doubles-") as folder:
        repository = Path(folder)
        run_git(repository, "init", "--quiet")
        compared = []
        async with reviewer() as by:
            for case in cases:
                commit_case(repository, case)
                source = await change_of(repository, offline_settings(), commit="HEAD")
                compared.append(await _compared(by, case.id, source, answers_of(case)))
        return compared


async def measure_diff(name: str, diff: bytes, stream: str) -> list[Compared]:
    """Review a diff offline, and with the findings of a recorded review."""
    async with reviewer() as by:
        return [await _compared(by, name, Source(diff), recorded_answers(stream))]


async def _compared(by: Reviewer, name: str, source: Source, answers: Sequence[Answer]) -> Compared:
    offline = await by.review(source, offline_settings())
    with_model = await by.review(source, model_settings(NAME), StoredModel(answers))
    return compare(name, offline, with_model)


def report(compared: Sequence[Compared], *, details: bool = False) -> str:
    """Return the table, and with ``details`` the joined findings and the doubles."""
    doubles = [pair for case in compared for pair in case.doubles]
    rows = [
        ("findings of the model", sum(case.reported for case in compared)),
        ("joined with a finding of a rule", sum(len(case.joined) for case in compared)),
        ("on or beside the line of a rule's finding, and kept", len(doubles)),
        ("findings of rules that are lost", sum(len(case.lost) for case in compared)),
    ]
    parts = [table((f"{len(compared)} changes", "findings"), rows)]
    if details:
        parts.append("".join(f"{line}\n" for case in compared for line in _details(case)))
    return "\n".join(parts)


def _details(case: Compared) -> Iterable[str]:
    for lost in case.lost:
        yield f"{case.id}: lost {lost.rule} on line {lost.line}"
    for joined in case.joined:
        said = next(text for text in joined.message.split("\n") if text.startswith(REPORTS))
        titles = f"{joined.title} | {said.removeprefix(REPORTS)}"
        yield f"{case.id}: joined {joined.rule} on line {joined.line}: {titles}"
    for rule, model in case.doubles:
        lines = f"{rule.line}-{rule.end_line} and {model.line}-{model.end_line}"
        yield f"{case.id}: kept {rule.rule} on {lines}: {rule.title} | {model.title}"

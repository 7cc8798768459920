"""The plan of an evaluation, written before: its metric, and the cases that are held out.

A plan keeps an evaluation honest. The metric is chosen before its value is known, and settings are
tuned on other cases than those that finally count. A log beside the plan notes each evaluation, so
that a report can say whether the held-out cases were used once, and the plan was not changed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, cast

import yaml

from reviewbot.core.decode import decoder
from reviewbot.errors import ConfigError, SourceError
from reviewbot.eval.cases import read_lines
from reviewbot.eval.scores import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reviewbot.eval.cases import Case


@dataclass(frozen=True, slots=True)
class PlanFile:
    """The content of a plan: a metric of the scores, and ids of held-out cases."""

    metric: str
    held_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan that was read. ``digest`` identifies its text."""

    path: Path
    digest: str
    metric: str
    held_out: frozenset[str]

    def choose(self, cases: Sequence[Case], *, held_out: bool) -> tuple[Case, ...]:
        """Return the held-out cases, or the others."""
        return tuple(case for case in cases if (case.id in self.held_out) == held_out)


@dataclass(frozen=True, slots=True)
class Use:
    """An evaluation of held-out cases, if it ``is_final``, or of the others: digest, and plan."""

    evaluation: str
    plan: str
    is_final: bool


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """The plan of an evaluation, and whether it was respected.

    ``is_final`` is True for an evaluation of the held-out cases. ``uses`` is the number of those
    so far. ``changed`` is True if the plan was another one in an earlier evaluation of any cases.
    """

    digest: str
    metric: str
    held_out: int
    is_final: bool
    uses: int = 0
    changed: bool = False

    @property
    def is_respected(self) -> bool:
        """True if the plan was not changed, and the held-out cases are not used again here."""
        return not self.changed and (not self.is_final or self.uses == 1)


def read_plan(path: Path, cases: Sequence[Case]) -> Plan:
    """Return the plan in a YAML file.

    Raises:
        SourceError: the file cannot be read.
        ConfigError: it is not a plan, or names unknown cases or an unknown metric.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    try:
        found = cast("PlanFile", decoder(PlanFile)(yaml.safe_load(data.decode()), ""))
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        problem = str(error).partition("\n")[0]
        raise ConfigError(
            f"a plan has the keys metric and held_out: {problem}", source=path.name
        ) from error
    if found.metric not in METRICS:
        names = ", ".join(METRICS)
        raise ConfigError(
            f"{found.metric!r:.40} must be one of {names}", source=path.name, key="metric"
        )
    ids = {case.id for case in cases}
    for one in found.held_out:
        if one not in ids:
            raise ConfigError(f"there is no case {one!r:.80}", source=path.name, key="held_out")
    digest = hashlib.sha256(data).hexdigest()[:16]
    return Plan(path, digest, found.metric, frozenset(found.held_out))


def log_of(plan: Plan) -> Path:
    """Return the file that notes the evaluations."""
    return plan.path.with_name(f"{plan.path.name}.uses.jsonl")


def status(plan: Plan, evaluation: str, *, held_out: bool) -> PlanStatus:
    """Return the status of the plan for an evaluation, and note the evaluation.

    Args:
        plan: the plan.
        evaluation: identity of the evaluation; one with the same identity is the same use.
        held_out: whether it reviews the held-out cases.

    Raises:
        SourceError: the log cannot be read or written.
    """
    path = log_of(plan)
    uses = [*read_lines(path, _use)] if path.exists() else []
    digest = hashlib.sha256(evaluation.encode()).hexdigest()[:16]
    use = Use(digest, plan.digest, held_out)
    if use not in uses:
        uses.append(use)
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(asdict(use))}\n")
        except OSError as error:
            raise SourceError(f"cannot write {path}: {error.strerror}") from error
    return PlanStatus(
        plan.digest,
        plan.metric,
        len(plan.held_out),
        is_final=held_out,
        uses=sum(one.is_final for one in uses),
        changed=any(one.plan != plan.digest for one in uses),
    )


def _use(value: object) -> Use:
    return cast("Use", decoder(Use)(value, ""))

"""Contestants of an evaluation: reviewbot at given settings, and recorded outputs."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from reviewbot import __version__
from reviewbot.code.git_files import GitFiles
from reviewbot.code.git_repository import open_repository
from reviewbot.core.events.report import ReportBuilder, counts_for_fail_on
from reviewbot.core.findings.verdicts import FAILED
from reviewbot.errors import ReviewbotError, SourceError
from reviewbot.eval.cases import read_lines
from reviewbot.eval.importers import find_repository
from reviewbot.eval.results import Comment, Result, known_sum, result_of
from reviewbot.pipeline.custom_rules import base_rules
from reviewbot.pipeline.diff_context import with_context
from reviewbot.pipeline.model_clients import check_choices
from reviewbot.pipeline.prepare import prepare
from reviewbot.pipeline.run import RunDescription, run_review
from reviewbot.pipeline.run_context import RunContext
from reviewbot.pipeline.sources import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from reviewbot.config.settings import Settings
    from reviewbot.core.events.events import Estimate
    from reviewbot.core.events.report import Report
    from reviewbot.core.findings.finding import Finding
    from reviewbot.eval.cases import Case
    from reviewbot.models.offline.parser import Parser
    from reviewbot.pipeline.prepare import Prepared


class Contestant(Protocol):
    """A tool that reviews cases."""

    @property
    def name(self) -> str:
        """Name in the reports."""
        ...

    @property
    def spec(self) -> str:
        """Text that changes if results of the contestant cannot be mixed with earlier ones."""
        ...

    def estimate(self, case: Case) -> float | None:
        """Return the expected cost of one review in US dollars; None if it is not known."""
        ...

    async def review(self, case: Case, run: int) -> Result:
        """Review a case. A review that fails is a result with an error."""
        ...


class OwnReview:
    """Reviewbot at given settings.

    Args:
        name: name in the reports.
        settings: settings of the review; no summary is requested.
        parser: parser of source code.
        repositories: folder with the repositories of the cases, for context around their hunks and
            their own rules; None reviews the diffs alone.

    Raises:
        ConfigError: a model has no key.
    """

    def __init__(
        self, name: str, settings: Settings, parser: Parser, repositories: Path | None = None
    ) -> None:
        check_choices(settings)
        self.name = name
        self._settings, self._parser = replace(settings, summary=False), parser
        self._repositories = repositories

    @property
    def spec(self) -> str:
        """Version, models, prompt and a digest of the settings that decide about findings."""
        from reviewbot.core.prompt.templates import prompt_version

        settings = replace(
            self._settings, origins={}, notices=(), ignored=(), model_source="", jobs=1
        )
        digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:12]
        models = ", ".join(one.name for one in settings.choices)
        where = "diffs alone" if self._repositories is None else "with repositories"
        return (
            f"reviewbot {__version__}, {models}, prompt {prompt_version()}, settings {digest},"
            f" {where}"
        )

    def estimate(self, case: Case) -> float | None:
        """Return the expected cost, with the verification of every request.

        Raises:
            ReviewbotError: the case cannot be planned.
        """
        _, prepared = self._prepare(case)
        expected: Estimate = prepared.job.estimate
        return known_sum([expected.cost_usd, *(one.cost_usd for one in expected.verification)])

    async def review(self, case: Case, run: int) -> Result:
        """Review a case with the pipeline that every other entry point uses."""
        builder = ReportBuilder()
        problem = None
        try:
            source, prepared = await asyncio.to_thread(self._prepare, case)
            described = RunDescription(
                prepared=prepared,
                settings=self._settings,
                code=source.code,
                parser=self._parser,
                wait_for_linters=True,
            )
            async with aclosing(run_review(described)) as events:
                async for event in events:
                    builder.add(event)
        except ReviewbotError as error:
            problem = str(error)
        result = _result(self.name, run, case, builder.report, self._settings.max_notes)
        return result if problem is None else replace(result, error=problem)

    def _prepare(self, case: Case) -> tuple[Source, Prepared]:
        """Return the diff with the context that the settings configure, and its plan."""
        source = Source(case.data)
        if self._repositories is not None and case.head:
            directory = find_repository(self._repositories, case.repository)
            if directory is None:
                raise SourceError(f"{case.repository:.80} is not in {self._repositories.name}")
            repository = open_repository(directory, span=f"{case.base}..{case.head}")
            source = Source(
                case.data,
                repository.attributes(),
                code=GitFiles(repository),
                context=RunContext(custom_rules=base_rules(repository)),
            )
            source = asyncio.run(with_context(source, self._settings))
        prepared = prepare(
            source.data,
            self._settings,
            attributes=source.attributes,
            whole_files=source.whole_files,
            context=source.context,
        )
        return source, prepared


def _posted(report: Report, max_notes: int) -> Iterator[Finding]:
    """Yield the findings that count, as many notes among them as are posted."""
    notes = 0
    for finding in filter(counts_for_fail_on, report.findings):
        notes += finding.severity == "note"
        if finding.severity != "note" or notes <= max_notes:
            yield finding


def _result(name: str, run: int, case: Case, report: Report, max_notes: int) -> Result:
    tally, used = report.verification, report.usage
    refuted = tally.wrong + tally.not_introduced if tally else 0
    kept = (tally.supported, tally.partly, tally.cannot_tell, tally.unverified) if tally else (0,)
    reasons = " ".join(report.reasons) or f"The review ended as {report.outcome}."
    # A shallow review found nothing because it did not read the source files.
    error = None if report.complete and report.outcome != "shallow" else reasons
    failed = (verdict.reason for verdict in report.verdicts if verdict.reason.startswith(FAILED))
    return Result(
        contestant=name,
        run=run,
        case=case.id,
        comments=tuple(
            Comment(
                path=finding.path,
                line=finding.line,
                end_line=finding.end_line,
                side=finding.side,
                severity=finding.severity,
                text="\n".join(filter(None, (finding.title, finding.scenario, finding.message))),
                inline=finding.placement.kind == "inline",
                id=finding.id,
                by_rule=not finding.is_from_model and len(finding.models) == 1,
            )
            for finding in _posted(report, max_notes)
        ),
        error=error or next(failed, None),
        judged=refuted + sum(kept),
        refuted=refuted,
        tokens=used.input + used.output + used.cache_read + used.cache_write,
        cost_usd=report.cost_usd,
        first_finding_s=report.time_to_first_finding_s,
    )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A contestant whose results were recorded, such as those of a hosted product.

    A case without a recorded result has an error.
    """

    name: str
    spec: str
    results: Sequence[Result]

    def estimate(self, case: Case) -> float | None:
        """Return 0: reading costs nothing."""
        del case
        return 0.0

    async def review(self, case: Case, run: int) -> Result:
        """Return the recorded result of a case; each run takes the next record of the case."""
        found = [one for one in self.results if one.case == case.id]
        if not found:
            return Result(self.name, run, case.id, error="The case was not recorded.")
        return replace(found[min(run, len(found)) - 1], contestant=self.name, run=run)


def recorded(name: str, path: Path) -> Recorded:
    """Return the contestant of a file whose lines are results.

    ``contestant`` and ``run`` may be missing in the lines. Records of one case count as runs.

    Raises:
        SourceError: the file cannot be read, or a line is invalid.
    """

    def read(value: object) -> Result:
        if not isinstance(value, dict):
            raise ValueError("a result must be an object")  # noqa: TRY004 - read_lines expects it
        return result_of({"contestant": name, "run": 1, **value})

    results = read_lines(path, read)
    if not results:
        raise SourceError(f"{path.name}: there are no results in this file")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    return Recorded(name, f"recorded {digest}", results)


def check_names(contestants: Iterable[Contestant]) -> None:
    """Check that no two contestants have the same name.

    Raises:
        SourceError: two contestants have the same name.
    """
    names = [one.name for one in contestants]
    for name in names:
        if names.count(name) > 1:
            raise SourceError(f"two contestants have the name {name:.80}; give each its own")

"""Results of a review for the runner: annotations, summary, outputs and SARIF."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reviewbot.action.runner_files import SUMMARY_LIMIT, write_outputs, write_summary
from reviewbot.core.events.report import reaches_threshold
from reviewbot.core.render.annotations import render_job
from reviewbot.core.render.author import without_details
from reviewbot.core.render.layout import plain
from reviewbot.core.render.markdown import MIN_LIMIT, render
from reviewbot.core.render.terminal import final_lines
from reviewbot.errors import EXIT_FINDINGS, EXIT_INCOMPLETE, EXIT_OK, SourceError
from reviewbot.github.publish.check_run import told_in_comments
from reviewbot.github.publish.verdict import verdict
from reviewbot.pipeline.output import PLAIN_WIDTH, exit_code
from reviewbot.pipeline.rule_texts import render_sarif
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reviewbot.action.inputs import ActionInputs
    from reviewbot.config.settings import Settings
    from reviewbot.core.events.report import Report
    from reviewbot.github.publish.publication import Published


def sarif_target(inputs: ActionInputs) -> OutputTarget:
    """Return the target for the SARIF file, checked before any model request.

    The workspace may contain files of a pull request, so links out of the workspace are refused.

    Raises:
        SourceError: the file cannot be written, or its path is or contains an unsafe link.
    """
    path = inputs.sarif
    for root in filter(None, (inputs.workspace, inputs.temp)):
        real = Path(os.path.realpath(path))
        inside = Path(os.path.abspath(path)).is_relative_to(os.path.abspath(root))  # noqa: PTH100  links are what this is about
        if inside and not real.is_relative_to(os.path.realpath(root)):
            raise SourceError(f"cannot write {path}: it is a link that leads out of {root}")
    if path.is_symlink():
        raise SourceError(f"cannot write {path}: it is a link")
    return OutputTarget(path)


def write_report(
    published: Published,
    settings: Settings,
    inputs: ActionInputs,
    sarif: OutputTarget,
    notices: Sequence[str],
    *,
    custom_rules: Iterable[Mapping[str, Any]] = (),
) -> int:
    """Write the log, annotations, SARIF, summary and outputs; return the exit code.

    ``custom_rules`` are the rules of the repository, which SARIF describes.
    """
    own = published.report
    whole = replace(own, notices=(*published.problems, *own.notices))
    say(plain(final_lines(whole, width=PLAIN_WIDTH)))
    report = without_details(whole)
    code = exit_code(report, settings)
    if code == EXIT_INCOMPLETE and settings.if_incomplete == "neutral":
        code = EXIT_FINDINGS if reaches_threshold(report, settings.fail_on) else EXIT_OK
    say(_commands(report, published, settings, notices, has_failed=code != EXIT_OK))
    sarif.replace(render_sarif(report, custom_rules))
    write_summary(inputs.step_summary, _summary(report, published, settings))
    write_outputs(inputs.output, _outputs(report, published, inputs.sarif))
    return code


def _commands(
    report: Report,
    published: Published,
    settings: Settings,
    notices: Sequence[str],
    *,
    has_failed: bool,
) -> str:
    """Return the workflow commands.

    A finding gets one only if neither a comment nor a check run shows it, and if it is not listed.
    """
    shown = published.listed | published.comments.keys()
    findings = [finding for finding in report.findings if finding.id not in shown]
    text = verdict(report, settings.fail_on, by_rules=published.by_rules)
    address = published.summary_url or published.review_url
    return render_job(
        f"{text} {address}" if address else text,
        () if published.has_check and not published.failed else findings,
        has_failed=has_failed,
        notes=(*published.problems, *notices),
    )


def say(text: str) -> None:
    """Write ``text`` to the log at once."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _summary(report: Report, published: Published, settings: Settings) -> str:
    """Return the report as Markdown, within the limit of GitHub, which counts bytes."""
    limit, links = SUMMARY_LIMIT, published.links
    first = verdict(report, settings.fail_on, by_rules=published.by_rules)
    while True:
        text = render(
            report,
            limit=limit,
            links=published.comments,
            address_of=links.of_rests_on if links else None,
            verdict=first,
            brief=told_in_comments(report, published.comments),
        )
        if len(text.encode()) <= SUMMARY_LIMIT or limit <= MIN_LIMIT:
            return text
        limit = max(limit // 2, MIN_LIMIT)


def _outputs(report: Report, published: Published, sarif: Path) -> dict[str, str]:
    counts = report.counts
    return {
        "outcome": report.outcome or "incomplete",
        "findings": str(sum(counts.values())),
        "errors": str(counts["error"]),
        "warnings": str(counts["warning"]),
        "notes": str(counts["note"]),
        "cost-usd": "" if report.cost_usd is None else f"{report.cost_usd:.4f}",
        "sarif-file": str(sarif),
        "review-url": published.review_url or "",
        "summary-url": published.summary_url or "",
    }

"""What a job left, looked at as a runner and code scanning read it. For the injection corpus."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from tests.github.injection_markdown import (
    LINE_END,
    PAGE,
    Violation,
    hidden,
    in_markdown,
    may_lead,
)
from tests.runner_model import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.github.injection_runs import Job

_OUTPUTS: Final = {
    "outcome": r"clean|findings|incomplete|skipped",
    **dict.fromkeys(("findings", "errors", "warnings", "notes"), r"\d+"),
    "cost-usd": r"(?:\d+\.\d+)?",
    "sarif-file": r"/\S+/reviewbot\.sarif",
    **dict.fromkeys(("review-url", "summary-url"), rf"(?:{PAGE}/pull/\d+#[a-z]+-?\d+)?"),
}
_LINK: Final = re.compile(r"\[(?:\\.|[^\]\\])*\]\(([^)]*)\)")


def of_job(job: Job) -> Iterator[Violation]:
    """The log, as a runner obeys it; the outputs, as it reads them; summary and SARIF file."""
    yield from in_log(job.log)
    yield from in_outputs(job.outputs)
    yield from in_markdown(job.summary, "the job's summary")
    for line in job.errors.splitlines():
        yield from _commanded(line, "standard error")
        yield from hidden(line, "standard error")
    if job.sarif is not None:
        yield from in_sarif(job.sarif)


def in_log(log: str) -> Iterator[Violation]:
    """Commands that are not ours. Ours come last, each on a whole line."""
    lines = LINE_END.split(log)
    first = next((at for at, line in enumerate(lines) if line.startswith("::")), len(lines))
    for line in lines[:first]:
        yield from _commanded(line, "the log")
    for line in filter(None, lines[first:]):
        yield from _our_command(line)
    for line in lines:
        yield from hidden(line, "the log")


def _commanded(line: str, where: str) -> Iterator[Violation]:
    for found in commands(line):
        yield Violation("workflow-command", where, f"{found.name} {found.data[:60]}")


def _our_command(line: str) -> Iterator[Violation]:
    found = commands(line)
    ours = (
        line.startswith("::")
        and len(found) == 1
        and found[0].name in ("error", "warning", "notice")
        and found[0].properties.keys() <= {"file", "line", "endLine", "title"}
        and "title" in found[0].properties
        and "##[" not in line
    )
    if not ours:
        yield Violation("workflow-command", "the annotations", line[:80])


def in_outputs(text: str) -> Iterator[Violation]:
    """Outputs that are not ours, or have another form; read as a runner reads its file."""
    lines = iter(text.splitlines())
    for line in lines:
        name, mark, end = line.partition("<<")
        value = []
        for part in lines:
            if part == end:
                break
            value.append(part)
        form = _OUTPUTS.get(name)
        if not mark or form is None or not re.fullmatch(form, "\n".join(value)):
            yield Violation("workflow-command", "the outputs", f"{name}={value}"[:80])


def in_sarif(log: Any) -> Iterator[Violation]:
    """Texts that code scanning shows, and where it is sent for a file."""
    for run in log["runs"]:
        notes = run["invocations"][0]["toolExecutionNotifications"]
        told = [one["message"]["text"] for one in (*notes, *run["results"])]
        for result in run["results"]:
            yield from in_markdown(result["message"]["markdown"], "SARIF")
            uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
            if urlsplit(uri).scheme or uri.startswith("//"):
                yield Violation("link", "SARIF", uri)
        for text in told:
            yield from hidden(text, "SARIF")
            for link in _LINK.findall(text):
                if not may_lead(link):
                    yield Violation("link", "SARIF", link)

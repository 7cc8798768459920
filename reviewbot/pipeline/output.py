"""Outputs of a review: a terminal with a live line, text, records, or a document."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

from reviewbot.core.diff.excerpt import Excerpts
from reviewbot.core.events.events import (
    ChunkRetrying,
    ChunkStarted,
    FindingRaised,
    FindingVerified,
    FindingWithdrawn,
    ReviewFinished,
    ReviewProgress,
    ReviewStarted,
    Usage,
)
from reviewbot.core.events.records import record as record_of
from reviewbot.core.events.report import ReportBuilder, reaches_threshold
from reviewbot.core.render import final, ndjson, terminal
from reviewbot.core.render.document import plan_document
from reviewbot.core.render.layout import plain, rich_text
from reviewbot.core.render.wording import duration
from reviewbot.errors import EXIT_FINDINGS, EXIT_INCOMPLETE, EXIT_INTERRUPTED, EXIT_OK
from reviewbot.pipeline.color import color_system, make_console, with_escapes
from reviewbot.pipeline.job import opening, started
from reviewbot.pipeline.target import OutputTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Self, TextIO

    from rich.text import Text

    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.events.events import Event
    from reviewbot.core.events.records import Json
    from reviewbot.core.events.report import Report
    from reviewbot.core.render.finding_block import CodeLine
    from reviewbot.core.render.layout import Line
    from reviewbot.pipeline.color import ColorChoice, ColorSystem
    from reviewbot.pipeline.job import Job

PLAIN_WIDTH: Final = 100
"""Columns of text that is not written to a terminal, unless COLUMNS is set."""


class Outputs:
    """Outputs that number the events, build a report from them, and show both.

    With ``path`` the format goes to that file, and the terminal shows the review as text. Leaving
    the context writes the final document. An interrupted review is shown as unfinished.

    Args:
        name: name of the format.
        path: file for the format; None is standard output.
        files: the parsed diff, for the code around findings.
        shows_end: whether to show the final report. Otherwise the caller shows it, with prior
            findings.
        color: whether text on the terminal is coloured.
        custom_rules: rules of the repository, which SARIF describes.
        whole_files: files that are known in full, by path, to search them for secrets.
    """

    def __init__(
        self,
        name: str,
        path: Path | None,
        files: Sequence[FileDiff],
        *,
        shows_end: bool = True,
        color: ColorChoice = "auto",
        custom_rules: Iterable[Mapping[str, Any]] = (),
        whole_files: Mapping[str, FileDiff] = MappingProxyType({}),
    ) -> None:
        self._shows_end = shows_end
        self._recorder = _Recorder()
        self._builder = ReportBuilder()
        self._files, self._whole_files = files, whole_files
        self._excerpts: Excerpts | None = None
        self._reads = path is not None or name == "terminal"
        self._sinks: list[_Sink] = []
        if self._reads:
            self._sinks.append(_terminal(sys.stdout, color))
        elif sys.stderr is not None and sys.stderr.isatty():
            system = color_system(color, sys.stderr)
            self._sinks.append(_Live(sys.stderr, system, only_progress=True))
        if path is not None or name != "terminal":
            self._sinks.append(_format(name, OutputTarget(path), custom_rules))

    @property
    def report(self) -> Report:
        """The report so far."""
        return self._builder.report

    async def take(self, event: Event) -> None:
        """Show one event."""
        is_update = (
            isinstance(event, FindingRaised) and self._builder.finding(event.finding.id) is not None
        )
        self._builder.add(event)
        code: tuple[CodeLine, ...] = ()
        if isinstance(event, ReviewStarted):
            self._excerpts = Excerpts(self._files, event, self._whole_files)
        # In a thread, since it searches the file.
        if self._reads and self._excerpts and isinstance(event, FindingRaised):
            code = await asyncio.to_thread(self._excerpts.around, event.finding)
        shows_end = self._shows_end
        record = self._recorder.record(event)
        shown = _Shown(event, record, code, self._builder, shows_end, is_update)
        for sink in list(self._sinks):
            try:
                sink.take(shown)
            except BrokenPipeError:  # the terminal's text has no reader; continue with the file
                if len(self._sinks) == 1:
                    raise
                self._sinks.remove(sink)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sink in self._sinks:
            sink.close(self.report, shows_end=self._shows_end)


PLAN_FORMATS: Final = ("terminal", "ndjson", "json")
"""Formats of ``--dry-run``; the other formats show findings, which a plan lacks."""


def write_plan(job: Job, name: str, path: Path | None) -> None:
    """Write the output of ``--dry-run``: text, records, or one document."""
    if name == "ndjson":
        recorder = _Recorder()
        text = "".join(ndjson.render(recorder.record(event)) for event in opening(job))
    elif name == "json":
        text = plan_document(*opening(job))
    else:
        from reviewbot.core.render.dry_run import plan_lines

        reasons = {file.path: file.reason or "" for file in job.plan.skipped}
        text = plain(plan_lines(started(job), reasons, width=_width()))
    OutputTarget(path).replace(text)


class _Recorder:
    """Recorder that adds a number and a time to the events of one review."""

    def __init__(self) -> None:
        self._review_id, self._seq = uuid.uuid4().hex, 0

    def record(self, event: Event) -> Json:
        self._seq += 1
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return record_of(event, seq=self._seq, review_id=self._review_id, at=at)


@dataclass(frozen=True, slots=True)
class _Shown:
    """An event in the forms that sinks show."""

    event: Event
    record: Json
    code: Sequence[CodeLine]
    builder: ReportBuilder
    shows_end: bool
    is_update: bool
    """Whether the finding of the event replaces one that was shown."""

    def lines(self, width: int) -> list[Line]:
        """Return the event as lines of text."""
        match self.event:
            case FindingVerified():
                found = self.builder.finding(self.event.id)
                reason = self.event.reason
                return terminal.verified_lines(found, reason, width=width) if found else []
            case FindingWithdrawn():
                gone = self.builder.withdrawal(self.event.id)
                return terminal.withdrawn_lines(gone, width=width) if gone else []
            case ReviewFinished() if not self.shows_end:
                return []
            case ReviewFinished():
                return terminal.final_lines(self.builder.report, width=width)
            case _:
                return terminal.event_lines(
                    self.event, width=width, code=self.code, is_update=self.is_update
                )


def _width() -> int:
    return shutil.get_terminal_size((PLAIN_WIDTH, 25)).columns


class _Sink(Protocol):
    """Receiver that shows the events of a review."""

    def take(self, shown: _Shown) -> None: ...

    def close(self, report: Report, *, shows_end: bool) -> None: ...


class _Records:
    """Sink that writes each record at once."""

    def __init__(self, target: OutputTarget) -> None:
        self._target = target

    def take(self, shown: _Shown) -> None:
        self._target.append(ndjson.render(shown.record))

    def close(self, report: Report, *, shows_end: bool) -> None:
        del report, shows_end
        self._target.close()


class _Whole:
    """Sink that writes the complete report at the end."""

    def __init__(self, render: Callable[[Report], str], target: OutputTarget) -> None:
        self._render, self._target = render, target

    def take(self, shown: _Shown) -> None:
        pass

    def close(self, report: Report, *, shows_end: bool) -> None:
        del shows_end
        self._target.replace(self._render(report))


class _TextSink:
    """Sink that writes the review as text, plain or with escape sequences."""

    def __init__(self, target: OutputTarget, *, color: bool = False) -> None:
        self._target, self._text = target, with_escapes if color else plain
        self._width = _width()

    def take(self, shown: _Shown) -> None:
        self._show(shown.lines(self._width))

    def close(self, report: Report, *, shows_end: bool) -> None:
        if report.outcome is None and shows_end:
            self._show(terminal.final_lines(report, width=self._width))
        self._target.close()

    def _show(self, lines: Sequence[Line]) -> None:
        if lines:
            self._target.append(self._text(lines))


class _Live:
    """Sink for a terminal: the review, usually in colour, above a live line with the progress."""

    def __init__(self, stream: TextIO, system: ColorSystem, *, only_progress: bool = False) -> None:
        self._console = make_console(stream, system)
        self._only_progress = only_progress
        self._line = _LiveLine(self._console.width - 2)
        self._status = self._console.status(self._line, spinner="line")
        self._status.start()

    def take(self, shown: _Shown) -> None:
        if not shown.is_update:
            self._line.take(shown.event)
        if isinstance(shown.event, ReviewFinished):
            self._status.stop()
        if not self._only_progress:
            self._print(shown.lines(self._console.width))

    def close(self, report: Report, *, shows_end: bool) -> None:
        self._status.stop()
        if report.outcome is None and shows_end and not self._only_progress:
            self._print(terminal.final_lines(report, width=self._console.width))

    def _print(self, lines: Sequence[Line]) -> None:
        if lines:
            self._console.print(rich_text(lines), end="", soft_wrap=True)


class _LiveLine:
    """The live line; rich redraws it several times a second to update its clock."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._begun = time.monotonic()
        self._progress = ReviewProgress(0, 0, 0, 0, 0, Usage(), 0.0)

    def take(self, event: Event) -> None:
        """Update the line from an event; progress comes per chunk, findings in between."""
        now = self._progress
        match event:
            case ReviewStarted():
                files = sum(1 for file in event.files if file.chunks)
                now = replace(now, files_total=files, chunks_total=len(event.chunks))
            case ReviewProgress():
                now = event
            case FindingRaised():
                now = replace(now, findings=now.findings + 1)
            case FindingWithdrawn():
                now = replace(now, findings=now.findings - 1)
            case ChunkStarted():
                now = replace(now, activity=f"{event.model} reads {event.path}")
            case ChunkRetrying():
                now = replace(now, activity=f"{event.reason} Trying {event.next_model} again")
            case _:
                pass
        self._progress = now

    def __rich__(self) -> Text:
        from rich.text import Text  # rich would parse a str as markup

        elapsed = duration(time.monotonic() - self._begun)
        line = terminal.progress_line(self._progress, elapsed=elapsed, width=self._width)
        return Text("".join(text for text, _ in line), no_wrap=True)


def _terminal(stream: TextIO, color: ColorChoice) -> _Sink:
    system = color_system(color, stream)
    if stream.isatty():
        return _Live(stream, system)
    return _TextSink(OutputTarget(None), color=system is not None)


def _format(name: str, target: OutputTarget, custom_rules: Iterable[Mapping[str, Any]]) -> _Sink:
    if name == "terminal":
        return _TextSink(target)
    if name == "ndjson":
        return _Records(target)
    if name != "sarif":
        return _Whole(final(name), target)
    from reviewbot.pipeline.rule_texts import render_sarif

    return _Whole(partial(render_sarif, custom_rules=custom_rules), target)


def exit_code(report: Report, settings: Settings) -> int:
    """Return the exit code of a report."""
    if report.outcome == "cancelled":
        return EXIT_INTERRUPTED
    if not report.complete:
        return EXIT_INCOMPLETE
    return EXIT_FINDINGS if reaches_threshold(report, settings.fail_on) else EXIT_OK

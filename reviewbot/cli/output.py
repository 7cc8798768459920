"""Where the events of a review go: the terminal, a file, standard output. All writing is here."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from reviewbot.core.events import (
    FileSkipped,
    FindingRaised,
    FindingWithdrawn,
    ReviewFinished,
    ReviewProgress,
)
from reviewbot.core.events import record as record_of
from reviewbot.core.excerpt import Excerpts
from reviewbot.core.render import STREAMING, final, streaming, terminal
from reviewbot.core.render.layout import plain, rich_text
from reviewbot.core.report import ReportBuilder
from reviewbot.errors import SourceError
from reviewbot.review import started

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self, TextIO

    from reviewbot.core.diff import FileDiff
    from reviewbot.core.events import Event, Json
    from reviewbot.core.render.finding_block import CodeLine
    from reviewbot.core.render.layout import Line
    from reviewbot.core.report import Report
    from reviewbot.review import Job

PLAIN_WIDTH: Final = 100
"""Columns of text that goes to no terminal, unless COLUMNS says otherwise."""


class Outputs:
    """Numbers the events, folds them to a report, and hands them to whoever shows them.

    With ``path`` the format goes to that file, and the terminal shows the review as text.

    Args:
        name: the format.
        path: a file for it; None is standard output.
        files: the diff, for the code around findings.
    """

    def __init__(self, name: str, path: Path | None, files: Sequence[FileDiff]) -> None:
        self._review_id = uuid.uuid4().hex
        self._seq = 0
        self._builder = ReportBuilder()
        self._excerpts = Excerpts(files)
        self._sinks: list[_Sink] = []
        if path is not None or name == "terminal":
            self._sinks.append(_terminal(sys.stdout))
        elif sys.stderr.isatty():
            self._sinks.append(_Live(sys.stderr, only_progress=True))
        if path is not None or name != "terminal":
            target = _Target(path)
            self._sinks.append(
                _Records(name, target)
                if name in STREAMING
                else _Text(target)
                if name == "terminal"
                else _Whole(name, target)
            )

    @property
    def report(self) -> Report:
        """What the review came to so far."""
        return self._builder.report

    async def take(self, event: Event) -> None:
        """Show one event."""
        self._builder.add(event)
        self._seq += 1
        record = record_of(event, seq=self._seq, review_id=self._review_id, at=_now())
        code: tuple[CodeLine, ...] = ()
        if isinstance(event, FindingRaised):  # looks for secrets in the file: work for a thread
            code = await asyncio.to_thread(self._excerpts.around, event.finding)
        for sink in self._sinks:
            sink.take(event, record, code, self._builder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace  # a review that broke is shown as what it is: unfinished
        for sink in self._sinks:
            sink.close(self.report)


def write_plan(job: Job, name: str, path: Path | None) -> None:
    """Write what ``--dry-run`` shows: records for ``ndjson`` and ``json``, text otherwise."""
    events: list[Event] = [started(job)]
    events += [FileSkipped(file.path, file.reason or "") for file in job.plan.skipped]
    target = _Target(path)
    if name in ("ndjson", "json"):
        render, review_id = streaming("ndjson"), uuid.uuid4().hex
        target.replace(
            "".join(
                render(record_of(event, seq=seq, review_id=review_id, at=_now()))
                for seq, event in enumerate(events, 1)
            )
        )
    else:
        from reviewbot.core.render.dry_run import plan_lines

        reasons = {file.path: file.reason or "" for file in job.plan.skipped}
        target.replace(plain(plan_lines(started(job), reasons, width=_width())))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _width() -> int:
    return shutil.get_terminal_size((PLAIN_WIDTH, 25)).columns


class _Sink(Protocol):
    """Shows a review somewhere."""

    def take(
        self, event: Event, record: Json, code: Sequence[CodeLine], builder: ReportBuilder
    ) -> None: ...

    def close(self, report: Report) -> None: ...


class _Target:
    """Standard output, or a file that appears whole or, for streams, grows line by line."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._open: TextIO | None = None

    def append(self, text: str) -> None:
        """Write ``text`` at once."""
        if self._path is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        try:
            if self._open is None:
                self._open = self._path.open("w", encoding="utf-8", newline="\n")
            self._open.write(text)
            self._open.flush()
        except OSError as error:
            raise self._unwritable(error) from error

    def replace(self, text: str) -> None:
        """Write ``text`` as the whole content."""
        if self._path is None:
            self.append(text)
            return
        temporary = None
        try:
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", newline="\n", dir=self._path.parent, delete=False
            ) as file:
                temporary = Path(file.name)
                file.write(text)
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)  # as any other new file, not 0600
            temporary.replace(self._path)
        except OSError as error:
            if temporary:
                temporary.unlink(missing_ok=True)
            raise self._unwritable(error) from error

    def close(self) -> None:
        if self._open is not None:
            self._open.close()

    def _unwritable(self, error: OSError) -> SourceError:
        return SourceError(f"cannot write {self._path}: {error.strerror or error}")


class _Records:
    """One record at a time, as it comes."""

    def __init__(self, name: str, target: _Target) -> None:
        self._render, self._target = streaming(name), target

    def take(
        self, event: Event, record: Json, code: Sequence[CodeLine], builder: ReportBuilder
    ) -> None:
        del event, code, builder
        self._target.append(self._render(record))

    def close(self, report: Report) -> None:
        del report
        self._target.close()


class _Whole:
    """The report, once it is there."""

    def __init__(self, name: str, target: _Target) -> None:
        self._render, self._target = final(name), target

    def take(
        self, event: Event, record: Json, code: Sequence[CodeLine], builder: ReportBuilder
    ) -> None:
        pass

    def close(self, report: Report) -> None:
        self._target.replace(self._render(report))


class _Text:
    """The review as plain text."""

    def __init__(self, target: _Target) -> None:
        self._target = target
        self._width = _width()

    def take(
        self, event: Event, record: Json, code: Sequence[CodeLine], builder: ReportBuilder
    ) -> None:
        del record
        self._show(_lines(event, code, builder, self._width))

    def close(self, report: Report) -> None:
        if report.outcome is None:
            self._show(terminal.final_lines(report, width=self._width))
        self._target.close()

    def _show(self, lines: Sequence[Line]) -> None:
        if lines:
            self._target.append(plain(lines))


class _Live:
    """The review on a terminal: in colour, above a line that says what goes on."""

    def __init__(self, stream: TextIO, *, only_progress: bool = False) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._only_progress = only_progress
        self._status = self._console.status("Reviewing", spinner="line")
        self._status.start()

    def take(
        self, event: Event, record: Json, code: Sequence[CodeLine], builder: ReportBuilder
    ) -> None:
        del record
        width = self._console.width
        if isinstance(event, ReviewProgress):
            line = terminal.progress_line(event, width=width - 2)
            self._status.update("".join(text for text, _ in line))
        if isinstance(event, ReviewFinished):
            self._status.stop()
        if not self._only_progress:
            self._print(_lines(event, code, builder, width))

    def close(self, report: Report) -> None:
        self._status.stop()
        if report.outcome is None and not self._only_progress:
            self._print(terminal.final_lines(report, width=self._console.width))

    def _print(self, lines: Sequence[Line]) -> None:
        if lines:
            self._console.print(rich_text(lines), end="", soft_wrap=True)


def _terminal(stream: TextIO) -> _Sink:
    return _Live(stream) if stream.isatty() else _Text(_Target(None))


def _lines(
    event: Event, code: Sequence[CodeLine], builder: ReportBuilder, width: int
) -> list[Line]:
    """What a person reads of one event."""
    match event:
        case FindingWithdrawn():
            gone = builder.withdrawal(event.id)
            return terminal.withdrawn_lines(gone, width=width) if gone else []
        case ReviewFinished():
            return terminal.final_lines(builder.report, width=width)
        case _:
            return terminal.event_lines(event, width=width, code=code)

"""Streams: the events of one answer with their times, and what a reader gains by streaming."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.toolstream import ToolStream, ToolStreamError
from reviewbot.core.safety.escape import show_line
from reviewbot.models.anthropic.answer import AnswerReader, event_of
from reviewbot.models.base import InputRestarted, Thinking, ToolInput, UsageReport

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.models.base import ModelEvent

CHARS_PER_TOKEN: Final = 4
"""Estimate for the output of a server that reports no usage."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A server-sent event: seconds since the request, name and data."""

    at: float
    event: str
    data: str


@dataclass(frozen=True, slots=True)
class Recording:
    """The frames of one answer. ``source`` is a sentence about their origin."""

    model: str
    source: str
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Text that arrived ``at`` seconds after the request: a piece of the report, or a title."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class StreamStudy:
    """Measurements of one answer, in seconds since the request.

    Attributes:
        recording: the answer.
        first_event: arrival of the first event.
        first_text: arrival of the first character of the report; None without a report.
        findings: title of each finding, at the arrival of its closing brace.
        end: arrival of the last event.
        output: output tokens.
        is_counted: True if the server reported ``output``.
        pieces: the pieces of the report.
        thought: seconds between the first thought and the report; 0 without a thought.
    """

    recording: Recording
    first_event: float
    first_text: float | None
    findings: tuple[Arrival, ...]
    end: float
    output: int
    is_counted: bool
    pieces: tuple[Arrival, ...]
    thought: float

    @property
    def per_second(self) -> float | None:
        """Output tokens per second after the first text; None for an answer in one piece."""
        if self.first_text is None or self.end <= self.first_text:
            return None
        return self.output / (self.end - self.first_text)

    @property
    def figures(self) -> tuple[tuple[str, str], ...]:
        """The measurements as label and text."""
        first = self.findings[0].at if self.findings else None
        rate = self.per_second
        return (
            ("first event", _seconds(self.first_event)),
            ("first text of the report", _seconds(self.first_text)),
            ("thought before it", _seconds(self.thought or None)),
            ("first finding", _seconds(first)),
            ("end", _seconds(self.end)),
            ("output tokens", f"{self.output:,}{'' if self.is_counted else ' (estimated)'}"),
            ("tokens per second", "-" if rate is None else f"{rate:.0f}"),
            ("pieces of the report", f"{len(self.pieces):,}"),
        )


def study_stream(recording: Recording) -> StreamStudy:
    """Return the measurements of ``recording``.

    Raises:
        ModelFault: a frame is not an event of the Messages API.
        ValueError: there are no frames.
    """
    if not recording.frames:
        raise ValueError("a recording needs frames")
    report = ToolStream()
    first_thought: float | None = None
    findings: list[Arrival] = []
    pieces: list[Arrival] = []
    output, broken = 0, False
    for at, event in model_events(recording.frames):
        match event:
            case ToolInput(text=text):
                pieces.append(Arrival(at, text))
                try:
                    if not broken:
                        report.feed(text)
                except ToolStreamError:
                    broken = True  # a broken report has no more findings, but it still has an end
                found = report.drain()
                findings += [Arrival(at, show_line(str(one.get("title", "")))) for one in found]
            case Thinking():
                first_thought = at if first_thought is None else first_thought
            case InputRestarted():
                report, broken = ToolStream(), False
            case UsageReport(usage=usage):
                output = usage.output
            case _:
                pass
    first_text, end = pieces[0].at if pieces else None, recording.frames[-1].at
    return StreamStudy(
        recording=recording,
        first_event=recording.frames[0].at,
        first_text=first_text,
        findings=tuple(findings),
        end=end,
        output=output or sum(len(one.text) for one in pieces) // CHARS_PER_TOKEN,
        is_counted=bool(output),
        pieces=tuple(pieces),
        thought=0.0 if first_thought is None else (first_text or end) - first_thought,
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def model_events(frames: Iterable[Frame]) -> Iterable[tuple[float, ModelEvent]]:
    """Yield the model events of ``frames`` with their times, up to an error of the server.

    Raises:
        ModelFault: a frame is not an event of the Messages API.
    """
    reader = AnswerReader(as_text=False, clean=str)
    for frame in frames:
        happened = event_of(frame.event, frame.data)
        if happened is None:
            continue
        if happened[0] == "error":
            return
        for event in reader.take(*happened):
            yield frame.at, event
        if reader.ended:
            yield frame.at, reader.stopped()
            return


def parse_recording(text: str) -> Recording:
    """Return the recording of a JSON Lines text: a head with model and source, then the frames."""
    head, *frames = map(json.loads, text.splitlines())
    return Recording(
        head["model"],
        head["source"],
        tuple(Frame(one["at"], one["event"], one["data"]) for one in frames),
    )

"""Writes the expected output of every format beside the recorded streams.

Run ``python -m tests.regenerate_golden`` after a change of a renderer, and read the difference
before committing it: it is what users will see.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.core.events.events import (
    Event,
    FindingVerified,
    FindingWithdrawn,
    ReviewFinished,
    ReviewProgress,
)
from reviewbot.core.events.records import from_record
from reviewbot.core.events.report import ReportBuilder, fold
from reviewbot.core.render import FINAL, final, terminal
from reviewbot.core.render.inert import json_text
from reviewbot.core.render.layout import plain
from reviewbot.core.render.sse import frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.core.events.records import Json
    from reviewbot.core.render.layout import Line

STREAMS = Path(__file__).parent.parent / "fixtures" / "streams"
WIDTHS = (60, 100)


def recorded(stream: Path) -> list[Json]:
    return [json.loads(line) for line in stream.read_text(encoding="utf-8").split("\n") if line]


def terminal_lines(events: list[Event], width: int) -> Iterator[Line]:
    """What a terminal of ``width`` columns shows, live lines included."""
    builder = ReportBuilder()
    for event in events:
        builder.add(event)
        match event:
            case FindingVerified():
                found = builder.finding(event.id)
                if found is not None:
                    yield from terminal.verified_lines(found, event.reason, width=width)
            case FindingWithdrawn():
                gone = builder.withdrawal(event.id)
                yield from terminal.withdrawn_lines(gone, width=width) if gone else ()
            case ReviewProgress():
                yield terminal.progress_line(event, width=width)
            case ReviewFinished():
                pass
            case _:
                yield from terminal.event_lines(event, width=width)
    yield from terminal.final_lines(builder.report, width=width)


def outputs(stream: Path) -> Iterator[tuple[Path, str]]:
    """The file beside ``stream`` and what should be in it, for every format."""
    records = recorded(stream)
    events = [from_record(record) for record in records]
    for width in WIDTHS:
        yield (
            stream.with_suffix(f".terminal-{width}.txt"),
            plain(terminal_lines(events, width)),
        )
    frames = (frame(one["type"], one["seq"], json_text(one)) for one in records)
    yield stream.with_suffix(".sse.txt"), b"".join(frames).decode()
    for name in FINAL:
        yield stream.with_suffix(_SUFFIXES[name]), final(name)(fold(events))


_SUFFIXES = {
    "json": ".json",
    "sarif": ".sarif",
    "markdown": ".md",
    "annotations": ".annotations.txt",
    "rdjson": ".rdjson.json",
}


def main() -> None:
    for stream in sorted(STREAMS.glob("*.ndjson")):
        for path, text in outputs(stream):
            path.write_bytes(text.encode("utf-8"))


if __name__ == "__main__":
    main()

"""Compare ToolStream with the SDK's streaming helper on reports of 16 to 256 KB.

Both get the same deltas of 8 characters, in this process. The helper parses everything it has at
each delta and publishes unfinished values; ToolStream publishes a finding when it is complete.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import ijson
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import (
    InputJSONDelta,
    Message,
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawMessageStartEvent,
    ToolUseBlock,
    Usage,
)

from reviewbot.core.findings.toolstream import ToolStream

if TYPE_CHECKING:
    from types import ModuleType

SIZES_KB = (16, 32, 64, 128, 256)
DELTA = 8
FINDING = {
    "path": "src/billing/charge.py",
    "quote": '    due = order.net * rate\n    log.info("charging {}", due)',
    "side": "RIGHT",
    "line": 42,
    "end_line": 43,
    "scenario": "When the order is a refund, rate is negative and the customer is charged twice.",
    "category": "bug",
    "severity": "error",
    "confidence": 0.9,
    "title": "Refunds are charged instead of paid back",
    "message": "When `order.refund` is set, line 42 multiplies by a **negative** rate. " * 3,
    "suggestion": '    due = abs(order.net * rate)\n    log.info("charging {}", due)',
}


def report_of(size: int) -> tuple[str, int]:
    """Return a report of about ``size`` characters and the number of its findings."""
    count = max(1, size // len(json.dumps(FINDING)))
    return json.dumps({"findings": [FINDING] * count, "outcome": "complete"}), count


def decode(deltas: list[str], count: int, backend: ModuleType) -> float:
    """Return the seconds that ToolStream takes."""
    start = time.perf_counter()
    stream, seen = ToolStream(backend=backend), 0
    for delta in deltas:
        stream.feed(delta)
        seen += len(stream.drain())
    complete = stream.close().complete
    seconds = time.perf_counter() - start
    assert complete
    assert seen == count
    return seconds


def decode_with_the_sdk(deltas: list[str], count: int) -> float:
    """Return the seconds that the SDK's helper takes to accumulate the same events."""
    usage = Usage(input_tokens=1, output_tokens=1)
    message = Message(
        id="m", type="message", role="assistant", model="m", content=[], usage=usage,
    )  # fmt: skip
    events: list[Any] = [
        RawMessageStartEvent(type="message_start", message=message),
        RawContentBlockStartEvent(
            type="content_block_start",
            index=0,
            content_block=ToolUseBlock(id="t", type="tool_use", name="report_findings", input={}),
        ),
        *(
            RawContentBlockDeltaEvent(
                type="content_block_delta",
                index=0,
                delta=InputJSONDelta(type="input_json_delta", partial_json=delta),
            )
            for delta in deltas
        ),
    ]
    start = time.perf_counter()
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in events:
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    seconds = time.perf_counter() - start
    assert len(snapshot.content[0].input["findings"]) == count
    return seconds


def main() -> None:
    """Print a line for each size, and how both grow from the smallest to the largest."""
    compiled, pure = ijson.get_backend("yajl2_c"), ijson.get_backend("python")
    print(f"deltas of {DELTA} characters; milliseconds, best of 3 (the SDK's helper: once)")
    print(
        f"{'KB':>5} {'findings':>8} {'toolstream':>10} {'pure python':>11} {'SDK':>9} {'ratio':>7}"
    )
    rows: list[tuple[float, float, float]] = []
    for size in SIZES_KB:
        text, count = report_of(size << 10)
        deltas = [text[i : i + DELTA] for i in range(0, len(text), DELTA)]
        ours = min(decode(deltas, count, compiled) for _ in range(3))
        slow = min(decode(deltas, count, pure) for _ in range(3))
        theirs = decode_with_the_sdk(deltas, count)
        rows.append((ours, slow, theirs))
        print(
            f"{size:>5} {count:>8} {ours * 1e3:>10.1f} {slow * 1e3:>11.1f}"
            f" {theirs * 1e3:>9.1f} {theirs / ours:>6.0f}x"
        )
    growth = SIZES_KB[-1] // SIZES_KB[0]
    grown = "  ".join(
        f"{name} {last / first:.1f}"
        for name, first, last in zip(
            ("toolstream", "pure python", "SDK"), rows[0], rows[-1], strict=True
        )
    )
    print(f"time from {SIZES_KB[0]} to {SIZES_KB[-1]} KB (linear is {growth}): {grown}")


if __name__ == "__main__":
    main()

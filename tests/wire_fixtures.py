"""Writes ``fixtures/wire`` and what is made of it: ``python -m tests.wire_fixtures``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.findings.draft import Draft
from reviewbot.models.base import ModelFault
from reviewbot.models.report_reader import ReportReader
from tests.fake_anthropic import Answer, FakeAnthropic, Script, StreamError
from tests.fake_anthropic.replies import frame
from tests.models.asking import claude, request
from tests.models.scripted import item

if TYPE_CHECKING:
    from reviewbot.core.events.events import Usage

WIRE: Final = Path(__file__).parents[1] / "fixtures" / "wire"

BODIES: Final[dict[str, Answer]] = {
    "tool-call": Answer([item(1), item(2)]),
    "nothing-found": Answer([]),
    "text-then-tool-call": Answer([item(1)], preamble="Let me read every hunk."),
    "thinking-then-tool-call": Answer([item(1)], thinking="Line 1 looks odd."),
    "max-tokens": Answer([item(1), item(2)], truncate_at=500, block_stop=False),
    "refusal-midway": Answer([item(1)], stop_reason="refusal", stop_details={"category": "cyber"}),
    "overloaded-midway": Answer([item(1)], error=StreamError()),
    "no-message-stop": Answer([item(1)], message_stop=False),
    "overlapping-blocks": Answer([item(1)], blocks=2, overlap=True),
    "could-not-review": Answer([item(1)], outcome="could_not_review"),
    "one-delta": Answer([item(1)], delta_size=None, close=True),
    "input-at-start": Answer([item(1)], input_in_start=True),
    "no-input-field": Answer([item(1)], omit_input=True, usage_at_end=True),
    "broken-json": Answer(report='{"findings": [{"path": "a.py", ]}'),
}


async def reading_of(body: bytes, pieces: list[bytes]) -> dict[str, Any]:
    """What becomes of ``body`` when it arrives in ``pieces``, as plain values."""
    assert b"".join(pieces) == body
    async with FakeAnthropic(lambda _: Script(pieces)) as fake, claude(fake) as model:
        reading, drafts = ReportReader(own=False), []
        end = "broke off"
        try:
            async for event in model.stream(request(), max_tokens=1000):
                drafts += [one.line for one in reading.take(event) if isinstance(one, Draft)]
            end = reading.refusal or reading.judge().value
        except ModelFault as fault:
            end = f"{fault.fault.value}: {fault}".replace(f"127.0.0.1:{fake.port}", "SERVER")
    used: Usage = reading.used
    return {
        "drafts": list(dict.fromkeys(drafts)),
        "end": end,
        "usage": {"input": used.input, "output": used.output},
    }


def main() -> None:
    """Write every body and its expectation."""
    for name, answer in BODIES.items():
        body = answer.wire() if name != "tool-call" else frame("ping") + answer.wire()
        (WIRE / f"{name}.sse").write_bytes(body)
        expected = asyncio.run(reading_of(body, [body]))
        text = json.dumps(expected, indent=2) + "\n"
        (WIRE / f"{name}.expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

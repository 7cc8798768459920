"""A scriptable fake of the Anthropic Messages API: a real server on loopback, strict and nasty.

In a test::

    async with FakeAnthropic() as fake:
        fake.enqueue(StatusError(529, retry_after=2), Answer(findings=[finding()], delta_size=8))
        model = Claude(info, api_key=fake.key, base_url=fake.base_url)
        ...
        assert fake.requests[1].tool_choice == {"type": "auto", "disable_parallel_tool_use": True}

Each request takes the next reply of the queue; when the queue is empty, ``fake.respond`` (a
function from the request to a reply) is asked; without one the test fails when the fake closes.
Requests that the real API refuses are refused before any reply is taken. As a process:
``python -m tests.fake_anthropic --script FILE`` (see ``__main__``).
"""

from tests.fake_anthropic.replies import (
    Answer,
    Cut,
    Hang,
    Pause,
    Reply,
    Script,
    StatusError,
    Step,
    StreamError,
    finding,
    frame,
)
from tests.fake_anthropic.requests import Recorded
from tests.fake_anthropic.server import FakeAnthropic

__all__ = [
    "Answer",
    "Cut",
    "FakeAnthropic",
    "Hang",
    "Pause",
    "Recorded",
    "Reply",
    "Script",
    "StatusError",
    "Step",
    "StreamError",
    "finding",
    "frame",
]

"""Runs the fake as a process: prints its address, then serves until it is ended.

``python -m tests.fake_anthropic [--port N] [--script FILE]``. FILE is a JSON list of replies, one
per request in turn: ``{"status": 529, "retry_after": 2}``, or the fields of ``Answer``, for
example ``{"findings": [{...}], "delta_size": 8, "pace": 0.01}`` (a finding may leave out fields).
``{"repeat": true, ...}`` in the last reply answers all further requests. Without a script every
answer is an empty report. The first line printed is the base URL.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

from tests.fake_anthropic.replies import Answer, Reply, StatusError, StreamError, finding
from tests.fake_anthropic.server import FakeAnthropic


def reply_from(data: dict[str, Any]) -> Reply:
    """One entry of a script file."""
    data = dict(data)
    if "status" in data:
        return StatusError(**data)
    if "findings" in data:
        data["findings"] = [finding(**item) for item in data["findings"]]
    if "error" in data:
        data["error"] = StreamError(**data["error"])
    return Answer(**data)


async def serve(port: int, key: str, script: list[dict[str, Any]]) -> None:
    """Serves until cancelled."""
    always = script.pop() if script and script[-1].get("repeat") else {}
    always.pop("repeat", None)
    last = reply_from(always)
    async with FakeAnthropic(lambda _: last, key=key, port=port) as fake:
        fake.enqueue(*(reply_from(entry) for entry in script))
        print(fake.base_url, flush=True)  # noqa: T201 -- the caller reads the address
        await asyncio.Event().wait()


def main() -> None:
    """Parses the arguments and serves."""
    parser = argparse.ArgumentParser(prog="fake_anthropic")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", default="sk-ant-" + "fake")
    parser.add_argument("--script", type=Path)
    options = parser.parse_args()
    script = json.loads(options.script.read_text()) if options.script else []
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options.port, options.key, script))


main()

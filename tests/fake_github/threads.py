"""The fake for tests that have no loop: it runs in one of its own, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any

from tests.fake_github.fake import FakeGitHub

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def in_thread(**options: Any) -> Iterator[FakeGitHub]:
    """``with in_thread() as github``, for code that blocks and for subprocesses.

    The test may change the world while no request is under way.
    """
    ready: list[FakeGitHub] = []
    failures: list[BaseException] = []
    started, done = threading.Event(), threading.Event()

    async def serve() -> None:
        async with FakeGitHub(**options) as github:
            ready.append(github)
            started.set()
            await asyncio.to_thread(done.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 -- raised again in the test
            failures.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="fake-github", daemon=True)
    thread.start()
    started.wait()
    try:
        if ready:
            yield ready[0]
    finally:
        done.set()
        thread.join()
    if failures:
        raise failures[0]

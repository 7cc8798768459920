"""Progress of a long wait, on standard error."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any, Final, TypeVar

from reviewbot.core.safety.escape import show

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rich.status import Status

PAUSE_S: Final = 2.0

T = TypeVar("T")


class WaitIndicator:
    """Indicator of a long wait: a temporary line on a terminal, else a few lines.

    ``what`` describes the work.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._doing, self._said = "no answer yet", ""
        self._status: Status | None = None

    def report(self, doing: str) -> None:
        """Set the description of the current step."""
        self._doing = doing

    async def until(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of ``work``; show the current step at intervals."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({task}, timeout=PAUSE_S))[0]:
                self._say()
            result = task.result()
            if self._said and self._status is None:
                self._print("done")
            return result
        finally:
            task.cancel()
            await asyncio.wait({task})
            if self._status is not None:
                self._status.stop()

    def _say(self) -> None:
        text = show(f"{self._what}: {self._doing}")
        if sys.stderr is None or text == self._said:
            return
        self._said = text
        if not sys.stderr.isatty():
            self._print(self._doing)
            return
        from rich.console import Console
        from rich.text import Text  # rich would parse a str as markup

        if self._status is None:
            console = Console(file=sys.stderr, highlight=False, emoji=False)
            self._status = console.status(Text(text), spinner="line")
            self._status.start()
        self._status.update(Text(text))

    def _print(self, doing: str) -> None:
        print(f"reviewbot: {show(f'{self._what}: {doing}')}", file=sys.stderr)  # noqa: T201  for people

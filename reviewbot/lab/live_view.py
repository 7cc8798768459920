"""The answer of a model on a terminal while it arrives, beside what a buffering reader sees."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from reviewbot.core.render.layout import wrap
from reviewbot.core.safety.escape import show

if TYPE_CHECKING:
    from typing import Self

    from rich.console import Console

SHOWN: Final = 600
"""The last characters of the answer that are shown."""
HEIGHT: Final = 12
"""Lines of a panel, with its two borders."""
FRAME: Final = 4
"""Columns of the borders and the padding of a panel."""
REFRESHES: Final = 8
"""Refreshes per second."""


class LiveView:
    """Two panels that disappear at the end; nothing is drawn if the console is no terminal.

    Args:
        console: where to draw.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.begin()
        self._live = Live(
            console=console,
            get_renderable=self.panels,
            refresh_per_second=REFRESHES,
            transient=True,
        )

    def begin(self) -> None:
        """Begin anew, as a request goes out."""
        self._text, self._begun, self._ended = "", time.monotonic(), False

    def take(self, piece: str) -> None:
        """Add a piece of the answer."""
        self._text += piece

    def end(self) -> None:
        """Show the answer to the buffering reader, too."""
        self._ended = True

    def panels(self) -> Table:
        """Return the two panels as they are now."""
        waited = f"nothing yet, after {time.monotonic() - self._begun:.1f} s"
        grid = Table.grid(expand=True)
        grid.add_column(ratio=1)
        grid.add_column(ratio=1)
        room = max(self._console.width // 2 - FRAME, 1)
        lines = wrap(show(self._text[-SHOWN:]), room)[2 - HEIGHT :]
        streamed = Text("\n".join(lines))
        buffered = streamed if self._ended else Text(waited, "dim")
        grid.add_row(
            Panel(streamed, title="streamed", height=HEIGHT),
            Panel(buffered, title="buffered", height=HEIGHT),
        )
        return grid

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

"""Colour of text for a terminal: whether there is any, and text with escape sequences."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, TypeAlias

from reviewbot.core.render.layout import rich_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from rich.console import Console

    from reviewbot.core.render.layout import Line

ColorChoice: TypeAlias = Literal["auto", "always", "never"]
ColorSystem: TypeAlias = Literal["auto", "standard"] | None
"""``standard`` colours any stream, ``auto`` what the terminal supports; None is no colour."""


def color_system(choice: ColorChoice, stream: TextIO) -> ColorSystem:
    """Return the colours of ``stream``: as chosen, else as the environment and the stream are."""
    if choice == "always":
        return "standard"
    if choice == "never" or os.environ.get("NO_COLOR"):
        return None
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return "standard"
    return "auto" if stream.isatty() else None


def make_console(stream: TextIO | None, system: ColorSystem) -> Console:
    """Return a console that prints text as it is, apart from its styles."""
    from rich.console import Console

    return Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
        color_system=system,
        no_color=system is None,  # otherwise rich reads NO_COLOR, also against a flag
        force_terminal=True if system == "standard" else None,
    )


def with_escapes(lines: Sequence[Line]) -> str:
    """Return lines as text with escape sequences for their styles."""
    console = make_console(None, "standard")
    with console.capture() as captured:
        console.print(rich_text(lines), end="", soft_wrap=True)
    return captured.get()

"""Events to text, one module a format. Pure: the caller writes what comes back.

``ndjson`` and ``sse`` take one record (:func:`reviewbot.core.events.records.record`) at a time,
the other formats the :class:`~reviewbot.core.events.report.Report`. ``terminal`` has a separate
interface, because it needs code around a finding and the width of the screen. Modules are imported
on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from reviewbot import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from reviewbot.core.events.report import Report

TOOL_NAME: Final = "reviewbot"
TOOL_URL: Final = REPOSITORY

FINAL: Final = {
    "json": "document",
    "sarif": "sarif",
    "markdown": "markdown",
    "annotations": "annotations",
    "rdjson": "rdjson",
}
"""Format to module with ``render(report) -> str``; some take further keyword arguments."""


def final(name: str) -> Callable[[Report], str]:
    """Return the renderer of a final format: the report in, the whole text out.

    Raises:
        KeyError: no final format is called ``name``.
    """
    module = import_module(f"{__name__}.{FINAL[name]}")
    return cast("Callable[[Report], str]", module.render)

"""Summary without a model, computed from counts. Pure.

The summary repeats nothing that every output format states beside it: the number of findings, their
places, and the coverage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.events.events import ReviewSummary, WalkthroughEntry
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.events.events import PlannedFile


def computed_summary(files: Sequence[PlannedFile], changes: Mapping[str, str]) -> ReviewSummary:
    """Return a summary: the size, and the lines of a model about files, by path in ``changes``."""
    added, removed = sum(file.added for file in files), sum(file.removed for file in files)
    return ReviewSummary(
        what=f"{count(len(files), 'file')} changed, +{added} -{removed}.",
        files=tuple(
            WalkthroughEntry(file.path, line) for file in files if (line := changes.get(file.path))
        ),
    )

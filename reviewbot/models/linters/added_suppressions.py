"""List the comments with which a change keeps linters from reporting. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.escape import show_line
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.wording import count
from reviewbot.models.linters.programs import LINTERS
from reviewbot.models.linters.suppressions import disable_suppressions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reviewbot.core.diff.parse import FileDiff

MOST_NAMED: Final = 10
"""Maximum number of comments that the notice names; it counts the others."""


def added_linter_notice(files: Iterable[FileDiff]) -> str | None:
    """Return the notice about suppression comments on added lines; None if there are none."""
    places = [place for file in files for place in _places(file)]
    if not places:
        return None
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    return (
        f"This change adds {count(len(places), 'comment')} that would silence a linter:"
        f" {', '.join(places[:MOST_NAMED])}{more}. They have no effect."
    )


def _places(file: FileDiff) -> Iterator[str]:
    linter = next((one.name for one in LINTERS if one.reads(file.path, "")), None)
    if linter is None:
        return
    for hunk in file.hunks:
        new = [line for line in hunk.iter_lines() if line.kind != "removed"]
        added = [number for number, line in enumerate(new, 1) if line.kind == "added"]
        _, suppressing = disable_suppressions(linter, [line.text for line in new], added)
        for number in suppressing:
            yield f"{redact_text(show_line(file.path))}:{new[number - 1].new_no}"

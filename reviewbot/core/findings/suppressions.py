"""Suppressions: comments in the code that keep rules and linters from being reported. Pure.

The comment ``reviewbot: ignore[RULE] reason`` is valid on a line of the finding, or on a comment
line of its own directly above. ``RULE`` is the id of a rule, a category, or several of them with
commas between. All usual comment signs work. The text is searched, not parsed, so a string literal
can hold a suppression, too.

A suppression is *added* if it is on an added line and the lines that were removed in the same place
do not hold the same text. A line that is only indented anew therefore keeps its suppression.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.escape import show_line
from reviewbot.core.safety.redact import redact_text
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reviewbot.core.diff.hunks import DiffLine
    from reviewbot.core.diff.parse import FileDiff

MOST_IN_LINE: Final = 20
"""Maximum number of suppressions that are read on one line."""
MOST_NAMED: Final = 10
"""Most suppressions that a notice names; it counts the others."""
_WORD: Final = "reviewbot:"
_COMMENT: Final = re.compile(
    r"(?:#|//|--|/\*|<!--|%|;)[ \t]*reviewbot:[ \t]*ignore\[([^\]]{1,1000})\]"
)
_END: Final = {"/*": "*/", "<!": "-->"}
"""End of a comment after which code may follow, by the first two characters of the comment."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """A suppression in the new file.

    Attributes:
        line: its line.
        names: rules and categories that it names.
        alone: whether its line holds nothing else, so that it is valid for the next line, too.
        added: whether the change adds it.
    """

    line: int
    names: frozenset[str]
    alone: bool
    added: bool

    def covers(self, line: int, end_line: int) -> bool:
        """Return whether it is valid for a finding on these lines."""
        return line <= self.line <= end_line or (self.alone and self.line + 1 == line)


def suppressions_in(lines: Iterable[DiffLine]) -> Iterator[Suppression]:
    """Yield the suppressions in the new side of a hunk.

    Args:
        lines: all lines of the hunk, in the order of the diff.
    """
    for is_context, block in groupby(lines, key=lambda line: line.kind == "context"):
        found = [
            (line, names, alone)
            for line in block
            if _WORD in line.text
            for names, alone in _in_text(line.text)
        ]
        removed = Counter(_code(line) for line, _, _ in found if line.kind == "removed")
        for line, names, alone in found:
            if line.new_no is None:
                continue
            added = not is_context and removed[_code(line)] <= 0
            removed[_code(line)] -= 1
            yield Suppression(line.new_no, names, alone, added)


def _code(line: DiffLine) -> str:
    """Return the text of a line without its spaces."""
    return "".join(line.text.split())


def added_notice(files: Iterable[FileDiff]) -> str | None:
    """Return the notice that lists the suppressions that a change adds; None if there are none."""
    places = [
        f"{redact_text(show_line(file.path))}:{one.line}"
        for file in files
        for hunk in file.hunks
        for one in suppressions_in(hunk.iter_lines())
        if one.added
    ]
    if not places:
        return None
    more = f" and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else ""
    return (
        f"This change adds {count(len(places), 'suppression')}:"
        f" {', '.join(places[:MOST_NAMED])}{more}. Added suppressions hide no errors."
    )


def _in_text(text: str) -> Iterator[tuple[frozenset[str], bool]]:
    """Yield the names of each suppression in a line, and whether the line holds nothing else."""
    for number, match in enumerate(islice(_COMMENT.finditer(text), MOST_IN_LINE)):
        names = frozenset(filter(None, (name.strip() for name in match[1].split(","))))
        yield names, number == 0 and _is_alone(text, match)


def _is_alone(text: str, match: re.Match[str]) -> bool:
    end = _END.get(match[0][:2])
    after = text[match.end() :].partition(end)[2] if end else ""
    # JSX wraps a comment in braces.
    return text[: match.start()].strip() in ("", "{") and after.strip() in ("", "}")

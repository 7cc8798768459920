"""Where the code of our comments stands in the diff of a pull request now. Pure."""

from __future__ import annotations

from itertools import count, islice, takewhile
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reviewbot.github.code_marks import (
    ABOVE,
    AROUND,
    NONE_ABOVE,
    code_digest,
    digest_of,
    is_brought,
    length_of,
    plain,
    plain_code,
    side_of,
    side_of_mark,
)
from reviewbot.github.comment_hunk import hunk_lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.core.findings import Side
    from reviewbot.github.api.reviews import ReviewComment
    from reviewbot.github.memory import Posted


_MOST_LINES: Final = 10_000
_CAME: Final = ("added", "renamed", "copied")
_NOTHING: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})


class CommentedCode:
    """Finds the code of comments.

    Args:
        files: the diff of the pull request at its head.
        beyond: all lines of some of its new files, of which the diff shows a part.
    """

    def __init__(
        self, files: Iterable[FileDiff], beyond: Mapping[str, Sequence[str]] = _NOTHING
    ) -> None:
        self._files, self._beyond = {file.path: file for file in files}, beyond
        self.names: Collection[str] = self._files.keys()
        """The files of the diff."""
        self._renamed = {
            file.old_path: file.path
            for file in self._files.values()
            if file.status == "renamed" and file.old_path
        }
        self._sides: dict[tuple[str, Side], dict[int, tuple[str, bool]]] = {}
        self._numbers: dict[tuple[str, Side], dict[str, list[int]]] = {}
        self._begins: dict[Side, dict[str, list[tuple[str, int]]]] = {}
        self._named: dict[str, set[str]] = {}
        for path, name in (*((path, path) for path in self._files), *self._renamed.items()):
            self._named.setdefault(digest_of([path], 4), set()).add(name)
        self._came = {path for path, file in self._files.items() if file.status in _CAME}

    def in_place(self, posted: Posted) -> bool:
        """Whether the code stands where GitHub has the comment now: all of its lines do."""
        comment = posted.comment
        if comment.line is None or not posted.code:
            return False
        side = side_of(comment)
        lines = self._side(comment.path, side)
        place = range(comment.start_line or comment.line, comment.line + 1)
        found = [lines[number] for number in place if number in lines]
        # An unchanged line of the old file was not taken away: it is back.
        taken = side == "RIGHT" or any(changed for _, changed in found)
        return taken and [text for text, _ in found if text] == plain_code(posted.code)

    def copies(self, path: str, posted: Posted) -> tuple[int, ...]:
        """The lines at which that code begins in one of its :meth:`paths`.

        Where the change has brought it, or on the old side taken it away. If its own file has left
        the change: in those that came with it, or below the same lines.
        """
        side, comment = side_of(posted.comment), posted.comment
        wanted = plain_code(posted.code)
        above = _lines_above(comment, len(posted.code))
        own = path == self.name(comment.path)
        mark = "-" if side == "LEFT" else "+"
        brought = any(one.startswith(mark) for one in hunk_lines(comment)[-len(posted.code) :])

        def is_it(first: int) -> bool:
            is_changed = self._is_changed(path, first, side, len(wanted))
            if is_changed and (own or path in self._came):
                return True
            is_below = bool(above) and self._lines_above(path, side, first)[-len(above) :] == above
            return not own and is_below and (is_changed or not brought)

        return tuple(filter(is_it, self._blocks(path, side, wanted)))

    def is_likely(self, path: str, posted: Posted) -> bool:
        """Whether a file is the comment's own, or came: its code may be there, if a little other.

        In any other one it must be found as it was, and below the same lines.
        """
        return path == self.name(posted.comment.path) or path in self._came

    def find(self, path: str, code: Sequence[str], *, near: int = 0) -> tuple[Side, int] | None:
        """Side and first line of some code in a file of the diff, on the new side if it can be.

        Of several places the one that is nearest to the line ``near``.
        """
        sides: tuple[Side, ...] = ("RIGHT", "LEFT")
        for side in sides:
            if blocks := list(self._blocks(path, side, plain_code(code))):
                return side, min(blocks, key=lambda first: abs(first - near))
        return None

    def shows(self, path: str, side: Side, first: int, last: int) -> bool:
        """Whether all of some lines are known."""
        lines = self._side(path, side)
        return all(number in lines for number in range(first, max(first, last) + 1))

    def mark(self, path: str, side: Side, first: int, last: int) -> str:
        """What tells some lines again, and shows nothing of them; empty if not all are known.

        How many lines they are, whether the change is on one of them (``c``, else ``u``), the side,
        and digests of the first line, of all, of those above, and of the file's name.
        """
        if not self.shows(path, side, first, last):
            return ""
        lines = self._side(path, side)
        found = [(number, *lines[number]) for number in range(first, max(first, last) + 1)]
        code = [(number, text) for number, text, _ in found if text]
        if not 0 < len(code) <= _MOST_LINES:
            return ""
        changed = "c" if any(is_changed for _, _, is_changed in found) else "u"
        digests = code_digest([text for _, text in code]) + self._above(path, side, code[0][0])
        digests += digest_of([path], 4)
        return f"{len(code)}{changed}{side[0]}{digests}"

    def around(self, path: str, side: Side, first: int, last: int) -> str:
        """What tells again what is above some lines and below them, as far as it is shown."""
        above = self._beside(path, side, range(first - 1, 0, -1), AROUND)
        below = self._beside(path, side, count(last + 1), AROUND)
        return digest_of([*above, "", *below], 4)

    def places(self, mark: str) -> list[tuple[str, range]]:
        """The files and lines at which the code of a :meth:`mark` stands.

        In its own file; or, if that has left the change, in those that came with it, or where the
        change had brought it, below the same lines in any. And only below the same lines as then,
        if it is there: the others are copies. What the change has brought, or taken away, stands
        where it does so now; else, if the base has brought it, too, only below the same lines.
        """
        count, side, digests = length_of(mark), side_of_mark(mark), mark[-24:]
        above, own = digests[16:20], self._named.get(digests[20:])
        found = [
            (path, first, self._above(path, side, first) == above)
            for path, first in self._beginning(side).get(digests[:4], ())
            if own is None or path in own
            if self._digest(path, side, first, count) == digests[:16]
        ]
        if own is None:
            anywhere = is_brought(mark) and above != NONE_ABOVE
            found = [one for one in found if one[0] in self._came or (one[2] and anywhere)]
        here = [one for one in found if one[2]]
        if is_brought(mark):
            changed = [one for one in found if self._is_changed(*one[:2], side, count)]
            unchanged = here if side == "RIGHT" else []
            found = [one for one in changed if one[2]] or changed or unchanged
        else:
            found = here or found
        return [(path, self._lines(path, side, first, count)) for path, first, _ in found]

    def holds(self, mark: str) -> bool:
        """Whether the diff has the code of a :meth:`mark`, and the change is on it if it was."""
        places = self.places(mark)
        if not is_brought(mark):
            return bool(places)
        side, count = side_of_mark(mark), length_of(mark)
        return any(self._is_changed(path, lines[0], side, count) for path, lines in places)

    def is_back(self, mark: str) -> bool:
        """Whether what was gone is on the change again, below the same lines."""
        return self.is_below(mark) and self.holds(mark)

    def is_below(self, mark: str) -> bool:
        """Whether the code of a mark stands below the same lines as then."""
        if not mark:
            return False
        side, above = side_of_mark(mark), mark[-8:-4]
        places = self.places(mark)
        return any(self._above(path, side, lines[0]) == above for path, lines in places)

    def old_name(self, path: str) -> str:
        """The name that a file had before the change, as far as git tells."""
        file = self._files.get(path)
        return (file.old_path if file else None) or path

    def name(self, path: str) -> str:
        """A path, under the name that the file has now, as far as git tells."""
        return path if path in self._files else self._renamed.get(path, path)

    def name_of(self, mark: str, path: str) -> str | None:
        """The name that the file of a mark has now, if that can be told.

        Args:
            mark: see :meth:`mark`.
            path: the file as it is shown, which may be another name: it was cut, or made safe.
        """
        if digest_of([path], 4) == mark[-4:]:
            return self.name(path)
        names = self._named.get(mark[-4:], set())
        return next(iter(names)) if len(names) == 1 else None

    def paths(self, comment: ReviewComment) -> Collection[str]:
        """The files in which the code of a comment can be now.

        The comment's own; or what it was renamed to; or, where git does not tell that, as of a
        file that the pull request itself brought or a rename that is taken back, any file.
        """
        path = self.name(comment.path)
        file = self._files.get(path)
        if file is not None and (file.status != "deleted" or side_of(comment) == "LEFT"):
            return (path,)
        return self.names

    def _beginning(self, side: Side) -> dict[str, list[tuple[str, int]]]:
        """The lines of a side of all files by their digests."""
        if side not in self._begins:
            begins: dict[str, list[tuple[str, int]]] = {}
            for path in self._files:
                for number, (text, _) in self._side(path, side).items():
                    begins.setdefault(digest_of([text], 4), []).append((path, number))
            self._begins[side] = begins
        return self._begins[side]

    def _digest(self, path: str, side: Side, first: int, count: int) -> str | None:
        lines = self._side(path, side)
        numbers = self._lines(path, side, first, count)
        return code_digest(plain_code(lines[one][0] for one in numbers)) if numbers else None

    def _is_changed(self, path: str, first: int, side: Side, count: int) -> bool:
        lines = self._side(path, side)
        return any(lines[number][1] for number in self._lines(path, side, first, count))

    def _above(self, path: str, side: Side, first: int) -> str:
        return digest_of(self._lines_above(path, side, first), 4)

    def _lines_above(self, path: str, side: Side, first: int) -> list[str]:
        """As many lines as tell code from a copy, as far as they are known."""
        return self._beside(path, side, range(first - 1, 0, -1), ABOVE)[::-1]

    def _beside(self, path: str, side: Side, numbers: Iterable[int], most: int) -> list[str]:
        """The first lines that are not empty, as far as they are known without a gap."""
        lines = self._side(path, side)
        known = (lines[number][0] for number in takewhile(lines.__contains__, numbers))
        return [*islice(filter(None, known), most)]

    def _blocks(self, path: str, side: Side, wanted: Sequence[str]) -> Iterator[int]:
        """The lines at which some code begins, all of it without a gap."""
        lines = self._side(path, side)
        for first in self._numbers[path, side].get(wanted[0], ()) if wanted else ():
            numbers = self._lines(path, side, first, len(wanted))
            if plain_code(lines[number][0] for number in numbers) == wanted:
                yield first

    def _lines(self, path: str, side: Side, first: int, count: int) -> range:
        """The lines from ``first`` on that hold ``count`` which are not empty; none if a gap is."""
        lines = self._side(path, side)
        number = first
        while count and number in lines:
            count -= bool(lines[number][0])
            number += 1
        return range(first, number) if not count else range(0)

    def _side(self, path: str, side: Side) -> Mapping[int, tuple[str, bool]]:
        """The lines of one side by their numbers, each with whether the change is on it."""
        if (path, side) not in self._sides:
            file = self._files.get(path)
            found: dict[int, tuple[str, bool]] = {}
            if file and side == "RIGHT":
                beyond = self._beyond.get(path, ())
                found = {number: (plain(text), False) for number, text in enumerate(beyond, 1)}
            for hunk in file.hunks if file else ():
                for line in hunk.iter_lines():
                    number = line.old_no if side == "LEFT" else line.new_no
                    if number is not None:
                        found[number] = plain(line.text), line.kind != "context"
            numbers: dict[str, list[int]] = {}
            for number, (text, _) in found.items():
                numbers.setdefault(text, []).append(number)
            self._sides[path, side], self._numbers[path, side] = found, numbers
        return self._sides[path, side]


def _lines_above(comment: ReviewComment, count: int) -> list[str]:
    """The like of that of a comment on ``count`` lines, from the hunk that GitHub keeps with it."""
    return plain_code(line[1:] for line in hunk_lines(comment)[:-count])[-ABOVE:]

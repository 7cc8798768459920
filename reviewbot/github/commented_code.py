"""Where the code of our comments stands in the diff of a pull request now. Pure.

White space does not count, as in the identity of a finding: new indentation repairs nothing.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.core.findings import Side
    from reviewbot.github.api.reviews import ReviewComment
    from reviewbot.github.memory import Posted


_MOST_LINES: Final = 10_000
_CAME: Final = ("added", "renamed", "copied")
_ABOVE: Final = 2
"""Lines above some code that tell it from a copy."""


def plain(line: str) -> str:
    """A line as it is compared. Bytes that are not UTF-8 are what GitHub makes of them."""
    text = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return " ".join(text.split())


def side_of(comment: ReviewComment) -> Side:
    """The side that a comment stands on."""
    return "LEFT" if comment.side == "LEFT" else "RIGHT"


def code_digest(code: Sequence[str]) -> str:
    """The digests in a mark: of the first line, then of all, which are :func:`plain`."""
    return _digest_of(code[:1], 4) + _digest_of(code, 12)


def marks_in(lines: Sequence[str], marks: Iterable[str]) -> dict[str, int]:
    """How often some lines have the code of each of ``marks``."""
    have = [plain(line) for line in lines]
    begins: dict[str, list[int]] = {}
    for start, line in enumerate(have):
        begins.setdefault(_digest_of([line], 4), []).append(start)
    return {
        mark: sum(
            code_digest(have[start : start + length_of(mark)]) == mark[-24:-8]
            # Where the change had brought it, the base may have a line like it.
            and (not is_brought(mark) or _is_below(have, start, mark))
            for start in begins.get(mark[-24:-20], ())
        )
        for mark in set(marks)
    }


def _is_below(lines: Sequence[str], first: int, mark: str) -> bool:
    """Whether what stands above is what stood above a mark, as far as its hunk showed that."""
    above = _digest_of(lines[max(0, first - _ABOVE) : first], 4)
    return mark[-8:-4] in (above, _digest_of([], 4))


def length_of(mark: str) -> int:
    """How many lines a mark is of."""
    return int(mark[:-26])


def is_brought(mark: str) -> bool:
    """Whether the change was on a line of a mark."""
    return mark[-26] == "c"


def side_of_mark(mark: str) -> Side:
    """The side that a mark is of."""
    return "LEFT" if mark[-25] == "L" else "RIGHT"


def _digest_of(lines: Sequence[str], length: int) -> str:
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:length]


class CommentedCode:
    """Finds the code of comments.

    Args:
        files: the diff of the pull request at its head.
    """

    def __init__(self, files: Iterable[FileDiff]) -> None:
        self._files = {file.path: file for file in files}
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
            self._named.setdefault(_digest_of([path], 4), set()).add(name)
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
        texts = [text for text, _ in found]
        # An unchanged line of the old file was not taken away: it is back.
        taken = side == "RIGHT" or any(changed for _, changed in found)
        return taken and texts == [plain(line) for line in posted.code]

    def copies(self, path: str, posted: Posted) -> tuple[int, ...]:
        """The lines at which that code begins in a file, where the change has brought it.

        On the old side, where it has taken it away.
        """
        side = side_of(posted.comment)
        return tuple(
            first
            for first in self._blocks(path, side, posted.code)
            if self._is_changed(path, first, side, len(posted.code))
        )

    def find(self, path: str, code: Sequence[str], *, near: int = 0) -> tuple[Side, int] | None:
        """Side and first line of some code in a file of the diff, on the new side if it can be.

        Of several places the one that is nearest to the line ``near``.
        """
        sides: tuple[Side, ...] = ("RIGHT", "LEFT")
        for side in sides:
            if blocks := list(self._blocks(path, side, code)):
                return side, min(blocks, key=lambda first: abs(first - near))
        return None

    def mark(self, path: str, side: Side, first: int, last: int) -> str:
        """What tells some lines again, and shows nothing of them; empty if the diff has not all.

        How many lines they are, whether the change is on one of them (``c``, else ``u``), the side,
        and digests of the first line, of all, of those above, and of the file's name.
        """
        lines = self._side(path, side)
        found = [lines.get(number) for number in range(first, max(first, last) + 1)]
        code = [line for line in found if line]
        if len(code) < len(found) or not 0 < len(code) <= _MOST_LINES:
            return ""
        changed = "c" if any(is_changed for _, is_changed in code) else "u"
        digests = code_digest([text for text, _ in code]) + self._above(path, side, first)
        digests += _digest_of([path], 4)
        return f"{len(code)}{changed}{side[0]}{digests}"

    def places(self, mark: str) -> list[tuple[str, int]]:
        """The files and first lines at which the code of a :meth:`mark` stands.

        In its own file; or, if that has left the change, in those that came with it. And only below
        the same lines as then, if it is there: the others are copies. What the change has brought,
        or taken away, stands where it does so now; else, if the base has brought it, too, only
        below the same lines.
        """
        count, side, digests = length_of(mark), side_of_mark(mark), mark[-24:]
        files = self._named.get(digests[20:]) or self._came
        found = [
            (path, first)
            for path, first in self._beginning(side).get(digests[:4], ())
            if path in files and self._digest(path, side, first, count) == digests[:16]
        ]
        above = digests[16:20]
        here = [place for place in found if self._above(place[0], side, place[1]) == above]
        if not is_brought(mark):
            return here or found
        changed = [place for place in found if self._is_changed(*place, side, count)]
        if changed:
            return [place for place in here if place in changed] or changed
        return here if side == "RIGHT" else []

    def holds(self, mark: str) -> bool:
        """Whether the diff has the code of a :meth:`mark`, and the change is on it if it was."""
        places = self.places(mark)
        if not is_brought(mark):
            return bool(places)
        side, count = side_of_mark(mark), length_of(mark)
        return any(self._is_changed(path, first, side, count) for path, first in places)

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
        if _digest_of([path], 4) == mark[-4:]:
            return self.name(path)
        names = self._named.get(mark[-4:], set())
        return next(iter(names)) if len(names) == 1 else None

    def _beginning(self, side: Side) -> dict[str, list[tuple[str, int]]]:
        """The lines of a side of all files by their digests."""
        if side not in self._begins:
            begins: dict[str, list[tuple[str, int]]] = {}
            for path in self._files:
                for number, (text, _) in self._side(path, side).items():
                    begins.setdefault(_digest_of([text], 4), []).append((path, number))
            self._begins[side] = begins
        return self._begins[side]

    def _digest(self, path: str, side: Side, first: int, count: int) -> str | None:
        lines = self._side(path, side)
        if first + count - 1 not in lines:
            return None
        block = [line[0] for n in range(first, first + count) if (line := lines.get(n))]
        return code_digest(block) if len(block) == count else None

    def _is_changed(self, path: str, first: int, side: Side, count: int) -> bool:
        lines = self._side(path, side)
        return any(lines[number][1] for number in range(first, first + count))

    def _above(self, path: str, side: Side, first: int) -> str:
        lines = self._side(path, side)
        above = (lines.get(number) for number in range(first - _ABOVE, first))
        return _digest_of([line[0] for line in above if line], 4)

    def paths(self, comment: ReviewComment) -> tuple[str, ...]:
        """The files in which the code of a comment can be now.

        The comment's own; or what it was renamed to; or, where git does not tell that, as of a
        file that the pull request itself brought, any file that came.
        """
        path = self.name(comment.path)
        file = self._files.get(path)
        if file is not None and (file.status != "deleted" or side_of(comment) == "LEFT"):
            return (path,)
        return tuple(self._came)

    def _blocks(self, path: str, side: Side, code: Sequence[str]) -> Iterator[int]:
        """The lines at which some code begins, all of it without a gap."""
        lines = self._side(path, side)
        wanted = [plain(line) for line in code]
        for first in self._numbers[path, side].get(wanted[0], ()) if wanted else ():
            block = (lines.get(first + offset) for offset in range(len(wanted)))
            if [line and line[0] for line in block] == wanted:
                yield first

    def _side(self, path: str, side: Side) -> Mapping[int, tuple[str, bool]]:
        """The lines of one side by their numbers, each with whether the change is on it."""
        if (path, side) not in self._sides:
            file = self._files.get(path)
            found: dict[int, tuple[str, bool]] = {}
            numbers: dict[str, list[int]] = {}
            for hunk in file.hunks if file else ():
                for line in hunk.iter_lines():
                    number = line.old_no if side == "LEFT" else line.new_no
                    if number is not None:
                        text = plain(line.text)
                        found[number] = text, line.kind != "context"
                        numbers.setdefault(text, []).append(number)
            self._sides[path, side], self._numbers[path, side] = found, numbers
        return self._sides[path, side]

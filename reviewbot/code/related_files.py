"""Group the files of a diff that belong together, so that one request shows them. Pure.

A test belongs to its source, and a file to the files that it imports or whose changed definitions
it uses. All are recognised by the form of names and lines, so a group is likely, not proved.
"""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING, Final

from reviewbot.code.definitions import defined_name
from reviewbot.code.imports import imports_of
from reviewbot.core.plan.languages import is_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reviewbot.core.diff.parse import DiffLine, FileDiff

MOST_LINES: Final = 20_000
"""Most lines of a diff that are read; the files after them stay in groups of their own."""
_LINE_CHARS: Final = 400
_USERS: Final = 8
"""A name that more files use is too common to relate them."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{4,63}")
_TEST_MARK: Final = re.compile(
    r"^(?:test|spec)[_-]|[._-](?:tests?|spec)$|(?<=[a-z0-9])(?:Tests?|Spec)$"
)


def related_files(files: Sequence[FileDiff]) -> list[tuple[int, int]]:
    """Return two numbers for each file: that of its group, and that of its source with its tests.

    Files with the same number belong together.
    """
    groups, tested = _Groups(len(files)), _Groups(len(files))
    known = _within_limit(files)
    for index, other in _tested(known):
        groups.join(index, other)
        tested.join(index, other)
    for index, other in chain(_imported(known), _used(known)):
        groups.join(index, other)
    return list(zip(groups.numbers(), tested.numbers(), strict=True))


def _within_limit(files: Sequence[FileDiff]) -> dict[int, FileDiff]:
    """Return the files of source code by index, until they have :data:`MOST_LINES`."""
    known: dict[int, FileDiff] = {}
    left = MOST_LINES
    for index, file in enumerate(files):
        left -= sum(len(hunk.lines) for hunk in file.hunks)
        if left < 0:
            break
        if is_source(file.path):
            known[index] = file
    return known


def _tested(files: Mapping[int, FileDiff]) -> Iterator[tuple[int, int]]:
    """Yield each test with its source, if exactly one source has the name."""
    sources: defaultdict[str, list[int]] = defaultdict(list)
    tests: dict[int, str] = {}
    for index, file in files.items():
        name = file.path.rpartition("/")[2].rpartition(".")[0]
        tested = _TEST_MARK.sub("", name)
        if tested == name:
            sources[name.lower()].append(index)
        else:
            tests[index] = tested.lower()
    for index, name in tests.items():
        if len(sources[name]) == 1:
            yield index, sources[name][0]


def _imported(files: Mapping[int, FileDiff]) -> Iterator[tuple[int, int]]:
    """Yield each file with the files that the lines shown of it import."""
    by_path = {file.path: index for index, file in files.items()}
    for index, file in files.items():
        lines = (line.text[:_LINE_CHARS] for line in _lines(file) if line.new_no is not None)
        for target in imports_of(file.path, "\n".join(lines)):
            if target in by_path:
                yield index, by_path[target]


def _used(files: Mapping[int, FileDiff]) -> Iterator[tuple[int, int]]:
    """Yield each file with the files whose changed definitions its changed lines name."""
    definers: defaultdict[str, set[int]] = defaultdict(set)
    users: defaultdict[str, set[int]] = defaultdict(set)
    for index, file in files.items():
        for line in _lines(file):
            if line.kind == "context":
                continue
            text = line.text[:_LINE_CHARS]
            if (name := defined_name(text)) is not None:
                definers[name].add(index)
            for word in _NAME.findall(text):
                users[word].add(index)
    for name, indices in definers.items():
        if len(indices) == 1 and len(users[name]) <= _USERS:
            (definer,) = indices
            yield from ((index, definer) for index in users[name])


def _lines(file: FileDiff) -> Iterator[DiffLine]:
    return chain.from_iterable(hunk.lines for hunk in file.hunks)


class _Groups:
    """Disjoint sets of the numbers below ``count``."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def join(self, index: int, other: int) -> None:
        """Unite the sets of two numbers."""
        first, second = sorted((self._root(index), self._root(other)))
        self._parents[second] = first

    def numbers(self) -> list[int]:
        """Return the lowest number of the set of each number."""
        return [self._root(index) for index in range(len(self._parents))]

    def _root(self, index: int) -> int:
        while self._parents[index] != index:
            self._parents[index] = self._parents[self._parents[index]]
            index = self._parents[index]
        return index

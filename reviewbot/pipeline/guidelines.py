"""Read the guideline files that apply to a change, such as ``AGENTS.md`` and ``REVIEW.md``.

The files are blobs of the base commit, never of the head or the working tree: a change has no say
in its review. A symbolic link is followed only to a file of the same commit.
"""

from __future__ import annotations

import asyncio
import posixpath
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import OFFLINE
from reviewbot.core.plan.policy import exclusion
from reviewbot.core.prompt.guideline_selection import (
    GuidelineText,
    applicable,
    select,
)
from reviewbot.core.prompt.guidelines import Guidelines
from reviewbot.core.safety.escape import show
from reviewbot.core.wording import count
from reviewbot.errors import SourceError
from reviewbot.pipeline.patterns import policy_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence

    from reviewbot.code.git_repository import GitRepository
    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff

MOST_BYTES: Final = 65_536
"""Maximum bytes of a file."""
MOST_READS: Final = 10
"""Maximum number of blobs to read, links included; on GitHub each is a request."""
MOST_HOPS: Final = 5
"""Maximum number of links in a row."""
MOST_IMPORTS: Final = 2
"""Maximum number of files in a row that only name another one."""
DEEPEST_FOLDER: Final = 64
"""Maximum depth of a folder whose files are read."""
LONGEST_FOLDER: Final = 1_000
"""Maximum characters of the path of a folder whose files are read."""
TOO_LARGE: Final = f"is larger than {MOST_BYTES // 1024} KiB"
IN_EACH_FOLDER: Final = (
    "REVIEW.md",
    "BUGBOT.md",
    ".cursor/BUGBOT.md",
    "AGENTS.md",
    "CLAUDE.md",
)
_COPILOT: Final = ".github/copilot-instructions.md"
_WITH_GLOBS: Final = re.compile(
    r"\.github/instructions/.*\.instructions\.md|\.cursor/rules/.*\.mdc"
)
"""Files whose front matter says where they apply."""
_LAST_RESORT: Final = ("CONTRIBUTING.md", ".github/CONTRIBUTING.md", "docs/CONTRIBUTING.md")
_NOT_LISTED: Final = (
    "git cannot list the files of the base commit in this clone, so no guideline files were read."
)
_LINK: Final = "120000"
_IMPORT: Final = re.compile(r"@(\S+)")
_STUB: Final = 300
"""Characters below which a file may be only the name of another one."""


@dataclass(frozen=True, slots=True)
class BaseTree:
    """The files of the base commit.

    Attributes:
        commit: the full hash of the commit.
        entries: mode and blob of each file and link, by path.
        read: returns a blob, or raises :class:`UnreadFileError`.
        truncated: whether entries are missing, as in a very large repository on GitHub.
        problem: sentence for the report if no files could be listed; otherwise empty.
    """

    commit: str
    entries: Mapping[str, tuple[str, str]]
    read: Callable[[str], Awaitable[bytes]]
    truncated: bool = False
    problem: str = ""


class UnreadFileError(Exception):
    """An error for a file that is not read; the message completes "PATH ..."."""


class _NoReadsLeftError(Exception):
    """An error for a blob after the maximum number of blobs."""


def wants_guidelines(settings: Settings) -> bool:
    """Return whether a review needs guidelines: they are on, and a model may review."""
    return settings.guidelines and any(one.name != OFFLINE for one in settings.choices)


def reviewed_paths(
    files: Sequence[FileDiff], settings: Settings, attributes: str
) -> tuple[str, ...]:
    """Return the paths of a diff, except those of files that no model reviews.

    Args:
        files: the whole change, so that each push selects the same rules.
        settings: the loaded settings.
        attributes: text of the base's ``.gitattributes``.

    Raises:
        ConfigError: a pattern of the settings is invalid.
    """
    policy = policy_of(settings, attributes)
    return tuple(file.path for file in files if exclusion(file, policy) is None)


def tree_of(repository: GitRepository) -> BaseTree:
    """Return the tree of the base commit of a local repository.

    A partial clone may lack the list of files. The tree is then empty and has a problem.
    """

    async def read(blob: str) -> bytes:
        try:
            data = await asyncio.to_thread(repository.blob, blob, max_bytes=MOST_BYTES)
        except SourceError:
            raise UnreadFileError("is missing from this partial clone") from None
        if data is None:
            raise UnreadFileError(TOO_LARGE)
        return data

    try:
        entries = repository.tree()
    except SourceError:
        return BaseTree(repository.start, {}, read, problem=_NOT_LISTED)
    return BaseTree(repository.start, entries, read)


async def read_guidelines(tree: BaseTree, changed: Sequence[str]) -> Guidelines:
    """Return the selected rules for a change of the paths ``changed``.

    A file that cannot be used is named in the result, with the reason.

    Raises:
        ReviewbotError: GitHub refuses a blob, or the search for secrets failed.
    """
    if tree.problem:
        return Guidelines(problems=(tree.problem,))
    reader = _Reader(tree)
    files: list[GuidelineText] = []
    left = 0
    for path, folder in await asyncio.to_thread(_candidates, tree.entries.keys(), changed):
        try:
            file = await reader.file(path, folder)
        except _NoReadsLeftError:
            left += 1
            continue
        except UnreadFileError as error:
            reader.problems.append(f"{show(path)} {error}, so its rules were not used.")
            continue
        below = [one for one in changed if one.startswith(folder)]
        if (found := await asyncio.to_thread(applicable, file, below)) is not None:
            files.append(found)
    if left:
        what = count(left, "more guideline file")
        reader.problems.append(f"Only {MOST_READS} files are read for rules: {what} left out.")
    if tree.truncated:
        reader.problems.append(
            "GitHub does not list all files of this repository, so guideline files may be missing."
        )
    last_resort = not files and not left and not reader.problems and bool(changed)
    if last_resort:
        files = await reader.last_resort()
    return await asyncio.to_thread(
        select, files, commit=tree.commit, last_resort=last_resort, problems=reader.problems
    )


def _candidates(paths: Collection[str], changed: Sequence[str]) -> list[tuple[str, str]]:
    """Return the files that may apply with their folders; those for the most changes come first."""
    if not changed:
        return []
    folders = Counter(folder for path in changed for folder in _folders(path))
    ranked = [
        (-number, folder.count("/"), folder + name, folder)
        for folder, number in folders.items()
        for name in IN_EACH_FOLDER
        if folder + name in paths
    ]
    ranked.sort(key=lambda one: (*one[:2], IN_EACH_FOLDER.index(one[2].removeprefix(one[3]))))
    found = [(path, folder) for _, _, path, folder in ranked]
    if _COPILOT in paths:
        found.append((_COPILOT, ""))
    return [*found, *((path, "") for path in sorted(filter(_WITH_GLOBS.fullmatch, paths)))]


def _folders(path: str) -> Iterator[str]:
    """Yield the folders of a path from the root, within the limits: ``""``, ``a/``, ``a/b/``."""
    yield ""
    end = 0
    for _ in range(DEEPEST_FOLDER):
        end = path.find("/", end, LONGEST_FOLDER) + 1
        if not end:
            return
        yield path[:end]


class _Reader:
    """Reader of files of a tree, which follows links and imports."""

    def __init__(self, tree: BaseTree) -> None:
        self.problems: list[str] = []
        self._tree = tree
        self._blobs: dict[str, bytes] = {}
        self._reads = 0

    async def file(self, path: str, folder: str) -> GuidelineText:
        """Return a file with its text, after links and imports.

        Raises:
            UnreadFileError: the file cannot be used.
            _NoReadsLeftError: too many blobs were read.
        """
        for _ in range(MOST_IMPORTS + 1):
            path, text = await self._text(path)
            found = _IMPORT.fullmatch(text.strip()) if len(text) < _STUB else None
            if found is None:
                return GuidelineText(path, text, folder)
            path = _target(path, found[1])
        raise UnreadFileError(f"imports more than {MOST_IMPORTS} files in a row")

    async def last_resort(self) -> list[GuidelineText]:
        """Return the ``CONTRIBUTING.md`` of the repository, if there is one."""
        for path in _LAST_RESORT:
            if path in self._tree.entries:
                try:
                    return [await self.file(path, "")]
                except UnreadFileError as error:
                    self.problems.append(f"{path} {error}, so its rules were not used.")
        return []

    async def _text(self, path: str) -> tuple[str, str]:
        for _ in range(MOST_HOPS + 1):
            mode, blob = self._tree.entries.get(path, ("", ""))
            if not mode.startswith(("100", _LINK)):
                raise UnreadFileError("leads to no file of the repository")
            try:
                text = (await self._blob(blob)).decode()
            except UnicodeDecodeError:
                raise UnreadFileError("is not UTF-8") from None
            if mode != _LINK:
                return path, text
            path = _target(path, text)
        raise UnreadFileError(f"is more than {MOST_HOPS} links in a row")

    async def _blob(self, blob: str) -> bytes:
        if blob not in self._blobs:
            if self._reads >= MOST_READS:
                raise _NoReadsLeftError
            self._reads += 1
            self._blobs[blob] = await self._tree.read(blob)
        return self._blobs[blob]


def _target(path: str, target: str) -> str:
    """Return the path that a link or an import in ``path`` names.

    Raises:
        UnreadFileError: it is outside the repository.
    """
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if target.startswith(("/", "~")) or joined.split("/")[0] == "..":
        raise UnreadFileError("leads out of the repository")
    return joined

"""Files that a pull request imports, as evidence for the verification of findings.

GitHub's search of code knows the default branch only. So names are looked up in files that the
files of the diff import, as far as the path of an import states where it is. Each file takes one
request, and their number is limited. The first error of GitHub ends the requests.
"""

from __future__ import annotations

import asyncio
import posixpath
import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.widen import new_content
from reviewbot.core.plan.languages import language_of
from reviewbot.github.client.errors import GitHubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.github.change.compare import ContentSource
    from reviewbot.github.change.full_files import ReadFile

REQUESTS: Final = 10
"""Most requests of one review."""
FILE_BYTES: Final = 200_000
TIMEOUT_S: Final = 20.0
"""Seconds for one file."""
# Every repetition is bounded: linear for any text.
_PYTHON: Final = re.compile(
    r"^[ \t]{0,40}(?:from[ \t]{1,8}(\.{0,10})([\w.]{0,200})[ \t]{1,8}import[ \t]{1,8}(\w{0,100})"
    r"|import[ \t]{1,8}([\w.]{1,200}))",
    re.MULTILINE,
)
_JAVASCRIPT: Final = re.compile(
    r"""\b(?:from|import|require)[ \t]{0,8}\(?[ \t]{0,8}["'](\.{1,2}/[^"'\n\0]{1,200})["']"""
)
_SCRIPTS: Final = frozenset({"javascript", "typescript", "tsx"})
_OUTPUTS: Final = {".js": (".ts", ".tsx"), ".jsx": (".tsx",)}
"""Extensions of files that TypeScript imports under the extension of their output."""


class ImportedFiles:
    """Files of the head of a pull request.

    ``whole_files`` has diffs that show files in full, by path; their imports are followed. A file
    that ``local`` reads from a checkout of the head is not fetched.
    """

    def __init__(
        self,
        place: ContentSource,
        whole_files: Mapping[str, FileDiff],
        *,
        local: ReadFile | None = None,
    ) -> None:
        self._place, self._whole_files, self._local = place, whole_files, local
        self._left = REQUESTS

    async def content(self, path: str) -> bytes | None:
        """Return the content of a file; None if it is not available."""
        if self._local is not None:
            found = await asyncio.to_thread(self._local, path)
            if found is not None:
                return found
        if self._left <= 0:
            return None
        self._left -= 1
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._place.api.contents.file(
                    self._place.repo, path, self._place.head, max_bytes=FILE_BYTES
                )
        except (GitHubError, TimeoutError):
            self._left = 0
            return None

    async def candidates(self, symbol: str) -> list[str]:
        """Return paths of files that may define a name: imports of the files that contain it."""
        return await asyncio.to_thread(self._candidates, symbol)

    async def callers(self, _symbol: str) -> list[str]:
        """Return no paths: GitHub has no search of calls, and the review has its own files."""
        return []

    async def uses(self, _symbol: str) -> list[str]:
        """Return no paths, as :meth:`callers`."""
        return []

    def _candidates(self, symbol: str) -> list[str]:
        found: dict[str, None] = {}
        for path, file in self._whole_files.items():
            text = new_content(file).decode("utf-8", "replace")
            if symbol in text:
                found |= dict.fromkeys(imports_of(path, text))
        return [path for path in found if path not in self._whole_files]


def imports_of(path: str, text: str) -> Iterator[str]:
    """Yield the likely paths of the files that a file of Python or JavaScript imports."""
    language = language_of(path)
    if language == "python":
        for dots, module, name, whole in _PYTHON.findall(text):
            found = _python(path, len(dots), module or whole, name)
            if found is not None:
                yield found
    elif language in _SCRIPTS:
        for target in _JAVASCRIPT.findall(text):
            found = _javascript(path, target)
            if not found.startswith("../"):
                yield found


def _python(path: str, dots: int, module: str, name: str) -> str | None:
    folders = path.split("/")[:-1]
    parts = [part for part in module.split(".") if part]
    if dots:
        if dots - 1 > len(folders):
            return None
        base = folders[: len(folders) - dots + 1]
        parts = parts or [name]
    elif parts and parts[0] in folders:
        base = folders[: folders.index(parts[0])]
    else:  # another package: of the standard library, or installed
        return None
    return "/".join([*base, *parts]) + ".py"


def _javascript(path: str, target: str) -> str:
    found = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    extension, own = posixpath.splitext(found)[1], posixpath.splitext(path)[1]
    if own in _OUTPUTS.get(extension, ()):
        return found.removesuffix(extension) + own
    return found if language_of(found) in _SCRIPTS else found + own

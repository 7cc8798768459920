"""Code that a forked server looks up in every review, in place of a repository's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from reviewbot.code.given_files import GivenFiles
from reviewbot.jobs.service import ReviewService

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reviewbot.code.at_commit import CodeAtCommit, Unread
    from reviewbot.store.reviews import ReviewRow

HOLD: Final = "hold-reads"
"""While the folder of a server has a file of this name, reads of code wait."""
HELD: Final = "held-reads"
"""The file that a waiting read leaves in the folder."""


class ServedFiles(GivenFiles):
    """Given files, whose reads can be held from outside of the process."""

    def __init__(self, files: Mapping[str, bytes], folder: Path) -> None:
        super().__init__(files)
        self._folder = folder

    async def read(self, paths: Sequence[str], *, base: bool = False) -> dict[str, bytes | Unread]:
        """Return the content of each path, or the reason why it has none."""
        hold = self._folder / HOLD
        if hold.exists():
            (self._folder / HELD).touch()
        while hold.exists():  # noqa: ASYNC110 - another process removes it
            await asyncio.sleep(0.01)
        return await super().read(paths, base=base)


def serve_code(code: Mapping[str, str], folder: Path) -> None:
    """Have all reviews of this process look up ``code``, texts by path."""
    files = {path: text.encode() for path, text in code.items()}

    async def find_code(self: ReviewService, row: ReviewRow) -> CodeAtCommit | None:  # noqa: ARG001 - as the method
        return ServedFiles(files, folder)

    ReviewService._find_code = find_code  # type: ignore[method-assign]

"""How many copies of some code of a file were found fault with.

Two findings on one copy claim it once, also if they are of two reviews, between which lines were
put in above it: which copy each is on, its place among those at the head of its review tells.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from reviewbot.github.code_marks import code_key, key_of_mark, length_of, plain_code, starts_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.github.file_lines import FileLines
    from reviewbot.github.memory import Memory
    from reviewbot.github.told_texts import SignedFor


class _Claim(NamedTuple):
    """Some lines of code at a line of a head; or of a finding, if what is said cannot be read."""

    length: int
    head: str | None
    line: int
    id: str = ""


class Claims:
    """See the module.

    Args:
        files: reads the files of the pull request.
        memory: whose comments claim.
        told: what else does.
    """

    def __init__(self, files: FileLines, memory: Memory, told: Iterable[SignedFor]) -> None:
        self._files = files
        self._of: dict[str, set[_Claim]] = {}
        for posted in memory.posted.values():
            if code := plain_code(posted.code):
                comment = posted.comment
                line = comment.original_start_line or comment.original_line or 0
                claim = _Claim(len(code), comment.original_commit, line)
                self._of.setdefault(code_key(comment.path, code), set()).add(claim)
        for one in told:
            if mark := one.noted.code:
                head = one.since.head if one.since else None
                claim = _Claim(length_of(mark), head, one.item.line if one.item else 0)
                if one.item is None:
                    claim = claim._replace(id=one.id)
                self._of.setdefault(key_of_mark(mark), set()).add(claim)

    async def count(self, key: str, path: str, old_path: str) -> int:
        """How many copies there are claims to, at least the one that is asked for.

        Args:
            key: of the code; see :func:`.code_key`.
            path: the file.
            old_path: the name that it had before the change.

        Raises:
            GitHubError: a file cannot be read.
        """
        claims = self._of.get(key, set())
        if len(claims) < 2:
            return 1
        return len({await self._copy(one, key, path, old_path) for one in claims})

    async def _copy(self, claim: _Claim, key: str, path: str, old_path: str) -> object:
        """What tells the copy: how many there were, and which of them it is; else the claim."""
        if claim.id:
            return claim
        lines = await self._files.then(path, claim.head, old_path)
        starts = await asyncio.to_thread(starts_of, lines, key, claim.length)
        return (len(starts), bisect_right(starts, claim.line)) if starts else claim

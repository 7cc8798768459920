"""Plan additional context: which whole files help a review, and how many lines of each.

A model sees more lines than the three of a diff, to show the code around a hunk. The lines are few,
since models find less in longer prompts (SWE-PRBench, 2603.26130). The offline rules see the whole
file, because they need complete syntax, which a hunk often lacks.

The heading of a hunk is the header of the function that encloses it, where the whole file is known
and a model reviews it.

Context costs cheap input tokens but no requests: it uses the room that the planned requests leave.
So the number of batches stays the same, no batch exceeds its budget, and a file that fits into one
chunk stays in one chunk. Context changes neither the models nor the skipped files.

Linters read whole files, too, also beside a model. No model gets to see more for that.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from reviewbot.code.at_commit import FILE_BYTES, NO_FILES
from reviewbot.core.diff.headings import Heading, first_change, with_headings
from reviewbot.core.diff.whole import shows_whole_file
from reviewbot.core.diff.widen import widen
from reviewbot.core.diff.write import file_diff_text
from reviewbot.core.plan.languages import language_of
from reviewbot.core.plan.policy import exclusion
from reviewbot.core.plan.split import split_file
from reviewbot.core.prompt.guidelines import NO_GUIDELINES
from reviewbot.core.safety.redact import has_private_key
from reviewbot.models.tokens import Calibration
from reviewbot.pipeline.patterns import policy_of
from reviewbot.pipeline.planner import Chains, Planner
from reviewbot.pipeline.prepare import CALIBRATION_FILE
from reviewbot.pipeline.workers import own_pool
from reviewbot.rules.load import count_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reviewbot.code.dossier import Structure
    from reviewbot.config.settings import Settings
    from reviewbot.core.diff.parse import FileDiff
    from reviewbot.core.plan.chunks import Batch, Chunk, SplitLimits
    from reviewbot.core.prompt.guidelines import Guidelines
    from reviewbot.models.linters.linters import Linters

HEADINGS_S: Final = 3.0
"""Most seconds to find the headings of all hunks."""
IN_A_DIFF: Final = 3
"""Lines of context in a plain diff."""
_STATUSES: Final = frozenset({"modified", "renamed", "copied"})
"""Statuses of files with more lines around their hunks: an added file is already whole."""
_LINTED: Final = frozenset({"bash", "dockerfile"})
"""Languages without offline rules for which there are linters."""


@dataclass(frozen=True, slots=True)
class ContextLimits:
    """Limits of the files to read for one diff.

    Attributes:
        files: most files; files with the most changed lines come first.
        file_bytes: most bytes of one file.
    """

    files: int = 30
    file_bytes: int = FILE_BYTES


LIMITS: Final = ContextLimits()


@dataclass(frozen=True, slots=True)
class _Piece:
    """A file that is reviewed in one chunk, with its chunk and batch."""

    file: FileDiff
    chunk: Chunk
    batch: Batch
    sizes: SplitLimits
    offline: bool


class ContextPlanner:
    """Planner of the files of a diff to read in full: for more context, and for linters.

    ``attributes`` is the text of the base's ``.gitattributes``, and ``guidelines`` are rules of
    the team, which take room in each request.

    Raises:
        ConfigError: a pattern is invalid, or a context window is too small.
    """

    def __init__(
        self,
        files: Sequence[FileDiff],
        settings: Settings,
        attributes: str,
        limits: ContextLimits = LIMITS,
        *,
        guidelines: Guidelines = NO_GUIDELINES,
    ) -> None:
        self._files, self._lines, self._limits = files, settings.context_lines, limits
        self._guidelines = guidelines
        self._policy = policy_of(settings, attributes)
        self._pieces: dict[str, _Piece] = {}
        self._linted: dict[str, FileDiff] = {}
        self._room: dict[str, float] = {}
        if self._lines and files:
            self._plan(settings, attributes)

    @property
    def wanted(self) -> tuple[str, ...]:
        """Paths of the files whose whole content helps.

        Files that get more context come before files that only a linter reads, and files with more
        changed lines before others.
        """
        around = _by_lines(one.file for one in self._pieces.values())
        linted = _by_lines(self._linted.values())
        paths = dict.fromkeys(file.path for file in (*around, *linted))
        return tuple(paths)[: self._limits.files]

    async def headings(
        self, contents: Mapping[str, bytes], parser: Structure | None = None
    ) -> dict[str, dict[int, Heading]]:
        """Return the headings of the hunks by path and first change, as far as they are known.

        It takes about :data:`HEADINGS_S` at most, since the review starts after it.

        Args:
            contents: contents of the new files by path, as far as available.
            parser: the parser of source code; None starts a separate process.
        """
        texts = {
            path: content.decode("utf-8", "surrogateescape")
            for path, content in self._usable(contents)
            if path in self._pieces and not self._pieces[path].offline
        }
        found: dict[str, dict[int, Heading]] = {}
        if not texts:
            return found
        async with AsyncExitStack() as stack:
            if parser is None:
                parser = (await stack.enter_async_context(own_pool())).for_tenant("local")
            with suppress(TimeoutError):
                async with asyncio.timeout(HEADINGS_S):
                    for path, text in texts.items():
                        found[path] = await self._headings(path, text, parser)
        return found

    async def _headings(self, path: str, text: str, parser: Structure) -> dict[int, Heading]:
        lines = [first_change(hunk) for hunk in self._pieces[path].file.hunks]
        places = await parser.enclosing(path, text, lines)
        return {
            line: Heading(place.first, place.header)
            for line, place in zip(lines, places, strict=True)
            if place is not None
        }

    def shown(
        self,
        contents: Mapping[str, bytes],
        whole: Sequence[FileDiff] | None = None,
        headings: Mapping[str, Mapping[int, Heading]] | None = None,
    ) -> bytes | None:
        """Return the diff with more context; None without more. Uses the CPU: call in a thread.

        Args:
            contents: contents of the new files by path, as far as available.
            whole: the whole diff, if the files are only a part of a diff.
            headings: result of :meth:`headings`.
        """
        complete = {file.path: file for file in whole or self._files}
        wider: dict[str, FileDiff] = {}
        for path, content in self._usable(contents):
            piece = self._pieces.get(path)
            if piece is None or path not in complete:
                continue
            found = self._widened(piece, content, complete[path], (headings or {}).get(path, {}))
            if found is not None:
                wider[path] = found
        if not wider:
            return None
        try:
            return b"".join(file_diff_text(wider.get(file.path, file)) for file in self._files)
        except ValueError:  # a file without any change cannot be written
            return None

    def whole_files(
        self, contents: Mapping[str, bytes], whole: Sequence[FileDiff] | None = None
    ) -> bytes:
        """Return a diff of the files that were read, which shows each one in full.

        ``contents`` and ``whole`` are as for :meth:`shown`.

        A file is left out unless git's hash in the diff proves its content. Uses the CPU: call in a
        thread.
        """
        complete = whole or self._files
        often = Counter(file.path for file in complete)
        by_path = {file.path: file for file in complete if often[file.path] == 1}
        read = (
            widen(by_path[path], content, None)
            for path, content in self._usable(contents)
            if path in by_path
        )
        return b"".join(file_diff_text(file) for file in read if shows_whole_file(file))

    def _usable(self, contents: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
        """Yield the wanted files among ``contents`` that are not too large."""
        for path in self.wanted:
            content = contents.get(path)
            if content is not None and len(content) <= self._limits.file_bytes:
                yield path, content

    def _plan(self, settings: Settings, attributes: str) -> None:
        chains = Chains(settings)
        calibration = Calibration(settings.state_folder / CALIBRATION_FILE)
        planner = Planner(self._files, settings, chains, calibration, self._guidelines)
        plan = planner.plan(attributes)
        often = Counter(file.path for file in self._files)
        chunks = plan.by_id
        linters = _linters() if settings.linters else None
        for batch in plan.batches:
            model = chains.first(batch)
            sizes, offline = planner.sizes(model), planner.info(model).offline
            room = sizes.batch_budget - batch.tokens
            self._room[batch.id] = room
            for chunk in map(chunks.__getitem__, batch.chunks):
                piece = _Piece(self._files[chunk.file], chunk, batch, sizes, offline)
                if often[chunk.path] > 1 or not _may_grow(piece.file):
                    continue
                if room > 0 and self._is_wanted(piece):
                    self._pieces[chunk.path] = piece
                if linters and _is_for_linter(piece, linters):
                    self._linted[chunk.path] = piece.file

    def _is_wanted(self, piece: _Piece) -> bool:
        if piece.chunk.parts > 1 or piece.chunk.cut:
            return False
        if piece.offline:
            language = language_of(piece.file.path)
            is_script = language is None and "." not in piece.file.path.rpartition("/")[2]
            return is_script or language in _LINTED or count_rules(language) > 0
        return self._lines > IN_A_DIFF

    def _widened(
        self, piece: _Piece, content: bytes, whole: FileDiff, headings: Mapping[int, Heading]
    ) -> FileDiff | None:
        """Return the file with the most context that fits, and use its room; None if none fits.

        A file with a private key gets none: the diff goes to readers that know only its hunks, and
        the middle of a key does not look like a secret.
        """
        if has_private_key(content.decode("utf-8", "surrogateescape"), piece.file.path):
            return None
        for lines in self._tries(piece):
            wide = widen(piece.file, content, lines, whole=whole)
            if wide is piece.file:
                return None
            wide = with_headings(wide, headings)
            taken = self._taken(piece, wide)
            if taken is not None:
                self._room[piece.batch.id] -= taken
                return wide
        return None

    def _tries(self, piece: _Piece) -> Iterator[int | None]:
        if piece.offline:
            yield None
        lines = self._lines
        while lines > IN_A_DIFF:
            yield lines
            lines //= 2

    def _taken(self, piece: _Piece, wide: FileDiff) -> float | None:
        """Return the tokens of the context; None if the wider file is not possible."""
        if exclusion(wide, self._policy) is not None:
            return None
        parts = split_file(wide, count=piece.sizes.count, budget=piece.sizes.budget)
        if len(parts) > 1 or parts[0].line_limit is not None:
            return None
        taken = parts[0].tokens - piece.chunk.tokens
        return taken if taken <= self._room[piece.batch.id] else None


def _linters() -> Linters:
    from reviewbot.models.linters.linters import Linters

    return Linters(heed_added=True)


def _may_grow(file: FileDiff) -> bool:
    """Return whether the new file is a plain file that the diff may show in part."""
    return file.status in _STATUSES and file.new_mode not in NO_FILES


def _is_for_linter(piece: _Piece, linters: Linters) -> bool:
    """Return whether a linter can report on a file, but only with more than one chunk shows.

    Without git's hash, nothing proves the content of the file.
    """
    file = piece.file
    if not linters.needs_whole(file.path) or not file.added or file.blobs is None:
        return False
    return piece.chunk.parts > 1 or not shows_whole_file(file)


def _by_lines(files: Iterable[FileDiff]) -> list[FileDiff]:
    """Return the files, most changed lines first."""
    return sorted(files, key=lambda file: file.added + file.removed, reverse=True)

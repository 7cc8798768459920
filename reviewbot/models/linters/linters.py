"""Run the linters on files of a change and return what they report on the added lines."""

from __future__ import annotations

import asyncio
import re
import time
from bisect import bisect_left
from dataclasses import dataclass, replace
from threading import Event
from typing import TYPE_CHECKING, Final

from reviewbot.models.linters.base import NotLintedError
from reviewbot.models.linters.hits import LintedText, LintHit, choose_hits
from reviewbot.models.linters.process import run_linter
from reviewbot.models.linters.programs import find_programs
from reviewbot.models.linters.slots import LinterSlots
from reviewbot.models.linters.suppressions import disable_suppressions

if TYPE_CHECKING:
    from collections.abc import Collection

    from reviewbot.models.linters.base import Diagnostic, Linter
    from reviewbot.models.linters.programs import Program
    from reviewbot.models.linters.slots import ReviewSlots

REVIEW_S: Final = 300.0
"""Seconds that the linters of one review may take together; the first files use them."""
RESERVE_S: Final = 10.0
"""Seconds that each linter may take after that for files of each size, so that many slow files of
one kind leave time for the others."""
SIZES: Final = (4_000, 16_000)
"""Limits between the sizes, in bytes. shellcheck can take 2 s and 10 s for files at the limits."""
_LONE_RETURN: Final = re.compile(r"\r(?!\n|\Z)")


@dataclass(frozen=True, slots=True)
class Linted:
    """The results for one file.

    ``ran`` has the names of the linters that read the file. ``problem`` is a sentence why a linter
    did not, and ``failed`` whether that linter failed. ``own_checks`` names the own rules that read
    it beside a model. ``added_suppressions`` are the added lines with a comment that suppresses
    results.
    """

    hits: tuple[LintHit, ...] = ()
    ran: tuple[str, ...] = ()
    problem: str | None = None
    failed: bool = False
    own_checks: tuple[str, ...] = ()
    added_suppressions: tuple[int, ...] = ()


class Linters:
    """The installed linters, for one review.

    Args:
        heed_added: whether suppression comments on added lines count. In the App and the Action
            they must not, because the author of a pull request writes them.
        slots: limits the number of processes at a time, also over several reviews.
    """

    def __init__(self, *, heed_added: bool, slots: ReviewSlots | None = None) -> None:
        self._heed_added = heed_added
        self._slots = slots or LinterSlots().for_review("local")
        self._budget = _Budget()
        self._programs = find_programs()

    def linter_of(self, path: str, first_line: str = "") -> str | None:
        """Return the name of the linter that reads a file; None if there is none.

        Args:
            path: path of the file.
            first_line: its first line, which names the interpreter of a script without extension.
        """
        program = self._program_of(path, first_line)
        return program.linter.name if program else None

    def needs_whole(self, path: str) -> bool:
        """Return whether the linter of a file can only read the whole file."""
        program = self._program_of(path, "")
        return program is not None and program.linter.needs_whole

    async def lint(
        self,
        path: str,
        text: str,
        added: Collection[int],
        *,
        reported: Collection[int] | None = None,
        whole: bool = True,
        first: int = 1,
    ) -> Linted:
        """Return what the linter of a file reports on its added lines.

        Args:
            path: path of the file. It must not be a symbolic link.
            text: the new file, or the new side of one hunk.
            added: numbers of the added lines in the new file.
            reported: the added lines to report on; None reports on all of them.
            whole: whether ``text`` is the whole file.
            first: number of the first line of ``text`` in the new file.
        """
        lines = text.split("\n")
        program = self._program_of(path, lines[0] if first == 1 else "")
        if program is None:
            return Linted()
        name, here = program.linter.name, {number - first + 1 for number in added}
        wanted = here if reported is None else {number - first + 1 for number in reported}
        # In threads: a megabyte of short lines takes a second.
        disabled, suppressing = await asyncio.to_thread(disable_suppressions, name, lines, here)
        shown = tuple(number + first - 1 for number in suppressing)
        if not self._heed_added:
            text = "\n".join(disabled)
        try:
            diagnostics = await self._run(program, path, text, whole=whole) if wanted else []
            _check_whole(diagnostics, wanted if whole else (), first)
        except NotLintedError as error:
            problem = f"{name} did not read this file: {error}"
            return Linted(problem=problem, failed=error.failed, added_suppressions=shown)
        changeable = here if self._heed_added else here - {*suppressing}
        read = LintedText(path, lines, wanted, changeable, whole)
        hits = tuple(
            replace(hit, line=hit.line + first - 1, end_line=hit.end_line + first - 1)
            for hit in await asyncio.to_thread(choose_hits, name, read, diagnostics)
        )
        return Linted(hits, (name,), added_suppressions=shown)

    def _program_of(self, path: str, first_line: str) -> Program | None:
        return next(
            (
                program
                for program in self._programs
                if program.linter.reads(path, first_line) and program.usable
            ),
            None,
        )

    async def _run(
        self, program: Program, path: str, text: str, *, whole: bool
    ) -> list[Diagnostic]:
        """Return the results of a linter.

        Raises:
            NotLintedError: the linter did not read the file.
        """
        linter = program.linter
        data = _data_of(linter, text, whole=whole)
        stop, name = Event(), linter.copy_path(path)

        def run() -> list[Diagnostic]:
            done = run_linter(
                program.path,
                linter.arguments(name),
                copy=(name, data),
                configuration=linter.configuration,
                stop=stop,
            )
            return linter.parse(done.code, done.output)

        self._budget.account(linter.name, len(data))  # without time left, wait for no slot
        async with self._slots.slot(linter.name, len(data)):
            account = self._budget.account(linter.name, len(data))
            started = time.monotonic()
            work = asyncio.ensure_future(asyncio.to_thread(run))
            # Retrieved here, too: after a second cancellation no task awaits the work.
            work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                stop.set()
                await asyncio.wait({work})
                raise
            finally:
                account.left_s -= time.monotonic() - started


@dataclass(slots=True)
class _Account:
    """Seconds that are left for some files of a review."""

    left_s: float


class _Budget:
    """The time of the linters of one review, in seconds of processes."""

    def __init__(self) -> None:
        self._common = _Account(REVIEW_S)
        self._reserves: dict[tuple[str, int], _Account] = {}

    def account(self, linter: str, size: int) -> _Account:
        """Return the account that pays for a file of ``size`` bytes.

        Raises:
            NotLintedError: no time is left for such a file.
        """
        if self._common.left_s > 0:
            return self._common
        key = (linter, bisect_left(SIZES, size))
        account = self._reserves.setdefault(key, _Account(RESERVE_S))
        if account.left_s <= 0:
            raise NotLintedError("the linters have used the time of this review.", failed=True)
        return account


def _data_of(linter: Linter, text: str, *, whole: bool) -> bytes:
    """Return the text as a linter can read it.

    Raises:
        NotLintedError: it cannot.
    """
    if linter.needs_whole and not whole:
        raise NotLintedError("it needs the whole file.")
    if linter.foreign is not None and linter.foreign in text:
        raise NotLintedError(f"it holds {linter.foreign}.")
    if _LONE_RETURN.search(text):  # some linters count a line there
        raise NotLintedError("a carriage return is inside of a line.")
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise NotLintedError("the file is not UTF-8.") from None
    if len(data) > linter.max_bytes:
        raise NotLintedError(f"the file is larger than {linter.max_bytes:,} bytes.")
    return data


def _check_whole(diagnostics: list[Diagnostic], reported: Collection[int], first: int) -> None:
    """Raise if a syntax error that is not reported kept the linter from reading on.

    Raises:
        NotLintedError: it did.
    """
    for one in diagnostics:
        if one.stops and one.line not in reported:
            raise NotLintedError(f"line {one.line + first - 1} has a syntax error.")

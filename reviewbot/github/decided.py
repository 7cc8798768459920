"""What a review that has ended comes to, with all that its pull request says at this moment."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from reviewbot.github.code_marks import code_digest, plain_code
from reviewbot.github.file_lines import code_finder
from reviewbot.github.noted import noted_of
from reviewbot.github.recognised import recognised
from reviewbot.github.settled import settle, unaccounted
from reviewbot.github.still_there import gone, in_files
from reviewbot.github.told_before import beside_the_diff, with_told
from reviewbot.github.told_texts import OurTexts
from reviewbot.github.tracked import track

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from reviewbot.core.diff import FileDiff
    from reviewbot.core.findings import Finding
    from reviewbot.core.report import Report
    from reviewbot.github.commented_code import CommentedCode
    from reviewbot.github.file_lines import FileLines
    from reviewbot.github.markers import Noted
    from reviewbot.github.memory import Memory
    from reviewbot.github.settled import Settled
    from reviewbot.github.told_before import ToldBefore
    from reviewbot.github.told_texts import SignedFor
    from reviewbot.github.tracked import Tracked


@dataclass(frozen=True, slots=True)
class Decided:
    """What is to be posted.

    Attributes:
        settled: the review with what is known from earlier ones.
        known: what those told of on no line.
        noted: what a marker notes of a finding that has no comment.
        moved: ids of what GitHub has a comment on in the place of its like.
        at: what has a text of ours stands at these lines, as far as that is known; by ids.
    """

    settled: Settled
    known: ToldBefore
    noted: Callable[[Finding], Noted]
    moved: Collection[str]
    at: Mapping[str, int]


async def decide(
    report: Report,
    memory: Memory,
    files: Sequence[FileDiff],
    lines: FileLines,
    link_hosts: Collection[str],
) -> Decided:
    """Decide it; nothing is written.

    Args:
        report: the review, as far as it came.
        memory: what is known of the pull request.
        files: its whole diff, as GitHub has it at its head.
        lines: reads its files.
        link_hosts: the hosts that links may lead to.

    Raises:
        GitHubError: a file cannot be read.
    """
    code = await code_finder(files, lines, report.findings)
    told = await asyncio.to_thread(lambda: OurTexts(memory, code.names).told(code))
    tracked = await track(lines, code, memory, told)
    beside = await asyncio.to_thread(beside_the_diff, told, code)
    standing = await in_files(lines, code, told, beside, tracked)
    report = await asyncio.to_thread(_recognised, report, memory, code, tracked)
    known = await asyncio.to_thread(
        partial(with_told, report, memory, code, link_hosts, in_files=standing, tracked=tracked)
    )
    left = unaccounted(known.report, memory)
    gone_ids = await gone(lines, code, left, known.report.findings, tracked)
    settled = await asyncio.to_thread(
        partial(
            settle,
            known.report,
            memory,
            gone=gone_ids,
            told_and_gone=known.gone,
            lapsed=known.lapsed,
        )
    )
    noted = partial(noted_of, code, known.beside)
    placed = {one.id: noted(one) for one in known.ignored if one.is_placed}
    ignored = (
        placed.get(one.id) or one.at(tracked.line(one.id)) if one.code else one
        for one in settled.ignored
    )
    settled = replace(settled, ignored=tuple(ignored))
    moved = await asyncio.to_thread(_moved, memory, code, tracked)
    at = await asyncio.to_thread(_at, known.report, settled, memory, told, tracked)
    return Decided(settled, known, noted, moved, at)


def _moved(memory: Memory, code: CommentedCode, tracked: Tracked) -> set[str]:
    """Comments that GitHub has on their code, which is that of a like finding."""
    there = {id_: one for id_, one in memory.posted.items() if code.in_place(one)}
    return {id_ for id_, one in there.items() if not tracked.in_place(code, one)}


def _at(
    report: Report,
    settled: Settled,
    memory: Memory,
    told: Iterable[SignedFor],
    tracked: Tracked,
) -> dict[str, int]:
    """Where what has a text of ours stands; what may be in one place alone is there."""
    digests = {id_: code_digest(plain_code(one.code)) for id_, one in memory.posted.items()}
    digests |= {one.id: one.noted.code[-24:-8] for one in told if one.id in memory.told}
    found = {
        one.id: one.line
        for one in report.findings
        if one.is_placed
        if digests.get(one.id) == code_digest(plain_code(one.quote.split("\n")))
    }
    ended = {*memory.marked, *(one.id for one in settled.lapsed)}
    standing = {one.id for one in settled.report.findings} | memory.ignored.keys() - ended
    lines = {
        id_: tracked.line(id_) or found.get(id_) or tracked.only_copy(id_)
        for id_ in sorted(standing & digests.keys())
    }
    return {id_: line for id_, line in lines.items() if line}


def _recognised(report: Report, memory: Memory, code: CommentedCode, tracked: Tracked) -> Report:
    """The review, its findings under the ids of their comments."""
    noted = {one.id for one in memory.summary[1].findings} if memory.summary else set[str]()
    return recognised(
        report,
        memory.posted,
        code,
        reserved={*memory.ignored, *memory.told, *noted},
        lapsed={
            id_
            for id_ in memory.marked & memory.ignored.keys()
            if not tracked.in_place(code, memory.posted[id_])
        },
        tracked=tracked,
    )

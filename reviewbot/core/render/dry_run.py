"""Render the plan of a review for people, before any model request. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reviewbot.core.render.layout import cells, clip, paragraph, shown
from reviewbot.core.render.wording import asked_first, dollars, reviewers
from reviewbot.core.wording import NO_REASON, count

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.core.events.events import (
        Estimate,
        ModelEstimate,
        PlannedChunk,
        PlannedFile,
        ReviewStarted,
    )
    from reviewbot.core.render.layout import Line

_MAX_PATH: Final = 60


def plan_lines(plan: ReviewStarted, skipped: Mapping[str, str], *, width: int) -> list[Line]:
    """Return a line for each file, with its chunks or the reason to skip it, then the sums.

    If several models review, each line names the model of the file and the deciding setting.

    ``skipped`` has the reasons by path. ``width`` is in columns of the terminal.
    """
    chunks = {chunk.id: chunk for chunk in plan.chunks}
    paths = [*(file.path for file in plan.files), *(file.path for file in plan.beside)]
    room = min(max((cells(shown(path)) for path in paths), default=0), _MAX_PATH)
    several = len(asked_first(plan)) > 1
    lines: list[Line] = []
    for file in plan.files:
        path = clip(shown(file.path), room)
        head = f"{path}{' ' * (room - cells(path))}  +{file.added} -{file.removed}  "
        if file.unread:
            lines += paragraph(
                f"not read: {file.unread}", width, first=(head, "yellow"), style="yellow"
            )
        elif file.chunks:
            where = _chunks([chunks[name] for name in file.chunks])
            assigned = f", {shown(file.model or '')} ({file.routed_by})" if several else ""
            lines.append(((head, ""), (where + assigned, "")))
        else:
            lines += paragraph(
                f"skipped: {skipped.get(file.path, NO_REASON)}",
                width,
                first=(head, "dim"),
                style="dim",
            )
    for one in plan.beside:
        path = clip(shown(one.path), room)
        head = f"{path}{' ' * (room - cells(path))}  "
        lines += paragraph(f"{one.status}: {one.reason or NO_REASON}", width, first=(head, "dim"))
    return [*lines, (), *_sums(plan, width)]


def _chunks(chunks: list[PlannedChunk]) -> str:
    tokens = sum(chunk.tokens for chunk in chunks)
    batches = list(dict.fromkeys(chunk.batch for chunk in chunks))
    names = chunks[0].id if len(chunks) == 1 else f"{chunks[0].id}..{chunks[-1].id}"
    where = batches[0] if len(batches) == 1 else f"{batches[0]}..{batches[-1]}"
    return f"{count(tokens, 'token')} in {names}, batch {where}"


def _sums(plan: ReviewStarted, width: int) -> list[Line]:
    estimate = plan.estimate
    reviewed: list[PlannedFile] = [file for file in plan.files if file.chunks and not file.unread]
    unread = sum(file.unread is not None for file in plan.files)
    aside = f"{unread} not read, " if unread else ""
    skipped = len(plan.files) - len(reviewed) - unread
    text = (
        f"{count(len(plan.files), 'file')}, {len(reviewed)} to review, {aside}{skipped} skipped; "
        f"{count(len(plan.chunks), 'chunk')} in "
        f"{count(plan.batches, 'batch', 'batches')}."
    )
    lines = paragraph(text, width, style="bold")
    lines += paragraph(f"With {reviewers(plan)}: {_expected(estimate)}. Nothing was sent.", width)
    for part in estimate.by_model if len(estimate.by_model) > 1 else ():
        lines += paragraph(_expected(part), width, first=(f"  {shown(part.model)}: ", ""))
    for part in estimate.verification:
        text = f"Verification with {shown(part.model)} adds at most {_expected(part)}."
        lines += paragraph(text, width)
    for notice in plan.notices:
        lines += paragraph(notice, width, first=("notice: ", "bold yellow"))
    return lines


def _expected(estimate: Estimate | ModelEstimate) -> str:
    """Return e.g. ``2 requests, about 25,400 tokens in and up to 8,000 out; about $0.10``."""
    cost = (
        "costs nothing"
        if estimate.cost_usd == 0
        else f"about {dollars(estimate.cost_usd)}"
        if estimate.cost_usd is not None
        else "cost unknown"
    )
    out = f" and up to {estimate.output_tokens:,} out" if estimate.output_tokens else ""
    tokens = count(estimate.input_tokens, "token")
    return f"{count(estimate.requests, 'request')}, about {tokens} in{out}; {cost}"

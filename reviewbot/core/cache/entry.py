"""Cache entry of a reviewed chunk: hashes of its hunks and lines, and its draft findings. Pure.

The only code in an entry is quoted by findings. Quotes are redacted, because chunks are redacted
before a model sees them. The texts of draft findings, and their quotes of looked-up code, are
searched for secrets again.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from reviewbot.core.cache.keys import ChunkKey  # noqa: TC001 - the decoder looks these up
from reviewbot.core.cache.line_digests import line_digests
from reviewbot.core.cache.seen_code import SeenCode  # noqa: TC001 - the decoder looks these up
from reviewbot.core.decode import decoder
from reviewbot.core.findings.draft import Draft  # noqa: TC001 - the decoder looks these up
from reviewbot.core.findings.verdicts import Verdict  # noqa: TC001 - the decoder looks these up
from reviewbot.core.safety.redact import redact_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.core.findings.anchors import Anchor, AnchorIndex
    from reviewbot.core.plan.chunk_view import ChunkView, ShownHunk

FORM: Final = 2
"""The version of an entry's JSON."""


@dataclass(frozen=True, slots=True)
class AttributedDraft:
    """A draft finding about one chunk. ``answer`` identifies the response with the draft.

    ``verdict`` is that of an earlier review, if it verified the finding.
    """

    draft: Draft
    attempt: int
    answer: str
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class AnchoredDraft:
    """An :class:`AttributedDraft` and the index of its hunk; None if no hunk has its quote.

    A draft in a hunk names the side and the lines of its quote.
    """

    heard: AttributedDraft
    hunk: int | None


@dataclass(frozen=True, slots=True)
class HunkRange:
    """Line range of a hunk: first number and count on each side; 0 for a side without lines."""

    old: int
    old_count: int
    new: int
    new_count: int

    def holds(self, number: int) -> bool:
        """Return whether the range has a line with this number, on either side."""
        return (
            self.old <= number < self.old + self.old_count
            or self.new <= number < self.new + self.new_count
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A chunk that ``model`` reviewed completely, with its draft findings.

    ``extents`` are the line ranges of the hunks in ``key``, and ``lines`` the digests of their
    lines, made with ``salt`` (:mod:`reviewbot.core.cache.line_digests`). ``tokens`` is the plan's
    estimate for the chunk. ``change`` is the model's line on what changed in its file; empty if
    there is none. ``seen`` is the code outside of the diff that the model saw.
    """

    key: ChunkKey
    model: str
    prompt_version: str
    tokens: int
    extents: tuple[HunkRange, ...]
    salt: str
    lines: tuple[str, ...]
    drafts: tuple[AnchoredDraft, ...]
    change: str = ""
    seen: tuple[SeenCode, ...] = ()


def extent(hunk: ShownHunk) -> HunkRange:
    """Return the line range of ``hunk``."""
    old = [line.old_no for line in hunk.lines if line.old_no is not None]
    new = [line.new_no for line in hunk.lines if line.new_no is not None]
    return HunkRange(old[0] if old else 0, len(old), new[0] if new else 0, len(new))


def make_entry(
    view: ChunkView,
    key: ChunkKey,
    drafts: Iterable[AttributedDraft],
    index: AnchorIndex,
    *,
    model: str,
    prompt_version: str,
    salt: str,
    change: str = "",
    seen: tuple[SeenCode, ...] = (),
) -> Entry:
    """Return the entry of a reviewed chunk.

    ``drafts`` are all draft findings about the chunk. ``index`` finds quotes in this chunk and in
    others. ``salt`` is a random text. ``change`` and ``seen`` are as in :class:`Entry`.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    numbers: dict[str, str] = {}
    placed = []
    for heard in drafts:
        answer = numbers.setdefault(heard.answer, str(len(numbers)))
        placed.append(_placed(view, replace(heard, answer=answer), index))
    return Entry(
        key=key,
        model=model,
        prompt_version=prompt_version,
        tokens=view.tokens,
        extents=tuple(map(extent, view.hunks)),
        salt=salt,
        lines=tuple(line_digests(hunk, salt) for hunk in view.hunks),
        drafts=tuple(placed),
        change=change,
        seen=seen,
    )


def _placed(view: ChunkView, heard: AttributedDraft, index: AnchorIndex) -> AnchoredDraft:
    draft = _redacted(heard.draft)
    anchor = index.find(view.path, draft.quote, draft.side, draft.line)
    hunk = hunk_of(view, anchor) if anchor else None
    if anchor is None or not anchor.whole:  # the quote may contain other text
        draft = replace(draft, quote=redact_text(draft.quote))
    if anchor is None or hunk is None:
        return AnchoredDraft(replace(heard, draft=replace(draft, path=view.path)), None)
    last = anchor.line + draft.end_line - draft.line
    draft = replace(draft, path=view.path, side=anchor.side, line=anchor.line, end_line=last)
    return AnchoredDraft(replace(heard, draft=draft), hunk)


def hunk_of(view: ChunkView, anchor: Anchor) -> int | None:
    """Return the index of the hunk of ``view`` with the anchored lines; None if there is none."""
    if anchor.chunk != view.id:
        return None
    wanted = set(anchor.lines)
    holding = (at for at, hunk in enumerate(view.hunks) if wanted <= set(hunk.lines))
    return next(holding, None)


def _redacted(draft: Draft) -> Draft:
    suggestion = draft.suggestion
    return replace(
        draft,
        scenario=redact_text(draft.scenario),
        title=redact_text(draft.title),
        message=redact_text(draft.message),
        suggestion=None if suggestion is None else redact_text(suggestion),
        rests_on=tuple(
            replace(raw, path=redact_text(raw.path), quote=redact_text(raw.quote))
            for raw in draft.rests_on
        ),
    )


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """Return ``entry`` as plain JSON values."""
    return {"form": FORM, **asdict(entry)}


def entry_from_json(value: object) -> Entry:
    """Return the inverse of :func:`entry_to_json`.

    Raises:
        ValueError: the value is not an entry; the message names the field.
    """
    if not isinstance(value, dict) or value.get("form") != FORM:
        raise ValueError(f"this is not a cache entry of form {FORM}")
    entry = cast("Entry", decoder(Entry)(value, "entry"))
    count = len(entry.key.hunks)
    if len(entry.extents) != count:
        raise ValueError(f"the cache entry has {count} hunks, but {len(entry.extents)} extents")
    if len(entry.lines) != count:
        raise ValueError(f"the cache entry has {count} hunks, but lines of {len(entry.lines)}")
    for placed in entry.drafts:
        if placed.hunk is not None and not 0 <= placed.hunk < count:
            raise ValueError(f"the cache entry has no hunk {placed.hunk}")
    return entry

"""The state block: data that a review stores in the summary comment. Pure.

The block is compressed JSON in the marker of the comment (:mod:`reviewbot.github.markers`),
which signs it and binds it to the pull request and its head.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, cast, get_args

from reviewbot.core.cache.unchanged import file_digest
from reviewbot.core.decode import decoder
from reviewbot.core.findings.finding import (  # noqa: TC001 - the decoder resolves them at run time
    Category,
    Severity,
    Side,
)
from reviewbot.github.markers import FINDING_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

FORM: Final = 1
"""The version of the block; another one is not read."""
MOST_CHARACTERS: Final = 30_000
MOST_BYTES: Final = 1 << 20
"""Maximum bytes of a block once it is inflated."""
MOST_DROPPED: Final = 1_000_000
"""Maximum number of dropped closed records of a fate: a state by others may hold any number."""
MOST_FOLDER: Final = 100
"""Maximum characters of the folder of a closed record."""
MOST_TITLE: Final = 120
MOST_LINE: Final = 120
MOST_OVERVIEW: Final = 1_000
"""Maximum characters of a title, of the line about a file, and of the overview."""

_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{5,8}Z")

State = Literal["open", "resolved", "dismissed"]
Listed = Literal["", "note", "read", "hunk", "doubt"]
"""The rule of :mod:`reviewbot.github.state.rounds` that lists a finding; empty if none does. A
record never has ``doubt``, which earlier versions cannot read: its ``doubts`` say so."""
DOUBTS: Final = 2
"""Answers in a row that do not tell whether a warning is fixed, after which it is listed."""
Fate = Literal["fixed", "dismissed", "refuted", "open_at_merge"]
FATES: Final[tuple[Fate, ...]] = get_args(Fate)


@dataclass(frozen=True, slots=True)
class ProofPlace:
    """Lines of code that a finding rests on, at the head of the review that found it.

    ``fingerprint`` is the :class:`.Fingerprint` of the lines, whose secrets are replaced.
    """

    path: str
    line: int
    end_line: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Record:
    """The record of one finding.

    Attributes:
        path: its file, by the name at the head of the review.
        line: the first line; the line that the model claimed if the location is unknown.
        fingerprint: the :class:`.Fingerprint` of the code; empty if the location is unknown.
        comment: the id of the comment on its lines; None if it has none.
        hidden: whether we hid that comment when the finding was resolved.
        held: reason why the finding is held back; empty if it counts.
        left_out: whether ``max_inline`` left no room. Such a finding never gets a comment.
        model: the model that found it; empty in states of versions without this field.
        prompt_version: version of the prompts of that model; empty for a rule.
        listed: the rule by which the summary lists the finding and no comment is posted.
        old_start: first line, in the base, of the hunk that the finding was in; None if unknown.
        old_count: number of lines of that hunk in the base.
        rests_on: where the code is that a model's finding rests on.
        doubts: how many answers in a row did not tell whether the finding is fixed.
        since: the commit that a question compared with, if it got no answer; else empty. The next
            review asks again.
    """

    id: str
    path: str
    side: Side
    line: int
    fingerprint: str
    rule: str
    category: Category
    title: str
    severity: Severity
    state: State = "open"
    comment: int | None = None
    hidden: bool = False
    held: str = ""
    left_out: bool = False
    model: str = ""
    prompt_version: str = ""
    listed: Listed = ""
    old_start: int | None = None
    old_count: int = 0
    rests_on: tuple[ProofPlace, ...] = ()
    doubts: int = 0
    since: str = ""

    @property
    def is_posted(self) -> bool:
        """True if a comment or the summary names it, so that people can act on it."""
        return not self.held and not self.left_out

    @property
    def is_doubted(self) -> bool:
        """True for a warning about which answers in a row did not tell whether it is fixed."""
        return self.severity == "warning" and self.doubts >= DOUBTS

    @property
    def is_of_a_rule(self) -> bool:
        """True if a rule, not a model, reported the finding."""
        return self.rule != self.category


@dataclass(frozen=True, slots=True)
class ClosedRecord:
    """The record of a posted finding that is no longer open; ``fate`` is what became of it.

    ``folder`` is that of its file, without a slash at the end; None if it is too long or unknown.
    ``severity`` is None in states of versions without this field.
    """

    id: str
    rule: str
    model: str
    prompt_version: str
    fate: Fate
    severity: Severity | None = None
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause of the reviews of a pull request: the login of who paused them, and the time."""

    by: str
    at: str

    @property
    def sentence(self) -> str:
        """Sentence that names who paused the reviews."""
        return f"{self.by} paused the reviews of this pull request on {self.at[:10]}."


@dataclass(frozen=True, slots=True)
class StateBlock:
    """The state that a review leaves for the next one.

    Attributes:
        settings: a digest of the models, the prompt version and the configuration; empty if nothing
            was reviewed.
        hunks: the digests of the hunks that were reviewed, and how often each occurs.
        files: one digest per file, used if ``hunks`` is too large.
        overview: summary of the whole pull request.
        walkthrough: a line about each file.
        records: the findings.
        closed: the posted findings that are no longer open, oldest first.
        dropped: number of closed records that were dropped for space, by fate.
        merged: whether the merge of the pull request was recorded.
        pause: the pause of the reviews; None if pushes are reviewed.
        rounds: number of complete rounds.
        by_rules: whether rules read files that no model of their chain could read.
    """

    settings: str
    hunks: dict[str, int] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    overview: str = ""
    walkthrough: dict[str, str] = field(default_factory=dict)
    records: tuple[Record, ...] = ()
    closed: tuple[ClosedRecord, ...] = ()
    dropped: dict[str, int] = field(default_factory=dict)
    merged: bool = False
    pause: Pause | None = None
    rounds: int = 0
    by_rules: bool = False
    form: int = FORM


def pack(block: StateBlock, hunks_of: dict[str, list[str]] | None = None) -> str | None:
    """Return the block as Base64 of at most :data:`MOST_CHARACTERS`; None if it is too large.

    What findings rest on is dropped first, then the closed records, the oldest of them first, then
    other optional parts. Open and dismissed records are never dropped.

    ``hunks_of`` has the digests of the reviewed hunks by file. Without it, ``hunks`` and ``files``
    of the block are used.
    """
    for tried in _smaller(block, hunks_of):
        data = json.dumps(asdict(tried), separators=(",", ":")).encode()
        if len(data) <= MOST_BYTES:
            text = base64.b64encode(zlib.compress(data, 9)).decode()
            if len(text) <= MOST_CHARACTERS:
                return text
    return None


def unpack(text: str) -> StateBlock | None:
    """Return the block in ``text``; None if it is invalid or of another version."""
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(base64.b64decode(text, validate=True), MOST_BYTES)
        if not inflate.eof:
            return None
        block = cast("StateBlock", decoder(StateBlock)(json.loads(data), "state"))
    except (binascii.Error, zlib.error, ValueError, RecursionError):
        return None
    ids = (*(one.id for one in block.records), *(one.id for one in block.closed))
    named = all(map(FINDING_ID.fullmatch, ids))
    counted = all(
        fate in FATES and 0 <= number <= MOST_DROPPED for fate, number in block.dropped.items()
    )
    pause = block.pause is None or (
        _LOGIN.fullmatch(block.pause.by) and _TIME.fullmatch(block.pause.at)
    )
    commits = all(not record.since or _COMMIT.fullmatch(record.since) for record in block.records)
    is_valid = named and counted and pause and commits
    return block if block.form == FORM and is_valid else None


def _smaller(block: StateBlock, hunks_of: dict[str, list[str]] | None) -> Iterator[StateBlock]:
    """Yield the block, and then ever smaller ones."""
    hunks, kept, files = block.hunks, block.files, block.files
    if hunks_of is not None:
        kept = ()
        hunks = dict(Counter(digest for digests in hunks_of.values() for digest in digests))
        files = tuple(file_digest(path, digests) for path, digests in hunks_of.items())
    records = tuple(replace(one, title=one.title[:MOST_TITLE]) for one in block.records)
    lines = {path: line[:MOST_LINE] for path, line in block.walkthrough.items()}
    overview = block.overview[:MOST_OVERVIEW]
    block = replace(
        block, hunks=hunks, files=kept, overview=overview, walkthrough=lines, records=records
    )
    yield block
    records = tuple(replace(record, rests_on=()) for record in records)
    block = replace(block, records=records)
    yield block
    while block.closed:
        block = _without_oldest(block)
        yield block
    records = tuple(one for one in records if one.state != "resolved")
    block = replace(block, overview="", walkthrough={}, records=records)
    yield block
    block = replace(block, records=tuple(replace(one, title="") for one in records))
    yield block
    yield replace(block, hunks={}, files=files)


def _without_oldest(block: StateBlock) -> StateBlock:
    """Return the block without the older half of its closed records, which are counted instead."""
    half = (len(block.closed) + 1) // 2
    dropped = Counter(block.dropped)
    dropped.update(one.fate for one in block.closed[:half])
    return replace(block, closed=block.closed[half:], dropped=dict(dropped))

"""A chunk as hashes: equal ones were prompted alike, but for line numbers. Pure.

What is hashed is the text of the prompt itself, redacted and cut as it is sent, with every line
number set to 0: a chunk that only moved is the same chunk. A model is told to copy numbers and
never to count them, a finding stands where its quote is found, and what its words say of numbers
is :mod:`reviewbot.core.cache.reuse`'s concern. Everything else that decides an answer is in the
:class:`Scope`, except for two things that differ between any two pushes and that a model is not
asked about: the list of changed paths, and the other chunks of the request.

The look-up of similar chunks goes by whole hunks, since a hunk is reused whole or not at all: the
signature of a chunk is the set of its hunks' hashes, its bands are the smallest of them (a bottom-k
sketch, which for all but huge chunks is the whole set). Measured on 438 simulated pushes to pull
requests (flask, and this project; 17,355 chunks, 75 % of them exact hits): for the others these
bands found all 4,217 hunks that could be reused, with 985 candidates for the 970 chunks that had
one, in 0.08 ms a chunk. MinHash over lines in threes (64 permutations) takes 0.4 ms and found
85 % (16 bands of 4), or 97 % with 1,579 candidates (32 bands of 2).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import DiffLine
from reviewbot.core.plan.chunks import ShownHunk
from reviewbot.core.plan.languages import language_of
from reviewbot.core.prompt.examples import choose_examples
from reviewbot.core.prompt.numbered import heading_lines, hunk_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reviewbot.core.plan.chunks import ChunkView
    from reviewbot.core.prompt.request import ManifestEntry

VERSION: Final = "1"
"""Goes into every hash: another form of keys or entries must not meet what an older one stored."""

SKETCH: Final = 64
"""Hunks by which a chunk is looked up. With git's three lines of context one of 430 lines has less
than that."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What decides a model's answer about a chunk, beside the text of the chunk.

    ``model`` is its name and whatever of its settings changes what it says. ``rules`` are the
    levels of the configuration by rule or category; they act on findings alone, but who changes
    them wants a fresh look. ``examples`` are the texts of those that the prompt shows: they are
    chosen by the languages of the pull request.
    """

    model: str
    prompt_version: str
    instructions: str = ""
    rules: Mapping[str, str] = field(default_factory=dict)
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """A chunk in hashes.

    ``exact`` is equal for chunks that are prompted alike in one scope. ``family`` is equal for
    chunks of one file (renamed, perhaps, but in the same language) in one scope: their hunks may
    be compared. ``hunks`` has the hash of every hunk, in order.
    """

    exact: str
    family: str
    hunks: tuple[str, ...]


def examples_of(manifest: Iterable[ManifestEntry]) -> tuple[str, ...]:
    """Return the examples that a prompt with ``manifest`` shows, for a :class:`Scope`."""
    return tuple(example.shown for example in choose_examples(manifest))


def chunk_key(view: ChunkView, scope: Scope) -> ChunkKey:
    """Return the hashes of ``view`` in ``scope``. Linear in what is shown."""
    hunks = tuple(map(hunk_hash, view.hunks))
    shared = [
        VERSION,
        scope.model,
        scope.prompt_version,
        scope.instructions,
        sorted(scope.rules.items()),
        scope.examples,
    ]
    return ChunkKey(
        exact=_hash([*shared, list(heading_lines(view)), hunks]),
        family=_hash([*shared, sorted(view.instructions), *_origin(view)]),
        hunks=hunks,
    )


def exact_key(view: ChunkView, scope: Scope) -> str:
    """Return the hash that is equal for chunks that are prompted alike."""
    return chunk_key(view, scope).exact


def hunk_hash(hunk: ShownHunk) -> str:
    """The hash of what the prompt shows of ``hunk``: heading, context and changes, no numbers."""
    lines = tuple(
        DiffLine(line.kind, None, None, line.text, line.no_newline) for line in hunk.lines
    )
    bare = ShownHunk(0, 0, hunk.section, lines, hunk.owned)
    return hashlib.sha256("\n".join(hunk_lines(bare)).encode()).hexdigest()


def bands(key: ChunkKey) -> tuple[str, ...]:
    """What a store indexes an entry by: two chunks that share one may have a hunk in common."""
    sketch = sorted(set(key.hunks))[:SKETCH]
    return tuple(_hash([key.family, hunk])[:32] for hunk in sketch)


def similarity(one: ChunkKey, other: ChunkKey) -> float:
    """The share of hunks that two chunks have in common (Jaccard); 0 if they are of two families.

    It only ranks candidates. What is reused is decided hunk by hunk.
    """
    ours, theirs = set(one.hunks), set(other.hunks)
    if one.family != other.family or not ours | theirs:
        return 0.0
    return len(ours & theirs) / len(ours | theirs)


def _origin(view: ChunkView) -> tuple[str, str]:
    """What a file was called before the change, and its language: the same after a rename.

    A copy is a file of its own, not another state of what it was copied from.
    """
    before = None if view.status == "copied" else view.old_path
    suffix = view.path.rpartition("/")[2].rpartition(".")[2]
    return before or view.path, language_of(view.path) or suffix


def _hash(value: object) -> str:
    # As ASCII: a path may hold bytes that are not UTF-8, as lone surrogates.
    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()

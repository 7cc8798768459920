"""Hashes of chunks: chunks with equal hashes have the same prompt, except line numbers. Pure.

The hash covers the text of the prompt, redacted and truncated as it is sent, with every line number
set to 0. So a chunk that only moved keeps its hash. Models must copy line numbers, never count
them. A finding is located by its quote. :mod:`reviewbot.core.cache.reuse` handles line numbers in
the texts of findings. The :class:`Scope` holds everything else that affects a response, with three
exceptions. The list of changed paths and the other chunks of the request differ with each push, and
the prompt requests no review of them. Code outside of the diff is compared when an entry is reused
(:mod:`reviewbot.core.cache.seen_code`).

The look-up of similar chunks compares whole hunks. The signature of a chunk is the set of its
hunks' hashes. The bands are the smallest hashes (a bottom-k sketch, which is the whole set for all
but huge chunks). One more band is the part of the file, by which an entry is found whose hunks have
all changed (:mod:`reviewbot.core.cache.similar`). The hashes were measured on 438 simulated
pushes (flask and this project; 17,355 chunks, 75 % of them exact hits). For the other chunks the
bands found all 4,217 reusable hunks. There were 985 candidates for the 970 chunks with a reusable
hunk, at 0.08 ms a chunk. MinHash over triples of lines (64 permutations) takes 0.4 ms. It found
85 % (16 bands of 4), or 97 % with 1,579 candidates (32 bands of 2).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import DiffLine
from reviewbot.core.plan.chunk_view import ShownHunk
from reviewbot.core.plan.languages import language_of
from reviewbot.core.prompt.examples import choose_examples
from reviewbot.core.prompt.numbered import heading_lines, hunk_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reviewbot.core.plan.chunk_view import ChunkView
    from reviewbot.core.prompt.request import ManifestEntry

VERSION: Final = "2"
"""Part of every hash, so that a new form of keys or entries never matches stored entries."""

SKETCH: Final = 64
"""Maximum number of hunks by which a chunk is looked up. With git's three lines of context, a chunk
of 430 lines has fewer."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything besides the text of a chunk that affects a model's response.

    ``model`` is the name of the model with the settings that affect its output. ``guidelines`` is
    the text of the team's rules, without their commit. ``rules`` are the configured levels by rule
    or category. They only affect findings, but a user who changes them expects a new review.
    ``examples`` are the texts of the examples in the prompt, which are chosen by the languages of
    the pull request.
    """

    model: str
    prompt_version: str
    instructions: str = ""
    guidelines: str = ""
    rules: Mapping[str, str] = field(default_factory=dict)
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkKey:
    """Hashes of a chunk.

    ``exact`` is equal for chunks with the same prompt in one scope. ``family`` is equal for chunks
    of one file in one scope, even after a rename in the same language: their hunks may be compared.
    ``hunks`` has the hash of every hunk, in order. ``part`` is the number of the chunk in its file.
    """

    exact: str
    family: str
    hunks: tuple[str, ...]
    part: int = 1


def examples_of(manifest: Iterable[ManifestEntry]) -> tuple[str, ...]:
    """Return the examples that a prompt with ``manifest`` shows, for a :class:`Scope`."""
    return tuple(example.shown for example in choose_examples(manifest))


def chunk_key(view: ChunkView, scope: Scope) -> ChunkKey:
    """Return the hashes of ``view`` in ``scope``. The time is linear in the shown text."""
    hunks = tuple(map(hunk_hash, view.hunks))
    shared = [
        VERSION,
        scope.model,
        scope.prompt_version,
        scope.instructions,
        scope.guidelines,
        sorted(scope.rules.items()),
        scope.examples,
    ]
    return ChunkKey(
        exact=_hash([*shared, list(heading_lines(view)), hunks]),
        family=_hash([*shared, sorted(view.instructions), *_origin(view)]),
        hunks=hunks,
        part=view.part,
    )


def hunk_hash(hunk: ShownHunk) -> str:
    """Return the hash of ``hunk`` in the prompt: heading, context and changes, no numbers."""
    lines = tuple(
        DiffLine(line.kind, None, None, line.text, line.no_newline) for line in hunk.lines
    )
    bare = ShownHunk(0, 0, hunk.section, lines, hunk.owned)
    return hashlib.sha256("\n".join(hunk_lines(bare)).encode()).hexdigest()


def bands(key: ChunkKey) -> tuple[str, ...]:
    """Return the index keys of an entry. Chunks that share a key may have common lines."""
    sketch: list[str | int] = [*sorted(set(key.hunks))[:SKETCH], key.part]
    return tuple(_hash([key.family, one])[:32] for one in sketch)


def similarity(one: ChunkKey, other: ChunkKey) -> float:
    """Return the Jaccard similarity of the hunks of two chunks; 0 for different families.

    The similarity only ranks candidates. Reuse is decided hunk by hunk.
    """
    ours, theirs = set(one.hunks), set(other.hunks)
    if one.family != other.family or not ours | theirs:
        return 0.0
    return len(ours & theirs) / len(ours | theirs)


def _origin(view: ChunkView) -> tuple[str, str]:
    """Return the old path and the language of a file, which stay the same after a rename.

    A copy counts as a new file, not as another version of its source.
    """
    before = None if view.status == "copied" else view.old_path
    suffix = view.path.rpartition("/")[2].rpartition(".")[2]
    return before or view.path, language_of(view.path) or suffix


def _hash(value: object) -> str:
    # As ASCII: a path may hold bytes that are not UTF-8, as lone surrogates.
    return hashlib.sha256(json.dumps(value, ensure_ascii=True).encode()).hexdigest()

"""A model request and its text: templates in ``prompts/``, data behind our own line prefixes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reviewbot.core.chunks import ChunkView


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One changed file of the whole pull request; ``shown`` is false where policy skipped it."""

    path: str
    status: str
    added: int
    removed: int
    shown: bool


@dataclass(frozen=True, slots=True)
class KnownFinding:
    """A finding already at hand, named so that a continuation does not repeat it."""

    path: str
    line: int
    title: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What a model is asked to review: data, from which :func:`render` makes the prompt.

    ``instructions`` are the repository's, from the base branch. ``known`` is empty but in the
    continuation of an answer that was cut. ``tokens`` estimates the whole input.
    """

    chunks: tuple[ChunkView, ...]
    manifest: tuple[ManifestEntry, ...]
    instructions: str = ""
    known: tuple[KnownFinding, ...] = ()
    tokens: int = 0

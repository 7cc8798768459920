"""Tokens: how a tokenizer cuts a diff, and how many tokens each part of a request has."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.models.tokens import PIECE, encoding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reviewbot.lab.subject import Subject

MOST_LINES: Final = 300
"""Maximum number of lines that are cut into tokens; the others are counted."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one token, or of several that only together are characters.

    ``number`` counts the pieces of the whole text, so that both halves of a token that spans two
    lines have the same number.
    """

    text: str
    number: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the request: its characters, its o200k tokens, and the estimate for the model."""

    name: str
    characters: int
    counted: int
    estimated: int


@dataclass(frozen=True, slots=True)
class TokenStudy:
    """How the first request of a diff is cut.

    Attributes:
        model: name of the model.
        factor: tokens of the model per o200k token.
        parts: the parts of the request, in their order.
        lines: the pieces of each line of the last part.
        more: number of lines that are not in ``lines``.
        exact: tokens that the endpoint counted; None if it was not asked.
        problem: reason why the endpoint did not count; None if there is none.
    """

    model: str
    factor: float
    parts: tuple[Part, ...]
    lines: tuple[tuple[Piece, ...], ...]
    more: int
    exact: int | None = None
    problem: str | None = None

    @property
    def estimated(self) -> int:
        """Estimated tokens of the whole request."""
        return sum(part.estimated for part in self.parts)

    @property
    def per_token(self) -> float:
        """Characters of the diff in the prompt per o200k token."""
        part = self.parts[-1]
        return part.characters / max(part.counted, 1)


def study_tokens(
    subject: Subject, *, exact: int | None = None, problem: str | None = None
) -> TokenStudy:
    """Return how the first request of ``subject`` is cut.

    Args:
        subject: the diff.
        exact: tokens that the endpoint counted.
        problem: reason why the endpoint did not count.
    """
    prompt, factor = subject.prompt, subject.info.token_factor
    texts = {
        "tool": json.dumps(REPORT_TOOL),
        "rules": prompt.system,
        "examples, paths": prompt.shared,
        "diff": prompt.body,
    }
    parts = []
    for name, text in texts.items():
        counted = count_pieces(text)
        parts.append(Part(name, len(text), counted, math.ceil(counted * factor)))
    lines = by_line(cut_text(prompt.body))
    shown = tuple(islice(lines, MOST_LINES))
    return TokenStudy(
        model=subject.info.name,
        factor=factor,
        parts=tuple(parts),
        lines=shown,
        more=sum(1 for _ in lines),
        exact=exact,
        problem=problem,
    )


def count_pieces(text: str) -> int:
    """Return the o200k tokens of ``text``."""
    encode = encoding().encode_ordinary
    return sum(len(encode(text[at : at + PIECE])) for at in range(0, len(text), PIECE))


def cut_text(text: str) -> Iterator[str]:
    """Yield ``text`` in the pieces of its tokens. Joined, they are ``text``.

    A token may end inside a character; it is then joined with the tokens that complete it.
    """
    known = encoding()
    for at in range(0, len(text), PIECE):
        held = b""
        for token in known.encode_ordinary(text[at : at + PIECE]):
            held += known.decode_single_token_bytes(token)
            try:
                piece = held.decode()
            except UnicodeDecodeError:
                continue
            yield piece
            held = b""


def by_line(pieces: Iterator[str]) -> Iterator[tuple[Piece, ...]]:
    """Yield the pieces of each line, without its line break."""
    line: list[Piece] = []
    for number, piece in enumerate(pieces):
        first, *others = piece.split("\n")
        if first:
            line.append(Piece(first, number))
        for other in others:
            yield tuple(line)
            line = [Piece(other, number)] if other else []
    yield tuple(line)

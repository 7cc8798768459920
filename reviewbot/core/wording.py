"""Counts and lists in words, shared by all our sentences. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

NO_REASON: Final = "No reason was given."
"""Replacement of a missing reason."""


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return ``1 file`` or ``2,000 files``. Pass ``plural`` if it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def listed(parts: Sequence[str]) -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``, for at least one item."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))

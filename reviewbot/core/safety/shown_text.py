r"""Redact text of a model and make it safe, until neither step changes it. Pure.

One pass of each is not enough: Markdown reads ``ghp\_...`` as a token that the search has not seen.
A person can read ``&#103;hp_...`` as one, too. If escapes hide a secret, they are resolved first.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Final

from reviewbot.core.safety.redact import REDACTED_MARK, redact_text
from reviewbot.core.safety.safe_text import safe_line, safe_markdown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

WITHHELD: Final = f"{REDACTED_MARK}secret]"
"""Replacement of a text that keeps changing."""
_ROUNDS: Final = 4
_ESCAPE: Final = re.compile(r"\\([!-/:-@\[-`{-~])")


def shown_markdown(text: str, *, link_hosts: Collection[str]) -> str:
    """Return ``text`` as :func:`safe_markdown`, without secrets and personal data. Idempotent.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    return _settled(text, lambda part: safe_markdown(part, link_hosts=link_hosts))


def shown_line(text: str) -> str:
    """Return ``text`` as :func:`safe_line`, without secrets and personal data. Idempotent.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    return _settled(text, safe_line)


def _settled(text: str, make_safe: Callable[[str], str]) -> str:
    text = redact_text(text)
    read = unescape(_ESCAPE.sub(r"\1", text))
    if read != text and (redacted := redact_text(read)) != read:
        text = redacted
    for _ in range(_ROUNDS):
        safe = make_safe(text)
        redacted = safe if safe == text else redact_text(safe)
        if redacted == safe:
            return safe
        text = redacted
    return WITHHELD

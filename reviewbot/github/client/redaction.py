"""Remove tokens from messages, and make untrusted messages safe to show. Pure.

Tokens are recognised by their prefix, never by their length: installation tokens have up to some
520 characters, ``ghs_APPID_JWT`` (GitHub changelog, 2026-05-15).
"""

from __future__ import annotations

import re
from typing import Final

MARK: Final = "[token]"
MAX_MESSAGE: Final = 300
_LONGEST: Final = 1 << 16
_TOKEN: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|gh[pousr]_[\w.~+/=-]+"
    r"|github_pat_[\w-]+"
    # From the start of a word: each "eyJ" within would be read to the end of the word.
    r"|(?<![\w-])(?>[\w-]*?eyJ)[\w-]++\.[\w.-]+"
    r"|\bv1\.[0-9a-f]{40}\b"
    r"|(?i:\b(?:bearer|token|basic) +)[\w.~+/=-]{20,}",
    re.DOTALL,
)


def without_tokens(text: str) -> str:
    """Return ``text`` without anything that looks like a token or a private key."""
    return _TOKEN.sub(MARK, text)


def sanitize_message(text: object, limit: int = MAX_MESSAGE) -> str:
    """Return text of GitHub or the network for a message: one short line without tokens."""
    cut = without_tokens(str(text)[:_LONGEST])
    line = " ".join("".join(char if char.isprintable() else " " for char in cut).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."

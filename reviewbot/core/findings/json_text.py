"""JSON text in pieces, made safe for a parser: no lone surrogates, no byte order mark. Pure.

ijson's C backend (yajl) decodes an unpaired surrogate escape to garbage or crashes, and a lone
surrogate cannot be encoded. So both become U+FFFD first. A pair that two pieces share is joined.
"""

from __future__ import annotations

import re
from typing import Final

_BOM: Final = "\ufeff"

_ESCAPE: Final = re.compile(
    r"""
    \\ (?:
        (?P<tail> (?: u[dD][89abAB][0-9a-fA-F]{2} (?: \\ (?: u[0-9a-fA-F]{0,3} )? )?
                    | (?: u[0-9a-fA-F]{0,3} )? ) \Z )
      | u[dD][89abAB][0-9a-fA-F]{2} \\u[dD][c-fC-F][0-9a-fA-F]{2}
      | (?P<lone> u[dD][89a-fA-F][0-9a-fA-F]{2} )
      | .
    )
    """,
    re.VERBOSE | re.DOTALL,
)
"""One escape sequence: incomplete at the end, a surrogate pair, a lone surrogate, or another."""


class JsonTextCleaner:
    """Cleaner that makes text encodable: joins split surrogate pairs, and replaces lone halves."""

    def __init__(self) -> None:
        self._held = ""
        self._started = False

    def clean(self, text: str) -> str:
        """Return the buffered text plus ``text``, except an end that needs the next piece."""
        if not text:
            return ""
        if not self._started:
            self._started, text = True, text.removeprefix(_BOM)
        text = self._held + text
        self._held = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._held = text[:-1], text[-1]
        if "\\" in text:
            text = _ESCAPE.sub(self._escape, text)
        return _encodable(text)

    def rest(self) -> str:
        """Return the buffered text, an incomplete sequence."""
        return _encodable(self._held)

    def _escape(self, match: re.Match[str]) -> str:
        if match["tail"] is not None:
            self._held = match[0] + self._held
            return ""
        return match[0] if match["lone"] is None else "\\ufffd"


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text

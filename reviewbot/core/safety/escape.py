r"""Escape characters of untrusted text that move, hide or break the text. Pure.

:func:`show` returns a line of code as models and people see the line. It decides which characters
prompts, terminals and comments can contain. So no line of a diff can end early, overwrite another
line, reorder the text around it, or contain invisible text.

Escaped, as Python would write them in a string:

================================================================  ================
characters                                                        shown as
================================================================  ================
C0 controls but tab (so also ``\n`` and a lone ``\r``), DEL       ``\x00`` .. ``\x1f``, ``\x7f``
a byte that is not UTF-8 (``surrogateescape``)                    ``\x80`` .. ``\xff``
C1 controls, and all below that fit four digits                   ``\u0085``
other lone surrogates                                             ``\ud800``
format characters (category Cf): bidi controls, zero-width        ``\u202e``
characters, joiners, the byte order mark, tags
line and paragraph separator (Zl, Zp)                             ``\u2028``
what Unicode declares invisible (Default_Ignorable_Code_Point):   ``\u3164``, ``\U000e0041``
fillers, variation selectors but U+FE0E and U+FE0F
================================================================  ================

All other characters stay. U+FE0E and U+FE0F stay because ordinary emoji end with them and they
cannot encode text. The zero-width joiner is escaped, so a joined emoji shows as its parts. Private
use characters stay because they are visible, at least as a box.

The result is not always reversible: the six characters ``\u202e`` and the one character U+202E give
the same result. So to compare a quote with a line, compare ``show(quote)`` with ``show(line)``.
:func:`show` is idempotent, so a quote copied from shown text matches, and so
does one in which the model wrote the escape as an escape of JSON.

Sources: Unicode Standard Annex #44, table 9 (Default_Ignorable_Code_Point); Boucher and Anderson,
"Trojan Source" (2021), https://trojansource.codes.
"""

from __future__ import annotations

import json
import re
from typing import Final

# Written out, not computed from `unicodedata`, so that it costs nothing to import and a line looks
# the same under every Python. A test compares it with the running Python's tables.
_HIDDEN: Final = re.compile(
    "["
    "\x00-\x08\x0a-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
    "]"
)


def show(text: str) -> str:
    r"""Return ``text`` with visible escapes for characters that move, hide or break text.

    The result contains no line break of any kind, encodes to UTF-8, and is ``text`` itself if
    there is nothing to escape. ``show(show(text)) == show(text)``.

    Args:
        text: one line, without its end; bytes that are not UTF-8 as lone surrogates. A line break
            in it is escaped like any other control character: split first.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_escape, text)


def show_line(text: str) -> str:
    r"""Return a line of the diff for the prompt: :func:`show` without the ``\r`` of a CRLF end.

    Otherwise each line of a file with CRLF line ends would end with ``\x0d``, and models would copy
    that into quotes and suggestions. Use this function to compare quotes.
    """
    return show(text.removesuffix("\r"))


def quoted(text: str, limit: int) -> str:
    r"""Return ``text`` as a JSON string on one line that cannot close a tag.

    Decoding the string gives :func:`show` of each line of ``text``, so a path that a model copies
    matches ``show(path)``. The text is escaped inside the string because JSON must be UTF-8: a lone
    surrogate in a response stops the decoder (ijson raises ``UnicodeDecodeError``).

    Args:
        text: untrusted text, such as a path, a title or an instruction.
        limit: maximum number of characters; longer text is truncated with a count.
    """
    shown = "\n".join(map(show, text.split("\n")))
    return json.dumps(cut(shown, limit), ensure_ascii=False).replace("</", "<\\/")


def cut(text: str, limit: int) -> str:
    """Return the first ``limit`` characters of ``text``, followed by a mark if that is not all."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} [CUT {len(text) - limit} characters]"


def is_plain(text: str) -> bool:
    """Return whether :func:`show` leaves ``text`` as it is."""
    return (text.isascii() and text.isprintable()) or _HIDDEN.search(text) is None


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # surrogateescape (PEP 383): this was the byte code - 0xDC00
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

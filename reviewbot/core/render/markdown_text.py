"""Confine untrusted text inside Markdown to its span, cell, quote or fence. Pure.

Format: GitHub Flavored Markdown Spec 0.29.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeGuard

from reviewbot.core.render.inert import neutralize_commands
from reviewbot.core.safety.escape import show
from reviewbot.core.safety.markdown import CODE_SPAN, longest_ticks
from reviewbot.core.safety.safe_text import safe_line
from reviewbot.core.wording import count

if TYPE_CHECKING:
    from reviewbot.core.events.events import Requirement

_SPECIAL: Final = re.compile(r"[\\`*_\[\]<>&#|~!]")
_LINKED: Final = re.compile(
    r"[#@]|://|\bwww\.|\b(?:mailto|xmpp):|\bgh-[0-9]|\b[0-9a-f]{7,40}\b|\$[^$]*\$(?!\w)",
    re.IGNORECASE,
)
"""Plain text that GitHub turns into a link, mention or formula, even if it is escaped. See
"Autolinked references and URLs", "Writing mathematical expressions" and section 6.9."""
_ADDRESS: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%-]+")
_BRACKET: Final = re.compile(r"(?<!\\)\\*+[\[\]]")
_CUT: Final = "..."


def one_line(markdown: str, limit: int) -> str:
    """Return safe Markdown on one line, at most ``limit`` characters, without hidden text."""
    flat = neutralize_commands(show(" ".join(markdown[: 4 * limit].split())))
    if len(flat) <= limit and len(markdown) <= 4 * limit:
        return flat
    # Truncation may leave a code span open, so that its content would act as Markdown.
    return neutralize_commands(safe_line(flat[:limit], limit=limit)) + _CUT


def literal(text: str, limit: int = 300) -> str:
    """Return ``text`` without markup (section 6.1), as code if GitHub would find links in it."""
    flat = _clipped(neutralize_commands(show(" ".join(text[: 4 * limit].split()))), limit)
    return code_span(flat, len(flat)) if _LINKED.search(flat) else _SPECIAL.sub(r"\\\g<0>", flat)


def requirement(item: Requirement) -> str:
    """Return a line about a requirement: the file that shows it, or that none was found."""
    where = "Not found" if item.path is None else f"Found in {code_span(item.path)}"
    return f"{where}: {one_line(item.what, 300)}"


def code_span(text: str, limit: int = 200) -> str:
    """Return ``text`` as inline code, with more backticks than it has in a row (section 6.3)."""
    flat = _clipped(neutralize_commands(show(text)), limit)
    ticks = "`" * (longest_ticks(flat) + 1)
    pad = " " if "`" in flat or not flat else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def linked(text: str, address: str | None) -> str:
    """Return ``text`` as inline code, with a link to ``address`` if the address is safe."""
    shown = code_span(text)
    return f"[{shown}]({address})" if is_address(address) else shown


def link(markdown: str, address: str | None) -> str:
    """Return a safe line of Markdown with a link to ``address`` if the address is safe.

    Brackets of the line are shown, so that they cannot end the text of the link.
    """
    if not is_address(address):
        return markdown
    pieces, end = [], 0
    for span in CODE_SPAN.finditer(markdown):
        pieces += [_BRACKET.sub(_shown_bracket, markdown[end : span.start()]), span[0]]
        end = span.end()
    pieces.append(_BRACKET.sub(_shown_bracket, markdown[end:]))
    return f"[{''.join(pieces)}]({address})"


def _shown_bracket(match: re.Match[str]) -> str:
    is_escaped = len(match[0]) % 2 == 0
    return match[0] if is_escaped else f"{match[0][:-1]}\\{match[0][-1]}"


def is_address(text: str | None) -> TypeGuard[str]:
    """Return whether ``text`` is an address that can stand in Markdown as it is."""
    return text is not None and _ADDRESS.fullmatch(text) is not None


def cell(markdown: str) -> str:
    """Return inline Markdown as a table cell. Bars divide cells even in code (section 4.10)."""
    # A backslash before the bar would escape our escape.
    return re.sub(r"(?<!\\)\\*+\|", lambda match: "\\" * (2 * len(match[0]) - 1) + "|", markdown)


def fence(text: str, *, lines: int) -> str:
    """Return ``text`` as a quoted code block of at most ``lines`` lines; it cannot close its fence.

    The block is quoted, because a code line that starts with ``::`` would be a CI command.
    """
    all_lines = text.removesuffix("\n").split("\n")
    kept = [
        _clipped(neutralize_commands(show(line.removesuffix("\r"))), 500)
        for line in all_lines[:lines]
    ]
    if len(all_lines) > lines:
        kept.append(f"{_CUT} {count(len(all_lines) - lines, 'more line')}")
    ticks = "`" * max(longest_ticks("\n".join(kept)) + 1, 3)
    return "\n".join(f"> {line}" for line in (ticks, *kept, ticks))


def quoted(markdown: str, limit: int) -> str:
    """Return Markdown as a block quote, which also ends unclosed blocks (section 5.1).

    The text is truncated to about ``limit`` characters.
    """
    lines = []
    for line in markdown.strip().split("\n"):
        shown = neutralize_commands(show(line[:limit].removesuffix("\r")))
        limit -= len(shown) + 3
        if limit < 0:
            lines.append(f"> {_CUT}")
            break
        lines.append(f"> {shown}".rstrip())
    return "\n".join(lines)


def _clipped(line: str, limit: int) -> str:
    return line if len(line) <= limit else line[:limit] + _CUT

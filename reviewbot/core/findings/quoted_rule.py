"""Find the rule of the team that the message of a finding quotes. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.finding import Guideline
from reviewbot.core.safety.escape import cut
from reviewbot.core.safety.shown_text import shown_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

QUOTE_LIMIT: Final = 300
"""Maximum characters of a rule beside a finding."""
_LEAST_WORDS: Final = 4
_LEAST_CHARACTERS: Final = 20
_PAIRS: Final = re.compile(
    r"\"([^\"]{1,999})\"|`([^`]{1,999})`"
    r"|\u201c([^\u201d]{1,999})\u201d|\u201e([^\u201c\u201d]{1,999})[\u201c\u201d]"
    r"|\u00ab([^\u00bb]{1,999})\u00bb"
    r"|(?<!\w)['\u2018]((?:[^'\u2019]|['\u2019]\w){1,999})['\u2019]"
    r"|^>\s?(.+)$",
    re.MULTILINE,
)
"""A text in quotation marks of some language, in backticks, or in a quoted line of Markdown."""
_WIDEST: Final = re.compile(r"\"(.+)\"", re.DOTALL)
_MARKS: Final = re.compile(r"[*_`\"'\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb\\]+")


def quoted_rule(message: str, rules: Sequence[Guideline]) -> Guideline | None:
    """Return the first rule that ``message`` quotes; its own text is the quote, made safe.

    A quote is at least four words or twenty characters in quotation marks. White space, letter case
    and the marks of Markdown may differ.

    ``message`` is as the model wrote it. ``rules`` are those that the model got.

    Raises:
        ReviewbotError: the search for secrets failed.
    """
    if not rules:
        return None
    texts = [_normal(rule.quote) for rule in rules]
    for quote in _quotes(message):
        for rule, text in zip(rules, texts, strict=True):
            if quote in text:
                return Guideline(rule.path, rule.line, shown_line(cut(rule.quote, QUOTE_LIMIT)))
    return None


def _quotes(message: str) -> Iterator[str]:
    """Yield the quoted texts that are long enough, normalized."""
    found = [match[match.lastindex or 0] for match in _PAIRS.finditer(message)]
    # A rule may have quotation marks of its own.
    found += _WIDEST.findall(message)
    for text in map(_normal, found):
        if len(text.split()) >= _LEAST_WORDS or len(text) >= _LEAST_CHARACTERS:
            yield text


def _normal(text: str) -> str:
    return " ".join(_MARKS.sub("", text).casefold().split()).rstrip(".,;:!\u2026 ")

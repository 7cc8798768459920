"""Blank the HTML around PHP, which its grammar takes for code."""

from __future__ import annotations

import re
from typing import Final

_MARKUP: Final = re.compile(r"\?>(?:[^<]|<(?!\?(?:php\b|=)))*(?:<\?(?:php\b|=))?")
_FRONT: Final = re.compile(r"(?:[^<?]|<(?!\?(?:php\b|=))|\?(?!>))*<\?(?:php\b|=)")
_VISIBLE: Final = re.compile(r"[^\n]")


def blank_markup(text: str) -> str:
    """Return PHP without HTML; every character keeps its place.

    ``<?=`` becomes ``$_=``, which assigns all that the tag prints. Programs hardly use ``$_``.

    Args:
        text: PHP that may begin inside a file.
    """
    if "?>" not in text and "<?=" not in text:
        return text
    front = _FRONT.match(text)
    head = _blank(front[0], "") if front and front[0].strip() != "<?php" else None
    rest = text[len(head) :] if head is not None else text
    return (head or "") + _MARKUP.sub(lambda match: _blank(match[0], ";"), rest)


def _blank(markup: str, start: str) -> str:
    """Return blanks for HTML, with ``start`` at its beginning and ``$_=`` for a tag that prints."""
    blank = _VISIBLE.sub(" ", markup)
    end = "$_=" if markup.endswith("<?=") else ""
    return start + blank[len(start) : len(blank) - len(end)] + end

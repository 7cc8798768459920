"""Check the quotes that findings rest on against the reviewed commit."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final

from reviewbot.code.lookup_paths import LookupRefusedError
from reviewbot.core.findings.finding import RestsOn
from reviewbot.core.findings.rests_on import locate_quote, quoted_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reviewbot.code.lookup_files import FileLines, LookupFiles
    from reviewbot.core.findings.finding import RawQuote

log = logging.getLogger(__name__)

QUOTES: Final = 5
"""Most quotes of one finding that are checked."""
QUOTES_S: Final = 10.0
"""Seconds for the quotes of one finding, which is shown afterwards."""


async def checked_quotes(quotes: Iterable[RawQuote], files: LookupFiles) -> tuple[RestsOn, ...]:
    """Return the code that a finding rests on, without quotes that the commit does not have.

    A finding counts as looked up if a quote is left that the diff does not show. It raises nothing:
    a quote that cannot be checked is left out.

    Args:
        quotes: the quotes of a finding, of which the first :data:`QUOTES` count.
        files: the files of the review.
    """
    checked: dict[RestsOn, None] = {}
    with suppress(TimeoutError):
        async with asyncio.timeout(QUOTES_S):
            for raw in islice(dict.fromkeys(quotes), QUOTES):
                rests_on = await _checked(raw, files)
                checked |= {rests_on: None} if rests_on else {}
    return tuple(checked)


async def _checked(raw: RawQuote, files: LookupFiles) -> RestsOn | None:
    try:
        path = await asyncio.to_thread(files.resolve, raw.path)
        file = await files.load(path, base=raw.base)
        return await asyncio.to_thread(_located, raw, file)
    except LookupRefusedError:
        return None
    except Exception as error:  # noqa: BLE001 - the finding is shown without this quote
        log.warning("could not check a quote of a finding: %s", type(error).__name__)
        return None


def _located(raw: RawQuote, file: FileLines) -> RestsOn | None:
    lines = locate_quote(raw.quote, file.lines)
    if lines is None:
        return None
    first, last = lines
    is_shown = file.shown.issuperset(range(first, last + 1))
    quote = quoted_lines(file.lines, first, last)
    return RestsOn(file.path, first, last, quote, raw.base, is_shown)

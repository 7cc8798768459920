"""The look-ups of one review: counted over all its conversations, and safe to show."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from reviewbot.code.lookup_files import LookupFiles
from reviewbot.code.lookups import Lookups
from reviewbot.code.rests_on import checked_quotes
from reviewbot.core.findings.finding import RawQuote, RestsOn
from reviewbot.core.prompt.lookup_tools import TOOL_NAMES
from reviewbot.core.safety.shown_text import shown_line
from reviewbot.errors import ReviewbotError
from reviewbot.pipeline.patterns import policy_of

if TYPE_CHECKING:
    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.config.settings import Settings
    from reviewbot.core.prompt.lookup_tools import LookUp, LookupCall, LookupResult
    from reviewbot.pipeline.prepare import Prepared

ACTIVITY_CHARS: Final = 200
FILES_FOR_ONE_MORE: Final = 4
"""Files of a change that add one look-up to those of the settings."""
CHECK_LOOKUPS: Final = 12
"""Most look-ups of the verifier in a review. They are counted apart from those of the review."""

CheckQuotes: TypeAlias = Callable[[Collection[RawQuote]], Awaitable[tuple[RestsOn, ...]]]
"""Function that returns the code that a finding rests on, safe to show, without quotes that the
commit does not have."""


class CountedLookups:
    """Look-ups of one review (:class:`reviewbot.models.dialogue.Lookups`).

    Args:
        look_up: function that answers a look-up.
        limit: most look-ups of the review. Refused look-ups count, too.
        used: look-ups of earlier runs of the review.
    """

    def __init__(self, look_up: LookUp, limit: int, *, used: int = 0) -> None:
        self._look_up, self._left = look_up, max(0, limit - used)

    @property
    def left(self) -> int:
        """Look-ups that may still be asked for."""
        return self._left

    def repeat(self, count: int) -> None:
        """Count look-ups that an earlier run of the review has answered."""
        self._left = max(0, self._left - count)

    def __call__(self, call: LookupCall) -> Coroutine[None, None, LookupResult]:
        """Count a look-up at once, and return the coroutine that answers it."""
        self._left -= 1
        return self._answer(call)

    async def _answer(self, call: LookupCall) -> LookupResult:
        result = await self._look_up(call)
        activity = ""
        with suppress(ReviewbotError):  # the search for secrets failed
            activity = await asyncio.to_thread(shown_line, result.activity)
        if not activity:  # a model may write any name, a secret as well
            activity = call.name if call.name in TOOL_NAMES else "unknown tool"
        return replace(result, activity=activity[:ACTIVITY_CHARS])


@dataclass(frozen=True, slots=True)
class ReviewLookups:
    """Look-ups of a review, and the check of what its findings rest on.

    ``counted`` counts the look-ups of models that review, ``checks`` those of models that verify,
    and ``look_up`` counts nothing.
    """

    files: LookupFiles
    look_up: LookUp
    counted: CountedLookups
    checks: CountedLookups
    check_quotes: CheckQuotes


def review_lookups(prepared: Prepared, settings: Settings) -> int:
    """Return the maximum number of look-ups of the models that review.

    Every four files of a change add one to that of the settings, up to double: there is more to
    look up, and a look-up costs less beside the diff.
    """
    files = len({chunk.path for chunk in prepared.job.plan.chunks})
    return settings.lookups + min(files // FILES_FOR_ONE_MORE, settings.lookups)


def check_lookups(settings: Settings) -> int:
    """Return the maximum number of look-ups of the verifier in a review."""
    return min(settings.lookups, CHECK_LOOKUPS)


def lookup_files(prepared: Prepared, settings: Settings, code: CodeAtCommit | None) -> LookupFiles:
    """Return the files of a review that may be looked up."""
    policy = policy_of(settings, prepared.attributes)
    return LookupFiles(prepared.job.files, policy, prepared.whole_files, source=code)


def lookups_of(
    prepared: Prepared,
    settings: Settings,
    code: CodeAtCommit | None,
    limit: int,
    *,
    used: int = 0,
    checks_used: int = 0,
) -> ReviewLookups | None:
    """Return the look-ups of a review; None if they are off, or there is no code to look up.

    ``limit`` is the maximum number for the models that review. ``used`` and ``checks_used`` are the
    numbers of look-ups of earlier runs.
    """
    if code is None or not settings.lookups:
        return None
    files = lookup_files(prepared, settings, code)
    look_up = Lookups(files)
    return ReviewLookups(
        files,
        look_up,
        CountedLookups(look_up, limit, used=used),
        CountedLookups(look_up, check_lookups(settings), used=checks_used),
        partial(checked_quotes, files=files),
    )

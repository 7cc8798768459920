"""Errors as text that is safe to log: the location and the kind, without quoted data.

The message of an exception can contain any data: a line of the diff, a statement with its values,
an address with a password. So only messages of a few of our own kinds are shown in full. For other
kinds, only values from a closed table are shown: an error number or an SQLSTATE.
"""

from __future__ import annotations

import os
import traceback
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError

from reviewbot.jobs.service import ClosingError
from reviewbot.store.budgets import OverLimitError
from reviewbot.store.database import StoreError, named
from reviewbot.store.eventlog import FencedError

if TYPE_CHECKING:
    from collections.abc import Iterator

SPEAK_PLAINLY: Final = (ClosingError, FencedError, OverLimitError, StoreError)
"""Kinds whose messages are our own, with no data but ids and numbers."""
FRAMES: Final = 40
"""Maximum number of frames of one traceback to show: the last frames."""
ERRORS: Final = 20
"""Maximum number of errors to show in total, including causes, contexts and groups."""


def shown_error(error: BaseException) -> str:
    """Return the kind of ``error``, and the part of its message that may be shown."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    said = _said(error)
    return f"{name}: {said}" if said else name


def _said(error: BaseException) -> str:
    if isinstance(error, SPEAK_PLAINLY):
        return str(error)
    if isinstance(error, DBAPIError):
        return named(error)
    if isinstance(error, OSError) and isinstance(error.errno, int):
        return f"[Errno {error.errno}] {os.strerror(error.errno)}"
    if isinstance(error, BaseExceptionGroup):
        return f"{len(error.exceptions)} in the group"
    return ""


def shown_traceback(error: BaseException) -> str:
    """Return the traceback of ``error``, without the messages that :func:`shown_error` hides."""
    return "\n".join(_lines(error, set()))


def _lines(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    behind, link = error.__cause__, "The above is the direct cause of this:"
    if behind is None and not error.__suppress_context__:
        behind, link = error.__context__, "While that was handled, this happened:"
    if behind is not None and id(behind) not in seen and len(seen) < ERRORS:
        yield from _lines(behind, seen)
        yield link
    yield "Traceback (most recent call last):"
    stack = traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), limit=-FRAMES)
    for entry in stack.format():
        yield from entry.rstrip("\n").split("\n")
    yield shown_error(error)
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            if id(one) not in seen and len(seen) < ERRORS:
                yield from (f"  | {line}" for line in _lines(one, seen))

"""Regular expressions that are compiled when they are first used.

Compiling one can take a millisecond, and a short review uses few of the patterns of its modules.
"""

from __future__ import annotations

import re
from typing import AnyStr, Generic, cast


class _LatePattern(Generic[AnyStr]):
    def __init__(self, pattern: AnyStr, flags: int) -> None:
        self._pattern: AnyStr = pattern
        self._flags = flags

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        value: object = getattr(re.compile(self._pattern, self._flags), name)
        setattr(self, name, value)  # so that the next use finds it
        return value


def late_pattern(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a pattern that is compiled when one of its attributes is first used.

    An invalid pattern raises :exc:`re.error` then; the tests compile all of them.
    """
    return cast("re.Pattern[AnyStr]", _LatePattern(pattern, flags))

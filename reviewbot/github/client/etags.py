"""Cache of responses by ETag, so that GitHub can reply 304 if nothing has changed.

A 304 response does not count against the rate limit. Each call sends a request: a cached response
is used only after GitHub has confirmed it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from reviewbot.github.client.exchange import Answer, Request

MAX_ENTRY: Final = 1 << 20
"""Maximum bytes of a cached response."""
MAX_ALL: Final = 32 << 20
_OVERHEAD: Final = 2_000
"""Estimated memory of a response, in addition to its body."""

_Key: TypeAlias = tuple[str, str, tuple[tuple[str, str | int], ...], str]


class Etags:
    """Cache of the most recently used responses, up to :data:`MAX_ALL` bytes."""

    def __init__(self) -> None:
        self._size = 0
        self._kept: OrderedDict[_Key, Answer] = OrderedDict()

    def known(self, account: str, request: Request) -> Answer | None:
        """Return the cached response to a request of an account, to revalidate with its ETag."""
        key = _key(account, request)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, account: str, request: Request, answer: Answer) -> None:
        """Keep ``answer``, if it has an ETag and is not too large."""
        self.forget(account, request)
        if answer.status == 200 and "etag" in answer.headers and answer.size <= MAX_ENTRY:
            self._kept[_key(account, request)] = answer
            self._size += answer.size + _OVERHEAD
        while self._size > MAX_ALL:
            self._drop(self._kept.popitem(last=False)[1])

    def forget(self, account: str, request: Request) -> None:
        """Drop the cached response, so that the next response is complete."""
        dropped = self._kept.pop(_key(account, request), None)
        if dropped is not None:
            self._drop(dropped)

    def _drop(self, answer: Answer) -> None:
        self._size -= answer.size + _OVERHEAD


def _key(account: str, request: Request) -> _Key:
    return account, request.path, tuple(sorted(request.parameters.items())), request.accept

"""Requests for one slow result wait for one computation, and no other."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from reviewbot.server.shared_results import SharedResults


class Calls:
    """A function of a key that counts its calls, and waits for ``may_end``."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.may_end = threading.Event()

    def compute(self, key: str) -> bytes:
        self.keys.append(key)
        if key == "slow":
            self.may_end.wait()
        if key == "error" and self.keys.count(key) == 1:
            raise ValueError(key)
        return key.upper().encode()


async def test_callers_at_the_same_time_share_one_computation() -> None:
    results, calls = SharedResults(), Calls()
    gets = [results.get("slow", partial(calls.compute, "slow")) for _ in range(20)]
    waiting = asyncio.gather(*gets)
    assert await results.get("other", partial(calls.compute, "other")) == b"OTHER"  # no queue
    calls.may_end.set()
    assert await waiting == [b"SLOW"] * 20
    assert sorted(calls.keys) == ["other", "slow"]


async def test_the_last_result_is_kept_until_another_key_is_computed() -> None:
    results, calls = SharedResults(), Calls()
    for key in ("a", "a", "b", "b", "a"):
        assert await results.get(key, partial(calls.compute, key)) == key.upper().encode()
    assert calls.keys == ["a", "b", "a"]


async def test_an_error_is_not_kept() -> None:
    results, calls = SharedResults(), Calls()
    with pytest.raises(ValueError, match="error"):
        await results.get("error", partial(calls.compute, "error"))
    assert await results.get("error", partial(calls.compute, "error")) == b"ERROR"


async def test_a_cancelled_caller_does_not_cancel_the_others() -> None:
    results, calls = SharedResults(), Calls()
    first, second = (
        asyncio.create_task(results.get("slow", partial(calls.compute, "slow"))) for _ in range(2)
    )
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    calls.may_end.set()
    assert await second == b"SLOW"

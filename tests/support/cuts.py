"""Where to cut a stream of server-sent events."""

from __future__ import annotations

from tests.support.examples import PROFILE

STEP = 17
"""A prime: the cuts between two events fall on other places in each."""


def cuts(wire: bytes) -> list[int]:
    """Return the lengths, of 0 to all bytes of ``wire``, at which to cut it.

    A reader acts on whole lines. So the cuts are those beside each end of a line, those in and
    beside each character of several bytes, and every 17th byte. The nightly profile has all.
    """
    if PROFILE == "nightly":
        return list(range(len(wire) + 1))
    beside = {
        near
        for at, byte in enumerate(wire)
        if byte == ord("\n") or byte >= 0x80
        for near in (at - 1, at, at + 1, at + 2)
    }
    sampled = beside.union(range(0, len(wire), STEP), (0, 1, len(wire) - 1, len(wire)))
    return sorted(at for at in sampled if 0 <= at <= len(wire))

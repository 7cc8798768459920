"""Confine a thread, and the processes that it starts, as far as the kernel offers it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from reviewbot.models.sandbox import landlock, seccomp

if TYPE_CHECKING:
    from collections.abc import Mapping


def unconfined() -> str | None:
    """Return what is not confined on this machine, in a clause; None if everything is."""
    if sys.platform != "linux":
        return "only Linux can limit files, network and other programs"
    gaps = []
    if not landlock.version():
        gaps.append("this kernel has no Landlock, so files and other programs are not limited")
    if not seccomp.available():
        gaps.append("there is no seccomp filter for this machine, so the network is not limited")
    return ", and ".join(gaps) or None


def restrict_thread(allowed: Mapping[str, int]) -> None:
    """Confine the calling thread, and what it starts later, for good.

    It keeps the files that it has open, and can start threads, but no process.

    Args:
        allowed: the rights of :mod:`reviewbot.models.sandbox.landlock` that remain, by path.

    Raises:
        OSError: the kernel refused a restriction that it offers, or a path does not exist.
    """
    if seccomp.available():
        seccomp.restrict_thread()
    if landlock.version():
        landlock.restrict_thread(allowed)

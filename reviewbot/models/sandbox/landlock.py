"""Limit the files of a thread, and of the processes that it starts, with Landlock.

The calls, constants and structures are those of ``landlock(7)`` and ``linux/landlock.h``.
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
import sys
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EXECUTE: Final = 1 << 0
READ_FILE: Final = 1 << 2
READ_FOLDER: Final = 1 << 3
_OF_FILES: Final = EXECUTE | 1 << 1 | READ_FILE | 1 << 14 | 1 << 15
"""The rights that a rule for a single file may have."""
_FILE_RIGHTS: Final = {1: 13, 2: 14, 3: 15, 5: 16}
"""Number of the rights for files that a kernel knows, by the version that added some."""
_TCP: Final = (4, 0b11)
"""The version that added the rights to bind and to connect TCP sockets, and these rights."""
_SCOPES: Final = (6, 0b11)
"""The version that added scopes for abstract Unix sockets and signals, and these scopes."""
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
"""Numbers of the calls, the same on every processor but Alpha."""
_GET_VERSION, _PATH_BENEATH = 1, 1
_PR_SET_NO_NEW_PRIVS = 38


@cache
def version() -> int:
    """Return the version of Landlock that the kernel offers; 0 if it offers none."""
    if sys.platform != "linux":
        return 0
    try:
        return _call(_CREATE_RULESET, None, 0, _GET_VERSION)
    except OSError:  # not built in, turned off, or refused by the filter of a container
        return 0


def restrict_thread(allowed: Mapping[str, int]) -> None:
    """Take from the calling thread all files, TCP, and signals to others, for good.

    Threads and processes that it starts later are restricted, too.

    Args:
        allowed: the rights to what remains, by file or by folder with all that is in it.

    Raises:
        OSError: the kernel refused, or a path of ``allowed`` does not exist.
    """
    known = version()
    rights = max(count for since, count in _FILE_RIGHTS.items() if since <= known)
    handled = (1 << rights) - 1
    fields = [handled, *(bits for since, bits in (_TCP, _SCOPES) if since <= known)]
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path, right in allowed.items():
            _allow(ruleset, path, right & handled)
        forbid_new_privileges()
        _call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def forbid_new_privileges() -> None:
    """Keep set-user-ID programs from raising privileges, as restrictions of a thread require.

    Raises:
        OSError: the kernel refused.
    """
    if libc().prctl(*map(ctypes.c_ulong, (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))) != 0:
        raise last_error()


@cache
def libc() -> ctypes.CDLL:
    """Return the C library of the process."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def last_error() -> OSError:
    """Return the error of the last call into the C library."""
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


def _allow(ruleset: int, path: str, right: int) -> None:
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(opened).st_mode):
            right &= _OF_FILES
        rule = struct.pack("=Qi", right, opened)
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(opened)


def _call(number: int, *arguments: int | bytes | None) -> int:
    """Make a system call.

    Raises:
        OSError: it failed.
    """
    values = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(libc().syscall(ctypes.c_long(number), *values))
    if result < 0:
        raise last_error()
    return result

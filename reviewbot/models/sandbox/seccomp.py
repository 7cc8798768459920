"""Deny system calls to a thread, and to the processes that it starts, with seccomp.

Landlock limits which files can be opened. This filter denies what Landlock leaves: sockets of every
kind, other processes, attributes of files, and calls for administrators; ``denied_calls``
lists them. The filter is a classic BPF program as in ``seccomp(2)`` and ``linux/filter.h``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from functools import cache
from typing import Final

from reviewbot.models.sandbox.denied_calls import DENIED_CALLS
from reviewbot.models.sandbox.landlock import forbid_new_privileges, last_error, libc

MACHINES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""``AUDIT_ARCH_*`` by machine: the processors whose system calls are listed here."""
_CLONE: Final = (56, 220)
_CLONE3: Final = 435
_PRLIMIT: Final = (302, 261)
_NEWEST: Final = 462
"""The last system call of Linux 6.10. Later ones, and those of x32, fail as on that kernel."""
_CLONE_THREAD: Final = 0x10000
"""The flag of clone for a thread. The kernel refuses a new user namespace with it."""

_LOAD, _EQUAL, _GREATER, _ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
"""Instructions: load a word, compare it with a constant, return."""
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in ``struct seccomp_data``; of an argument, the lower half."""
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_PR_GET_SECCOMP, _PR_SET_SECCOMP, _MODE_FILTER = 21, 22, 2


@cache
def available() -> bool:
    """Return whether the kernel has seccomp, and the system calls of the processor are listed."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32 or os.uname().machine not in MACHINES:
        return False
    return int(libc().prctl(_PR_GET_SECCOMP, 0, 0, 0, 0)) >= 0


def restrict_thread() -> None:
    """Deny the system calls to the calling thread, for good.

    Threads and processes that it starts later are restricted, too.

    Raises:
        OSError: the kernel refused.
    """
    code = program(os.uname().machine)
    instructions = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions, and their address
    fields = struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions))
    forbid_new_privileges()
    if libc().prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_MODE_FILTER), fields, 0, 0) != 0:
        raise last_error()


@cache
def program(machine: str) -> bytes:
    """Return the filter for a machine, one of :data:`MACHINES`."""
    column = list(MACHINES).index(machine)
    denied = [numbers[column] for numbers in DENIED_CALLS.values()]
    refuse, unknown = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS

    def unless(test: int, value: int, *instructions: bytes) -> list[bytes]:
        """Return instructions that run only if a test holds for the loaded word."""
        return [_instruction(test, value, no=len(instructions)), *instructions]

    return b"".join(
        [
            _instruction(_LOAD, _ARCHITECTURE),
            _instruction(_EQUAL, MACHINES[machine], yes=1),
            _instruction(_RETURN, refuse),
            _instruction(_LOAD, _NUMBER),
            *unless(_GREATER, _NEWEST, _instruction(_RETURN, unknown)),
            # Threads are allowed, processes are not. A filter cannot read the flags of clone3, and
            # its callers fall back to clone.
            *unless(_EQUAL, _CLONE3, _instruction(_RETURN, unknown)),
            *(
                instruction
                for number in denied
                if number is not None
                for instruction in unless(_EQUAL, number, _instruction(_RETURN, refuse))
            ),
            *unless(
                _EQUAL,
                _CLONE[column],
                _instruction(_LOAD, _FIRST_ARGUMENT),
                _instruction(_ANY_BIT, _CLONE_THREAD, yes=1),
                _instruction(_RETURN, refuse),
                _instruction(_RETURN, _ALLOW),
            ),
            # A process may read and lower its own limits, but not those of others.
            *unless(
                _EQUAL,
                _PRLIMIT[column],
                _instruction(_LOAD, _FIRST_ARGUMENT),
                _instruction(_EQUAL, 0, yes=1),
                _instruction(_RETURN, refuse),
            ),
            _instruction(_RETURN, _ALLOW),
        ]
    )


def _instruction(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """Return ``struct sock_filter``; ``yes`` and ``no`` are how many instructions a jump skips."""
    return struct.pack("=HBBI", code, yes, no, value)

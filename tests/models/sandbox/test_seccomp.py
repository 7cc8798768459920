"""The filter of system calls, run on a small BPF machine: also for processors of other machines."""

from __future__ import annotations

import errno
import struct
from typing import Final

import pytest

from reviewbot.models.sandbox.denied_calls import DENIED_CALLS
from reviewbot.models.sandbox.seccomp import MACHINES, program

ALLOWED: Final = "allowed"
each_machine = pytest.mark.parametrize("machine", MACHINES)


def decide(machine: str, number: int, *, argument: int = 0, architecture: int | None = None) -> str:
    """Return what the filter does about a system call: ``allowed``, or the name of an error."""
    code = list(struct.iter_unpack("=HBBI", program(machine)))
    architecture = MACHINES[machine] if architecture is None else architecture
    data = struct.pack("=IIQ6Q", number, architecture, 0, argument, *[0] * 5)
    at = loaded = 0
    while True:
        instruction, yes, no, value = code[at]
        at += 1
        match instruction:
            case 0x20:  # load
                (loaded,) = struct.unpack_from("=I", data, value)
            case 0x15:  # equal
                at += yes if loaded == value else no
            case 0x25:  # greater
                at += yes if loaded > value else no
            case 0x45:  # any bit
                at += yes if loaded & value else no
            case 0x06:  # return
                if value == 0x7FFF0000:
                    return ALLOWED
                assert value >> 16 == 5
                return errno.errorcode[value & 0xFFFF]
            case _:
                raise AssertionError(f"unknown instruction {instruction}")


def column(machine: str) -> int:
    return list(MACHINES).index(machine)


@each_machine
def test_each_listed_call_is_denied(machine: str) -> None:
    numbers = [numbers[column(machine)] for numbers in DENIED_CALLS.values()]
    assert {decide(machine, one) for one in numbers if one is not None} == {"EPERM"}


@pytest.mark.parametrize(
    ("machine", "numbers"),
    # read, write, openat, mmap, execve, futex, exit_group, getrandom
    [
        ("x86_64", [0, 1, 257, 9, 59, 202, 231, 318]),
        ("aarch64", [63, 64, 56, 222, 221, 98, 94, 278]),
    ],
)
def test_ordinary_calls_are_allowed(machine: str, numbers: list[int]) -> None:
    assert {decide(machine, one) for one in numbers} == {ALLOWED}


@pytest.mark.parametrize(("machine", "clone"), [("x86_64", 56), ("aarch64", 220)])
def test_threads_are_allowed_and_processes_are_not(machine: str, clone: int) -> None:
    thread, child, vfork = 0x3D0F00, 17, 0x4111
    assert decide(machine, clone, argument=thread) == ALLOWED
    assert decide(machine, clone, argument=child) == "EPERM"
    assert decide(machine, clone, argument=vfork) == "EPERM"
    assert decide(machine, 435) == "ENOSYS"  # clone3, whose flags a filter cannot read


@pytest.mark.parametrize(("machine", "prlimit"), [("x86_64", 302), ("aarch64", 261)])
def test_only_own_limits_can_be_read_and_set(machine: str, prlimit: int) -> None:
    assert decide(machine, prlimit, argument=0) == ALLOWED
    assert decide(machine, prlimit, argument=1) == "EPERM"


@each_machine
def test_newer_calls_and_those_of_other_architectures_fail(machine: str) -> None:
    assert decide(machine, 463) == "ENOSYS"
    assert decide(machine, 0x40000000 | 41) == "ENOSYS"  # socket of x32
    assert decide(machine, 1, architecture=0x40000003) == "EPERM"  # i386

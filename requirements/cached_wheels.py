"""Keep wheels in the tool cache of a self-hosted runner, and check them by content before use.

    cached_wheels.py take CACHE WHEELS LOCK...     copy the wheels whose hash is in a lock
    cached_wheels.py keep CACHE WHEELS             copy the wheels that pip has fetched and checked

An earlier job may have written anything into CACHE: other files, links, pipes. WHEELS is a private
folder of this run. ``take`` copies first and hashes the copy, so a later change of CACHE does not
count. Nothing in CACHE is unpacked, imported, run or deleted, and no name from it is printed.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import tempfile
from pathlib import Path

LARGEST = 200 * 1024 * 1024
"""Size in bytes above which a file is not read; the largest wheel of the locks has about 30 MB."""
PIECE = 1024 * 1024

# A pipe must not block, and a link must not be followed. Windows has neither flag.
FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
FLAGS |= getattr(os, "O_BINARY", 0)


def is_linked(cache: Path) -> bool:
    """Return whether the cache or its parent is a link to another folder."""
    return cache.is_symlink() or cache.parent.is_symlink()


def copy(source: Path, target: Path) -> str:
    """Copy a regular file and return the SHA-256 of the copy; empty if it cannot be copied."""
    digest = hashlib.sha256()
    try:
        with open(os.open(source, FLAGS), "rb") as reader:  # noqa: PTH123 - needs a descriptor
            status = os.fstat(reader.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                return ""
            left = status.st_size
            with target.open("xb") as writer:
                while left > 0 and (piece := reader.read(min(PIECE, left))):
                    left -= len(piece)
                    digest.update(piece)
                    writer.write(piece)
    except OSError:
        return ""
    return digest.hexdigest()


def take(cache: Path, wheels: Path, locks: list[Path]) -> int:
    """Copy the wheels of the locks into an empty folder and return the number of refused files."""
    wheels.mkdir()
    if is_linked(cache) or not cache.is_dir():
        return 0
    allowed = {
        digest
        for lock in locks
        for digest in re.findall(r"--hash=sha256:([0-9a-f]{64})\b", lock.read_text("utf-8"))
    }
    refused = 0
    for source in cache.glob("*.whl"):
        target = wheels / source.name
        if copy(source, target) not in allowed:
            target.unlink(missing_ok=True)
            refused += 1
    return refused


def keep(cache: Path, wheels: Path) -> None:
    """Copy wheels into the cache; each appears there whole, by a rename."""
    if is_linked(cache):
        return
    cache.mkdir(parents=True, exist_ok=True)
    for wheel in wheels.glob("*.whl"):
        descriptor, name = tempfile.mkstemp(dir=cache, prefix="new-")
        try:
            with open(descriptor, "wb") as writer:  # noqa: PTH123 - needs a descriptor
                writer.write(wheel.read_bytes())
            Path(name).replace(cache / wheel.name)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def main() -> None:
    """Do what the command line says. A cache that cannot be used fails no job."""
    command, cache, wheels = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if command == "keep":
        try:
            keep(cache, wheels)
        except OSError as error:
            print(f"The wheels could not be kept in the tool cache: {error.strerror}")
    elif refused := take(cache, wheels, [Path(name) for name in sys.argv[4:]]):
        print(
            f"::warning title=reviewbot::{refused} of the wheels in the tool cache of this runner"
            " do not have the content that reviewbot locks, so they were not used. Another job may"
            " have changed them."
        )


if __name__ == "__main__":
    main()

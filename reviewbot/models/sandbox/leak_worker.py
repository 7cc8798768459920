"""The process that searches text with betterleaks (:mod:`reviewbot.core.safety.leak_process`).

It confines itself before it loads the library: the threads that the library starts are confined,
too. From then on it can read the folders of Python and of the system's libraries alone.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from reviewbot.models.sandbox.confine import restrict_thread
from reviewbot.models.sandbox.landlock import READ_FILE, READ_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

MEMORY: Final = 1 << 30
"""Bytes of data of the process."""
_LIBRARIES: Final = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/etc/ld.so.cache",
)


def main() -> None:
    """Answer texts with their matches, a line of JSON each, until standard input ends."""
    _limit()
    folders = filter(os.path.exists, {sys.prefix, sys.base_prefix, *sys.path, *_LIBRARIES})
    with suppress(OSError):  # confined as far as the kernel offers it
        restrict_thread(dict.fromkeys(folders, READ_FILE | READ_FOLDER))
    for reply in replies_to(sys.stdin):
        print(reply, flush=True)  # noqa: T201 - the reply


def replies_to(lines: Iterable[str]) -> Iterator[str]:
    """Yield the reply to each line: the matches in a text; for null the version of the library."""
    library = _loaded()
    for line in lines:
        text = json.loads(line)
        reply: object = None
        if library is not None and text is None:
            reply = library.__version__
        elif library is not None:
            with suppress(library.BetterleaksError):  # its message may quote the text
                reply = [finding.raw for finding in library.scan_string(text)]
        yield json.dumps(reply)


def _loaded() -> ModuleType | None:
    """Return the library; None if there is no build of it for this platform."""
    try:
        import betterleaks

        betterleaks.scan_string("")
    except Exception:  # noqa: BLE001 - whatever keeps the library from working
        return None
    return betterleaks


def _limit() -> None:
    """Limit the memory of the process, and the files that it writes."""
    if os.name != "posix":
        return
    import resource

    for name, most in (("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0), ("RLIMIT_DATA", MEMORY)):
        with suppress(OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (most, most))

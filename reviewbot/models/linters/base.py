"""Types that the adapters of the linters share. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, cast

from reviewbot.core.decode import decoder
from reviewbot.errors import ReviewbotError

if TYPE_CHECKING:
    from reviewbot.core.findings.finding import Severity

T = TypeVar("T")

OURS: Final = "../ours/"
"""Folder of a linter's configuration, as seen from the folder that it runs in."""
_UNUSUAL: Final = re.compile(r"[^A-Za-z0-9._-]")
_LONGEST_NAME: Final = 100


class NotLintedError(ReviewbotError):
    """A linter did not read a file; the message completes "ruff did not read this file: ...".

    Args:
        message: the reason.
        failed: whether the linter crashed or was ended. Otherwise the file is not for it, for
            example because the file is too large.
    """

    def __init__(self, message: str, *, failed: bool = False) -> None:
        super().__init__(message)
        self.failed = failed


@dataclass(frozen=True, slots=True)
class TextEdit:
    """A replacement of the text from one position up to, and without, another.

    Lines and columns count from 1. Columns count characters.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One result of a linter.

    ``code`` is the rule, such as ``F821`` or ``jsx-key``. ``severity`` is the linter's own.
    ``edits`` are a fix that the linter calls safe. ``stops`` is true for a syntax error after which
    the linter did not read on.
    """

    line: int
    end_line: int
    code: str
    message: str
    severity: Severity = "warning"
    edits: tuple[TextEdit, ...] = ()
    stops: bool = False


Parser: TypeAlias = Callable[[int, bytes], list[Diagnostic]]
"""From the exit code and the standard output of a linter to its results.

It raises :class:`NotLintedError` if the linter did not read the file.
"""


def copy_name(path: str) -> str:
    """Return the name of the copy of a file: its own name, with unusual characters replaced.

    Linters read some files by their names. Characters other than letters, digits, dots, hyphens and
    underscores could mean something else to them, for example a pattern.
    """
    name = _UNUSUAL.sub("_", path.rpartition("/")[2])[-_LONGEST_NAME:]
    stem, dot, extension = name.rpartition(".")
    return f"{stem}.{extension.lower()}" if dot and stem else name


@dataclass(frozen=True, slots=True)
class Linter:
    """What reviewbot knows of one linter.

    ``package`` is its distribution on PyPI. ``needs_whole`` is true if it cannot read a hunk alone.
    ``max_bytes`` is the size of the largest file that it is given. ``reads`` decides by the path
    and the first line of a file. ``copy_path`` returns the path of the copy for the path of a file.
    ``foreign`` is a text that marks a file as one that the linter misreads without an error.
    ``arguments`` returns the command line for the copy; ``configuration`` is the name and the text
    of a file in :data:`OURS`, or None. ``parse`` reads the output.
    """

    name: str
    package: str
    needs_whole: bool
    max_bytes: int
    reads: Callable[[str, str], bool]
    arguments: Callable[[str], tuple[str, ...]]
    parse: Parser
    configuration: tuple[str, str] | None = None
    copy_path: Callable[[str], str] = copy_name
    foreign: str | None = None


def extension_of(path: str) -> str:
    """Return the extension of a file in lower case, without the dot; empty if it has none."""
    stem, dot, extension = path.rpartition("/")[2].rpartition(".")
    return extension.lower() if dot and stem else ""


def decode_output(kind: type[T], code: int, output: bytes) -> T:
    """Return the JSON output of a linter as ``kind``.

    Args:
        kind: a type that :func:`reviewbot.core.decode.decoder` supports.
        code: the exit code.
        output: the standard output.

    Raises:
        NotLintedError: the output is not such JSON, so the linter failed.
    """
    try:
        return cast("T", decoder(cast("Hashable", kind))(json.loads(output), "output"))
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        raise NotLintedError(f"it failed with exit code {code}.", failed=True) from None

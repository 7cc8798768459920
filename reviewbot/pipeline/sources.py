"""Sources of a diff: a file or standard input. The bytes are returned unchanged."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reviewbot.errors import SourceError
from reviewbot.pipeline.run_context import NO_CONTEXT, RunContext

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.code.at_commit import CodeAtCommit
    from reviewbot.core.events.events import FileCoverage


def read_file(path: Path) -> bytes:
    """Return the bytes of a diff file.

    Raises:
        SourceError: the file cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror or error}") from error


def read_stdin() -> bytes:
    """Return the bytes on standard input.

    Raises:
        SourceError: standard input is missing or a terminal.
    """
    if sys.stdin is None or sys.stdin.isatty():
        raise SourceError(
            "no diff on standard input; pipe one in, for example: git diff | reviewbot review -"
        )
    return sys.stdin.buffer.read()


@dataclass(frozen=True, slots=True)
class Source:
    """A diff with its metadata.

    Attributes:
        data: the diff.
        attributes: text of the base commit's ``.gitattributes``.
        notices: notices about the source of the diff.
        missing: files that are not in the diff, with reasons.
        whole_files: a diff that shows some of the files in full, for linters.
        code: the code at the reviewed commit, or of the working tree; None without it.
        context: knowledge of the repository.
        title: title of the change.
        description: description of the change.
    """

    data: bytes
    attributes: str = ""
    notices: tuple[str, ...] = ()
    missing: tuple[FileCoverage, ...] = ()
    whole_files: bytes = b""
    code: CodeAtCommit | None = None
    context: RunContext = NO_CONTEXT
    title: str = ""
    description: str = ""

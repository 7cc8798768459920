"""Write the files that a runner reads: outputs and the job's summary.

Format: docs.github.com, "Workflow commands for GitHub Actions" (environment files).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from reviewbot.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUMMARY_LIMIT: Final = 1_000_000
"""Maximum bytes of a summary: GitHub shows no summary of more than 1 MiB."""


def write_outputs(path: Path | None, values: Mapping[str, str]) -> None:
    """Set outputs of the step; without a file, as outside of a runner, do nothing.

    A value may be any text, since random delimiters enclose the value.

    Raises:
        SourceError: the file cannot be written.
    """
    if path is None:
        return
    lines: list[str] = []
    for name, value in values.items():
        end = f"reviewbot-{secrets.token_hex(16)}"
        lines += [f"{name}<<{end}", value, end]
    _append(path, "\n".join(lines) + "\n")


def write_summary(path: Path | None, text: str) -> None:
    """Append to the job's summary; without a file, do nothing.

    Raises:
        SourceError: the file cannot be written.
    """
    if path is not None:
        _append(path, text.rstrip() + "\n")


def _append(path: Path, text: str) -> None:
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror}") from error

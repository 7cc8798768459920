"""Write text to standard output or a file."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.errors import SourceError

if TYPE_CHECKING:
    from typing import TextIO


class OutputTarget:
    """Standard output, or a file that is replaced as a whole or, for streams, appended to.

    ``path`` is None for standard output. A link is followed. Special files (a device, a pipe) are
    written to directly.

    Raises:
        SourceError: the file cannot be written; this is checked before a review starts.
    """

    def __init__(self, path: Path | None) -> None:
        self._name = path
        self._path = None if path is None else Path(os.path.realpath(path))
        self._open: TextIO | None = None
        if self._path is not None:
            self._check(self._path)

    def append(self, text: str) -> None:
        """Write ``text`` at once."""
        if self._path is None:
            sys.stdout.write(text)
            sys.stdout.flush()
            return
        try:
            if self._open is None:
                self._open = self._path.open("w", encoding="utf-8", newline="\n")
            self._open.write(text)
            self._open.flush()
        except OSError as error:
            raise self._unwritable(error.strerror or str(error)) from error

    def replace(self, text: str) -> None:
        """Write ``text`` as the whole content."""
        if self._path is None or (self._path.exists() and not self._path.is_file()):
            self.append(text)
            return
        temporary = None
        try:
            with tempfile.NamedTemporaryFile(
                "w", encoding="utf-8", newline="\n", dir=self._path.parent, delete=False
            ) as file:
                temporary = Path(file.name)
                file.write(text)
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod(0o666 & ~mask)  # as any other new file, not 0600
            temporary.replace(self._path)
        except OSError as error:
            if temporary:
                temporary.unlink(missing_ok=True)
            raise self._unwritable(error.strerror or str(error)) from error

    def close(self) -> None:
        """Close the file, if one is open."""
        if self._open is not None:
            self._open.close()

    def _check(self, path: Path) -> None:
        if path.is_dir():
            raise self._unwritable("it is a folder")
        if not path.parent.is_dir():
            raise self._unwritable("there is no such folder")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise self._unwritable("permission denied")

    def _unwritable(self, why: str) -> SourceError:
        return SourceError(f"cannot write {self._name}: {why}")

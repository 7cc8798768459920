"""Private files: written whole or not at all, and refused if other users can read them."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES: Final = 1 << 16
_OTHERS: Final = 0o077


def read_file(path: Path, source: str, *, private: bool) -> str:
    """Return the text of a file. ``source`` is the origin of the path, for messages.

    Raises:
        ConfigError: the file cannot be read, or it is ``private`` and other users can read it.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would block, a device never ends
            raise ConfigError(f"{path} is not a file", source=source)
        with path.open("rb") as file:
            if private:
                _check_private(os.fstat(file.fileno()), path, "600")
            return file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", source=source) from error


def check_private_folder(folder: Path) -> None:
    """Raise if other users can access the folder.

    Raises:
        ConfigError: the folder is not private, or the path is not a folder.
    """
    try:
        status = folder.stat()
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", source=str(folder)) from error
    if not stat.S_ISDIR(status.st_mode):
        raise ConfigError("is not a folder", source=str(folder))
    _check_private(status, folder, "700")


def check_creatable(folder: Path) -> None:
    """Raise if :func:`create_folder` cannot create ``folder``.

    Raises:
        ConfigError: the folder cannot be created.
    """
    _draft(folder).rmdir()


def create_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Create ``folder`` with all files, or create nothing. Missing parents are created, too.

    ``files`` has the texts by file name.

    Raises:
        ConfigError: the folder exists or cannot be written.
    """
    draft = _draft(folder)
    try:
        for name, text in files.items():
            _write(draft / name, text)
        draft.rename(folder)
        _keep(folder.parent)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise _exists(folder) from None
        raise _unwritable(folder, error) from error


def create_file(path: Path, text: str) -> None:
    """Create a file with ``text`` if ``path`` does not exist. Missing parents are created, too.

    If two processes call this at once, both see the same complete file afterwards.

    Raises:
        ConfigError: the file cannot be written.
    """
    draft = _folder_beside(path)
    try:
        _write(draft / path.name, text)
        path.hardlink_to(draft / path.name)  # a rename would replace a file
        _keep(path.parent)
    except FileExistsError:
        pass
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _draft(folder: Path) -> Path:
    """Create a temporary folder next to ``folder``, which must not exist."""
    if os.path.lexists(folder):
        raise _exists(folder)
    return _folder_beside(folder)


def _folder_beside(path: Path) -> Path:
    """Create a temporary folder next to ``path``. mkdtemp makes it private."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    except OSError as error:
        raise _unwritable(path, error) from error


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - a descriptor
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _keep(folder: Path) -> None:
    """Make a new name in ``folder`` survive a power loss, if folders can be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_private(status: os.stat_result, path: Path, mode: str) -> None:
    """Raise if another user owns or can access the path. Only POSIX systems are checked."""
    if os.name != "posix":
        return
    if status.st_uid not in (0, os.geteuid()):
        raise ConfigError(
            "belongs to another user, who could put something else there; run chown on it",
            source=str(path),
        )
    if stat.S_IMODE(status.st_mode) & _OTHERS:
        raise ConfigError(f"others can read this; run chmod {mode} on it", source=str(path))


def _exists(folder: Path) -> ConfigError:
    return ConfigError("already exists; remove it to make another", source=str(folder))


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot be written: {error.strerror}", source=str(folder))

"""Find and read the files of the configuration, for :mod:`reviewbot.config.settings`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import CONFIG_NAMES, Settings, load_settings
from reviewbot.config.variables import (
    DOTENV,
    DOTENV_NAME,
    GITHUB_ADDRESS,
    PRIVATE_KEY,
    PRIVATE_KEY_FILE,
    TOKENS,
)
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from reviewbot.code.git_repository import GitRepository

KEYS: Final = (*TOKENS, PRIVATE_KEY, PRIVATE_KEY_FILE)
"""Variables with secrets that are sent to GitHub's address, or sign requests to it."""
MOST_BYTES: Final = 1_000_000


def read_settings(
    flags: Mapping[str, object],
    *,
    config: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    base: GitRepository | None = None,
    dotenv: Mapping[str, str] | None = None,
    custom_ids: Collection[str] | None = None,
) -> Settings:
    """Read the settings of a command: find the files, then call :func:`load_settings`.

    Args:
        flags: as for :func:`load_settings`.
        config: the file that the user named; None searches the repository.
        cwd: folder to search; by default the working directory.
        env: the environment; by default that of the process.
        base: a repository at the base commit of a branch. Tracked files are read from the base
            commit, so that the branch cannot influence its own review. An untracked ``.env`` file
            belongs to the user.
        dotenv: variables of the ``.env`` file; None reads the file.
        custom_ids: as for :func:`load_settings`.

    Raises:
        ConfigError: a file cannot be read, or as :func:`load_settings`.
    """
    cwd = Path.cwd() if cwd is None else cwd
    if config is not None:
        found: tuple[str, str] | None = (_shown(config, cwd), _read_text(config))
    elif base is not None:
        found = _config_of(base)
    else:
        path = find_config(cwd)
        found = None if path is None else (_shown(path, cwd), _read_text(path))
    return load_settings(
        flags=flags,
        env=os.environ if env is None else env,
        dotenv=dotenv_of(cwd, base) if dotenv is None else dotenv,
        config_text=found[1] if found else None,
        config_name=found[0] if found else CONFIG_NAMES[0],
        config_trusted=config is not None,
        custom_ids=custom_ids,
    )


def read_variable(name: str) -> str | None:
    """Return a variable that is not a setting.

    The environment takes precedence over the working directory's ``.env``, which may set only
    :data:`reviewbot.config.variables.DOTENV`.

    Raises:
        ConfigError: the file cannot be read, or sets an address that would receive keys from the
            environment.
    """
    if found := os.environ.get(name):
        return found
    if name not in DOTENV:
        return None
    found = dotenv_of(Path.cwd(), None).get(name) or None
    if found and name == GITHUB_ADDRESS and (keys := [one for one in KEYS if os.environ.get(one)]):
        raise ConfigError(
            f"this address would receive the {keys[0]} of your environment, but whoever wrote the"
            f" {DOTENV_NAME} file chose it; set both in the environment, or both in {DOTENV_NAME}",
            source=f"{name} in {DOTENV_NAME}",
        )
    return found


def config_differs(base: GitRepository, cwd: Path) -> bool:
    """Return whether the working tree's configuration file differs from that of ``base``.

    Raises:
        ConfigError: as :func:`read_settings`.
    """
    path, found = find_config(cwd), _config_of(base)
    return (_read_text(path) if path else None) != (found[1] if found else None)


def _config_of(base: GitRepository) -> tuple[str, str] | None:
    """Return name and text of the nearest configuration file at the base commit."""
    for folder in base.folders():
        there = [
            (f"{folder}{name} of the base", data)
            for name in CONFIG_NAMES
            if (data := base.file(f"{folder}{name}")) is not None
        ]
        if len(there) > 1:
            raise ambiguous_file_error(there[0][0])
        if there:
            name, data = there[0]
            return name, text_of(data, name)
    return None


def find_config(start: Path) -> Path | None:
    """Return the nearest configuration file, from ``start`` up to the root of its repository.

    Outside a repository, only ``start`` is searched: folders above it may belong to others.

    Raises:
        ConfigError: a folder contains files with both names, or cannot be searched.
    """
    start, root = start.resolve(), repository_root(start)
    for folder in (start, *start.parents):
        there = [folder / name for name in CONFIG_NAMES if _exists(folder / name)]
        if len(there) > 1:
            raise ambiguous_file_error(str(there[0]))
        if there:
            return there[0]
        if folder == root:
            break
    return None


def ambiguous_file_error(source: str) -> ConfigError:
    """Return the error for a folder with both names of the configuration file."""
    message = f"there is also a {CONFIG_NAMES[1]} beside it; keep one of the two"
    return ConfigError(message, source=source)


def repository_root(start: Path) -> Path:
    """Return the root of the git work tree around ``start``; ``start`` without a work tree."""
    start = start.resolve()
    return next((one for one in (start, *start.parents) if (one / ".git").exists()), start)


def _exists(path: Path) -> bool:
    """Return whether there is anything with this name, such as a link that leads nowhere."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from error
    return True


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"cannot be read: {error.strerror}", source=str(path))


def _read_text(path: Path) -> str:
    """Return the text of an untrusted file, reading a bounded number of bytes."""
    if not _is_file(path):  # a pipe would block, a device never ends
        raise ConfigError("is not a file", source=str(path))
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    return text_of(data, str(path))


def text_of(data: bytes, source: str) -> str:
    """Return the text of a configuration file, which messages call ``source``.

    Raises:
        ConfigError: the file is too large, or not UTF-8.
    """
    if len(data) > MOST_BYTES:
        raise ConfigError(f"is larger than {MOST_BYTES} bytes", source=source)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not UTF-8 text", source=source, line=line) from error


def dotenv_of(cwd: Path, base: GitRepository | None) -> Mapping[str, str]:
    """Return the variables of a folder's ``.env``; read a tracked file from ``base``.

    Raises:
        ConfigError: the file cannot be read.
    """
    path = cwd / DOTENV_NAME
    if base is not None and base.tracks(DOTENV_NAME):
        name = f"{base.folders()[0]}{DOTENV_NAME}"
        text = text_of(base.file(name) or b"", name)
    elif _is_file(path):
        text = _read_text(path)
    else:
        return {}
    from io import StringIO

    from dotenv import dotenv_values

    # Without interpolation: an address in .env could otherwise hold ${ANTHROPIC_API_KEY}.
    values = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def _shown(path: Path, cwd: Path) -> str:
    """Return a path for messages, relative to the working directory if inside."""
    try:
        return str(path.relative_to(cwd.resolve()))
    except ValueError:
        return str(path)

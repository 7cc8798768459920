"""Finds and reads the files of the configuration: the edge of :mod:`reviewbot.settings`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.errors import ConfigError
from reviewbot.settings import CONFIG_NAMES, DOTENV_NAME, Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_settings(
    flags: Mapping[str, object],
    *,
    config: Path | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Settings:
    """Reads the settings of a command: finds the files, then :func:`load_settings`.

    Args:
        flags: as for :func:`load_settings`.
        config: the file that the user named; otherwise the repository's own is looked for.
        cwd: where to look; the working directory.
        env: the environment; the process's.

    Raises:
        ConfigError: a file cannot be read, or as :func:`load_settings`.
    """
    cwd = Path.cwd() if cwd is None else cwd
    found = find_config(cwd) if config is None else config
    return load_settings(
        flags=flags,
        env=os.environ if env is None else env,
        dotenv=_read_dotenv(cwd / DOTENV_NAME),
        config_text=None if found is None else _read_text(found),
        config_name=_shown(found, cwd) if found else CONFIG_NAMES[0],
        config_trusted=config is not None,
    )


def find_config(start: Path) -> Path | None:
    """The nearest configuration file, from ``start`` up to the root of its repository.

    Outside a repository only ``start`` itself is looked at: the folders above it may be anyone's.

    Raises:
        ConfigError: a folder holds it under both names.
    """
    start, root = start.resolve(), repository_root(start)
    for folder in (start, *start.parents):
        there = [folder / name for name in CONFIG_NAMES if (folder / name).is_file()]
        if len(there) > 1:
            message = f"there is also a {CONFIG_NAMES[1]} beside it; keep one of the two"
            raise ConfigError(message, source=str(there[0]))
        if there:
            return there[0]
        if folder == root:
            break
    return None


def repository_root(start: Path) -> Path:
    """The root of the git work tree around ``start``, or ``start`` where there is none."""
    start = start.resolve()
    return next((one for one in (start, *start.parents) if (one / ".git").exists()), start)


def _read_text(path: Path) -> str:
    """The text of a file that may be anything: read no further than a sensible file goes."""
    limit = 1_000_000
    try:
        if not path.is_file():  # a pipe would block, a device never ends
            raise ConfigError("is no file", source=str(path))
        with path.open("rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise ConfigError(f"is larger than {limit} bytes", source=str(path))
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", source=str(path)) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError("is not UTF-8 text", source=str(path), line=line) from error


def _read_dotenv(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        return {}
    from io import StringIO

    from dotenv import dotenv_values

    # Without interpolation: an address in .env could otherwise hold ${ANTHROPIC_API_KEY}.
    values = dotenv_values(stream=StringIO(_read_text(path)), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def _shown(path: Path, cwd: Path) -> str:
    """A path as messages name it: relative to the working directory where it lies below."""
    try:
        return str(path.relative_to(cwd.resolve()))
    except ValueError:
        return str(path)

"""``reviewbot init``: writes a commented ``.reviewbot.yml`` to start from."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from reviewbot.configure import repository_root
from reviewbot.errors import EXIT_OK, ConfigError
from reviewbot.settings import CONFIG_NAMES

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.description = (
        "Writes .reviewbot.yml at the root of this repository: every key, its default and why"
        " one would change it, all commented out."
    )
    parser.add_argument("--force", action="store_true", help="replace a file that is there")


def run(args: argparse.Namespace) -> int:
    """Write the file, and say what to do next.

    Raises:
        ConfigError: there is a file already, or it cannot be written.
    """
    folder = repository_root(Path.cwd())
    for name in CONFIG_NAMES:
        if os.path.lexists(folder / name) and not (args.force and name == CONFIG_NAMES[0]):
            hint = "use --force to replace it" if name == CONFIG_NAMES[0] else "remove it first"
            raise ConfigError(f"is there already; {hint}", source=str(folder / name))
    path = folder / CONFIG_NAMES[0]
    try:
        if args.force:
            path.unlink(missing_ok=True)  # a symbolic link goes, not what it leads to
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(template())
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", source=str(path)) from error
    print(  # noqa: T201  the command's output
        f"Wrote {path}\n"
        "All of it is commented out: the defaults hold until you change them.\n\n"
        "Next:\n"
        "  reviewbot doctor                check the settings, and the model if there is a key\n"
        "  reviewbot review --base main    review what this branch changes"
    )
    return EXIT_OK


def template() -> str:
    """The text of the file: prose behind ``#`` and a space, settings behind ``#`` alone."""
    return files("reviewbot").joinpath("data/config-template.yml").read_text(encoding="utf-8")

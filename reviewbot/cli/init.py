"""``reviewbot init``: write a commented ``.reviewbot.yml``, or a GitHub workflow."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot import __version__
from reviewbot.config.load import repository_root
from reviewbot.config.settings import CONFIG_NAMES
from reviewbot.errors import EXIT_OK, ConfigError

if TYPE_CHECKING:
    import argparse

WORKFLOWS: Final = ".github/workflows"
"""The only folder from which GitHub runs workflows."""
WORKFLOW: Final = f"{WORKFLOWS}/reviewbot.yml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.description = (
        "Writes .reviewbot.yml at the root of this repository: every key, its default and why"
        " one would change it, all commented out. With --workflow, writes a workflow instead that"
        " has GitHub Actions review each pull request."
    )
    parser.add_argument(
        "--workflow",
        nargs="?",
        const="",
        metavar="FILE",
        help=f"write a GitHub workflow, by default {WORKFLOW} at the root of this repository",
    )
    parser.add_argument("--force", action="store_true", help="replace an existing file")


def run(args: argparse.Namespace) -> int:
    """Write the file, and print the next steps.

    Raises:
        ConfigError: the file exists, cannot be written, or would not be run by GitHub.
    """
    root = repository_root(Path.cwd())
    if args.workflow is None:
        _write_config(root, force=args.force)
    else:
        _write_workflow(Path(args.workflow or root / WORKFLOW), force=args.force)
    return EXIT_OK


def _write_config(folder: Path, *, force: bool) -> None:
    for name in CONFIG_NAMES[1:]:
        if os.path.lexists(folder / name):
            raise ConfigError("already exists; remove it first", source=str(folder / name))
    path = folder / CONFIG_NAMES[0]
    _write(path, template(), force=force)
    print(  # noqa: T201  the command's output
        f"Wrote {path}\n"
        "All of it is commented out: the defaults apply until you change them.\n\n"
        "Next:\n"
        "  reviewbot doctor                check the settings, and the model if there is a key\n"
        "  reviewbot review --base main    review what this branch changes"
    )


def _write_workflow(path: Path, *, force: bool) -> None:
    place = path.absolute()
    if place.parent.parts[-2:] != Path(WORKFLOWS).parts or place.suffix not in (".yml", ".yaml"):
        raise ConfigError(
            f"GitHub would not run it: a workflow is a .yml file in {WORKFLOWS}", source=str(path)
        )
    _write(path, workflow_template(), force=force)
    print(  # noqa: T201  the command's output
        f"Wrote {path}\n\n"
        "Next:\n"
        "  gh secret set ANTHROPIC_API_KEY    or on GitHub: Settings, Secrets and variables\n"
        "  commit the file, and open a pull request"
    )


def _write(path: Path, text: str, *, force: bool) -> None:
    if os.path.lexists(path) and not force:
        raise ConfigError("already exists; use --force to replace it", source=str(path))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if force:
            path.unlink(missing_ok=True)  # removes a symbolic link, not its target
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot be written: {error.strerror}", source=str(path)) from error


def template() -> str:
    """Return the text of the file: prose after ``#`` and a space, settings after ``#`` alone."""
    return _data("config-template.yml")


def workflow_template() -> str:
    """Return the text of the workflow, which uses the Action of this major version."""
    tag = f"v{__version__.partition('.')[0]}"
    return _data("workflow-template.yml").replace("reviewbot@VERSION", f"reviewbot@{tag}")


def _data(name: str) -> str:
    return files("reviewbot").joinpath("data", name).read_text(encoding="utf-8")

"""``reviewbot init``: write ``.reviewbot.yml``, and a workflow for the Action."""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

from reviewbot import REPOSITORY, __version__
from reviewbot.config.installation import install_command
from reviewbot.config.load import repository_root
from reviewbot.config.settings import CONFIG_NAMES
from reviewbot.errors import EXIT_OK, ConfigError

if TYPE_CHECKING:
    import argparse

WORKFLOWS: Final = ".github/workflows"
"""The only folder from which GitHub runs workflows."""
WORKFLOW: Final = f"{WORKFLOWS}/reviewbot.yml"
_TAG: Final = f"v{__version__.partition('.')[0]}"
_COMMENTED: Final = "All of it is commented out: the defaults apply until you change them."
_NEXT: Final = "Next:"
_ACTION_STEPS: Final = (
    f"  in the workflow, write a full commit SHA in place of {_TAG}: that tag of the Action exists",
    f"    only from the first release on; the commits are at {REPOSITORY}/commits/main",
    "  gh secret set ANTHROPIC_API_KEY    or on GitHub: Settings, Secrets and variables, Actions",
    "  commit what was written to the default branch, and open a pull request",
)
_CHECK: Final = "  reviewbot doctor checks the settings, and the model if there is a key"

Kind = Literal["action", "app"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.description = (
        "Writes .reviewbot.yml at the root of this repository: every key, its default and why"
        " one would change it, all commented out. For the Action, also writes a workflow that has"
        " GitHub Actions review each pull request; for the App, prints the steps to set it up. A"
        " terminal asks which of the two."
    )
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--action",
        dest="kind",
        action="store_const",
        const="action",
        help="set up the GitHub Action, which needs no server (default without a terminal)",
    )
    kind.add_argument(
        "--app",
        dest="kind",
        action="store_const",
        const="app",
        help="set up the GitHub App, which runs on your own server",
    )
    kind.add_argument(
        "--workflow",
        nargs="?",
        const="",
        metavar="FILE",
        help=f"write only the workflow, by default {WORKFLOW} at the root of this repository",
    )
    parser.add_argument("--force", action="store_true", help="replace existing files")


def run(args: argparse.Namespace) -> int:
    """Write the files, and print the next steps.

    Raises:
        ConfigError: a file exists, cannot be written, or would not be run by GitHub.
    """
    root = repository_root(Path.cwd())
    if args.workflow is not None:
        workflow = Path(args.workflow or root / WORKFLOW)
        _write_workflow(workflow, force=args.force)
        _say(_wrote(workflow), "", _NEXT, *_ACTION_STEPS)
        return EXIT_OK
    kind = args.kind or _ask()
    config = root / CONFIG_NAMES[0]
    _check_config(root, force=args.force)
    if kind == "app":
        _write(config, template(), force=args.force)
        _say(_wrote(config), _COMMENTED, "", *_app_steps())
        return EXIT_OK
    workflow = root / WORKFLOW
    _write_workflow(workflow, force=args.force)
    _write(config, template(), force=args.force)
    _say(_wrote(workflow), _wrote(config), _COMMENTED, "", _NEXT, *_ACTION_STEPS, _CHECK)
    return EXIT_OK


def _ask() -> Kind:
    """Return the answer of a person; without a terminal, or without an answer, the Action."""
    streams = (sys.stdin, sys.stdout)
    if not all(stream is not None and stream.isatty() for stream in streams):
        return "action"
    _say(
        "How should pull requests be reviewed?",
        "  action    by GitHub Actions; needs no server, and only a secret of the repository",
        "  app       by a GitHub App on your own server, for any number of repositories",
    )
    while True:
        try:
            answer = input("App or Action? [action] ").strip().lower() or "action"
        except EOFError:
            answer = "action"
        if answer in ("action", "app"):
            return cast("Kind", answer)
        _say("Write action or app.")


def _app_steps() -> tuple[str, ...]:
    """Return the steps that set up the App, as docs/github-app.md describes them."""
    where = " in a checkout of reviewbot" if "'.[" in install_command("server") else ""
    return (
        f"Next, on your server{where}:",
        f"  {install_command('server,github')}",
        "  export ANTHROPIC_API_KEY=...    without it, the built-in rules review",
        "  reviewbot keys add me           for the API, since others can reach the server",
        "  reviewbot serve --host 0.0.0.0 --public-url https://reviews.example.com",
        "",
        "The server prints a link. Sign in to GitHub and open it: it creates the App. Then install",
        "the App on this repository, commit the file, and open a pull request.",
        f"All steps: {REPOSITORY}/blob/main/docs/github-app.md",
    )


def _say(*lines: str) -> None:
    print("\n".join(lines))  # noqa: T201  the command's output


def _wrote(path: Path) -> str:
    return f"Wrote {path}"


def _check_config(folder: Path, *, force: bool) -> None:
    """Raise if the folder has a configuration file, or one of the other name."""
    for name in CONFIG_NAMES[1:]:
        if os.path.lexists(folder / name):
            raise ConfigError("already exists; remove it first", source=str(folder / name))
    _check_new(folder / CONFIG_NAMES[0], force=force)


def _check_new(path: Path, *, force: bool) -> None:
    if os.path.lexists(path) and not force:
        raise ConfigError("already exists; use --force to replace it", source=str(path))


def _write_workflow(path: Path, *, force: bool) -> None:
    place = path.absolute()
    if place.parent.parts[-2:] != Path(WORKFLOWS).parts or place.suffix not in (".yml", ".yaml"):
        raise ConfigError(
            f"GitHub would not run it: a workflow is a .yml file in {WORKFLOWS}", source=str(path)
        )
    _write(path, workflow_template(), force=force)


def _write(path: Path, text: str, *, force: bool) -> None:
    _check_new(path, force=force)
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
    return _data("workflow-template.yml").replace("reviewbot@VERSION", f"reviewbot@{_TAG}")


def _data(name: str) -> str:
    return files("reviewbot").joinpath("data", name).read_text(encoding="utf-8")

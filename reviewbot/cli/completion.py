"""``reviewbot completion``: print the script that completes commands and flags in a shell."""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, Final, TypeVar, cast

import shtab

from reviewbot.cli.main import COMMANDS
from reviewbot.errors import EXIT_OK

if TYPE_CHECKING:
    from reviewbot.cli.main import CommandModule

SHELLS: Final = ("bash", "zsh", "fish")
_Action = TypeVar("_Action", bound=argparse.Action)
PATHS: Final = ("FILE", "DIFF")
"""Names of values that are files."""

EPILOG: Final = """\
examples:
  reviewbot completion bash \\
    > ~/.local/share/bash-completion/completions/reviewbot
  reviewbot completion zsh > "${fpath[1]}/_reviewbot"
  reviewbot completion fish > ~/.config/fish/completions/reviewbot.fish
"""


class _Parser(argparse.ArgumentParser):
    """Parser whose arguments with the name of a path are completed as files."""

    def _add_action(self, action: _Action) -> _Action:
        if action.metavar in PATHS:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # where shtab looks
        return super()._add_action(action)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that reads the script")
    parser.epilog = EPILOG


def run(args: argparse.Namespace) -> int:
    """Print the script. It holds all flags, so an update of reviewbot needs a new one."""
    parser = _Parser(prog="reviewbot", allow_abbrev=False)
    parser.add_argument("--version", action="store_true", help="show the version")
    commands = parser.add_subparsers()
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary)
        cast("CommandModule", import_module(module)).add_arguments(command)
    print(shtab.complete(parser, args.shell))  # noqa: T201  the command's output
    return EXIT_OK

"""The command line's entry: find the command, run it, and turn errors into exit codes.

Only the module of the given command is imported. So ``--version`` and ``--help`` are instant, and
an offline review loads nothing that it does not use.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import io
import os
import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TextIO, cast

from reviewbot import REPOSITORY, __version__
from reviewbot.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, ReviewbotError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMANDS: Final = {
    "review": ("reviewbot.cli.review", "Review a diff; findings are shown as they are found."),
    "action": ("reviewbot.cli.action", "Run the GitHub Action on the event of a workflow."),
    "serve": ("reviewbot.cli.serve", "Serve reviews over HTTP, with a page to watch them."),
    "keys": ("reviewbot.cli.keys", "Add, list and revoke the API keys of a server."),
    "lab": ("reviewbot.cli.lab", "Show what happens in a streaming review, on your own diff."),
    "prompts": ("reviewbot.cli.prompts", "List, show and compare prompts, or render a request."),
    "rules": ("reviewbot.cli.rules", "List the offline rules, or explain one."),
    "stats": ("reviewbot.cli.stats", "Show what became of the findings on pull requests."),
    "learn": ("reviewbot.cli.learn", "Propose rules to turn off, by what people dismissed."),
    "init": ("reviewbot.cli.init", "Write .reviewbot.yml and set up the Action or the App."),
    "eval": ("reviewbot.cli.eval", "Measure how good reviews are on known cases, and compare."),
    "doctor": ("reviewbot.cli.doctor", "Check the installation, the settings and the model."),
    "completion": ("reviewbot.cli.completion", "Print a script that completes flags in a shell."),
}
"""Module and summary of each command."""

EXIT_BUG: Final = 70
"""Exit code of a bug: ``EX_SOFTWARE`` of sysexits.h, distinct from the documented codes."""
EXIT_PIPE: Final = 141
"""Exit code after a broken pipe, as a shell reports for a program that SIGPIPE ended."""
_PACKAGE: Final = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120  pathlib costs 10 ms
ISSUES: Final = f"{REPOSITORY}/issues"

EXAMPLES: Final = """\
examples:
  reviewbot review                  what changed in this working tree
  reviewbot review --base main      what this branch changes
  gh pr diff 42 | reviewbot review -
  reviewbot COMMAND --help          more on one command

Without a key the offline rules review. For a review by Claude, set
ANTHROPIC_API_KEY.
"""


class _Help(argparse.RawDescriptionHelpFormatter):
    """Formatter that keeps text with line breaks, and wraps a single paragraph."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return super()._fill_text(text, width, indent)
        import textwrap

        return textwrap.fill(" ".join(text.split()), width)


class CommandModule(Protocol):
    """Interface of the module of a command."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the arguments of the command."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Run the command.

        Returns:
            The exit code.

        Raises:
            ReviewbotError: an error that the user can act on.
        """
        ...


class _OutputError(SourceError):
    """Standard output cannot be written, as on a full disk."""


class _Output:
    """Standard output whose write errors are :class:`_OutputError`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _writing():
            return self._stream.write(text)

    def flush(self) -> None:
        with _writing():
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _OutputError(f"cannot write to standard output: {error.strerror}") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Run reviewbot with ``argv``, by default of the process, and return the exit code."""
    if sys.stdout is None:  # the shell's ">&-"
        return _say("standard output is closed", EXIT_USAGE)
    _make_output_safe()
    atexit.register(gc.freeze)  # otherwise the interpreter collects all it holds: half a second
    output = sys.stdout
    sys.stdout = cast("TextIO", _Output(output))
    try:
        return _answer(sys.argv[1:] if argv is None else list(argv))
    finally:
        sys.stdout = output


def _answer(arguments: list[str]) -> int:
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()
    except _OutputError as error:
        _discard_output()
        return _say(str(error), error.exit_code)
    except ReviewbotError as error:
        return _say(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _say("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        # The reader has left, as with `| head`.
        _discard_output()
        return EXIT_PIPE
    except Exception as error:  # noqa: BLE001  the one catch-all: a traceback helps no user
        return _report_bug(error)


def _discard_output() -> None:
    """Discard unwritten output, since Python would retry at exit and print an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    if not arguments:
        # Not 0: in a script with missing arguments, 0 would mean "no findings".
        _parser().print_help(sys.stderr)
        return EXIT_USAGE
    name = arguments[0]
    if name.startswith("-") and name != "-":
        _parser().parse_args(arguments)  # handles --help and --version, refuses the rest
        return EXIT_OK
    if name not in COMMANDS:
        _refuse(name)
    module, summary = COMMANDS[name]
    command = cast("CommandModule", import_module(module))
    parser = argparse.ArgumentParser(
        prog=f"reviewbot {name}",
        description=summary,
        formatter_class=_Help,
        allow_abbrev=False,  # a script must not break when an option is added
    )
    command.add_arguments(parser)
    args = parser.parse_args(arguments[1:])
    if folder := os.environ.get("REVIEWBOT_PROMPTS_DIR"):
        from reviewbot.config.prompt_files import use_prompts

        use_prompts(folder)
    return command.run(args)


def _parser() -> argparse.ArgumentParser:
    listing = "\n".join(f"  {name:<10} {summary}" for name, (_, summary) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="reviewbot",
        usage="reviewbot COMMAND ...",
        description=f"Reviews a diff while the model is still writing.\n\ncommands:\n{listing}",
        epilog=EXAMPLES,
        formatter_class=_Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"reviewbot {__version__}")
    return parser


def _refuse(name: str) -> NoReturn:
    import difflib

    near = difflib.get_close_matches(name, COMMANDS, n=1)
    if near:
        hint = f"did you mean reviewbot {near[0]}?"
    elif name == "-" or name.endswith((".diff", ".patch")) or os.path.isfile(name):  # noqa: PTH113  as above
        hint = f"did you mean reviewbot review {name}?"
    else:
        hint = f"commands are {', '.join(COMMANDS)}"
    _parser().error(f"no such command: {name}; {hint}")


def _say(message: str, code: int) -> int:
    """Print one line on standard error, which may quote untrusted text; return ``code``."""
    if sys.stderr is None:  # print would use standard output instead
        return code
    from reviewbot.core.render.inert import neutralize_commands
    from reviewbot.core.safety.escape import show

    print(f"reviewbot: {neutralize_commands(show(message))}", file=sys.stderr)  # noqa: T201  for people
    return code


def _report_bug(error: Exception) -> int:
    """Report the kind and the location, without the message, which may quote a secret."""
    import traceback

    if os.environ.get("REVIEWBOT_DEBUG"):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames if frame.filename.startswith(_PACKAGE)][-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119  as above
    return _say(
        f"this is a bug of reviewbot {__version__}: {type(error).__name__} at {place}."
        f" Please report it at {ISSUES}; REVIEWBOT_DEBUG=1 shows the traceback.",
        EXIT_BUG,
    )


def _make_output_safe() -> None:
    """Escape characters that a stream cannot encode, as on a redirected Windows console."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            options: dict[str, Any] = {"errors": "backslashreplace"}
            if sys.platform == "win32":
                options["encoding"] = "utf-8"
            stream.reconfigure(**options)

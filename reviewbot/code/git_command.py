"""Run git in a repository that is not trusted.

A repository under review must neither run a program nor hide its own changes. So git runs without
hooks, external diffs, text conversions, file system monitors, signature checks, fetching, and
filters that the repository's own configuration defines.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from shutil import which
from tempfile import TemporaryFile
from threading import Event, Timer
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from reviewbot.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_CONFIG: Final = (
    ("core.fsmonitor", "false"),
    ("core.hooksPath", os.devnull),
    ("core.quotePath", "true"),
    ("diff.suppressBlankEmpty", "false"),
    ("log.showSignature", "false"),  # the repository can name the program that checks signatures
)
_ENVIRONMENT: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
    # In a partial clone, a diff fetches missing objects with programs that the configuration names.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
_USERS_SCOPES: Final = (b"system", b"global", b"command")
NEEDED: Final = (2, 31)
"""The oldest version of git that can be used. It is the first with ``GIT_CONFIG_COUNT``."""
_ATTRIBUTES_FROM_A_COMMIT: Final = (2, 41)

START_S: Final = 5.0
"""Seconds of :func:`start_of_output`."""
START_BYTES: Final = 500_000
"""Most bytes of :func:`start_of_output`."""
ERROR_BYTES: Final = 4_000_000
"""Most bytes of the errors of git that are read."""
NO_GIT: Final = "git is not installed; give a diff file or pipe a diff in"
OLD_GIT: Final = (
    "This git is older than 2.41: a .gitattributes of the change itself can keep files out of the"
    " diff."
)


def find_git() -> str:
    """Return the path of git, except in the working folder, which Windows prefers.

    A program in the working folder may be untrusted.

    Raises:
        SourceError: git is not installed, or only in the working folder.
    """
    found = which("git")
    if found is None:
        raise SourceError(NO_GIT)
    if not Path(found).is_absolute():
        raise SourceError(
            f"{found} is not run, because it was found through the working folder; use another"
            " working folder"
        )
    return found


def safe_environment(directory: Path) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the environment to run git with in a repository, and notices for the reader about it.

    Args:
        directory: a folder within the repository.

    Raises:
        SourceError: git is missing or too old.
    """
    environment = {**os.environ, **_ENVIRONMENT}
    version = version_in(run_git(directory, environment, "version"))
    if version < NEEDED:
        raise SourceError("git 2.31 or later is needed; give a diff file or pipe a diff in")
    foreign = _foreign_filters(directory, environment)
    settings = list(_CONFIG)
    for name in foreign:
        settings += [(f"filter.{name}.{key}", "") for key in ("clean", "smudge", "process")]
        settings.append((f"filter.{name}.required", "false"))
    environment |= variables_of(settings, environment)
    notices = []
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        notices.append(f"Not run, since this repository defines it: filter {foreign[0]}{more}.")
    if version < _ATTRIBUTES_FROM_A_COMMIT:
        notices.append(OLD_GIT)
    return environment, tuple(notices)


def version_in(text: bytes) -> tuple[int, int]:
    """Return the major and minor version in the output of ``git version``; zeros without one."""
    match = re.search(rb"(\d{1,9})\.(\d{1,9})", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _foreign_filters(directory: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the filters that the repository's configuration, or an included file, mentions.

    Filters of the user's own configuration, such as Git LFS, stay enabled.
    """
    arguments = ("config", "--show-scope", "--name-only", "-z", "--get-regexp", r"^filter\.")
    listed = run_git(directory, environment, *arguments, fine=(0, 1)).split(b"\0")
    keys = [
        os.fsdecode(key)
        for scope, key in zip(listed[::2], listed[1::2], strict=False)
        if scope not in _USERS_SCOPES
    ]
    names = (key.removeprefix("filter.").rpartition(".")[0] for key in keys)
    return tuple(dict.fromkeys(name for name in names if name))


def variables_of(
    settings: Sequence[tuple[str, str]], environment: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return settings for git as variables, added to those of ``environment``.

    Unlike ``-c``, they support ``=`` in a name, and no list of processes shows them. See https://git-scm.com/docs/git-config#ENVIRONMENT.
    """
    given = environment.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdecimal() else 0
    variables = {"GIT_CONFIG_COUNT": str(first + len(settings))}
    for number, (key, value) in enumerate(settings, first):
        variables[f"GIT_CONFIG_KEY_{number}"] = key
        variables[f"GIT_CONFIG_VALUE_{number}"] = value
    return variables


def run_git(
    directory: Path,
    environment: Mapping[str, str],
    *arguments: str,
    fine: tuple[int, ...] = (0,),
    entered: bytes = b"",
) -> bytes:
    """Return the output of git.

    Args:
        directory: working folder of git.
        environment: environment of git, as of :func:`safe_environment`.
        arguments: the command with its options.
        fine: exit codes that are not errors.
        entered: standard input of git.

    Raises:
        SourceError: git is missing, or reports an error.
    """
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program, no shell, revisions behind --end-of-options
            [find_git(), "--no-pager", *arguments],
            cwd=directory,
            env=environment,
            input=entered,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise SourceError(NO_GIT) from error
    if done.returncode not in fine:
        raise SourceError(_explain(done.stderr.decode(errors="replace"), arguments))
    return done.stdout


class Output(NamedTuple):
    """Output of git. ``code`` is the exit code; None if git was stopped before its end."""

    stdout: bytes
    stderr: bytes
    code: int | None


def start_of_output(
    directory: Path,
    environment: Mapping[str, str],
    *arguments: str,
    seconds: float | None = None,
    most_bytes: int | None = None,
) -> Output:
    """Return the first bytes that git writes within some seconds.

    Args:
        directory: working folder of git.
        environment: environment of git, as of :func:`safe_environment`.
        arguments: the command with its options.
        seconds: the limit of time; None is :data:`START_S`.
        most_bytes: the limit of standard output; None is :data:`START_BYTES`.

    Raises:
        SourceError: git is missing.
    """
    most_bytes = START_BYTES if most_bytes is None else most_bytes
    with TemporaryFile() as errors:
        try:
            process = subprocess.Popen(  # noqa: S603 - a fixed program, no shell
                [find_git(), "--no-pager", *arguments],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        except FileNotFoundError as error:
            raise SourceError(NO_GIT) from error
        stopped = Event()

        def stop() -> None:
            stopped.set()
            process.kill()

        with process:
            timer = Timer(START_S if seconds is None else seconds, stop)
            timer.start()
            try:
                stdout = process.stdout.read(most_bytes) if process.stdout else b""
                if len(stdout) < most_bytes:
                    process.wait()
                else:
                    stop()
            finally:
                timer.cancel()
                process.kill()
        errors.seek(0)
        stderr = errors.read(ERROR_BYTES)
    return Output(stdout, stderr, None if stopped.is_set() else process.returncode)


def _explain(stderr: str, arguments: tuple[str, ...]) -> str:
    """Return the error message for an error of git, with a remedy where known."""
    if "not a git repository" in stderr:
        return "this is not a git repository; give a diff file or pipe a diff in"
    if arguments[:2] == ("rev-parse", "--verify"):
        base = arguments[-1].removesuffix("^{commit}")
        return f"git does not know the revision {base!r}; fetch it, or name another one"
    if arguments[0] == "merge-base":
        if "HEAD" in stderr:
            return "the repository has no commit yet; use --staged"
        return (
            "the base shares no history with the current commit; fetch more (git fetch --unshallow)"
        )
    if "promisor" in stderr or "lazy fetch" in stderr:
        return (
            "this is a partial clone that lacks a part of the diff, and nothing is fetched here;"
            " let git do it: git diff | reviewbot review -"
        )
    line = next(iter(stderr.strip().splitlines()), "git failed without a message")
    return f"git: {line.removeprefix('fatal: ')}"

"""The checks of ``reviewbot doctor`` that concern the installation, not its settings."""

from __future__ import annotations

import asyncio
import platform
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from reviewbot import __version__
from reviewbot.code.git_command import find_git
from reviewbot.errors import ConfigError, ReviewbotError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK: Final = "✓"
WARNING: Final = "!"
WRONG: Final = "✗"
_LINTED: Final = {
    "a.py": "pass\n",
    "a.js": ";\n",
    "a.sh": "true\n",
    "Dockerfile": "FROM scratch\n",
    "action.yml": "name: a\ndescription: a\nruns: {using: composite, steps: []}\n",
}
"""A small file for each linter."""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table. ``mark`` is one of OK, WARNING and WRONG."""

    mark: str
    name: str
    detail: str


def guard(name: str, check: Callable[[], Check]) -> Check:
    """Return the check, or its error as a failed check: an error must not hide other checks."""
    try:
        return check()
    except (ReviewbotError, ImportError, OSError) as error:
        return Check(WRONG, name, str(error))


def installation_checks() -> Iterator[Check]:
    """Yield the result of each check of the installation once it is known."""
    yield Check(OK, "reviewbot", f"{__version__}, Python {platform.python_version()}")
    yield _git()
    yield guard("token encoding", _encoding)
    yield guard("offline rules", _rules)
    yield guard("parser", _parser)
    yield guard("linters", _linters)
    yield _sandbox()
    yield guard("secrets", _secrets)


def _git() -> Check:
    path = shutil.which("git")
    if path is None:
        detail = (
            "not found: diff files can be reviewed, a working tree cannot, and an App keeps no"
            " clones"
        )
        return Check(WARNING, "git", detail)
    try:
        find_git()
    except SourceError as error:
        return Check(WARNING, "git", str(error))
    try:
        done = subprocess.run(  # noqa: S603  the git that a review would run
            [path, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check(WRONG, "git", f"{path} does not run: {error}")
    return Check(OK, "git", done.stdout.strip().removeprefix("git version "))


def _encoding() -> Check:
    from reviewbot.models.tokens import ENCODING_SHA256, encoding

    name = encoding().name
    return Check(OK, "token encoding", f"{name} of the package, sha256 {ENCODING_SHA256[:8]}…")


def _rules() -> Check:
    from reviewbot.rules.load import load_rules

    count = len(load_rules())
    return Check(OK, "offline rules", f"{count} rules, ast-grep {_version_of('ast-grep-py')}")


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise ConfigError(f"{package} is not installed; install reviewbot again") from error


def _parser() -> Check:
    """Parse a line in a separate process, as a review does."""
    from reviewbot.models.offline.parser import Allowance, ParserHunk, ParserPool

    async def ask() -> None:
        pool = ParserPool()
        try:
            hunk = ParserHunk(["x = 1"], (True,))
            await pool.for_tenant("doctor").match("python", [hunk], [], Allowance())
        finally:
            pool.close()

    asyncio.run(ask())
    return Check(OK, "parser", "starts in its own process")


def _linters() -> Check:
    """Run each linter on a small file, as a review does."""
    from reviewbot.models.linters.linters import Linters
    from reviewbot.models.linters.programs import describe_programs, find_programs

    async def problems() -> list[str]:
        linters = Linters(heed_added=True)
        done = [await linters.lint(path, text, [1]) for path, text in _LINTED.items()]
        return [linted.problem for linted in done if linted.problem]

    if found := asyncio.run(problems()):
        return Check(WARNING, "linters", " ".join(found))
    usable = all(program.usable for program in find_programs())
    return Check(OK if usable else WARNING, "linters", describe_programs())


def _sandbox() -> Check:
    from reviewbot.models.sandbox.confine import unconfined

    if gaps := unconfined():
        return Check(WARNING, "linter sandbox", f"unconfined: {gaps}")
    return Check(OK, "linter sandbox", "confined: no other files, no network, no other programs")


def _secrets() -> Check:
    from reviewbot.core.safety.redact import secret_engine

    engine = secret_engine()
    # Without the library fewer kinds of secrets are recognised, but a review works.
    return Check(OK if engine.startswith("betterleaks") else WARNING, "secrets", engine)

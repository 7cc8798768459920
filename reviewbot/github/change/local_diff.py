"""Compare two versions of a file with the local git.

The contents are untrusted. git gets them as files in a separate folder. git reads neither
configuration nor attributes, so it runs no other program and only compares the files.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff.parse import parse_diff
from reviewbot.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reviewbot.core.diff.parse import FileDiff

MAX_BYTES: Final = 8 << 20
"""Maximum size of one side, so that git can compare within the time limit."""
TIMEOUT_S: Final = 10.0
_DIFF: Final = (
    "--no-pager",
    "diff",
    "--no-index",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-renames",
    "--inter-hunk-context=0",
    "--diff-algorithm=myers",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
_KEPT: Final = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
"""Environment variables that git needs. The variables of git itself are not passed on."""
_SAME, _DIFFERENT = 0, 1


class LocalDiffError(SourceError):
    """The contents cannot be compared here."""


def find_git() -> str:
    """Return the path of git. A git in the working folder is refused, because it may be untrusted.

    Raises:
        LocalDiffError: git is missing, or exists in the working folder only.
    """
    found = which("git")
    if found is None:
        raise LocalDiffError("git is not installed here")
    if not Path(found).is_absolute():
        raise LocalDiffError("git was found through the working folder, so it is not run")
    return found


async def local_diff(
    old: bytes, new: bytes, *, as_text: bool = False, context: int = 3
) -> FileDiff | None:
    """Return git's diff of ``old`` and ``new``, or a binary marker; None if they are equal.

    The paths of the result are placeholders.

    With ``as_text``, the result has hunks even for content that looks binary. ``context`` is the
    number of unchanged lines around a change.

    Raises:
        LocalDiffError: git is missing, fails or takes too long, or the content is too large.
    """
    if max(len(old), len(new)) > MAX_BYTES:
        raise LocalDiffError(f"one of its contents has more than {MAX_BYTES:,} bytes")
    options = [f"--unified={context}", *(["--text"] if as_text else [])]
    command = [find_git(), *_DIFF, *options, "--", "old", "new"]
    return await asyncio.to_thread(_compare, command, old, new)


def _compare(command: Sequence[str], old: bytes, new: bytes) -> FileDiff | None:
    with tempfile.TemporaryDirectory(prefix="reviewbot-") as name:
        folder = Path(name).resolve()
        for side, content in (("old", old), ("new", new)):
            (folder / side).write_bytes(content)
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program and arguments, no shell
                command,
                cwd=folder,
                env=_environment(folder),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LocalDiffError(
                f"git took longer than {TIMEOUT_S:g} seconds to compare its contents"
            ) from None
        except OSError as error:
            raise LocalDiffError(f"git does not run here: {error.strerror}") from error
    if done.returncode not in (_SAME, _DIFFERENT):
        ended = f"it ended with {done.returncode}"
        said = next(iter(done.stderr.decode(errors="replace").strip().splitlines()), ended)
        raise LocalDiffError(f"git failed to compare its contents: {said[:200]}")
    return next(iter(parse_diff(done.stdout)), None)


def _environment(folder: Path) -> Mapping[str, str]:
    """Return an environment in which git finds no repository, configuration or attributes."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "LC_ALL": "C",
    }

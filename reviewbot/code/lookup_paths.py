"""Check the paths that a model names. Pure."""

from __future__ import annotations

import re
from typing import Final

from reviewbot.core.diff.paths import encoded
from reviewbot.core.plan.policy import MAX_PATH
from reviewbot.core.safety.escape import is_plain
from reviewbot.errors import ReviewbotError

_DRIVE: Final = re.compile(r"[A-Za-z]:")


class LookupRefusedError(ReviewbotError):
    """A look-up was refused or could not be done. The message is a sentence for the model."""


def checked_path(value: str, *, folder: bool) -> str:
    """Return a path without a leading ``./``.

    Raises:
        LookupRefusedError: it is no plain path within the repository.
    """
    if len(value) > MAX_PATH or not is_plain(value) or len(encoded(value)) > MAX_PATH:
        raise LookupRefusedError(
            f"`path` has control or invisible characters, or more than {MAX_PATH:,} bytes."
        )
    if "\\" in value or _DRIVE.match(value) or value.startswith("/"):
        raise LookupRefusedError(
            "`path` must be relative to the root of the repository, with slashes, such as"
            " src/settings.ts."
        )
    path = value.removesuffix("/") if folder else value
    while path.startswith("./"):
        path = path[2:]
    if folder and path in ("", "."):
        return ""
    parts = path.split("/")
    if not {"", ".", ".."}.isdisjoint(parts):
        raise LookupRefusedError("`path` must not have empty parts, `.` or `..`.")
    if any(part.lower() == ".git" for part in parts):
        raise LookupRefusedError("The folder .git is not part of the commit.")
    return path

"""Types and functions that the API calls share: safe paths and authors."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeGuard
from urllib.parse import quote

from reviewbot.errors import ConfigError
from reviewbot.github.client.errors import NotFoundError

if TYPE_CHECKING:
    from reviewbot.github.client.caller import AccountClient, Record
    from reviewbot.github.client.exchange import Request

_PART: Final = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9_.-]{1,100}"
_REPOSITORY: Final = re.compile(f"{_PART}/{_PART}")
_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Author:
    """Author of a text. A deleted account is ``ghost``, as on GitHub's pages."""

    login: str
    id: int
    is_bot: bool


def author(user: Record | None) -> Author:
    """Return the author from the ``user`` of a response object."""
    if user is None:
        return Author("ghost", 0, is_bot=False)
    return Author(user["login"], user["id"], user.get("type") == "Bot")


def body(found: Record) -> str:
    """Return the body of a response object with LF line ends. Browsers send CRLF."""
    return (found.get("body") or "").replace("\r\n", "\n")


def created(found: Record) -> str:
    """Return the time of a response object, such as ``2026-01-31T12:00:00Z``; may be empty."""
    return found.get("created_at") or ""


def repository(name: str) -> str:
    """Return the path of ``OWNER/REPO``.

    Raises:
        ConfigError: the name is invalid. Within a path it could reach another resource.
    """
    if not _REPOSITORY.fullmatch(name):
        raise ConfigError(f"{name[:200]!r} is not a repository: it must be OWNER/REPO")
    return f"/repos/{name}"


def is_commit(sha: object) -> TypeGuard[str]:
    """Return whether ``sha`` is a commit id."""
    return isinstance(sha, str) and _SHA.fullmatch(sha) is not None


def commit(sha: str) -> str:
    """Return ``sha`` if ``sha`` is a commit id.

    Raises:
        ValueError: ``sha`` is not a commit id.
    """
    if not _SHA.fullmatch(sha):
        raise ValueError(f"{sha[:80]!r} is not a commit")
    return sha


def segment(name: str) -> str | None:
    """Return ``name`` as one segment of a path; None if this is impossible."""
    if name in ("", ".", "..") or not name.isprintable():
        return None
    return quote(name, safe="")


async def delete(caller: AccountClient, request: Request) -> None:
    """Delete a resource, unless it was already deleted, as by an attempt without a response."""
    with suppress(NotFoundError):
        await caller.answer(request)

"""Fields of the payload of a delivery; an invalid field counts as missing. Pure."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reviewbot.github.webhook.tasks import RepositoryRef

_WORD: Final = re.compile(r"[a-z_]{1,50}")
_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\[bot\])?")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w-]{0,99}/(?!\.{1,2}\Z)[\w.-]{1,100}", re.ASCII)


@dataclass(frozen=True, slots=True)
class App:
    """The App that deliveries are for: its id or client id, and its name in addresses."""

    id: str
    slug: str

    def is_meant(self, described: object) -> bool:
        """Return whether an app, as a payload describes it, is this one."""
        ids = (at(described, key) for key in ("id", "client_id"))
        known = {str(one) for one in ids if isinstance(one, int | str)}
        return self.id in known or (bool(self.slug) and at(described, "slug") == self.slug)


class PayloadError(Exception):
    """The payload requires no action; the message states the reason."""


class Payload:
    """The fields of one payload, checked. A path is keys with dots between them.

    ``delivery`` is an id that was checked. ``app`` is None for an Action, which has no
    installation.

    Raises:
        PayloadError: the payload is not JSON.
    """

    def __init__(self, delivery: str, body: bytes, app: App | None) -> None:
        self.delivery, self.app = delivery, app
        try:
            self._value: object = json.loads(body.decode())
        except (ValueError, RecursionError):
            raise PayloadError("the payload is not valid JSON") from None
        self.action = word(self.at("action"))

    def at(self, path: str) -> object:
        """Return the value at a path; None if missing."""
        return at(self._value, path)

    def text(self, path: str, pattern: re.Pattern[str]) -> str:
        """Return a text that fits a pattern.

        Raises:
            PayloadError: the text is missing or does not fit.
        """
        value = self.at(path)
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        raise PayloadError(f"no usable {path}")

    def id(self, path: str) -> int:
        """Return an id or a number.

        Raises:
            PayloadError: the value is missing or not positive.
        """
        if (found := positive(self.at(path))) is not None:
            return found
        raise PayloadError(f"no usable {path}")

    def moment(self, path: str) -> datetime | None:
        """Return a time in GitHub's format; None if missing or invalid."""
        value = self.at(path)
        if isinstance(value, str) and _MOMENT.fullmatch(value):
            with suppress(ValueError):  # no such day
                return datetime.fromisoformat(value)
        return None

    def login(self, path: str) -> str:
        """Return a login; empty if it is not usable."""
        value = self.at(f"{path}.login")
        return value if isinstance(value, str) and _LOGIN.fullmatch(value) else ""

    def origin(self) -> tuple[str, RepositoryRef]:
        """Return delivery id and repository, the first fields of each task in a repository.

        Raises:
            PayloadError: the repository or the installation is missing.
        """
        installation = positive(self.at("installation.id"))
        if installation is None and self.app is not None:
            raise PayloadError("no usable installation.id: the webhook of an App did not send it")
        full_name = self.text("repository.full_name", _REPOSITORY)
        return self.delivery, RepositoryRef(installation, self.id("repository.id"), full_name)

    def nothing(self) -> PayloadError:
        """Return the error for an action without a handler."""
        return PayloadError(f"{self.action or 'unknown action'}: nothing to do")


def at(value: object, path: str) -> object:
    """Return the value at a path in ``value``; None if missing."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def word(value: object) -> str:
    """Return ``value`` if it has the form of a name from GitHub; empty otherwise."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def positive(value: object) -> int | None:
    """Return ``value`` if it is a positive integer that fits into a database; None otherwise."""
    return value if type(value) is int and 0 < value < 2**63 else None

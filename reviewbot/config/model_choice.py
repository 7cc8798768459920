"""A configured model: its name, its address, and its key. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OFFLINE: Final = "offline"
API_KEY: Final = "ANTHROPIC_API_KEY"


class SecretText:
    """A text that is hidden in ``repr``, ``str``, tracebacks and dataclasses."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, to send or use it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model with its address and key.

    Attributes:
        name: name of the model on its server, or ``offline``.
        base_url: address of the server; None is Anthropic's own.
        api_key: API key of the model; None if no key was found.
        api_key_env: variable that may hold the key; None if no key is configured.
    """

    name: str
    base_url: str | None = None
    api_key: SecretText | None = None
    api_key_env: str | None = None

    @property
    def problem(self) -> str | None:
        """Reason why the model cannot be used, or None. A custom server may need no key."""
        if self.name == OFFLINE or self.api_key is not None:
            return None
        if self.base_url is not None and self.api_key_env in (None, API_KEY):
            return None
        return f"{self.name} needs a key: set {self.api_key_env}, or review with --model {OFFLINE}"


def is_web_address(text: str) -> bool:
    """Return whether ``text`` is an http or https URL with a host and without credentials."""
    scheme, separator, rest = text.partition("://")
    host = rest.partition("/")[0]
    plain = not any(character.isspace() for character in text)
    return scheme in ("http", "https") and bool(separator and host) and "@" not in host and plain

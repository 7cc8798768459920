"""A model as it is set: its name, where it lives, and the key that belongs there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OFFLINE: Final = "offline"
API_KEY: Final = "ANTHROPIC_API_KEY"


class SecretText:
    """A text that neither ``repr``, ``str``, a traceback nor a dataclass shows by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model and where it lives.

    Attributes:
        name: the name that its server knows, or ``offline``.
        base_url: its server; None is Anthropic's own.
        api_key: its key, if one was found.
        api_key_env: the variable where the key was looked for; None where it needs none.
    """

    name: str
    base_url: str | None = None
    api_key: SecretText | None = None
    api_key_env: str | None = None

    @property
    def problem(self) -> str | None:
        """Why it cannot be asked, in a sentence, or None. One's own server may need no key."""
        if self.name == OFFLINE or self.api_key is not None:
            return None
        if self.base_url is not None and self.api_key_env in (None, API_KEY):
            return None
        return f"{self.name} needs a key: set {self.api_key_env}, or review with --model {OFFLINE}"

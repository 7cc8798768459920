"""Our identity on GitHub, and names of pull requests. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reviewbot.github import markers

if TYPE_CHECKING:
    from reviewbot.github.api.records import Author
    from reviewbot.github.api.threads import ReviewThread


_EVERYBODY: Final = "github-actions"
"""Login that all workflows share."""


@dataclass(frozen=True, slots=True)
class BotIdentity:
    """Our identity on GitHub.

    Args:
        login: the author of our comments, such as ``reviewbot[bot]``.
        secrets: secrets that sign our markers; the first secret signs. Empty for an Action
            without a key.
    """

    login: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def wrote(self, author: Author) -> bool:
        """Return whether we are the author. The case of logins is ignored."""
        return author.login.lower() == self.login.lower()

    def is_named(self, login: str) -> bool:
        """Return whether a login of GraphQL, which omits ``[bot]``, is ours in any case."""
        return login.lower() == self._name.lower()

    def resolved(self, thread: ReviewThread) -> bool:
        """Return whether we resolved a thread. GraphQL omits ``[bot]``, or the name of an App."""
        login = thread.resolved_by
        return thread.resolved and (login is None or self.is_named(login))

    def resolved_by_another(self, thread: ReviewThread) -> str | None:
        """Return the login of the person who resolved a thread; None if an App or nobody did."""
        return None if not thread.resolved or self.resolved(thread) else thread.resolved_by

    def signed(self, text: str, pull: PullName) -> bool:
        """Return whether the marker of a text on a pull request is signed by us."""
        return bool(self.secrets) and markers.parse(text, pull.bound, self.secrets) is not None

    @property
    def mention(self) -> str:
        """Name by which people mention us; empty if it may belong to another account."""
        return "" if self._name == _EVERYBODY else self._name

    @property
    def _name(self) -> str:
        return self.login.removesuffix("[bot]")


@dataclass(frozen=True, slots=True)
class PullName:
    """A pull request.

    Attributes:
        repo: ``OWNER/REPO``, which changes when it is renamed or given away.
        repository_id: permanent id of the repository at GitHub; None while unknown.
    """

    repo: str
    number: int
    repository_id: int | None = None

    @property
    def bound(self) -> str:
        """Name of the pull request that markers are bound to.

        Raises:
            ValueError: the repository id is unknown.
        """
        if self.repository_id is None:
            raise ValueError(f"the repository of {self} has no number yet")
        return f"{self.repository_id}#{self.number}"

    def __str__(self) -> str:
        return f"{self.repo}#{self.number}"

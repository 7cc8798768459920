"""The purpose of a change, as its author states it: claims for the request of the summary. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from reviewbot.core.safety.redact import redact_text
from reviewbot.errors import ReviewbotError

ISSUES_LIMIT: Final = 5
"""Maximum number of issues."""
BODY_LIMIT: Final = 20_000
"""Maximum characters of the text of an issue that are kept. The prompt shows fewer."""


@dataclass(frozen=True, slots=True)
class ClosingIssue:
    """An issue that a pull request closes. ``body`` is Markdown, and may be empty."""

    number: int
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Purpose:
    """The purpose of a change: untrusted text, which only the request of the summary may show.

    Attributes:
        title: title of the pull request; empty if unknown.
        description: description of the pull request; empty if unknown.
        issues: the issues of the same repository that the pull request closes.
    """

    title: str = ""
    description: str = ""
    issues: tuple[ClosingIssue, ...] = ()

    def __bool__(self) -> bool:
        """Return whether anything is stated."""
        return bool(self.title or self.description or self.issues)

    @property
    def asks_for_something(self) -> bool:
        """True with a description or an issue: a title alone only names the change."""
        return bool(self.description.strip() or self.issues)

    def redacted(self) -> Purpose:
        """Return the purpose without the secrets that are recognised in its texts.

        A text that cannot be searched for secrets is left out.
        """
        return Purpose(
            _redacted(self.title),
            _redacted(self.description),
            tuple(
                ClosingIssue(issue.number, _redacted(issue.title), _redacted(issue.body))
                for issue in self.issues
            ),
        )


NO_PURPOSE: Final = Purpose()


def _redacted(text: str) -> str:
    try:
        return redact_text(text)
    except ReviewbotError:  # such as for thousands of secrets
        return ""

"""Errors of GitHub, each with a sentence that helps.

::

    GitHubError                  GitHub refused, or did not respond
      BadCredentialsError        401
      ForbiddenError             403: a permission is missing, named if GitHub names it
      NotFoundError              404: missing, or hidden from us
        GoneError                410
      BlockedError               451
      InvalidError               422: the content of the request was rejected
      DiffTooLargeError          406
      TooLargeError              a response or a file exceeds the requested limit
      RateLimitedError           the wait for a rate limit would be too long
      UnavailableError           repeatedly no response, or 5xx
      UncertainWriteError        a write may have completed: check before a retry
      OvertakenError             another run has written the same text meanwhile
      IncompleteListError        a list exceeds the limit
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from reviewbot.errors import ReviewbotError
from reviewbot.github.client.redaction import sanitize_message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.github.client.exchange import Answer, Request

_NEEDED: Final = "x-accepted-github-permissions"
"""Header of a 403 that names the required permissions, separated by ``;`` or ``,``."""
_CLOCK: Final = ("expiration time", "issued at", "'exp'", "'iat'")
_MAINTAINER: Final = "a maintainer of this repository"
_LATER: Final = "run the review again later"


class GitHubError(ReviewbotError):
    """GitHub refused a request, or did not respond.

    ``message`` is for operators: it may name requests and servers. ``status`` is that of the
    HTTP response; None without a response.
    """

    for_author = "GitHub refused it; the operator of reviewbot has the reason"
    """Sentence for the author of a pull request, without its full stop."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class BadCredentialsError(GitHubError):
    """The token or the App's key is not accepted."""

    for_author = (
        f"GitHub does not accept the credentials of reviewbot; {_MAINTAINER} must renew them"
    )


class ForbiddenError(GitHubError):
    """Our identity lacks a permission, which ``needed`` names if GitHub does."""

    def __init__(self, message: str, needed: str = "") -> None:
        super().__init__(message, status=403)
        which = f"the permission {needed}" if needed else "the permission for it"
        self.for_author = (
            f"GitHub does not permit it; {_MAINTAINER} must grant {which}, in the App's settings or"
            " under permissions: of the workflow"
        )


class NotFoundError(GitHubError):
    """The resource does not exist, or is hidden from us."""

    for_author = (
        f"GitHub does not show it to reviewbot; {_MAINTAINER} must check that the App is installed"
        " on the repository, or that the token may read it"
    )


class GoneError(NotFoundError):
    """The resource was deleted."""

    for_author = "it was deleted, or is turned off in the settings of the repository"


class BlockedError(GitHubError):
    """GitHub must not show the resource, for legal reasons."""

    for_author = "GitHub may not show this repository for legal reasons"


class InvalidError(GitHubError):
    """GitHub rejected the content of the request."""


class DiffTooLargeError(GitHubError):
    """GitHub does not return the diff in one piece."""

    for_author = (
        "GitHub does not provide so large a diff: its limits are 300 files and 20,000 lines"
    )


class TooLargeError(GitHubError):
    """A response exceeds the size limit."""

    for_author = "GitHub does not provide so large a file"


class RateLimitedError(GitHubError):
    """GitHub requires a wait of ``seconds`` from now on."""

    for_author = f"GitHub limits the rate of requests; {_LATER}"

    def __init__(self, message: str, *, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(message, status=429)


class UnavailableError(GitHubError):
    """GitHub does not respond, or its response is not valid."""

    for_author = f"GitHub did not answer; {_LATER}"


class UncertainWriteError(GitHubError):
    """The response to a write was lost. Look for its result before a retry."""

    for_author = f"GitHub did not confirm it; {_LATER}"


class OvertakenError(GitHubError):
    """Another run has written in the meantime. Read the current state before a retry."""

    for_author = "another review was posted at the same time"


class IncompleteListError(GitHubError):
    """A list is longer than its limit."""

    for_author = "the pull request has more entries than reviewbot reads"


def for_author(error: ReviewbotError) -> str:
    """Return the sentence of an error for the author of a pull request, without its full stop."""
    return error.for_author if isinstance(error, GitHubError) else str(error)


def refusal(request: Request, answer: Answer) -> GitHubError:
    """Return the error of a response that is neither a success nor a temporary failure."""
    status, said = answer.status, sanitize_message(answer.message)
    says = f" ({said})" if said else ""
    if status == 403:
        return _forbidden(request, answer, says)
    if status in _SENTENCES:
        kind, sentence = _SENTENCES[status]
        message = sentence.format(what=request.what, says=says, hint=_credentials_hint(said))
        return kind(message, status=status)
    if 300 <= status < 400:
        return GitHubError(
            f"GitHub answered {request.what} with a redirect ({status}) that leads elsewhere;"
            " correct GITHUB_API_URL, or the repository's name if it was renamed",
            status=status,
        )
    details = "; ".join(map(_detail, answer.errors))
    reasons = f": {details}" if answer.errors else ""
    return InvalidError(
        sanitize_message(f"GitHub refused {request.what} with {status}{says}{reasons}", 600),
        status=status,
    )


_SENTENCES: Final[Mapping[int, tuple[type[GitHubError], str]]] = MappingProxyType(
    {
        401: (BadCredentialsError, "GitHub does not accept the credentials{says}: {hint}"),
        404: (
            NotFoundError,
            "GitHub has nothing for {what}, or does not show it: check the name, and that the App"
            " is installed on the repository or the token may read it",
        ),
        406: (
            DiffTooLargeError,
            "GitHub does not provide this in one piece{says}: its limits are 300 files and 20,000"
            " lines",
        ),
        410: (
            GoneError,
            "what {what} asks for is gone{says}: it was deleted, or is turned off in the settings"
            " of the repository",
        ),
        451: (
            BlockedError,
            "GitHub may not show this repository for legal reasons{says}: it cannot be reviewed",
        ),
    }
)


def _credentials_hint(said: str) -> str:
    if any(word in said.lower() for word in _CLOCK):
        return "correct this machine's clock"
    return "check the App's id and private key, or the token, and whether it has expired"


def _forbidden(request: Request, answer: Answer, says: str) -> GitHubError:
    if answer.error_has("code", "too_large"):
        return TooLargeError(f"GitHub does not provide so large a file{says}", status=403)
    needed = sanitize_message(answer.headers.get(_NEEDED, ""), 100).replace("=", ": ")
    hint = (
        f"it needs the permission {needed}, in the App's settings (an owner must then accept it) or"
        " under permissions: of the workflow"
        if needed
        else "check what the App or the token may do, and whether the organization restricts it"
    )
    return ForbiddenError(f"GitHub does not permit {request.what}{says}: {hint}", needed)


def _detail(error: Any) -> str:  # noqa: ANN401  whatever GitHub sends
    """Return one reason: a sentence, or field and code."""
    if not isinstance(error, dict):
        return sanitize_message(error)
    parts = (error.get(key) for key in ("resource", "field", "code", "message"))
    return sanitize_message(" ".join(part for part in parts if isinstance(part, str)))

"""Convert errors of a request to :class:`ModelFault`: statuses, events and socket errors.

Kinds and codes are those of Anthropic's documentation, "Errors" and "Rate limits". A message of a
server is untrusted: its length is limited, and control characters and our key are removed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from reviewbot.core.safety.redact import redact_text
from reviewbot.models.base import PASSING, Fault, ModelFault

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_MESSAGE: Final = 300
MAX_SEARCHED: Final = 4096
"""Maximum characters of a server's text to search for secrets, including the shown ones."""

_BY_TYPE: Final = {
    "overloaded_error": Fault.OVERLOADED,
    "api_error": Fault.TRANSIENT,
    "timeout_error": Fault.TRANSIENT,
    "conflict_error": Fault.TRANSIENT,
    "rate_limit_error": Fault.RATE_LIMITED,
    "authentication_error": Fault.AUTH,
    "permission_error": Fault.AUTH,
    "billing_error": Fault.SPEND_LIMIT,
}
"""Error kinds of error events. A request with any other type would fail again."""
_BY_STATUS: Final = {
    401: Fault.AUTH,
    402: Fault.SPEND_LIMIT,
    403: Fault.AUTH,
    408: Fault.TRANSIENT,
    409: Fault.TRANSIENT,
    425: Fault.TRANSIENT,
    429: Fault.RATE_LIMITED,
    529: Fault.OVERLOADED,
}
_SPENT_CODE: Final = "spend_limit_reached"
"""``enforced_``, ``contract_`` and ``linked_organization_spend_limit_reached``."""
_SPENT_WORDS: Final = ("credit balance is too low", "specified api usage limits", "spend limit")
"""Words in a plain 400 response that mean an exceeded spend limit of the account."""
_HINTS: Final = {
    Fault.AUTH: "check the API key and what it may use",
    Fault.SPEND_LIMIT: "the account's spend limit is reached",
}
_STATUS_HINTS: Final = {404: "check the model's name and the base URL"}


@dataclass(frozen=True, slots=True)
class Faults:
    """Factory of errors for one server.

    Args:
        server: host and port, for messages.
        secret: the key, which no message may hold.
    """

    server: str
    secret: str

    def clean(self, text: object) -> str:
        """Return ``text`` of the server on one line, at most :data:`MAX_MESSAGE` characters.

        The server may quote the request or its own configuration, so secrets are replaced.
        """
        line = "".join(char if char.isprintable() else " " for char in str(text)[:MAX_SEARCHED])
        if self.secret:
            line = line.replace(self.secret, "[key]")
        line = redact_text(" ".join(line.split()))
        return line if len(line) <= MAX_MESSAGE else line[: MAX_MESSAGE - 3] + "..."

    def of_status(
        self, status: int, body: object, headers: Mapping[str, str], text: str
    ) -> ModelFault:
        """Return the error of a response with an HTTP error status.

        Args:
            status: 300 or above; redirects are not followed.
            body: the parsed body, in the form of the API if the server follows it.
            headers: headers of the response.
            text: the body as text, for servers with another form.
        """
        if status < 400:
            return self._of_redirect(status, headers)
        error = _error_of(body)
        said = error.get("message") or text
        kind = _kind(error, str(said))
        if kind is None:
            kind = _BY_STATUS.get(status)
        if kind is None:
            kind = Fault.TRANSIENT if status >= 500 else Fault.REJECTED
        kind = _apply_retry_header(kind, status, headers)
        name = f"{status} {self.clean(error.get('type') or '')}".strip()
        return ModelFault(
            self._sentence(f"{self.server} answered {name}", said, kind, status),
            fault=kind,
            retry_after=retry_after(headers),
            request_id=self.request_id(headers),
        )

    def of_event(self, data: Mapping[str, Any], headers: Mapping[str, str]) -> ModelFault:
        """Return the fault of an ``error`` event within a stream, whose HTTP status was 200."""
        error = _error_of(data)
        name = str(error.get("type") or "error")
        said = error.get("message") or ""
        kind = _kind(error, str(said)) or _BY_TYPE.get(name, Fault.REJECTED)
        return ModelFault(
            self._sentence(f"{self.server} ended its answer with {self.clean(name)}", said, kind),
            fault=kind,
            retry_after=retry_after(headers),
            request_id=self.request_id(headers, data.get("request_id")),
        )

    def of_sending(self, error: Exception) -> ModelFault:
        """Return the error of a request without a response, such as a failed connection."""
        import httpx2

        cause = _cause(error)
        if isinstance(cause, ValueError | TypeError | httpx2.InvalidURL):
            return ModelFault(
                f"the request cannot be sent to {self.server}: {type(cause).__name__}",
                fault=Fault.REJECTED,
            )
        return self.of_transport(error, {})

    def of_transport(self, error: Exception, headers: Mapping[str, str]) -> ModelFault:
        """Return the fault of a connection that could not be made, or that broke."""
        import httpx2

        cause = _cause(error)
        what = type(cause).__name__
        if isinstance(cause, httpx2.HTTPError):
            what = self.clean(cause) or what
        return ModelFault(
            f"the connection to {self.server} failed: {what}",
            fault=Fault.TRANSIENT,
            request_id=self.request_id(headers),
        )

    def request_id(self, headers: Mapping[str, str], given: object = None) -> str | None:
        """Return the server's id of a request: ``given`` from a body, or else from the headers."""
        return self.clean(given or headers.get("request-id") or "")[:100] or None

    def _of_redirect(self, status: int, headers: Mapping[str, str]) -> ModelFault:
        place = _origin(headers.get("location", ""))
        elsewhere = f" with a redirect to {self.clean(place)}" if place else ""
        return ModelFault(
            f"{self.server} answered {status}{elsewhere}; it is not followed: correct the base URL"
            " (base_url or ANTHROPIC_BASE_URL)",
            fault=Fault.REJECTED,
            request_id=self.request_id(headers),
        )

    def _sentence(self, what: str, said: object, kind: Fault, status: int = 200) -> str:
        hint = _HINTS.get(kind) or _STATUS_HINTS.get(status)
        hint = f"; {hint}" if hint else ""
        said = self.clean(said)
        return f"{what}: {said}{hint}" if said else f"{what}{hint}"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the wait of ``retry-after-ms`` or ``retry-after`` (seconds or HTTP date), in seconds.

    A date is compared with the response's own ``date``, so that a wrong local clock does no harm.
    """
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _seconds(headers.get(name))
        if seconds is not None:
            return seconds * scale
    then = _date(headers.get("retry-after"))
    if then is None:
        return None
    now = _date(headers.get("date")) or datetime.now(UTC)
    return max(0.0, (then - now).total_seconds())


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _date(value: str | None) -> datetime | None:
    try:
        date = parsedate_to_datetime(value or "")
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _cause(error: Exception) -> BaseException:
    """Return the cause of the SDK's ``APIConnectionError``, which has no details."""
    import anthropic

    wrapped = isinstance(error, anthropic.APIConnectionError)
    return error.__cause__ if wrapped and error.__cause__ else error


def _origin(url: str) -> str:
    """Return scheme, host and port; empty without a host. The rest may contain secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if parts.scheme in ("http", "https") and host else ""


def _error_of(body: object) -> Mapping[str, Any]:
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def _kind(error: Mapping[str, Any], said: str) -> Fault | None:
    """Return the kind that the error states itself; None unless it is a spend limit."""
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    if isinstance(code, str) and code.endswith(_SPENT_CODE):
        return Fault.SPEND_LIMIT
    if any(words in said.lower() for words in _SPENT_WORDS):
        return Fault.SPEND_LIMIT
    return None


def _apply_retry_header(kind: Fault, status: int, headers: Mapping[str, str]) -> Fault:
    """Return the kind after the server's ``x-should-retry``, which the SDK follows, too."""
    word = headers.get("x-should-retry")
    if word == "false" and kind in PASSING:
        return Fault.REJECTED
    if word == "true" and kind is Fault.REJECTED and status != 413:
        return Fault.TRANSIENT
    return kind

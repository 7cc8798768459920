"""Manifest of a GitHub App for reviewbot, and differences of an existing App. Pure.

GitHub creates the App from a form that a browser posts (docs.github.com, "Registering a GitHub App
from a manifest"). GitHub rejects the whole manifest for an event that no permission covers, for
``installation`` (which every App receives), and for ``hook_attributes`` without ``url``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote, urlencode, urlsplit

from reviewbot.config.model_choice import is_web_address

if TYPE_CHECKING:
    from collections.abc import Mapping

PERMISSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "checks": "write",
        "contents": "read",
        "issues": "read",
        "metadata": "read",
        "pull_requests": "write",
    }
)
"""Permissions that the App needs."""
QUEUE_PERMISSIONS: Final[Mapping[str, str]] = MappingProxyType({"merge_queues": "read"})
"""Permissions for merge queues alone. An App without them reviews as before, but GitHub does not
tell it about merge groups."""
REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "checks": "to show the progress and the result of a review as a check run",
        "contents": "to read its configuration in the base branch, and whole files where a diff is"
        " not enough",
        "issues": "to receive comments, for commands such as /review, and to read the issues that a"
        " pull request closes",
        "merge_queues": "to find the pull requests of a merge group, for its check run",
        "metadata": "GitHub gives it to every App",
        "pull_requests": "to read the diff, and to post the review and its summary",
    }
)
"""Reason for each permission, shown to the owner."""
EVENTS: Final = ("issue_comment", "pull_request", "pull_request_review_comment")
"""Event subscriptions of the App. ``checks: write`` includes ``check_run`` and ``check_suite`` for
the App's own checks. Every App receives ``installation`` and ``ping`` (docs.github.com, "Webhook
events and payloads"). ``issue_comment`` needs ``issues``, even for pull requests."""
QUEUE_EVENTS: Final = ("merge_group",)
"""Event that requests the check of a merge group. It needs ``merge_queues`` (docs.github.com,
"Webhook events and payloads")."""
CLONE_EVENTS: Final = ("repository",)
"""Events after which a clone is removed. An App without them works: its clones are removed at their
next use, or once nothing has used them for days."""
WEBHOOK_PATH: Final = "/webhooks/github"
"""Path where a server receives deliveries."""
NAME_LIMIT: Final = 34
"""Maximum characters of an App's name."""
ADDRESS_LIMIT: Final = 200

Reach = Literal["loopback", "private", "public"]

_LEVELS: Final = ("none", "read", "write", "admin")
_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_ENTERPRISE_API: Final = "/api/v3"
_OWN_NETWORK: Final = (".internal", ".lan", ".local", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Registration:
    """Choices of the App's owner.

    Attributes:
        name: name of the App; editable on GitHub's page.
        organization: account that owns the App; None for the account that is signed in.
        public_url: address where GitHub reaches this server.
    """

    name: str
    organization: str | None
    public_url: str

    def problems(self) -> dict[str, str]:
        """Return a sentence for each invalid field; empty if all fields are valid."""
        found = {}
        if not (0 < len(self.name) <= NAME_LIMIT and self.name.isprintable()):
            found["name"] = f"A name has 1 to {NAME_LIMIT} characters."
        if self.organization is not None and not _LOGIN.fullmatch(self.organization):
            found["organization"] = (
                "This is not the name of an organization; use the part after github.com/ in the"
                " address of its page."
            )
        if not is_base_address(self.public_url):
            found["public_url"] = (
                "This is not an address; write one such as https://reviews.example.com, without ?"
                " and #."
            )
        return found

    @property
    def webhook_url(self) -> str:
        """Address where GitHub delivers events."""
        return self.public_url.rstrip("/") + WEBHOOK_PATH


def manifest(registration: Registration, redirect_url: str) -> dict[str, Any]:
    """Return the manifest to post as JSON in the field ``manifest``.

    ``registration`` has no problems. GitHub sends the browser to ``redirect_url``, with ``code``
    and ``state``.
    """
    # GitHub refuses to deliver to loopback, so the webhook stays inactive there.
    active = reach(registration.public_url) != "loopback"
    return {
        "name": registration.name,
        "url": registration.public_url,
        "description": "Reviews pull requests while the model is still writing.",
        "hook_attributes": {"url": registration.webhook_url, "active": active},
        "redirect_url": redirect_url,
        "public": False,
        "default_permissions": {**PERMISSIONS, **QUEUE_PERMISSIONS},
        "default_events": [*EVENTS, *QUEUE_EVENTS, *CLONE_EVENTS],
    }


def form_action(registration: Registration, web_url: str, state: str) -> str:
    """Return the address where the browser posts the manifest.

    ``web_url`` is from :func:`web_address`. GitHub returns ``state`` to the redirect URL.
    """
    owner = registration.organization
    account = f"organizations/{quote(owner, safe='')}/" if owner is not None else ""
    return f"{web_url}/{account}settings/apps/new?{urlencode({'state': state})}"


def web_address(api_url: str) -> str:
    """Return the address of GitHub's pages for the address of its REST API.

    The API of an Enterprise Server is ``https://HOST/api/v3``. The API of github.com and GHE.com is
    ``https://api.HOST``.
    """
    parts = urlsplit(api_url.rstrip("/"))
    host = parts.netloc
    if parts.path != _ENTERPRISE_API:
        host = host.removeprefix("api.")
    return f"{parts.scheme}://{host}"


def reach(url: str) -> Reach:
    """Return from where an address is probably reachable, judged by its host name alone."""
    host = (urlsplit(url).hostname or "").removesuffix(".")
    try:
        address = ip_address(host)
    except ValueError:
        if host == "localhost" or host.endswith(".localhost"):
            return "loopback"
        own = "." not in host or host.endswith(_OWN_NETWORK)
        return "private" if own else "public"
    if address.is_loopback or address.is_unspecified:
        return "loopback"
    return "public" if address.is_global else "private"


def is_base_address(text: str) -> bool:
    """Return whether a text is the address of a server or folder, so that a path can follow."""
    plain = text.isascii() and text.isprintable() and not re.search(r"[?#\\<>\"']", text)
    if not plain or len(text) > ADDRESS_LIMIT or not is_web_address(text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # an unclosed bracket, or a port that is not a number
        return False


def shortfalls(permissions: Mapping[str, str], events: tuple[str, ...]) -> list[str]:
    """Return the permissions and events for reviews that an existing App lacks, in sentences."""
    return _lacking(permissions, events, PERMISSIONS, EVENTS)


def queue_shortfalls(permissions: Mapping[str, str], events: tuple[str, ...]) -> list[str]:
    """Return the permissions and events for merge queues that an existing App lacks."""
    return _lacking(permissions, events, QUEUE_PERMISSIONS, QUEUE_EVENTS)


def _lacking(
    permissions: Mapping[str, str],
    events: tuple[str, ...],
    needed: Mapping[str, str],
    needed_events: tuple[str, ...],
) -> list[str]:
    found = []
    for name, level in needed.items():
        has = permissions.get(name, "none")
        if has not in _LEVELS or _LEVELS.index(has) < _LEVELS.index(level):
            found.append(f"the permission {name} must be {level}, not {has}")
    missing = [event for event in needed_events if event not in events]
    found += [f"the event {event} is not subscribed to" for event in missing]
    return found

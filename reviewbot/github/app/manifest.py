"""What a GitHub App for reviewbot is: its manifest, and how one that exists differs. Pure.

GitHub makes the App of a form that a browser posts (docs.github.com, "Registering a GitHub App from
a manifest"). It refuses the whole manifest for one event that no permission covers, for
``installation`` (which comes to every App), and for ``hook_attributes`` without ``url``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote, urlencode, urlsplit

from reviewbot.config.settings import is_web_address

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
"""Every permission that the App needs, and no other."""
REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "checks": "to show the progress and the result of a review as a check run",
        "contents": "to read its configuration in the base branch, and whole files where a diff is"
        " not enough",
        "issues": "to be told of comments, for commands such as /review",
        "metadata": "GitHub gives it to every App",
        "pull_requests": "to read the diff, and to post the review and its summary",
    }
)
"""What each permission is for, as the owner is told."""
EVENTS: Final = ("issue_comment", "pull_request", "pull_request_review_comment")
"""What the App subscribes to. ``check_run`` and ``check_suite`` come with ``checks: write``, and
only what concerns it; ``installation`` and ``ping`` come to every App (docs.github.com, "Webhook
events and payloads"). ``issue_comment`` needs ``issues``, for pull requests, too."""
WEBHOOK_PATH: Final = "/webhooks/github"
"""Where a server takes deliveries."""
NAME_LIMIT: Final = 34
"""Characters of an App's name."""
ADDRESS_LIMIT: Final = 200

Reach = Literal["loopback", "private", "public"]

_LEVELS: Final = ("none", "read", "write", "admin")
_LOGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_ENTERPRISE_API: Final = "/api/v3"
_OWN_NETWORK: Final = (".internal", ".lan", ".local", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Registration:
    """What the owner of the App decides.

    Attributes:
        name: of the App; GitHub lets it be changed on its own page.
        organization: the account that owns the App; None: that of whoever is signed in.
        public_url: where GitHub reaches this server.
    """

    name: str
    organization: str | None
    public_url: str

    def problems(self) -> dict[str, str]:
        """What is wrong, in a sentence for each field; empty if all is well."""
        found = {}
        if not (0 < len(self.name) <= NAME_LIMIT and self.name.isprintable()):
            found["name"] = f"A name has 1 to {NAME_LIMIT} characters."
        if self.organization is not None and not _LOGIN.fullmatch(self.organization):
            found["organization"] = (
                "This is no name of an organization; it is the part after github.com/ in the"
                " address of its page."
            )
        if not is_base_address(self.public_url):
            found["public_url"] = (
                "This is no address; write one such as https://reviews.example.com, without ? and"
                " #."
            )
        return found

    @property
    def webhook_url(self) -> str:
        """Where GitHub is to deliver events."""
        return self.public_url.rstrip("/") + WEBHOOK_PATH


def manifest(registration: Registration, redirect_url: str) -> dict[str, Any]:
    """Return the manifest, to be posted as JSON in the field ``manifest``.

    Args:
        registration: without problems.
        redirect_url: where GitHub sends the browser afterwards, with ``code`` and ``state``.
    """
    # GitHub refuses to deliver to loopback. What cannot work is not turned on.
    active = reach(registration.public_url) != "loopback"
    return {
        "name": registration.name,
        "url": registration.public_url,
        "description": "Reviews pull requests while the model is still writing.",
        "hook_attributes": {"url": registration.webhook_url, "active": active},
        "redirect_url": redirect_url,
        "public": False,
        "default_permissions": dict(PERMISSIONS),
        "default_events": list(EVENTS),
    }


def form_action(registration: Registration, web_url: str, state: str) -> str:
    """Where the browser posts the manifest to.

    Args:
        registration: whose account it is for.
        web_url: GitHub, as :func:`web_address` has it.
        state: what GitHub gives back to ``redirect_url``.
    """
    owner = registration.organization
    account = f"organizations/{quote(owner, safe='')}/" if owner is not None else ""
    return f"{web_url}/{account}settings/apps/new?{urlencode({'state': state})}"


def web_address(api_url: str) -> str:
    """GitHub as people see it, from the address of its REST API.

    That is ``https://HOST/api/v3`` for an Enterprise Server, ``https://api.HOST`` for github.com
    and for GHE.com.
    """
    parts = urlsplit(api_url.rstrip("/"))
    host = parts.netloc
    if parts.path != _ENTERPRISE_API:
        host = host.removeprefix("api.")
    return f"{parts.scheme}://{host}"


def reach(url: str) -> Reach:
    """From where an address can be reached, as far as it tells."""
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
    """Whether it is the address of a server, or of a folder there: a path can be put behind it."""
    plain = text.isascii() and text.isprintable() and not re.search(r"[?#\\<>\"']", text)
    if not plain or len(text) > ADDRESS_LIMIT or not is_web_address(text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:  # a bracket that is not closed, a port that is no number
        return False


def shortfalls(permissions: Mapping[str, str], events: tuple[str, ...]) -> list[str]:
    """What an App that exists lacks; more than is needed is no shortfall."""
    found = []
    for name, level in PERMISSIONS.items():
        has = permissions.get(name, "none")
        if has not in _LEVELS or _LEVELS.index(has) < _LEVELS.index(level):
            found.append(f"the permission {name} must be {level}, not {has}")
    missing = [event for event in EVENTS if event not in events]
    found += [f"the event {event} is not subscribed to" for event in missing]
    return found

"""Who there is: users, Apps, their installations, and the tokens they hold."""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

if TYPE_CHECKING:
    from tests.fake_github.deliveries import Sent
    from tests.fake_github.repository import Repository

REVIEWER = {
    "checks": "write",
    "contents": "read",
    "issues": "read",
    "merge_queues": "read",
    "metadata": "read",
    "pull_requests": "write",
}
"""What the App asks for unless a test says otherwise."""
EVENTS = [
    *("check_run", "check_suite", "issue_comment", "merge_group"),
    *("pull_request", "pull_request_review_comment", "pull_request_review", "repository"),
]
LEVELS = {"none": 0, "read": 1, "write": 2, "admin": 3}


@dataclass(eq=False, slots=True)
class User:
    """A person, a bot or an organization."""

    id: int
    node_id: str
    login: str
    kind: Literal["User", "Bot", "Organization"] = "User"


@functools.cache
def private_key(number: int = 0) -> str:
    """An RSA key as PEM; always the same for a number, within a process."""
    del number
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


@dataclass(eq=False)
class App:
    """A GitHub App, with what its owner keeps of it."""

    id: int
    node_id: str
    slug: str
    name: str
    owner: User
    bot: User
    client_id: str
    client_secret: str
    private_key: str
    webhook_secret: str | None
    webhook_url: str | None
    permissions: dict[str, str]
    events: list[str]
    created: float
    external_url: str = "https://reviewbot.invalid"
    deliveries: list[Sent] = field(default_factory=list)

    @property
    def is_actions(self) -> bool:
        """Whether this is the App behind GITHUB_TOKEN."""
        return self.slug == "github-actions"


@dataclass(eq=False)
class Installation:
    """An App on an account. ``repositories`` None: all of the account."""

    id: int
    node_id: str
    app: App
    account: User
    permissions: dict[str, str]
    created: float
    repositories: list[Repository] | None = None
    suspended: float | None = None

    def covers(self, repository: Repository) -> bool:
        if self.repositories is None:
            return repository.owner is self.account
        return repository in self.repositories


@dataclass(eq=False, slots=True)
class Token:
    """A secret that stands for an installation, or for a person."""

    value: str
    expires: float
    installation: Installation | None = None
    user: User | None = None
    permissions: dict[str, str] = field(default_factory=dict)
    repositories: list[Repository] | None = None
    limit: int = 5_000
    revoked: bool = False

    def sees(self, repository: Repository) -> bool:
        if self.installation is None or not self.installation.covers(repository):
            return False
        return self.repositories is None or repository in self.repositories


def installation_secret(app: App, number: int) -> str:
    """``ghs_APPID_JWT``, about 520 characters, as rolled out since April 2026."""
    noise = b"".join(
        hashlib.sha512(f"{app.id}/{number}/{part}".encode()).digest() for part in "abcdefg"
    )
    text = base64.urlsafe_b64encode(noise[:370]).decode().rstrip("=")
    head, claims, signature = text[:36], text[36:330], text[330:]
    return f"ghs_{app.id}_eyJ{head}.eyJ{claims}.{signature}"


def personal_secret(user: User, number: int) -> str:
    """``ghp_`` and 36 characters."""
    digest = hashlib.sha256(f"{user.login}/{number}".encode()).hexdigest()
    return f"ghp_{digest[:36]}"

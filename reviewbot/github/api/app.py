"""API calls for our login, the App, its registration and its webhook deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import SecretText
from reviewbot.github.api.records import segment
from reviewbot.github.client.errors import ForbiddenError, NotFoundError
from reviewbot.github.client.exchange import Request, read, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.github.client.caller import AccountClient, Record

MOST: Final = 10_000
PER_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class AppSelf:
    """Our GitHub App; ``login`` is the author of its comments.

    Attributes:
        url: page of the App.
        permissions: permissions that the App requests, such as ``checks: write``. An installation
            may have granted fewer.
        events: events that the App subscribes to. Some events come without a subscription.
        installations: number of accounts with the App; None if GitHub does not state the number.
    """

    id: int
    slug: str
    name: str
    url: str
    permissions: Mapping[str, str]
    events: tuple[str, ...]
    installations: int | None

    @property
    def login(self) -> str:
        """Login of the author of its comments."""
        return f"{self.slug}[bot]"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to deliver an event. A redelivery has the ``guid`` of the first delivery."""

    id: int
    guid: str
    delivered_at: datetime
    redelivery: bool
    status_code: int

    @property
    def succeeded(self) -> bool:
        """True if we accepted the delivery."""
        return 200 <= self.status_code < 300


@dataclass(frozen=True, slots=True)
class CodeAccess:
    """Permission to read the code of one repository, and nothing else, for an hour.

    Attributes:
        token: token for ``contents: read`` of this repository alone.
        full_name: current name of the repository; empty if GitHub does not state it.
        private: whether only some people see the repository.
    """

    token: SecretText
    full_name: str
    private: bool


@dataclass(frozen=True, slots=True)
class NewApp:
    """An App that was created from a manifest, with the secrets that are used here.

    ``webhook_secret`` is empty if GitHub created none, which its API description allows.
    """

    id: int
    slug: str
    name: str
    url: str
    client_id: str
    webhook_secret: SecretText
    private_key: SecretText


async def login(caller: AccountClient) -> str:
    """Return the login of the token's holder, such as ``github-actions[bot]``."""
    data = await caller.graphql("{ viewer { login } }", {})
    if data is None:
        raise ForbiddenError("GitHub did not return the account of this token")
    name: str = data["viewer"]["login"]
    return name


async def converted(caller: AccountClient, code: str) -> NewApp:
    """Return the App created from a manifest. GitHub accepts each code once.

    Raises:
        NotFoundError: the code is invalid, used or older than an hour.
    """
    name = segment(code)
    if name is None:
        raise NotFoundError("this is not the code of an App manifest", status=404)
    return await caller.one(write("POST", f"/app-manifests/{name}/conversions"), _new_app)


class AppApi:
    """API calls that authenticate as the App."""

    def __init__(self, caller: AccountClient) -> None:
        self._caller = caller

    async def get(self) -> AppSelf:
        """Return our App."""
        return await self._caller.one(read("/app"), _app_self)

    async def code_access(self, installation: int, repository: int) -> CodeAccess:
        """Return a new permission to read the code of a repository.

        Raises:
            NotFoundError: GitHub does not know the installation any more.
            InvalidError: the installation has no access to the repository.
            ForbiddenError: the installation is suspended.
        """
        body = {"repository_ids": [repository], "permissions": {"contents": "read"}}
        path = f"/app/installations/{installation}/access_tokens"
        # The request may be repeated: a token in a lost response does no harm.
        request = Request(verb="POST", path=path, body=body)
        return await self._caller.one(request, partial(_code_access, repository=repository))

    async def deliveries(self, since: datetime) -> tuple[Delivery, ...]:
        """Return the deliveries since a time, newest first; only about the :data:`MOST` newest."""
        request = read("/app/hook/deliveries", {"per_page": PER_PAGE})
        found: list[Delivery] = []
        while True:
            page, following = await self._caller.page(request, _delivery)
            found += (one for one in page if one.delivered_at >= since)
            older = bool(page) and page[-1].delivered_at < since
            if older or following is None or len(found) >= MOST:
                return tuple(found)
            request = read(following)

    async def redeliver(self, delivery: int) -> None:
        """Request another attempt at a delivery. A receiver that has the delivery ignores it."""
        path = f"/app/hook/deliveries/{delivery}/attempts"
        await self._caller.answer(write("POST", path, repeatable=True, creates=False))


def _app_self(found: Record) -> AppSelf:
    return AppSelf(
        id=found["id"],
        slug=found["slug"],
        name=found["name"],
        url=found["html_url"],
        permissions=MappingProxyType(dict(found["permissions"])),
        events=tuple(found["events"]),
        installations=found.get("installations_count"),
    )


def _code_access(found: Record, repository: int) -> CodeAccess:
    listed = {record["id"]: record for record in found.get("repositories") or ()}
    about: Record = listed[repository] if listed else {"full_name": "", "private": True}
    return CodeAccess(SecretText(found["token"]), about["full_name"], about["private"] is True)


def _new_app(found: Record) -> NewApp:
    return NewApp(
        id=found["id"],
        slug=found["slug"],
        name=found["name"],
        url=found["html_url"],
        client_id=found["client_id"],
        webhook_secret=SecretText(found["webhook_secret"] or ""),
        private_key=SecretText(found["pem"]),
    )


def _delivery(found: Record) -> Delivery:
    return Delivery(
        id=found["id"],
        guid=found["guid"],
        delivered_at=datetime.fromisoformat(found["delivered_at"]),
        redelivery=bool(found.get("redelivery")),
        status_code=found["status_code"],
    )

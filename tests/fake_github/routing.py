"""Which handler answers a call, and what it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import unquote, urlencode

from tests.fake_github.wire import JSON, Answer, Recorded, Refused, invalid_request

if TYPE_CHECKING:
    from tests.fake_github.access import Actor
    from tests.fake_github.fake import FakeGitHub
    from tests.fake_github.people import App, Installation, User
    from tests.fake_github.repository import Repository
    from tests.fake_github.world import World

_WITH_SLASHES = {"path", "basehead", "ref", "branch"}
T = TypeVar("T")


@dataclass(slots=True)
class Call:
    """One request on its way through a handler."""

    github: FakeGitHub
    request: Recorded
    params: dict[str, str]
    actor: Actor
    found_repo: Repository | None = None

    @property
    def world(self) -> World:
        return self.github.world

    @property
    def repo(self) -> Repository:
        assert self.found_repo is not None
        return self.found_repo

    @property
    def body(self) -> JSON:
        body: JSON = self.request.body or {}
        return body

    @property
    def user(self) -> User:
        """Who writes: the person, or the App's bot."""
        if self.actor.user is None:
            raise Refused(401, "Requires authentication")
        return self.actor.user

    @property
    def app(self) -> App:
        assert self.actor.app is not None
        return self.actor.app

    @property
    def installation(self) -> Installation:
        assert self.actor.installation is not None
        return self.actor.installation

    def number(self, name: str) -> int:
        """A number of the path; anything else is nothing that exists."""
        if not self.params[name].isascii() or not self.params[name].isdigit():
            raise Refused(404, "Not Found")
        return int(self.params[name])

    def commit(self, name: str) -> str:
        """A commit of the path, by any name of it."""
        try:
            return self.repo.resolve(self.params[name])
        except Refused:
            raise Refused(422, f"No commit found for SHA: {self.params[name]}") from None

    def accepts(self, kind: str) -> bool:
        """Whether the caller asked for ``application/vnd.github.KIND``."""
        accept = self.request.headers.get("accept", "")
        return re.search(rf"application/vnd\.github\.(v3\.)?{kind}(\+json)?\b", accept) is not None

    def page(
        self, items: Sequence[T], show: Callable[[T], Any], *, name: str | None = None
    ) -> Answer:
        """A page of a list, with the ``Link`` to the others; ``name``: in an object, counted."""
        size = min(max(self._positive("per_page", 30), 1), 100)
        page = self._positive("page", 1)
        last = max(-(-len(items) // size), 1)
        shown = [show(item) for item in items[(page - 1) * size : page * size]]
        numbers = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
        wanted = ["prev"] * (page > 1) + ["next", "last"] * (page < last) + ["first"] * (page > 1)
        link = ", ".join(f'<{self.link(page=numbers[rel])}>; rel="{rel}"' for rel in wanted)
        body: Any = shown if name is None else {"total_count": len(items), name: shown}
        return Answer(body, headers={"link": link} if link else {})

    def link(self, **changes: object) -> str:
        """This address with other parameters."""
        query = self.request.query | {key: str(value) for key, value in changes.items()}
        return f"{self.github.url}{self.request.path}?{urlencode(query)}"

    def _positive(self, name: str, default: int) -> int:
        text = self.request.query.get(name, "")
        return max(int(text), 1) if text.isdigit() else default

    def text(self, key: str) -> str:
        """A field that must be there and be a string."""
        value = self.body.get(key)
        if value is None:
            raise invalid_request(f'"{key}" wasn\'t supplied.')
        return str(value)


Handler: TypeAlias = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A call by its template in GitHub's description, and who may make it.

    ``needs`` lists alternatives, each a set of permissions, as ``X-Accepted-GitHub-Permissions``
    does. ``auth`` is ``token`` (any token, or none for what is public), ``app`` (the App's own
    JWT) or ``none``.
    """

    method: str
    template: str
    needs: str
    auth: str
    pattern: re.Pattern[str]
    handler: Handler

    @property
    def call(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def alternatives(self) -> list[dict[str, str]]:
        return [
            {name: level for name, _, level in (part.partition("=") for part in one.split(","))}
            for one in self.needs.replace(" ", "").split(";")
            if one
        ]


ROUTES: list[Route] = []


def route(call: str, *, needs: str = "", auth: str = "token") -> Callable[[Handler], Handler]:
    """Registers a handler under ``METHOD /template``."""
    method, template = call.split(" ")

    def pattern_of(match: re.Match[str]) -> str:
        return f"(?P<{match[1]}>{'.+' if match[1] in _WITH_SLASHES else '[^/]+'})"

    pattern = re.compile(re.sub(r"\{(\w+)\}", pattern_of, template) + "/?")

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, template, needs, auth, pattern, handler))
        return handler

    return register


def find(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The most particular route for a path, and its parameters."""
    found = [
        (one, match)
        for one in ROUTES
        if one.method == method and (match := one.pattern.fullmatch(path)) is not None
    ]
    if not found:
        return None
    best, match = max(found, key=lambda pair: len(re.sub(r"\{\w+\}", "", pair[0].template)))
    return best, {name: unquote(value) for name, value in match.groupdict().items()}

"""Who calls, and whether they may."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.fake_github.people import LEVELS
from tests.fake_github.wire import INTEGRATION, Recorded, Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

    from tests.fake_github.people import App, Installation, Token, User
    from tests.fake_github.repository import Repository
    from tests.fake_github.routing import Route
    from tests.fake_github.world import World

UNDECODABLE = "A JSON web token could not be decoded"
LEEWAY = 5
"""Seconds that a client's clock may be ahead."""


@dataclass(slots=True)
class Actor:
    """The caller: nobody, an App by its JWT, an installation or a person by a token.

    ``name`` is who pays for the call out of ``limit`` calls an hour.
    """

    name: str
    limit: int
    app: App | None = None
    installation: Installation | None = None
    user: User | None = None
    token: Token | None = None
    permissions: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        if self.installation is not None:
            return "installation"
        if self.app is not None:
            return "app"
        return "nobody" if self.user is None else "user"

    def holds(self, needs: dict[str, str]) -> bool:
        return all(
            LEVELS[self.permissions.get(name, "none")] >= LEVELS[level]
            for name, level in needs.items()
        )


def authenticate(world: World, request: Recorded) -> Actor:
    """The caller of a request, by its ``Authorization``."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return Actor("nobody", 60)
    secret = secret.strip()
    request.token = secret
    if scheme.lower() not in ("bearer", "token"):
        raise Refused(401, "Bad credentials")
    if secret.startswith("eyJ"):
        return _app(world, secret)
    token = world.tokens.get(secret)
    if token is None or token.revoked or token.expires <= world.clock.now():
        raise Refused(401, "Bad credentials")
    if token.user is not None:
        return Actor(f"user {token.user.login}", token.limit, user=token.user, token=token)
    installation = token.installation
    assert installation is not None
    if installation.suspended is not None or installation.id not in world.installations:
        raise Refused(403, "This installation has been suspended")
    name = f"installation ID {installation.id}"
    app = installation.app
    return Actor(name, token.limit, app, installation, app.bot, token, token.permissions)


@functools.cache
def _public_key(pem: str) -> PublicKeyTypes:
    """Return the public half of a key; reading the PEM takes 50 ms each time."""
    return load_pem_private_key(pem.encode(), None).public_key()


def _app(world: World, secret: str) -> Actor:
    try:
        issuer = jwt.decode(secret, options={"verify_signature": False}).get("iss")
        known = (one for one in world.apps.values() if str(issuer) in (str(one.id), one.client_id))
        app = next(known, None)
        if app is None:
            raise Refused(404, "Integration not found")
        public = _public_key(app.private_key)
        algorithm = {"algorithms": ["RS256"], "options": {"verify_exp": False, "verify_iat": False}}
        claims = jwt.decode(secret, public, **algorithm)  # type: ignore[arg-type]
    except jwt.PyJWTError:
        raise Refused(401, UNDECODABLE) from None
    _check_times(world, claims)
    return Actor(f"app {app.slug}", 5_000, app)


def _check_times(world: World, claims: dict[str, object]) -> None:
    import time

    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int):
        raise Refused(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion "
            "was issued",
        )
    if not isinstance(expires, int):
        raise Refused(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time "
            "at which the assertion expires",
        )
    # A client's libraries ask the wall for the time, also where a test's loop runs ahead of it.
    problems = [
        _time_problem(issued, expires, now, world.rules.jwt_seconds)
        for now in (world.clock.now(), time.time() + world.clock.ahead)
    ]
    if all(problems):
        raise Refused(401, str(problems[0]))


def _time_problem(issued: int, expires: int, now: float, longest: int) -> str | None:
    if issued > now + LEEWAY:
        return "'Issued at' claim ('iat') is in the future"
    if expires <= now:
        return "'Expiration time' claim ('exp') must be in the future"
    if expires > now + longest + LEEWAY or expires - issued > longest + 60:
        return "'Expiration time' claim ('exp') is too far in the future"
    return None


def authorize(actor: Actor, route: Route, repo: Repository | None) -> None:
    """Refuses what the caller may not do; what they may not see is not there."""
    if route.auth == "none":
        return
    if route.auth == "app":
        if actor.kind != "app":
            raise Refused(401, UNDECODABLE)
        return
    if actor.kind == "app":
        raise Refused(403, INTEGRATION)
    if repo is None:
        if actor.kind == "nobody":
            raise Refused(401, "Requires authentication")
        return
    if actor.kind == "installation":
        _installation(actor, route, repo)
    elif actor.kind == "user":
        assert actor.user is not None
        if repo.permission(actor.user) == "none":
            raise Refused(404, "Not Found")
    elif repo.private:
        raise Refused(404, "Not Found")
    elif route.method != "GET":
        raise Refused(401, "Requires authentication")


def _installation(actor: Actor, route: Route, repo: Repository) -> None:
    assert actor.token is not None
    accepted = {"x-accepted-github-permissions": route.needs} if route.needs else {}
    if not actor.token.sees(repo):
        if repo.private:
            raise Refused(404, "Not Found")
        if route.method != "GET":
            raise Refused(403, INTEGRATION, headers=accepted)
        return
    if route.needs and not any(actor.holds(one) for one in route.alternatives):
        raise Refused(403, INTEGRATION, headers=accepted)

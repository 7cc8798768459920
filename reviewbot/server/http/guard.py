"""Protect a server that needs no key from pages of other sites.

A server on loopback needs no key, and every page in the user's browser can send requests to the
server. Two things reveal such a page. First, the ``Host`` under which the page found the server,
such as its own name that now leads to 127.0.0.1 (DNS rebinding). Second, the ``Origin`` and
``Sec-Fetch-*`` headers, which a page cannot forge (Fetch Standard, "forbidden request-header").
Programs send neither ``Origin`` nor ``Sec-Fetch-*``, and pass.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware

from reviewbot.errors import ConfigError
from reviewbot.github.app.manifest import WEBHOOK_PATH
from reviewbot.server.problems import CLOSE, Problem, problem_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECURITY_HEADERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
)
"""Headers of every response that does not set them itself. The page sets its own CSP."""
CORS_METHODS: Final = ("DELETE", "GET", "HEAD", "POST")
CORS_REQUEST_HEADERS: Final = (
    *("Accept", "Authorization", "Content-Encoding", "Content-Type"),
    *("Idempotency-Key", "Last-Event-ID"),
)
CORS_EXPOSED_HEADERS: Final = (
    *("Idempotent-Replayed", "Location", "Retry-After"),
    *("X-Request-Id", "X-Tokens-Remaining", "X-Tokens-Reset", "X-Tokens-Used"),
)
CORS_MAX_AGE_S: Final = 600
HEALTH_PATHS: Final = frozenset({"/healthz", "/readyz"})
SETUP_PATHS: Final = frozenset(
    {"/github/setup", "/github/setup/done", "/favicon.svg", "/setup.css", "/style.css"}
)
"""Paths of the set-up, and of the files that its pages load."""
LINKED_PATHS: Final = frozenset({"/", "/github/setup", "/github/setup/done"})
"""Pages that a link of another site may open: GitHub redirects to ``/github/setup/done``."""

# If one of these headers came twice, two readers could see two requests (RFC 9110, section 5.3).
_ONCE: Final = (
    *("access-control-request-method", "authorization", "content-length", "content-type", "host"),
    *("idempotency-key", "last-event-id", "origin"),
    *("sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site"),
)
# RFC 3986, section 3.2, without percent escapes and sub-delimiters, which no name in use has.
_AUTHORITY: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{0,5}))?")
_ORIGIN: Final = re.compile(r"(https?)://(.*)")
_ANY_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#@,*\s]+")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class _Authority(NamedTuple):
    name: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Guard:
    """Rules for the hosts and origins of requests.

    Attributes:
        loopback: whether the server is bound to loopback only. Then the ``Host`` must name
            loopback or be one of ``allowed_hosts``.
        allowed_hosts: allowed names, with one port or for any port. If the server is not bound to
            loopback, only these names are allowed, and with an empty list every ``Host`` is. Health
            checks of such a server are allowed under any name, because a health checker may know
            only the address.
        cors_origins: the other sites whose pages may use the server, as browsers write them:
            ``https://example.com``. There is no wildcard.
        setup_hosts: names allowed for the pages of the set-up only. Their link is a secret, while
            anyone who finds a tunnel to a loopback server needs no key.

    Raises:
        ConfigError: an entry is not a host or not an origin.
    """

    loopback: bool
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    setup_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for host in self.allowed_hosts:
            if _authority(host) is None:
                raise ConfigError(
                    f"{host!r} is not a host; write a name or an address, with a port or without",
                    source="--allow-host",
                )
        for origin in self.cors_origins:
            if not _ANY_ORIGIN.fullmatch(origin):
                raise ConfigError(
                    f"{origin!r} is not an origin; write one as https://example.com",
                    source="--cors-origin",
                )

    def check(self, scope: Scope) -> None:
        """Raise a problem if an HTTP request must be refused.

        Raises:
            Problem: 400 for a request that no proper client sends, 421 for another ``Host``
                (RFC 9110, section 15.5.20), 403 for a page of another site.
        """
        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:
            # A proxy may see a different end of the body, and another request after it (RFC 9112,
            # section 6.3).
            raise Problem(
                400,
                "The request has both Content-Length and Transfer-Encoding; send one of them.",
                headers=CLOSE,
            )
        if not scope["path"].startswith("/"):
            raise Problem(400, "The target of the request must be a path.")
        for name in _ONCE:
            if len(headers.getlist(name)) > 1:
                raise Problem(400, f"The request has more than one {name} header; send one.")
        host = self._host(scope, headers)
        self._check_site(scope, headers, host)

    def _host(self, scope: Scope, headers: Headers) -> _Authority | None:
        """Return the ``Host`` if it is allowed; None where a ``Host`` is missing and not needed."""
        text = headers.get("host")
        path = scope["path"]
        some = bool(self.allowed_hosts) and path not in HEALTH_PATHS
        # A delivery may use any name that leads here, such as a tunnel's: its signature proves it.
        checked = path != WEBHOOK_PATH and (self.loopback or some)
        if text is None and scope["http_version"] == "1.0" and not checked:
            return None
        host = _authority(text or "")
        if host is None:
            # RFC 9112, section 3.2: a missing or invalid Host gets 400.
            raise Problem(400, "The request needs a Host header that names a host.")
        hosts = self.setup_hosts if path in SETUP_PATHS else ()
        allowed = [_authority(entry) for entry in (*self.allowed_hosts, *hosts)]
        if (
            not checked
            or (self.loopback and _is_loopback(host.name))
            or host in allowed
            or _Authority(host.name, None) in allowed
        ):
            return host
        raise Problem(
            421,
            f"This server does not answer for the host {host.name}; allow it with --allow-host"
            " when you start the server.",
        )

    def _check_site(self, scope: Scope, headers: Headers, host: _Authority | None) -> None:
        """Raise 403 for a request of another site's page.

        See https://www.w3.org/TR/fetch-metadata/ and RFC 6454, section 7.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin in self.cors_origins:
            return
        # Only a browser sends same-origin. Behind a proxy, the Host may differ from the page's
        # host; on loopback there is no proxy, and both have to agree.
        same = site == "same-origin" and not self.loopback and origin != "null"
        if origin is not None and not same and not _is_of(origin, host):
            raise _foreign()
        if site in (None, "same-origin", "none"):
            return
        # A followed link to the page is allowed: the other site can neither read nor embed it.
        if not (
            scope["method"] == "GET"
            and scope["path"] in LINKED_PATHS
            and headers.get("sec-fetch-mode") == "navigate"
            and headers.get("sec-fetch-dest", "document") == "document"
        ):
            raise _foreign()


class GuardMiddleware:
    """Middleware: a :class:`Guard` for requests, :data:`SECURITY_HEADERS` for responses.

    Wrap the whole application, not a part: ``GuardMiddleware(Starlette(...), guard)``. Each message
    is passed on at once. With ``cors_origins``, the middleware responds to preflights (Fetch
    Standard, "CORS protocol"), without credentials: keys come in ``Authorization``, which a page
    sets itself. WebSockets are refused, since the application has none.
    """

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._guard = guard
        self._app = app
        if guard.cors_origins:
            self._app = CORSMiddleware(
                app,
                allow_origins=guard.cors_origins,
                allow_methods=CORS_METHODS,
                allow_headers=CORS_REQUEST_HEADERS,
                allow_private_network=True,
                expose_headers=CORS_EXPOSED_HEADERS,
                max_age=CORS_MAX_AGE_S,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse the request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message.setdefault("headers", [])
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        app = self._app
        try:
            self._guard.check(scope)
        except Problem as problem:
            app = problem_response(problem)
        await app(scope, receive, secured)


def _authority(text: str) -> _Authority | None:
    """Return the normalized host and the port; None if ``text`` is not a host."""
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    name, port = match[1].lower().removesuffix("."), int(match[2]) if match[2] else None
    if name.startswith("["):
        try:
            name = f"[{IPv6Address(name[1:-1]).compressed}]"
        except AddressValueError:
            return None
    return _Authority(name, port) if name and (port or 0) < 65536 else None


def _is_loopback(name: str) -> bool:
    """Return whether ``name`` is a loopback name or address.

    See RFC 6761, section 6.3; RFC 1122, section 3.2.1.3 (g); RFC 4291, section 2.5.3.
    """
    if name in ("localhost", "[::1]"):
        return True
    try:
        return IPv4Address(name).is_loopback
    except AddressValueError:
        return False


def _is_of(origin: str, host: _Authority | None) -> bool:
    """Return whether ``origin`` is this server, which was reached as ``host``."""
    match = _ORIGIN.fullmatch(origin)
    theirs = match and _authority(match[2])
    if match is None or theirs is None or host is None or theirs.name != host.name:
        return False
    default = _DEFAULT_PORTS[match[1]]
    return (theirs.port or default) == (host.port or default)


def _foreign() -> Problem:
    return Problem(
        403,
        "A page of another site may not use this server; allow its origin with --cors-origin when"
        " you start the server.",
    )

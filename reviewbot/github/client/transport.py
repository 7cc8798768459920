"""Transport over PyGithub, the only module that uses it. One request per thread and account.

Only the requester of PyGithub is used, not its objects. Measured with 2.10:

- A :class:`github.Github` is not thread-safe, so each thread has one client for each account.
- By default PyGithub repeats POSTs, sleeps in the thread, follows a redirect without the query,
  takes a 307 for success, and decodes every body as text. So retries and pauses are turned off. The
  connection keeps bodies as bytes, limits their size, and stays on its server.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections import OrderedDict
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from github import Auth, Github
from github.Requester import HTTPRequestsConnectionClass, Requester, RequestsResponse

from reviewbot import __version__
from reviewbot.config.settings import SecretText
from reviewbot.errors import ConfigError
from reviewbot.github.client.errors import TooLargeError
from reviewbot.github.client.exchange import JSON, Answer, NoResponse, Patience, Request
from reviewbot.github.client.redaction import sanitize_message

if TYPE_CHECKING:
    from collections.abc import Mapping

API_VERSION: Final = "2022-11-28"
JWT_S: Final = 300
JWT_BEFORE_S: Final = 60
REDIRECTS: Final = 3
CLIENTS: Final = 16
"""Maximum number of accounts for which a thread keeps a connection."""
_PIECE: Final = 1 << 16
_REFUSAL: Final = 1 << 20
_FOLLOWED: Final = (301, 302, 307, 308)


class _TooLong(Exception):
    """The response took longer than one attempt may take."""


class _Held(Auth.Auth):
    """Token of the current request."""

    secret: SecretText | None = None

    @property
    def token_type(self) -> str:
        return "Bearer"

    @property
    def token(self) -> str:
        return "" if self.secret is None else self.secret.reveal()

    def authentication(self, headers: dict[str, str]) -> None:
        if self.secret is not None:
            super().authentication(headers)


class _Head(RequestsResponse):
    """Stub response for PyGithub. The connection holds the real response."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__(response)
        self.status = 200  # PyGithub would sleep after a 202, and drop the query of a redirect

    def read(self) -> str:
        return ""


class _Connection(HTTPRequestsConnectionClass):
    """A connection to one server; ``status``, ``content`` and so on are of the last answer."""

    def __init__(self, origin: str, patience: Patience) -> None:
        super().__init__(urlsplit(origin).hostname or "")
        self._origin, self._patience = origin, patience
        self.most = 0
        self.too_large = False
        self.status, self.content = 0, b""
        self.answered: Mapping[str, str] = {}

    def getresponse(self) -> RequestsResponse:
        ends, url = time.monotonic() + self._patience.total_s, self._origin + self.url
        left = REDIRECTS
        while True:
            with self.session.request(
                self.verb,
                url,
                headers=self.headers,
                data=self.input,
                timeout=(self._patience.connect_s, self._patience.silent_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                self.status = response.status_code
                self.answered = {name.lower(): text for name, text in response.headers.items()}
                self.content = self._read(response, ends)
            place = urljoin(url, self.answered.get("location", ""))
            if self.status not in _FOLLOWED or not left or not self._is_elsewhere_here(url, place):
                return _Head(response)
            left, url = left - 1, place

    def _read(self, response: requests.Response, ends: float) -> bytes:
        """Return the body, up to the limit; of a refusal, enough to know why."""
        wanted = response.status_code < 300
        most = self.most if wanted else _REFUSAL
        pieces, size = [], 0
        self.too_large = False
        for piece in response.iter_content(_PIECE):
            size += len(piece)
            if size > most:
                self.too_large = wanted
                break
            if time.monotonic() > ends:
                raise _TooLong
            pieces.append(piece)
        return b"".join(pieces)

    def _is_elsewhere_here(self, url: str, place: str) -> bool:
        """Return whether a redirect leads to another URL of the same server."""
        there, here = urlsplit(place), urlsplit(url)
        return place != url and (there.scheme, there.netloc) == (here.scheme, here.netloc)


class _Client:
    """PyGithub client of one account in one thread."""

    def __init__(self, base_url: str, patience: Patience) -> None:
        parts = urlsplit(base_url)
        self.held = _Held()
        self.connection = _Connection(f"{parts.scheme}://{parts.netloc}", patience)
        self.github = Github(
            auth=self.held,
            base_url=base_url,
            user_agent=f"reviewbot/{__version__}",
            per_page=100,
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
            lazy=True,
            api_version=API_VERSION,
        )

    def close(self) -> None:
        self.connection.close()
        self.github.close()


@lru_cache(maxsize=2)
def _loaded(pem: str) -> str:
    """Return a parsed private key, cached because parsing takes 50 ms.

    PyJWT accepts the parsed key. The declared type is the type that PyGithub expects.
    """
    return cast("str", load_pem_private_key(pem.encode(), password=None))


class Transport:
    """Transport to one server. Use it from worker threads."""

    def __init__(self, base_url: str, patience: Patience) -> None:
        self._base_url, self._patience = base_url, patience
        self._mine = threading.local()
        self._all: set[_Client] = set()
        self._lock = threading.Lock()

    def send(self, account: str, token: SecretText | None, request: Request) -> Answer | NoResponse:
        """Send ``request`` once and wait for the answer.

        Raises:
            TooLargeError: the answer is larger than it may be.
        """
        client = self._client(account)
        client.held.secret, client.connection.most = token, request.max_bytes
        # Outside of the handler, so that our error has no context with the headers.
        return self._lost(client, request) or _answer(client.connection, request)

    @staticmethod
    def signed(app_id: str, private_key: SecretText, now: float) -> SecretText:
        """Return a short-lived token of the App.

        Raises:
            ConfigError: the private key is invalid.
        """
        sign = Auth.AppAuth.create_jwt_sign(lambda: _loaded(private_key.reveal()), "RS256")

        def at_github(payload: dict[str, Any]) -> str | bytes:
            issued = int(now) - JWT_BEFORE_S
            return sign(payload | {"iat": issued, "exp": issued + JWT_BEFORE_S + JWT_S})

        with suppress(Exception):  # the exceptions of PyJWT and cryptography may show the key
            return SecretText(Auth.AppAuth(app_id, sign_func=at_github).token)
        raise ConfigError(
            "the App's private key cannot be used: it must be the whole PEM file that GitHub gave,"
            " with its first and last line",
            source="REVIEWBOT_GITHUB_PRIVATE_KEY",
        )

    def close(self) -> None:
        """Close the connections of all threads, none of which may be in use."""
        with self._lock:
            for client in self._all:
                client.close()
            self._all.clear()

    def _lost(self, client: _Client, request: Request) -> NoResponse | None:
        """Send the request; return None if there is a response."""
        requester: Requester = client.github.requester
        headers = {"Accept": request.accept}
        if request.etag is not None:
            headers["If-None-Match"] = request.etag
        try:
            requester.requestJson(
                request.verb,
                requester.graphql_url if request.graphql else request.path,
                dict(request.parameters),
                headers,
                request.body,
                cnx=client.connection,
            )
        except _TooLong:
            return NoResponse(f"it took longer than {self._patience.total_s:g} seconds", sent=True)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            return NoResponse(_reason(error), sent=_reached(error))
        return None

    def _client(self, account: str) -> _Client:
        mine: OrderedDict[str, _Client] | None = getattr(self._mine, "clients", None)
        if mine is None:
            self._mine.clients = mine = OrderedDict()
        client = mine.get(account)
        if client is None:
            mine[account] = client = _Client(self._base_url, self._patience)
            with self._lock:
                self._all.add(client)
        mine.move_to_end(account)
        if len(mine) > CLIENTS:
            _, oldest = mine.popitem(last=False)
            with self._lock:
                self._all.discard(oldest)
            oldest.close()
        return client


def _answer(connection: _Connection, request: Request) -> Answer:
    content, headers, status = connection.content, connection.answered, connection.status
    connection.content = b""
    if connection.too_large:
        raise TooLargeError(
            f"the answer to {request.what} has more than {request.max_bytes:,} bytes", status=status
        )
    as_json = "json" in headers.get("content-type", "json")
    if as_json and (request.accept == JSON or status >= 300):
        with suppress(ValueError):
            return Answer(
                status=status, headers=headers, data=json.loads(content), size=len(content)
            )
    return Answer(status=status, headers=headers, body=content, size=len(content))


def _reason(error: Exception) -> str:
    """Return the kind and the message of an error, without the address of the request."""
    inner = error.args[0] if error.args else None
    cause = getattr(inner, "reason", None) or inner
    named = type(cause if isinstance(cause, Exception) else error).__name__
    if isinstance(error, requests.Timeout):
        return f"no answer in time ({named})"
    if isinstance(error, requests.exceptions.SSLError):
        return sanitize_message(f"no trusted connection ({cause})")
    if not _reached(error):
        return f"no connection ({named}); check the network, the proxy and GITHUB_API_URL"
    return f"the connection failed ({named})"


def _reached(error: Exception) -> bool:
    """Return whether the request may have reached GitHub: unless there was no connection at all."""
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.ProxyError):
        return False
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    untrusted = isinstance(reason, urllib3.exceptions.SSLError) and any(
        isinstance(one, ssl.SSLCertVerificationError) for one in reason.args
    )
    return not untrusted and not isinstance(reason, urllib3.exceptions.NewConnectionError)

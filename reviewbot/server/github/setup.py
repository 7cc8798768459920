"""Set up the GitHub App in the browser, with GitHub's manifest flow.

::

    setup = GitHubSetup(SetupConfig(state_folder, api_url, public_url))
    routes = setup_routes(setup)
    print(setup.invitation("http://127.0.0.1:8000"))

The user opens the printed link, fills in a form, sees the permissions of the App, and posts the
manifest to GitHub. GitHub sends the browser back with a code, which it exchanges for the App's keys
once. The keys are stored, and never shown. The pages use plain forms without scripts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from starlette.datastructures import QueryParams
from starlette.responses import RedirectResponse
from starlette.routing import Route

from reviewbot.config.model_choice import is_web_address
from reviewbot.errors import ConfigError, ReviewbotError
from reviewbot.github.api.gateway import API_URL, Gateway
from reviewbot.github.app.conversion import NotConvertedError, convert
from reviewbot.github.app.manifest import (
    NAME_LIMIT,
    PERMISSIONS,
    QUEUE_PERMISSIONS,
    REASONS,
    Registration,
    form_action,
    is_base_address,
    manifest,
    reach,
    web_address,
)
from reviewbot.server.github.one_time_link import LIFE_S, TOKEN, OneTimeLink
from reviewbot.server.github.setup_pages import HEADERS, error_page, page
from reviewbot.server.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from reviewbot.github.app.credentials import AppConfig

PATH: Final = "/github/setup"
DONE_PATH: Final = f"{PATH}/done"
COOKIE: Final = "reviewbot_setup"
FLAG: Final = "--public-url"
ROOT: Final = "../"
DONE_ROOT: Final = "../../"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SetupConfig:
    """Settings of the set-up.

    Attributes:
        state_folder: folder where the App is stored.
        api_url: address of GitHub's REST API.
        public_url: address where GitHub reaches this server; None if not configured.
    """

    state_folder: Path
    api_url: str = API_URL
    public_url: str | None = None


class GitHubSetup:
    """The set-up of one server.

    Args:
        config: settings of the set-up.
        on_app: function that starts the App; None requires a restart of the server.
        link: the link that admits one browser; by default a new link.

    Raises:
        ConfigError: PyGithub is not installed, or an address is invalid.
    """

    def __init__(
        self,
        config: SetupConfig,
        on_app: Callable[[AppConfig], Awaitable[None]] | None = None,
        link: OneTimeLink | None = None,
    ) -> None:
        Gateway(None, base_url=config.api_url)  # refuse an invalid address before an App exists
        if config.public_url and not is_base_address(config.public_url):
            raise ConfigError("must be an address such as https://reviews.example.com", source=FLAG)
        self._config, self._on_app, self._link = config, on_app, link or OneTimeLink()
        self._web_url = web_address(config.api_url)
        self._name = f"reviewbot-{secrets.token_hex(3)}"  # names of Apps on GitHub are unique
        self._confirmed: Registration | None = None
        self._storing = asyncio.Lock()
        self._is_done = False

    def invitation(self, address: str) -> str:
        """Return the line for the terminal; the link in it is a secret.

        Args:
            address: where the server listens, ``http://HOST:PORT``.
        """
        local = address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
        page_url = (self._config.public_url or local).rstrip("/") + PATH
        return f"to review pull requests, set up a GitHub App: {self._link.address(page_url)}"

    async def page(self, request: Request) -> Response:
        """Answer ``GET /github/setup``: admit the link's holder, show the form, then confirm."""
        self._check_open()
        if TOKEN in request.query_params:
            return self._enter(request)
        query = request.query_params if _is_own(request) else QueryParams()
        if not self._link.knows(request.cookies.get(COOKIE)):
            return self._closed(ROOT)
        base = self._base(request)
        registration = self._registration(query, self._config.public_url or base)
        problems = registration.problems()
        if query.get("step") == "confirm" and not problems:
            return self._confirm(registration, _own_base(registration.public_url, request) or base)
        return page(
            "form",
            root=ROOT,
            form_action="'self'",
            registration=registration,
            problems=problems if "step" in query else {},
            reach="" if "public_url" in problems else reach(registration.public_url),
            name_limit=NAME_LIMIT,
            github=urlsplit(self._web_url).netloc,
        )

    async def done(self, request: Request) -> Response:
        """Answer ``GET /github/setup/done``, where GitHub sends the browser with a code."""
        self._check_open()
        if not self._link.knows(request.cookies.get(COOKIE)):
            return self._closed(DONE_ROOT)
        code = request.query_params.get("code", "")
        if not self._link.expects(request.query_params.get("state", "")):
            return _failed(403, "This response of GitHub does not belong to this setup.")
        if not code:
            return _failed(400, "GitHub sent no code, so the App cannot be fetched.")
        async with self._storing:
            self._check_open()  # the same page may have been loaded twice
            try:
                new, config = await convert(code, self._config.state_folder, self._config.api_url)
            except NotConvertedError as error:
                log.warning("the GitHub App is not set up: %s", error)
                return _failed(error.status, str(error))
            self._is_done = True
        log.info("a GitHub App is set up")
        answer = page(
            "done",
            root=DONE_ROOT,
            app=new,
            has_page=is_web_address(new.url),
            folder=config.source,
            in_use=await self._taken_into_use(config),
            is_deaf=self._confirmed is not None and reach(self._confirmed.public_url) == "loopback",
        )
        answer.delete_cookie(COOKIE, path=self._cookie_path(request))
        return answer

    def _check_open(self) -> None:
        if self._is_done:
            raise Problem(404, "There is nothing at this path.")

    def _enter(self, request: Request) -> Response:
        """Redirect to an address without the token, and give its holder a cookie."""
        # Relative, since a proxy may have added a prefix to the path.
        answer = RedirectResponse("setup", 303, headers=HEADERS)
        if self._link.knows(request.cookies.get(COOKIE)):
            return answer
        cookie = self._link.enter(request.query_params[TOKEN])
        if cookie is None:
            return self._closed(ROOT)
        # Lax: GitHub's redirect, a GET from another site, has to bring it along.
        answer.set_cookie(
            COOKIE,
            cookie,
            max_age=int(LIFE_S),
            path=self._cookie_path(request),
            secure=(_own_base(self._config.public_url, request) or str(request.url)).startswith(
                "https:"
            ),
            httponly=True,
            samesite="lax",
        )
        return answer

    def _closed(self, root: str) -> Response:
        if self._link.is_over:
            why = "The link was valid for one hour. Restart the server for another one."
        elif self._link.is_used:
            why = (
                "The link was already opened. Continue in the browser that opened it, or restart"
                " the server for another link."
            )
        else:
            why = "Open the link that reviewbot serve printed when it started."
        return error_page(403, why, root=root, again=False)

    def _registration(self, query: QueryParams, address: str) -> Registration:
        """Return the registration from the form, or the initial values."""
        organization = query.get("organization", "").strip()
        return Registration(
            name=query.get("name", self._name).strip(),
            organization=organization if query.get("account") == "organization" else None,
            public_url=query.get("public_url", address).strip().rstrip("/"),
        )

    def _confirm(self, registration: Registration, base: str) -> Response:
        """Return the page that shows the requested App, with a button that posts the manifest."""
        self._confirmed = registration
        fields = {
            "name": registration.name,
            "account": "personal" if registration.organization is None else "organization",
            "organization": registration.organization or "",
            "public_url": registration.public_url,
        }
        asked = {**PERMISSIONS, **QUEUE_PERMISSIONS}
        return page(
            "confirm",
            root=ROOT,
            # The whole host, because GitHub redirects to the sign-in page.
            form_action=self._web_url,
            registration=registration,
            reach=reach(registration.public_url),
            action=form_action(registration, self._web_url, self._link.state),
            manifest=json.dumps(manifest(registration, base + DONE_PATH)),
            permissions=[(name, level, REASONS[name]) for name, level in asked.items()],
            back=f"setup?{urlencode(fields)}",
            github=urlsplit(self._web_url).netloc,
            web_url=self._web_url,
        )

    async def _taken_into_use(self, config: AppConfig) -> bool:
        """Start the App; return whether the App runs without a restart."""
        if self._on_app is None:
            return False
        try:
            await self._on_app(config)
        except ReviewbotError as error:
            log.warning("the GitHub App is not in use yet: %s", error)
            return False
        return True

    def _base(self, request: Request) -> str:
        """Return the address under which the browser sees this server, without a slash at the end.

        A configured address takes precedence over the headers of a proxy.
        """
        said = self._config.public_url
        return said.rstrip("/") if said else f"{request.url.scheme}://{request.url.netloc}"

    def _cookie_path(self, request: Request) -> str:
        return urlsplit(self._base(request)).path + PATH


def setup_routes(setup: GitHubSetup) -> list[Route]:
    """Return the routes of the set-up."""
    routes = [Route(PATH, setup.page), Route(DONE_PATH, setup.done)]
    for route in routes:
        # Not HEAD, which Starlette adds: a preview of the link must not use up the link.
        route.methods = {"GET"}
    return routes


def _own_base(address: str | None, request: Request) -> str | None:
    """Return ``address`` if it has the host of the request; None otherwise."""
    if address is None or urlsplit(address).netloc.lower() != request.url.netloc.lower():
        return None
    return address.rstrip("/")


def _is_own(request: Request) -> bool:
    """Return False if a page of another site led here, so the owner did not fill in the query.

    Programs, and browsers on plain HTTP, do not send the header
    (https://www.w3.org/TR/fetch-metadata/).
    """
    return request.headers.get("sec-fetch-site") in (None, "none", "same-origin")


def _failed(status: int, sentence: str) -> Response:
    return error_page(status, sentence, root=DONE_ROOT, again=True)

"""Gateway to GitHub: every request of reviewbot goes through it.

::

    async with Gateway(AppCredentials("1234", key)) as github:
        api = github.installation(42)
        pull = await api.pulls.get("octo/repo", 7)

The interface is asynchronous. PyGithub is not, so it sends in worker threads
(:mod:`reviewbot.github.client.transport`). It is loaded with the first request. An installation
waits only for its own limits.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reviewbot.config.installation import install_command
from reviewbot.config.model_choice import is_web_address
from reviewbot.errors import ConfigError
from reviewbot.github.api.app import AppApi, converted, login
from reviewbot.github.api.checks import Checks
from reviewbot.github.api.comments import Comments
from reviewbot.github.api.contents import Contents
from reviewbot.github.api.merge_queues import MergeQueues
from reviewbot.github.api.pulls import Pulls
from reviewbot.github.api.reviews import Reviews
from reviewbot.github.api.threads import Threads
from reviewbot.github.api.workflow_runs import WorkflowRuns
from reviewbot.github.client.auth import (
    AppCredentials,
    AppToken,
    GivenToken,
    InstallationToken,
)
from reviewbot.github.client.caller import AccountClient, ClientContext
from reviewbot.github.client.clock import GitHubClock
from reviewbot.github.client.etags import Etags
from reviewbot.github.client.exchange import Patience
from reviewbot.github.client.rate_limit import Pace, RateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from reviewbot.config.settings import SecretText
    from reviewbot.github.api.app import NewApp
    from reviewbot.github.client.auth import Identity
    from reviewbot.github.client.exchange import Answer, NoResponse, Request
    from reviewbot.github.client.transport import Transport

API_URL: Final = "https://api.github.com"
THREADS: Final = 96
"""Maximum number of concurrent requests. A request that waits for a limit needs no thread. GitHub
accepts 100 (docs.github.com, "Rate limits for the REST API"). One installation sends five, so the
requests of many installations may hang."""
CALLERS: Final = 2_000
"""Maximum number of accounts whose tokens are cached."""
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


class Api:
    """API calls of one installation or of one token holder.

    Each call raises :class:`.GitHubError` if GitHub refuses it or does not respond.
    """

    def __init__(self, caller: AccountClient) -> None:
        self.pulls = Pulls(caller)
        self.contents = Contents(caller)
        self.checks = Checks(caller)
        self.reviews = Reviews(caller)
        self.comments = Comments(caller)
        self.threads = Threads(caller)
        self.merge_queues = MergeQueues(caller)
        self.workflow_runs = WorkflowRuns(caller)


class Gateway:
    """GitHub or a GitHub Enterprise Server. Use a gateway from one event loop only.

    ``credentials`` is None for public data. The ``base_url`` of an Enterprise Server ends in
    ``/api/v3``. ``pace`` limits the requests of each installation, and ``patience`` the time of one
    request. ``clock`` returns seconds since 1970.

    Raises:
        ConfigError: PyGithub is missing, the address is invalid, or a token would be sent
            without encryption.
    """

    def __init__(
        self,
        credentials: AppCredentials | SecretText | None,
        *,
        base_url: str = API_URL,
        pace: Pace | None = None,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if find_spec("github") is None:
            raise ConfigError(
                "PyGithub is not installed: install reviewbot with its extra, as in"
                f" {install_command('github')}"
            )
        _check_address(base_url)
        self._credentials, self._base_url = credentials, base_url
        self._pace, self._patience = pace or Pace(), patience or Patience()
        self._clock = GitHubClock(clock)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="github")
        self._line = ClientContext(self._send, self._threads, self._clock, Etags())
        self._limiters: dict[str, RateLimiter] = {}
        self._callers: dict[str, AccountClient] = {}
        self._loading = threading.Lock()
        self._wire: Transport | None = None

    @property
    def app(self) -> AppApi:
        """API calls that authenticate as the App.

        Raises:
            ConfigError: no App is configured.
        """
        return AppApi(self._app_caller())

    def installation(self, number: int) -> Api:
        """Return the API calls of one installation of the App.

        Raises:
            ConfigError: no App is configured.
        """
        token = InstallationToken(number, app=self._app_caller(), clock=self._clock)
        return Api(self._caller(f"installation {number}", token))

    def holder(self) -> Api:
        """Return the API calls of the given token.

        Raises:
            ConfigError: the credentials are those of an App.
        """
        return Api(self._holder())

    async def login(self) -> str:
        """Return the login that writes our comments: the App's, or that of the token's holder."""
        if isinstance(self._credentials, AppCredentials):
            return (await self.app.get()).login
        return await login(self._holder())

    async def new_app(self, code: str) -> NewApp:
        """Return the App that was created from a manifest; needs no credentials."""
        return await converted(self._caller("nobody", GivenToken(None)), code)

    async def close(self) -> None:
        """Wait for requests in progress, and close the connections. No request can follow."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        if self._wire is not None:
            self._wire.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _holder(self) -> AccountClient:
        if isinstance(self._credentials, AppCredentials):
            raise ConfigError("an App acts as one of its installations", source="GITHUB_TOKEN")
        return self._caller("holder", GivenToken(self._credentials))

    def _app_caller(self) -> AccountClient:
        if not isinstance(self._credentials, AppCredentials):
            raise ConfigError("this needs a GitHub App", source="REVIEWBOT_GITHUB_APP_ID")
        return self._caller("app", AppToken(partial(self._sign, self._credentials)))

    def _caller(self, name: str, identity: Identity) -> AccountClient:
        """Return the client of an account, which is created on first use."""
        if name not in self._callers:
            if len(self._callers) >= CALLERS:
                del self._callers[next(iter(self._callers))]
            limiter = self._limiters.setdefault(name, RateLimiter(self._pace))
            self._callers[name] = AccountClient(name, identity, limiter, self._line)
        return self._callers[name]

    async def _sign(self, credentials: AppCredentials) -> SecretText:
        def work() -> SecretText:
            now = self._clock.now()
            return self._pygithub().signed(credentials.app_id.strip(), credentials.private_key, now)

        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _send(
        self, account: str, token: SecretText | None, request: Request
    ) -> Answer | NoResponse:
        return self._pygithub().send(account, token, request)

    def _pygithub(self) -> Transport:
        """Return the transport. Call in a worker thread: loading it takes a while."""
        with self._loading:
            if self._wire is None:
                from reviewbot.github.client.transport import Transport

                self._wire = Transport(self._base_url, self._patience)
            return self._wire


def _check_address(url: str) -> None:
    if not is_web_address(url):
        raise ConfigError(
            f"must be an http or https address, such as {API_URL}", source="GITHUB_API_URL"
        )
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in _LOCAL:
        raise ConfigError(
            "tokens would be sent unencrypted; use an https address", source="GITHUB_API_URL"
        )

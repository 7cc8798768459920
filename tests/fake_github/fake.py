"""The fake as a whole: its life, and what a test takes hold of."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.fake_github import api_app, calls, webhooks
from tests.fake_github.clock import Clock
from tests.fake_github.deliveries import Delivery, Postman, Sent
from tests.fake_github.handling import Handling
from tests.fake_github.limits import Limits
from tests.fake_github.rules import Rules
from tests.fake_github.server import Server
from tests.fake_github.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.fake_github.faults import Fault
    from tests.fake_github.git import Files
    from tests.fake_github.people import App, Installation, Token, User
    from tests.fake_github.pulls import PullRequest
    from tests.fake_github.repository import Repository
    from tests.fake_github.wire import JSON, Recorded


class FakeGitHub:
    """A GitHub of its own on a free port of 127.0.0.1, for the time of ``async with``.

    Args:
        enterprise: behind ``/api/v3`` and ``/api/graphql``, as an enterprise server is.
        clock: GitHub's time in seconds since 1970, in place of the wall's.
        check_answers: whether the fake's own answers are held to GitHub's description; what they
            differ in is in ``answer_complaints``.
        port: a fixed port.
    """

    def __init__(
        self,
        *,
        enterprise: bool = False,
        clock: Callable[[], float] | None = None,
        check_answers: bool = False,
        port: int = 0,
    ) -> None:
        calls.load()
        self.clock, self.rules, self.limits = Clock(clock), Rules(), Limits()
        self.prefix = "/api/v3" if enterprise else ""
        self.check_answers = check_answers
        self._handling = Handling(self)
        self._server = Server(self._handling.respond, self.clock.now, port)
        self._stack = AsyncExitStack()
        self._redeliveries: set[asyncio.Task[Sent]] = set()
        self.requests: list[Recorded] = []
        self.git_requests: list[Recorded] = []
        self.git_heads: dict[int, str] = {}
        self.before_git: Callable[[Recorded], object] = lambda _: None
        self.unknown: list[str] = []
        self.faults: list[Fault] = []
        self.answer_complaints: list[str] = []
        self.world: World

    # --- Its life

    async def __aenter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self.clock.follow(asyncio.get_running_loop())
        self.world = World(self.clock, self.rules, Path(folder))
        self.postman = Postman(self.world)
        self.world.on_event = self._happened
        await self._server.start()
        self.world.api_url = self.url
        self.world.web_url = (
            self.url.removesuffix(self.prefix) if self.prefix else "https://github.com"
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(*self._redeliveries, return_exceptions=True)
        await self._server.close()
        self._handling.close()
        await self._stack.aclose()
        if error is None and self.unknown:
            message = f"calls or parameters came that the fake does not know: {self.unknown}"
            raise AssertionError(message)

    @property
    def url(self) -> str:
        """What GITHUB_API_URL is to be."""
        return f"http://127.0.0.1:{self._server.port}{self.prefix}"

    # --- What a test takes hold of

    def user(self, login: str) -> User:
        return self.world.user(login)

    def organization(self, login: str) -> User:
        return self.world.organization(login)

    def repository(
        self, full_name: str = "octo/hello", files: Files | None = None, *, private: bool = True
    ) -> Repository:
        """A repository; the second time, the same."""
        return self.world.repository(full_name, files, private=private)

    def pull(
        self,
        base: Files,
        head: Files,
        *,
        repository: str = "octo/hello",
        private: bool = True,
        **more: Any,
    ) -> PullRequest:
        """A pull request between two whole trees; the base is made the tip of ``main`` first."""
        repo = self.world.repositories.get(repository.lower())
        if repo is None:
            repo = self.repository(repository, base, private=private)
        else:
            repo.commit(None, base, "Before", whole=True)
        return repo.open_pull(head, whole=True, **more)

    @property
    def app(self) -> App:
        """The App under test."""
        return self.world.app()

    def install(self, *repositories: Repository, **more: Any) -> Installation:
        """Installs the App under test."""
        return self.world.install(self.app, *repositories, **more)

    def token(self, repository: Repository, permissions: dict[str, str] | None = None) -> Token:
        """A token of the App under test for a repository, installed there if need be."""
        found = self.world.installation_of(repository, self.app) or self.install(repository)
        granted = None if permissions is None else {"metadata": "read", **permissions}
        return self.world.installation_token(found, granted)

    def expire_tokens(self) -> None:
        """All tokens of installations are over now."""
        for token in self.world.tokens.values():
            if token.installation is not None:
                token.expires = self.clock.now() - 1  # it may stand still

    def fail(self, *faults: Fault) -> Fault:
        """Adds faults (see ``faults``); the first that takes a request decides."""
        self.faults.extend(faults)
        return faults[0]

    def called(self, method: str, path: str = "") -> list[Recorded]:
        """The requests of a method whose path contains ``path``."""
        return [one for one in self.requests if one.method == method and path in one.path]

    @property
    def refused(self) -> list[Recorded]:
        """The requests that were answered with an error, by a rule or by a fault."""
        return [one for one in self.requests if (one.status or 0) >= 400]

    def manifest_code(self, manifest: JSON, owner: str = "octo") -> str:
        """What comes back to ``redirect_url`` after a click on «Create GitHub App»."""
        return api_app.offer_manifest(self.world, manifest, self.user(owner))

    # --- Webhooks

    def delivery(self, event: str, action: str = "", **about: Any) -> Delivery:
        """A delivery for the App under test, not sent. ``about``: pull, comment, run, sender ..."""
        subject = about.get("pull") or about.get("run") or about.get("suite")
        if subject is None and "comment" in about:
            comment = about["comment"]
            subject = comment.issue if hasattr(comment, "issue") else comment.thread.pull
            about.setdefault("pull", subject)
        if subject is not None:
            about.setdefault("repo", subject.repo)
        about.setdefault("sender", self.user("octocat"))
        payload = webhooks.payload(self.world, self.app, event, action, about)
        return Delivery(self.app, event, payload)

    async def deliver(self, delivery: Delivery, to: str | None = None, **more: Any) -> Sent:
        """Sends a delivery to ``to``, or to where the App's webhook leads."""
        return await self.postman.send(delivery, to, **more)

    async def deliver_all(self, to: str | None = None) -> list[Sent]:
        """Sends what has happened since the last time, in its order."""
        return await self.postman.send_waiting(to)

    def redeliver(self, delivery: Delivery) -> None:
        task = asyncio.ensure_future(self.postman.send(delivery, redelivery=True))
        self._redeliveries.add(task)
        task.add_done_callback(self._redeliveries.discard)

    def _happened(self, event: str, action: str, about: dict[str, Any]) -> None:
        self.postman.waiting += webhooks.deliveries(self.world, event, action, about)

"""Clones of the repositories that the App reviews."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reviewbot.code.clones import CloneKey, Clones
from reviewbot.code.git_fetch import FetchError
from reviewbot.core.wording import count
from reviewbot.github.api.records import repository
from reviewbot.github.change.git_origin import origin_of
from reviewbot.github.client.errors import ForbiddenError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path
    from typing import Self

    from reviewbot.code.git_repository import GitRepository
    from reviewbot.github.api.gateway import Gateway
    from reviewbot.github.change.subject import Subject

AT_ONCE: Final = 8
"""Most fetches at once. An installation has at most as many as it may send requests at once."""
SWEEP_S: Final = 3600.0
"""Seconds between two searches for clones that nothing uses any more."""
FOLDER: Final = "clones"

log = logging.getLogger(__name__)


class AppClones:
    """The clones of the repositories that the App reviews. Use as an async context manager.

    Args:
        github: the gateway of the App.
        web_url: address of GitHub's pages.
        state_folder: folder whose subfolder :data:`FOLDER` has the clones.
        max_bytes: maximum size of all clones together; 0 keeps none.
    """

    def __init__(
        self, github: Gateway, web_url: str, state_folder: Path, *, max_bytes: int
    ) -> None:
        self._github, self._web_url = github, web_url
        self._stop = Event()
        # The state folder may be a link; what is within it may not.
        self.is_on = max_bytes > 0
        self._clones = Clones(state_folder.resolve() / FOLDER, max_bytes, self._stop)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="clones")
        parts = urlsplit(web_url)
        self._host = (parts.hostname or "") + (f"_{parts.port}" if parts.port else "")

    async def fetch(self, installation: int, subject: Subject) -> GitRepository:
        """Fetch the head and the merge base of a pull request into the clone of its repository.

        The token for it is new and may read this repository alone. An installation that gets no
        token, or whose token is refused, has lost its access: the clone is removed.

        Raises:
            GitHubError: GitHub gives no token, or its rate limit is used up.
            FetchError: the commits cannot be fetched.
            OSError: the folder of the clones cannot be used.
        """
        number = subject.pull.repository_id
        if number is None:
            raise FetchError("the id of the repository is not known")
        key = CloneKey(self._host, installation, number)
        try:
            access = await self._github.app.code_access(installation, number)
        except (ForbiddenError, InvalidError, NotFoundError):
            await self.remove(installation=installation, repositories=[number])
            raise
        name = access.full_name or subject.pull.repo
        repository(name)  # raises unless it is OWNER/REPO
        origin = origin_of(subject, f"{self._web_url}/{name}", access.token)
        work = partial(self._clones.fetch, key, origin, private=access.private)
        async with self._github.installation(installation).contents.fetching(name):
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def remove(
        self, *, installation: int | None = None, repositories: Collection[int] | None = None
    ) -> None:
        """Remove clones. Waits for fetches in progress.

        Args:
            installation: the installation; None removes the clones of all installations.
            repositories: ids of repositories; None removes the clones of all.

        Raises:
            FetchError: a clone could not be removed; a later call may succeed.
        """
        work = partial(
            self._clones.remove, self._host, account=installation, repositories=repositories
        )
        if removed := await asyncio.to_thread(work):
            log.info("removed %s", count(removed, "clone"))

    async def work(self) -> None:
        """Remove clones that nothing uses any more, each hour, until cancelled."""
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._clones.sweep)
            except Exception:
                log.exception("could not look for unused clones; retrying")
            await asyncio.sleep(SWEEP_S)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)

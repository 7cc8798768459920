"""Last step of the manifest flow: exchange GitHub's code for an App, and store the App."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import quote

from reviewbot.errors import ConfigError, ReviewbotError
from reviewbot.github.api.gateway import Gateway
from reviewbot.github.app.credentials import check_storable, store_app
from reviewbot.github.client.errors import (
    GitHubError,
    NotFoundError,
    UnavailableError,
    UncertainWriteError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from reviewbot.github.api.app import NewApp
    from reviewbot.github.app.credentials import AppConfig


class NotConvertedError(ReviewbotError):
    """The conversion failed. The message states reason and remedy, and never contains the code.

    ``status`` is the HTTP status of the response that shows the message.
    """

    def __init__(self, message: str, *, status: int) -> None:
        self.status = status
        super().__init__(message)


async def convert(code: str, state_folder: Path, api_url: str) -> tuple[NewApp, AppConfig]:
    """Create and store the App of a code. GitHub returns the App's key only once.

    ``code`` is from the query of GitHub's redirect.

    Raises:
        NotConvertedError: GitHub does not accept the code, or the App cannot be stored.
    """
    try:
        await asyncio.to_thread(check_storable, state_folder)
        async with Gateway(None, base_url=api_url) as gateway:
            new = await gateway.new_app(code)
    except ConfigError as error:
        raise NotConvertedError(f"{error}.", status=500) from error
    except GitHubError as error:
        raise _refused(error, code, api_url) from error
    try:
        return new, await asyncio.to_thread(store_app, new, state_folder, api_url)
    except ConfigError as error:
        raise NotConvertedError(
            f"GitHub created the App {new.slug}, but its key was lost: {error}. Delete the App in"
            " its settings on GitHub.",
            status=500,
        ) from error


def _refused(error: GitHubError, code: str, api_url: str) -> NotConvertedError:
    match error:
        case NotFoundError():
            return NotConvertedError(
                "GitHub does not know this code: a code is valid once, for one hour. Delete the"
                " App in its settings on GitHub if one was created, and start again.",
                status=400,
            )
        case UncertainWriteError():
            return NotConvertedError(
                "GitHub's response was lost, and the key of the App with it. Delete the App in its"
                " settings on GitHub, and start again.",
                status=502,
            )
        case UnavailableError():
            return NotConvertedError(
                f"{api_url} does not answer this server. Reload this page once it does; the code"
                " in its address is valid for one hour.",
                status=502,
            )
        case _:
            said = str(error).replace(quote(code, safe=""), "CODE")
            return NotConvertedError(f"{said}.", status=502)

"""Configuration and attributes of a pull request, from the base, which it cannot change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from reviewbot.code.git_repository import ATTRIBUTES_LIMIT
from reviewbot.config.load import MOST_BYTES, ambiguous_file_error, text_of
from reviewbot.config.settings import CONFIG_NAMES
from reviewbot.errors import ConfigError
from reviewbot.github.client.errors import NotFoundError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.pulls import Side

ATTRIBUTES: Final = ".gitattributes"


@dataclass(frozen=True, slots=True)
class BaseFiles:
    """Files of the base branch.

    Attributes:
        config: display name of the configuration, such as ``.reviewbot.yml of main``, and its text.
        attributes: the ``.gitattributes`` at the root; empty if missing.
        notices: sentences for the report.
        branch: name of the base branch.
        commit: the commit of the files.
    """

    config: tuple[str, str] | None
    attributes: str
    notices: tuple[str, ...] = ()
    branch: str = field(default="", compare=False)
    commit: str = field(default="", compare=False)


async def base_files(
    api: Api,
    repo: str,
    base: Side,
    *,
    config_names: Sequence[str] = CONFIG_NAMES,
) -> BaseFiles:
    """Read the files at the root of the base branch, at its current commit.

    GitHub's base commit of a pull request can be outdated, and may lack a repaired or stricter
    configuration. That commit is used only if the branch was deleted, as after a merge.

    ``repo`` is the repository of the base (``OWNER/REPO``), never that of the head.
    ``config_names`` are the possible paths of the configuration; empty to read none.

    Raises:
        ConfigError: there are two configurations, or the configuration is too large or not text.
        GitHubError: GitHub refuses, or does not respond.
    """
    branch, tip = base.ref, await base_tip(api, repo, base)
    config = await _config(api, repo, tip, branch, config_names)
    try:
        data = await api.contents.file(repo, ATTRIBUTES, tip, max_bytes=ATTRIBUTES_LIMIT)
    except TooLargeError:
        notice = f"{ATTRIBUTES} of {branch} has more than {ATTRIBUTES_LIMIT:,} bytes: not read."
        return BaseFiles(config, "", (notice,), branch, tip)
    attributes = (data or b"").decode("utf-8", "replace")
    return BaseFiles(config, attributes, branch=branch, commit=tip)


async def config_at(
    api: Api, repo: str, ref: str, *, config_names: Sequence[str] = CONFIG_NAMES
) -> tuple[str, str] | None:
    """Return name and text of the first configuration of a branch, with few requests.

    ``ref`` is the branch, as ``refs/heads/NAME``.

    Raises:
        ConfigError: the configuration is too large or not text.
        GitHubError: GitHub refuses, or does not respond.
    """
    for name in config_names:
        found = await _config(api, repo, ref, ref.removeprefix("refs/heads/"), (name,))
        if found is not None:
            return found
    return None


async def base_tip(api: Api, repo: str, base: Side) -> str:
    """Return the current commit of the base branch."""
    try:
        return await api.contents.tip(repo, base.ref)
    except NotFoundError:  # the branch was deleted, as after a merge
        return base.sha


async def _config(
    api: Api, repo: str, tip: str, branch: str, names: Sequence[str]
) -> tuple[str, str] | None:
    there: list[tuple[str, bytes]] = []
    for file in names:
        name = f"{file} of {branch}"
        try:
            data = await api.contents.file(repo, file, tip, max_bytes=MOST_BYTES)
        except TooLargeError:
            raise ConfigError(f"is larger than {MOST_BYTES} bytes", source=name) from None
        if data is not None:
            there.append((name, data))
    if len(there) > 1:
        raise ambiguous_file_error(there[0][0])
    return next(((name, text_of(data, name)) for name, data in there), None)

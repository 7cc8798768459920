"""``reviewbot review --pr``: the diff of a pull request, and the settings of its base."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from reviewbot.cli.github_access import access, fetch
from reviewbot.config.load import dotenv_of, read_settings
from reviewbot.config.settings import CONFIG_NAMES, load_settings
from reviewbot.config.variables import GITHUB_ADDRESS, TOKENS
from reviewbot.core.diff.parse import parse_diff
from reviewbot.errors import ConfigError
from reviewbot.github.api.gateway import API_URL
from reviewbot.github.change.base_files import BaseFiles, base_files
from reviewbot.github.change.base_guidelines import base_guidelines
from reviewbot.github.change.base_rules import base_rules
from reviewbot.github.change.compare import ContentSource
from reviewbot.github.change.fetch import Change, get_change
from reviewbot.github.change.head_config import head_config
from reviewbot.github.change.head_files import changed_files
from reviewbot.github.identity import PullName
from reviewbot.pipeline.diff_context import with_context
from reviewbot.pipeline.run_context import RunContext
from reviewbot.pipeline.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reviewbot.cli.waiting import WaitIndicator
    from reviewbot.config.settings import Settings
    from reviewbot.github.api.gateway import Api

_NAME: Final = re.compile(r"([^/#\s]+/[^/#\s]+)#([1-9][0-9]{0,9})")
_PAGE: Final = re.compile(
    r"https?://([^/@\s]+)/([^/\s]+/[^/\s]+)/pull/([1-9][0-9]{0,9})(?:[/?#].*)?"
)


def load_pull_request(
    text: str,
    flags: Mapping[str, object],
    *,
    config: Path | None,
    context: bool,
    then: Callable[[Settings], None] | None,
) -> tuple[Settings, Source]:
    """Return the settings and the source for ``--pr``.

    Args:
        text: ``OWNER/REPO#N``, or the address of the pull request's page.
        flags: as for :func:`reviewbot.config.settings.load_settings`.
        config: the configuration file that the user named; None uses the file of the base.
        context: whether to add the context that the settings configure, and the base's own rules.
        then: function that gets the settings before the context is fetched.

    Raises:
        ConfigError: a setting is invalid, or ``text`` does not name a pull request.
        SourceError: the pull request does not exist.
        GitHubError: GitHub refuses a request, or does not respond.
    """
    named = read_settings(flags, config=config) if config is not None else None
    dotenv = dotenv_of(Path.cwd(), None)
    address, token = access()
    pull = pull_name(text, address)

    def load(config: tuple[str, str] | None) -> Settings:
        if named is not None:
            return named
        name, content = config or (CONFIG_NAMES[0], None)
        return load_settings(
            flags=flags, env=os.environ, dotenv=dotenv, config_text=content, config_name=name
        )

    async def read(api: Api, waiting: WaitIndicator) -> tuple[Settings, Source]:
        names = CONFIG_NAMES if named is None else ()
        change = await get_change(api, pull.repo, pull.number, report=waiting.report)
        waiting.report("the configuration of its base")
        base = await base_files(api, pull.repo, change.pull.base, config_names=names)
        custom = await base_rules(api, pull.repo, base) if context else ()
        settings, source = load(base.config), _source(change, base)
        if then is not None:
            then(settings)
        if context:
            files = parse_diff(change.diff)
            selected = await base_guidelines(api, pull.repo, base, files, settings)
            head = change.pull.head.sha
            mistakes = await head_config(api, pull.repo, head, files, CONFIG_NAMES)
            place = ContentSource(api, pull.repo, change.merge_base, head)
            source = replace(
                source,
                code=changed_files(place, report=waiting.report),
                context=RunContext(
                    custom_rules=custom, guidelines=selected, config_findings=mistakes
                ),
            )
            # The session with GitHub ends before the review starts.
            source = replace(await with_context(source, settings), code=None)
        return settings, source

    return asyncio.run(fetch(str(pull), address, token, read))


def _source(change: Change, base: BaseFiles) -> Source:
    return Source(
        change.diff,
        attributes=base.attributes,
        notices=(*change.notices, *base.notices),
        missing=change.missing,
        title=change.pull.title,
        description=change.pull.body,
    )


def pull_name(text: str, address: str) -> PullName:
    """Return the pull request that ``text`` names.

    Args:
        text: ``OWNER/REPO#N``, or the address of its page.
        address: address of the API to use. A page of another GitHub is refused, because a pasted
            address must not decide where the token is sent.

    Raises:
        ConfigError: ``text`` does not name a pull request, or names one of another GitHub.
    """
    if found := _NAME.fullmatch(text):
        return PullName(found[1], int(found[2]))
    page = _PAGE.fullmatch(text)
    if page is None:
        raise ConfigError(
            f"{text[:200]!r} is not a pull request; give OWNER/REPO#NUMBER, or the address of its"
            " page, such as https://github.com/OWNER/REPO/pull/NUMBER",
            source="--pr",
        )
    host, ours = page[1].lower(), _host(address)
    if host != ours:
        other = API_URL if host == _host(API_URL) else f"https://{host}/api/v3"
        raise ConfigError(
            f"{host} is not {ours}, the configured GitHub; for another one set"
            f" {GITHUB_ADDRESS}={other} and {TOKENS[0]}",
            source="--pr",
        )
    return PullName(page[2], int(page[3]))


def _host(address: str) -> str:
    """Return the host of the pages of an API; an Enterprise Server has one host for both."""
    parts = urlsplit(address)
    return (
        parts.netloc.lower() if parts.path.strip("/") else parts.netloc.lower().removeprefix("api.")
    )

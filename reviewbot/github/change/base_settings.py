"""Read what the base decides about a review: its configuration, its rules and its attributes.

If the configuration or a rule of the base is invalid, what it excludes, its model or its budget may
be what is wrong. Then no model is asked, only the built-in rules and the linters read, the review
is incomplete, and its findings are listed instead of posted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reviewbot.config.settings import by_rules_alone
from reviewbot.core.events.events import RulesOnly
from reviewbot.errors import ConfigError
from reviewbot.github.change.base_files import base_files
from reviewbot.github.change.base_rules import base_rules
from reviewbot.pipeline.config_check import check_settings
from reviewbot.pipeline.run_context import RunContext

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.config.settings import Settings
    from reviewbot.github.api.gateway import Api
    from reviewbot.github.api.pulls import Side
    from reviewbot.github.change.base_files import BaseFiles
    from reviewbot.models.offline.parser import Parser

INVALID: Final = (
    "The configuration of the base is invalid, so no model was asked and only secrets get comments;"
    " correct it on {branch}: {error}"
)


@dataclass(frozen=True, slots=True)
class BaseSettings:
    """The files of a base, the settings of a review, and its context with the rules of the base."""

    files: BaseFiles
    settings: Settings
    context: RunContext

    @property
    def is_valid(self) -> bool:
        """False if the configuration or a rule of the base is invalid."""
        return self.context.rules_only is None


async def base_settings(
    api: Api,
    repo: str,
    base: Side,
    load: Callable[[tuple[str, str] | None], Settings],
    *,
    names: Sequence[str],
    parser: Parser | None = None,
) -> BaseSettings:
    """Return what the base decides about a review.

    Args:
        api: GitHub.
        repo: the repository of the base (``OWNER/REPO``), never that of the head.
        base: the base of the pull request.
        load: resolves the configuration file (name and text, if any) to settings. If the base is
            invalid, it is called without the file.
        names: possible paths of the configuration.
        parser: parser that runs the cases of rules; None starts a separate process.

    Raises:
        ConfigError: a setting is invalid that is not of the base.
        GitHubError: GitHub refuses, or does not respond.
    """
    context = RunContext(heed_added_suppressions=False)
    try:
        files = await base_files(api, repo, base, config_names=names)
        custom = await base_rules(api, repo, files, parser)
        settings = load(files.config)
        check_settings(settings)
    except ConfigError as error:
        settings = load(None)
        check_settings(settings)  # raises an error that is not of the base
        files = await base_files(api, repo, base, config_names=())
        reason = INVALID.format(branch=base.ref, error=error)
        return BaseSettings(
            files,
            replace(by_rules_alone(settings), if_incomplete="failure"),
            replace(context, rules_only=RulesOnly(reason, is_incomplete=True)),
        )
    return BaseSettings(files, settings, replace(context, custom_rules=custom))

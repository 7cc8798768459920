"""The gitignore patterns of the settings: compiled for use, and checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reviewbot.core.plan.languages import LANGUAGES, language_of
from reviewbot.core.plan.policy import Policy, git_attributes, path_patterns
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reviewbot.config.settings import Settings


def policy_of(settings: Settings, attributes: str) -> Policy:
    """Return the policy that skips files.

    ``attributes`` is the text of the base's ``.gitattributes``.

    Raises:
        ConfigError: a pattern is invalid.
    """
    return Policy(
        configured=patterns_of(settings.exclude, key="exclude"),
        attributes=git_attributes(attributes),
    )


def accepted_unread(settings: Settings) -> Callable[[str, bool], bool]:
    """Return whether an unread file is accepted, by its path and whether the policy left it unread.

    An entry that is the name of a language means its files; others are gitignore patterns. Only
    patterns accept files that the policy leaves unread: for those, the reason is not the language.

    Raises:
        ConfigError: a pattern is invalid.
    """
    names = {one for one in settings.accept_unread if one in LANGUAGES}
    rest = [one for one in settings.accept_unread if one not in names]
    matches = patterns_of(rest, key="accept_unread")

    def accepts(path: str, by_policy: bool) -> bool:
        return matches(path) is True or (not by_policy and language_of(path) in names)

    return accepts


def patterns_of(
    patterns: Sequence[str], *, key: str, source: str | None = None
) -> Callable[[str], bool | None]:
    """Return the matcher of the gitignore patterns of a setting; see :func:`path_patterns`.

    Raises:
        ConfigError: a pattern is invalid.
    """
    try:
        return path_patterns(patterns)
    except ValueError as error:
        raise ConfigError(str(error), key=key, source=source) from error


def check_patterns(settings: Settings) -> None:
    """Check that every pattern of the settings is valid.

    Raises:
        ConfigError: a pattern is invalid. The error names the setting.
    """
    patterns_of(settings.exclude, key="exclude")
    accepted_unread(settings)
    check_path_rules(settings)
    for instruction in settings.path_instructions:
        patterns_of(instruction.paths, key="path_instructions")
    for route in settings.routes:
        patterns_of(route.paths or (), key=f"{route.name}.paths", source=route.source)


def check_path_rules(settings: Settings) -> None:
    """Check that every pattern of ``path_rules`` is valid.

    Raises:
        ConfigError: a pattern is invalid.
    """
    for one in settings.path_rules:
        patterns_of(one.paths, key="path_rules")

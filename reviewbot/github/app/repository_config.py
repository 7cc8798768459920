"""Configuration file of a repository: the settings that the App accepts. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reviewbot.config.file import parse_config
from reviewbot.core.render.markdown_text import literal
from reviewbot.errors import ConfigError
from reviewbot.github.commands.config import settings_table
from reviewbot.jobs.options import settings_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reviewbot.config.settings import Settings

FROM_THE_BASE: Final = (
    "summary",
    "instructions",
    "path_instructions",
    "exclude",
    "accept_unread",
    "linters",
    "guidelines",
    "rules",
    "path_rules",
    "confidence",
)
"""Settings that the App accepts from a repository's own file. The operator of the server pays, and
so decides on models and budgets."""
_PUBLISHING: Final = (
    *("fail_on", "if_incomplete", "link_hosts", "max_inline", "max_notes", "rounds"),
)
"""Settings that decide how findings are published."""
_OPERATORS: Final = (
    *("model", "fallback_models", "routes", "ab_split", "budget_usd", "models"),
    *("context_lines", "chunk_tokens", "batch_tokens", "verify", "verify_model"),
    *("cross_file", "examples", "reuse_similarity"),
)


class RepositoryConfig:
    """Configuration file of a base: its accepted and its ignored settings."""

    def __init__(self, load: Callable[[Mapping[str, object]], Settings]) -> None:
        self._load = load
        self.options: dict[str, Any] = {}
        self.unheeded: tuple[str, ...] = ()
        self._keys: set[str] = set()

    def settings(self, config: tuple[str, str] | None) -> Settings:
        """Return the settings of a review with this file.

        Raises:
            ConfigError: the file is wrong; names the line.
        """
        # The defaults of the App, whatever the operator sets for other reviews.
        self.options, self.unheeded, self._keys = {}, (), set()
        publishing: dict[str, Any] = {"fail_on": "error", "if_incomplete": "failure"}
        if config is not None:
            name, text = config
            values = parse_config(text, name=name, trusted=False).values
            heeded = {*FROM_THE_BASE, *_PUBLISHING}
            self._keys = heeded & values.keys()
            self.options = {key: values[key] for key in FROM_THE_BASE if key in values}
            if "lookups" in values:  # look-ups cost the operator: a repository may only lower them
                self._keys.add("lookups")
                most = settings_for(self._load, {}).lookups
                self.options["lookups"] = min(int(values["lookups"]), most)
            if values.get("replies") is False:  # answers cost the operator, too
                publishing["replies"] = False
            self._keys |= {"replies"} & publishing.keys()
            publishing |= {key: values[key] for key in _PUBLISHING if key in values}
            self.unheeded = tuple(key for key in _OPERATORS if key in values)
        if "link_hosts" in publishing:
            publishing["link_hosts"] = tuple(publishing["link_hosts"])
        return replace(settings_for(self._load, self.options), **publishing)

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences about ignored keys of the file."""
        if not self.unheeded:
            return ()
        names = ", ".join(self.unheeded)
        return (f"Ignored in the repository's file, because the server sets it: {names}.",)

    def describe(self, config: tuple[str, str] | None) -> tuple[str, Settings | None]:
        """Return the effective settings of a file and their origins as Markdown, and the settings.

        The settings are None if the file cannot be used.
        """
        try:
            settings = self.settings(config)
        except ConfigError as error:
            return f"The configuration cannot be used: {literal(str(error))}", None
        file = config[0] if config else ""
        table = settings_table(
            settings,
            origin=lambda name: file if name in self._keys else _of_server(settings, name),
        )
        return "\n\n".join((table, *map(literal, self.notices))), settings


def _of_server(settings: Settings, name: str) -> str:
    if name in ("fail_on", "if_incomplete"):  # the App has its own defaults
        return "the default"
    if name == "model" and name not in settings.origins:
        return f"the server: {settings.model_source}"
    return "the server" if name in settings.origins else "the default"

"""The frozen settings: flag, then environment, then ``.env``, then file, then default. Pure.

The user's key must never reach a server that someone else chose. Files in the working folder may
come from anyone, so these rules limit the addresses that receive a key:

* A ``.reviewbot.yml`` found in the repository may not set an address, the name of a key's variable,
  or a price (:data:`reviewbot.config.file.USER_ONLY`). A file that the user names may.
* An address from a ``.env`` file is never used together with a key from the real environment.
* A ``.env`` file may set only a closed list of variables (:mod:`reviewbot.config.variables`).
* A model with a separate address gets the key of its ``api_key_env``, or no key.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from reviewbot.config.layers import FILE_LAYER, LayeredSettings
from reviewbot.config.model_choice import API_KEY, OFFLINE, ModelChoice, SecretText
from reviewbot.config.routes import (
    RouteSettings,
    SplitSettings,
    read_routes,
    read_split,
)
from reviewbot.config.variables import (
    ignored,
)
from reviewbot.core.findings.levels import PathRules
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from reviewbot.config.file import ConfigFile

__all__ = [
    "API_KEY",
    "OFFLINE",
    "ModelChoice",
    "PathInstruction",
    "SecretText",
    "Settings",
    "TimeoutSettings",
    "load_settings",
]

DEFAULT_MODEL: Final = "claude-sonnet-5-5"
CONFIG_NAMES: Final = (".reviewbot.yml", ".reviewbot.yaml")

FailOn = Literal["error", "warning", "note", "never"]
IfIncomplete = Literal["failure", "neutral"]
Rounds = Literal["normal", "strict", "off"]
RuleLevel = Literal["off", "error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class PathInstruction:
    """Instructions for the paths that one of the gitignore patterns matches."""

    paths: tuple[str, ...]
    instructions: str


@dataclass(frozen=True, slots=True)
class TimeoutSettings:
    """Timeouts of a model request, in seconds."""

    first_content_s: float = 300.0
    idle_s: float = 60.0
    total_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. The published schema and docs/configuration.md describe each setting.

    Attributes:
        model_source: reason for this model, in words that complete "reviewed by X: ...".
        origins: origin of each setting that is not the default, by name.
        notices: sentences about settings that are set but not in force.
        ignored: sentences about variables that a ``.env`` file may not set.
    """

    model: ModelChoice
    model_source: str
    fallback_models: tuple[ModelChoice, ...] = ()
    routes: tuple[RouteSettings, ...] = ()
    ab_split: SplitSettings | None = None
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    jobs: int = 8
    budget_usd: float | None = None
    fail_on: FailOn = "error"
    if_incomplete: IfIncomplete = "failure"
    summary: bool = True
    instructions: str = ""
    path_instructions: tuple[PathInstruction, ...] = ()
    exclude: tuple[str, ...] = ()
    accept_unread: tuple[str, ...] = ()
    linters: bool = True
    verify: bool = False
    verify_model: ModelChoice | None = None
    lookups: int = 16
    cross_file: bool = False
    examples: int | None = None
    guidelines: bool = True
    rules: Mapping[str, RuleLevel] = field(default_factory=dict)
    path_rules: tuple[PathRules, ...] = ()
    confidence: float = 0.0
    max_notes: int = 0
    max_inline: int = 10
    rounds: Rounds = "normal"
    replies: bool = True
    link_hosts: tuple[str, ...] = ("github.com",)
    context_lines: int = 10
    chunk_tokens: int | None = None
    batch_tokens: int | None = None
    reuse_similarity: float = 0.8
    max_attempts: int = 3
    retry_after_cap_s: float = 120.0
    timeouts: TimeoutSettings = TimeoutSettings()
    state_dir: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    def chains(self) -> Iterator[tuple[str, tuple[ModelChoice, ...]]]:
        """Yield each setting that names models, with its models, best first."""
        yield "model", (self.model, *self.fallback_models)
        others: list[RouteSettings | SplitSettings] = [*self.routes]
        others += [self.ab_split] if self.ab_split else []
        for one in others:
            own = one.fallback_models
            yield one.name, (one.model, *(self.fallback_models if own is None else own))
        if self.verify_model is not None:
            yield "verify_model", (self.verify_model,)

    @property
    def choices(self) -> tuple[ModelChoice, ...]:
        """Every model that may be used, without duplicates; the model of ``model`` first."""
        return tuple(dict.fromkeys(one for _, chain in self.chains() for one in chain))

    @property
    def state_folder(self) -> Path:
        """Folder for data kept between reviews; by default the folder of the platform."""
        if self.state_dir is not None:
            return self.state_dir
        from platformdirs import user_state_path

        return user_state_path("reviewbot", appauthor=False)


def load_settings(
    *,
    flags: Mapping[str, object],
    env: Mapping[str, str],
    dotenv: Mapping[str, str] = MappingProxyType({}),
    config_text: str | None = None,
    config_name: str = CONFIG_NAMES[0],
    config_trusted: bool = False,
    custom_ids: Collection[str] | None = None,
    flag_prefix: str = "--",
) -> Settings:
    """Return the settings from all layers. Pure.

    Args:
        flags: checked flags, by the name of the setting; None and an empty text mean "not given".
        env: the real environment. An empty variable counts as not set.
        dotenv: variables of a ``.env`` file.
        config_text: YAML of the configuration file; None without a file.
        config_name: name of the file in messages.
        config_trusted: whether the user named the file.
        custom_ids: ids of the repository's own rules; None if they are not known.
        flag_prefix: prefix of flags in messages.

    Raises:
        ConfigError: a value is invalid, or would send a key to an untrusted address.
    """
    found = LayeredSettings(
        flags,
        env,
        dotenv,
        _parse(config_text, config_name, trusted=config_trusted, custom_ids=custom_ids),
    )
    found.flag_prefix = flag_prefix
    key, key_origin = found.variable(API_KEY)
    if name := found.get("model"):
        source = f"set by {found.origins['model']}"
    elif key:
        name, source = DEFAULT_MODEL, f"the default, since {key_origin} is set"
    else:
        name, source = OFFLINE, f"no {API_KEY} is set, so the offline rules review"
    state_dir, verifier = found.get("state_dir"), found.get("verify_model")
    values: dict[str, Any] = {
        "model": found.choice(name),
        "model_source": source,
        "fallback_models": tuple(map(found.choice, found.get("fallback_models") or ())),
        "verify_model": found.choice(verifier) if verifier else None,
        "state_dir": None if state_dir is None else _folder(state_dir, found.origins["state_dir"]),
    }
    for key_name, convert in _CONVERT.items():
        value = found.get(key_name)
        if value is not None:
            values[key_name] = convert(value)
    notices = tuple(_routing(found, values))
    return Settings(
        **values,
        origins=found.origins,
        notices=notices,
        ignored=tuple(ignored(dotenv, found.keys)),
    )


def by_rules_alone(settings: Settings) -> Settings:
    """Return settings with which the rules and the linters review, and no model is asked."""
    return replace(
        settings,
        model=ModelChoice(OFFLINE),
        model_source="rules and linters alone review",
        fallback_models=(),
        routes=(),
        ab_split=None,
        verify=False,
        verify_model=None,
        lookups=0,
        cross_file=False,
        guidelines=False,
        origins={**settings.origins, "model": "reviewbot"},
    )


def _routing(found: LayeredSettings, values: dict[str, Any]) -> Iterator[str]:
    """Read the routes and the split into ``values``; yield notices if they are not in force.

    A model that is set in a higher layer than the routes, such as the command line or the
    environment, reviews all files.
    """
    for key, read in (("routes", read_routes), ("ab_split", read_split)):
        value = found.get(key)
        if value is None:
            continue
        where = found.origins[key]
        if found.layers.get("model", FILE_LAYER) < found.layers[key]:
            del found.origins[key]
            yield (
                f"{key}, set by {where}, has no effect: the model is set by"
                f" {found.origins['model']} and reviews all files."
            )
        else:
            values[key] = read(value, found.choice, found.place(key))


def _folder(text: str, origin: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{text!r} begins with ~ and an unknown user", source=origin) from error


def _path_instructions(items: Any) -> tuple[PathInstruction, ...]:  # noqa: ANN401  as the schema says
    return tuple(PathInstruction(tuple(item["paths"]), item["instructions"]) for item in items)


def _path_rules(items: Any) -> tuple[PathRules, ...]:  # noqa: ANN401  as the schema says
    return tuple(PathRules(tuple(item["paths"]), dict(item["rules"])) for item in items)


def _timeouts(values: Mapping[str, float]) -> TimeoutSettings:
    return TimeoutSettings(**{key: float(value) for key, value in values.items()})


# JSON Schema accepts 8.0 as an integer and 60 as a number; these convert to the declared type.
_CONVERT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "models": dict,
        "jobs": int,
        "budget_usd": float,
        "fail_on": str,
        "if_incomplete": str,
        "summary": bool,
        "instructions": str,
        "path_instructions": _path_instructions,
        "exclude": tuple,
        "accept_unread": tuple,
        "linters": bool,
        "verify": bool,
        "lookups": int,
        "cross_file": bool,
        "examples": int,
        "guidelines": bool,
        "rules": dict,
        "path_rules": _path_rules,
        "confidence": float,
        "max_notes": int,
        "max_inline": int,
        "rounds": str,
        "replies": bool,
        "link_hosts": tuple,
        "context_lines": int,
        "chunk_tokens": int,
        "batch_tokens": int,
        "reuse_similarity": float,
        "max_attempts": int,
        "retry_after_cap_s": float,
        "timeouts": _timeouts,
    }
)


def _parse(
    text: str | None, name: str, *, trusted: bool, custom_ids: Collection[str] | None
) -> ConfigFile | None:
    if text is None:
        return None
    from reviewbot.config.file import parse_config

    return parse_config(text, name=name, trusted=trusted, custom_ids=custom_ids)

"""The frozen settings: flag, then environment, then file, then default. Pure.

Where a key may go. The user's key must never reach a server that someone else chose, and the files
of the folder that reviewbot runs in may come from anyone:

* a ``.reviewbot.yml`` found in the repository may not set an address, the name of a key's variable,
  or a price (:data:`reviewbot.config_file.USER_ONLY`); one that the user names may;
* an address from a ``.env`` file is never used together with a key from the real environment;
* a fallback model with an address of its own gets the key of its ``api_key_env`` or none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reviewbot.config_file import ConfigFile

DEFAULT_MODEL: Final = "claude-sonnet-5-5"
OFFLINE: Final = "offline"
CONFIG_NAMES: Final = (".reviewbot.yml", ".reviewbot.yaml")
DOTENV_NAME: Final = ".env"
API_KEY: Final = "ANTHROPIC_API_KEY"
BASE_URL: Final = "ANTHROPIC_BASE_URL"

VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "model": "REVIEWBOT_MODEL",
        "fallback_models": "REVIEWBOT_FALLBACK_MODELS",
        "base_url": BASE_URL,
        "state_dir": "REVIEWBOT_STATE_DIR",
    }
)
"""Settings that the environment can hold, and in which variable."""

FailOn = Literal["error", "warning", "note", "never"]
RuleLevel = Literal["off", "error", "warning", "note"]


class Secret:
    """A text that neither ``repr``, ``str``, a traceback nor a dataclass shows by accident."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model and where it lives.

    Attributes:
        name: the name that its server knows, or ``offline``.
        base_url: its server; None is Anthropic's own.
        api_key: its key, if one was found.
        api_key_env: the variable where the key was looked for; None where it needs none.
    """

    name: str
    base_url: str | None = None
    api_key: Secret | None = None
    api_key_env: str | None = None

    @property
    def problem(self) -> str | None:
        """Why it cannot be asked, in a sentence, or None. One's own server may need no key."""
        if self.name == OFFLINE or self.api_key is not None:
            return None
        if self.base_url is not None and self.api_key_env in (None, API_KEY):
            return None
        return f"{self.name} needs a key: set {self.api_key_env}, or review with --model {OFFLINE}"


@dataclass(frozen=True, slots=True)
class PathInstruction:
    """Instructions for the paths that one of the gitignore patterns matches."""

    paths: tuple[str, ...]
    instructions: str


@dataclass(frozen=True, slots=True)
class Timeouts:
    """When a request is given up, in seconds."""

    first_content_s: float = 300.0
    idle_s: float = 60.0
    total_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. The published schema and docs/configuration.md describe each.

    Attributes:
        model_source: why this model reviews, in words that complete "reviewed by X: ...".
        origins: where each setting that is not the default came from, by its name.
    """

    model: ModelChoice
    model_source: str
    fallback_models: tuple[ModelChoice, ...] = ()
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    jobs: int = 8
    budget_usd: float | None = None
    fail_on: FailOn = "error"
    summary: bool = True
    instructions: str = ""
    path_instructions: tuple[PathInstruction, ...] = ()
    exclude: tuple[str, ...] = ()
    rules: Mapping[str, RuleLevel] = field(default_factory=dict)
    confidence: float = 0.7
    max_notes: int = 5
    link_hosts: tuple[str, ...] = ("github.com",)
    chunk_tokens: int | None = None
    batch_tokens: int | None = None
    max_attempts: int = 3
    retry_after_cap_s: float = 120.0
    timeouts: Timeouts = Timeouts()
    state_dir: Path | None = None
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def state_folder(self) -> Path:
        """The folder for what is kept between reviews; the platform's unless it was set."""
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
) -> Settings:
    """Puts the settings together. Pure.

    Args:
        flags: by the name of the setting, checked by argparse already; None and an empty text are
            "not given".
        env: the real environment. An empty variable counts as not set.
        dotenv: the variables of a ``.env`` file.
        config_text: the YAML of the configuration file, if there is one.
        config_name: how messages call that file.
        config_trusted: whether the user named that file, rather than it being found.

    Raises:
        ConfigError: a value is wrong, or would send a key where it does not belong.
    """
    found = _Found(flags, env, dotenv, _parse(config_text, config_name, trusted=config_trusted))
    key, _ = found.variable(API_KEY)
    if name := found.get("model"):
        source = f"set by {found.origins['model']}"
    elif key:
        name, source = DEFAULT_MODEL, f"the default, since {API_KEY} is set"
    else:
        name, source = OFFLINE, f"no {API_KEY} is set, so the offline rules review"
    state_dir = found.get("state_dir")
    values: dict[str, Any] = {
        "model": found.choice(name),
        "model_source": source,
        "fallback_models": tuple(map(found.choice, found.get("fallback_models") or ())),
        "state_dir": None if state_dir is None else _folder(state_dir, found.origins["state_dir"]),
    }
    for key_name, convert in _CONVERT.items():
        value = found.get(key_name)
        if value is not None:
            values[key_name] = convert(value)
    return Settings(**values, origins=found.origins)


class _Found:
    """Looks a setting up in its layers, and notes where it came from."""

    def __init__(
        self,
        flags: Mapping[str, object],
        env: Mapping[str, str],
        dotenv: Mapping[str, str],
        config: ConfigFile | None,
    ) -> None:
        self.flags, self.env, self.dotenv, self.config = flags, env, dotenv, config
        self.origins: dict[str, str] = {}

    def variable(self, name: str) -> tuple[str | None, str]:
        """A variable and where it is from: the real environment goes before ``.env``."""
        for variables, origin in ((self.env, name), (self.dotenv, f"{name} in {DOTENV_NAME}")):
            if text := variables.get(name, "").strip():
                return text, origin
        return None, name

    def get(self, key: str) -> Any:  # noqa: ANN401  each setting has its own type
        """The value of a setting, or None where no layer has it."""
        value: Any = self.flags.get(key)
        origin = f"--{key.replace('_', '-')}"
        if value in (None, "") and key in VARIABLES:
            value, origin = self.variable(VARIABLES[key])
            if value is not None and key == "fallback_models":
                value = [name.strip() for name in value.split(",") if name.strip()]
        if value is None and self.config is not None:
            value = self.config.values.get(key)
            origin = f"{self.config.name}:{self.config.lines.get((key,), 1)}"
        if value is not None:
            self.origins[key] = origin
        return value

    def choice(self, model: str | Mapping[str, str]) -> ModelChoice:
        """A model with the address and the key that belong to it, and no other key."""
        if isinstance(model, str):
            model = {"name": model}
        name, own_url = model["name"], model.get("base_url")
        if name == OFFLINE:
            return ModelChoice(OFFLINE)
        key_env = model.get("api_key_env") or (None if own_url else API_KEY)
        key, key_origin = self.variable(key_env) if key_env else (None, "")
        base_url = own_url or self.get("base_url")
        if base_url is not None and not own_url:
            origin = self.origins["base_url"]
            if not is_web_address(base_url):
                raise ConfigError(
                    "must be an http or https address without user name", source=origin
                )
            if key and origin.endswith(DOTENV_NAME) and not key_origin.endswith(DOTENV_NAME):
                raise ConfigError(
                    f"this address would receive the {key_env} of your environment, but whoever"
                    f" wrote the {DOTENV_NAME} file chose it; set both in the environment, or both"
                    f" in {DOTENV_NAME}",
                    source=origin,
                )
        return ModelChoice(name, base_url, Secret(key) if key else None, key_env)


def is_web_address(text: str) -> bool:
    """Whether it is an http or https URL with a host and without credentials in it."""
    scheme, separator, rest = text.partition("://")
    host = rest.partition("/")[0]
    plain = not any(character.isspace() for character in text)
    return scheme in ("http", "https") and bool(separator and host) and "@" not in host and plain


def _folder(text: str, origin: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{text!r} begins with ~ and no known user", source=origin) from error


def _strings(items: Any) -> tuple[str, ...]:  # noqa: ANN401  a list of strings, by the schema
    return tuple(items)


def _path_instructions(items: Any) -> tuple[PathInstruction, ...]:  # noqa: ANN401  as the schema says
    return tuple(PathInstruction(tuple(item["paths"]), item["instructions"]) for item in items)


def _timeouts(values: Mapping[str, float]) -> Timeouts:
    return Timeouts(**{key: float(value) for key, value in values.items()})


# JSON Schema takes 8.0 for a whole number and 60 for a number; these make them what they are for.
_CONVERT: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "models": dict,
        "jobs": int,
        "budget_usd": float,
        "fail_on": str,
        "summary": bool,
        "instructions": str,
        "path_instructions": _path_instructions,
        "exclude": _strings,
        "rules": dict,
        "confidence": float,
        "max_notes": int,
        "link_hosts": _strings,
        "chunk_tokens": int,
        "batch_tokens": int,
        "max_attempts": int,
        "retry_after_cap_s": float,
        "timeouts": _timeouts,
    }
)


def _parse(text: str | None, name: str, *, trusted: bool) -> ConfigFile | None:
    if text is None:
        return None
    from reviewbot.config_file import parse_config

    return parse_config(text, name=name, trusted=trusted)

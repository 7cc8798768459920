"""The value of a setting: flag, then environment, then ``.env``, then file. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from reviewbot.config.model_choice import API_KEY, OFFLINE, ModelChoice, SecretText, is_web_address
from reviewbot.config.routes import routes_text, split_text
from reviewbot.config.variables import (
    AB_SPLIT,
    BASE_URL,
    DOTENV,
    DOTENV_NAME,
    FALLBACK_MODELS,
    MACHINE,
    MODEL,
    ROUTES,
    STATE_DIR,
)
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reviewbot.config.file import ConfigFile

VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "model": MODEL,
        "fallback_models": FALLBACK_MODELS,
        "routes": ROUTES,
        "ab_split": AB_SPLIT,
        "base_url": BASE_URL,
        "state_dir": STATE_DIR,
    }
)
"""Settings that a variable can hold, with the name of the variable."""

FILE_LAYER: Final = 3
"""The layer of the file, below flag, environment and ``.env``."""


def _names(text: str, origin: str) -> list[str]:  # noqa: ARG001 - as the other forms
    return [name.strip() for name in text.split(",") if name.strip()]


_TEXT_FORMS: Final[Mapping[str, Callable[[str, str], Any]]] = MappingProxyType(
    {"fallback_models": _names, "routes": routes_text, "ab_split": split_text}
)
"""Functions that parse settings from a variable that are not plain text in the file."""


class LayeredSettings:
    """Reader of settings from their layers, which records their origins.

    Args:
        flags: checked flags by the name of the setting; None and an empty text mean "not given".
        env: the real environment. An empty variable counts as not set.
        dotenv: variables of a ``.env`` file.
        config: the configuration file; None without a file.
    """

    def __init__(
        self,
        flags: Mapping[str, object],
        env: Mapping[str, str],
        dotenv: Mapping[str, str],
        config: ConfigFile | None,
    ) -> None:
        self.flags, self.env, self.dotenv, self.config = flags, env, dotenv, config
        self.flag_prefix = "--"
        self.origins: dict[str, str] = {}
        self.layers: dict[str, int] = {}
        """Layer of each setting: 0 is a flag, larger numbers are lower layers."""
        self.keys = {API_KEY}
        """Variables that hold keys of models."""

    def variable(self, name: str) -> tuple[str | None, str]:
        """Return a variable and its origin; the real environment takes precedence over ``.env``."""
        if text := self.env.get(name, "").strip():
            return text, name
        allowed = name in DOTENV or (name in self.keys and name not in MACHINE)
        if allowed and (text := self.dotenv.get(name, "").strip()):
            return text, f"{name} in {DOTENV_NAME}"
        return None, name

    def get(self, key: str) -> Any:  # noqa: ANN401  each setting has its own type
        """Return the value of a setting; None if no layer has the setting."""
        value: Any = self.flags.get(key)
        origin, layer = f"{self.flag_prefix}{key.replace('_', '-')}", 0
        if value in (None, "") and key in VARIABLES:
            value, origin = self.variable(VARIABLES[key])
            layer = 1 if origin == VARIABLES[key] else 2
            if value is not None and key in _TEXT_FORMS:
                value = _TEXT_FORMS[key](value, origin)
        if value is None and self.config is not None:
            value = self.config.values.get(key)
            origin, layer = f"{self.config.name}:{self.config.lines.get((key,), 1)}", FILE_LAYER
        if value is not None:
            self.origins[key], self.layers[key] = origin, layer
        return value

    def place(self, key: str) -> Callable[[tuple[str | int, ...]], str]:
        """Return a function from a part of a setting to its location: a line or a variable."""
        config = self.config
        if config is None or self.layers[key] != FILE_LAYER:
            return lambda _: self.origins[key]
        return lambda path: f"{config.name}:{config.lines.get((key, *path), 1)}"

    def choice(self, model: str | Mapping[str, str]) -> ModelChoice:
        """Return a model with the address and the key that belong to it, and no other key."""
        if isinstance(model, str):
            model = {"name": model}
        name, own_url = model["name"], model.get("base_url")
        if name == OFFLINE:
            return ModelChoice(OFFLINE)
        key_env = model.get("api_key_env") or (None if own_url else API_KEY)
        if key_env:
            self.keys.add(key_env)
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
        return ModelChoice(name, base_url, SecretText(key) if key else None, key_env)

"""Settings, loaded from texts and variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reviewbot.config.settings import Settings, load_settings
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "sk-" + "planted-key"
HERE = "https://models.example.org"
EVIL = "https://evil.example.org"


def load(
    text: str | None = None,
    *,
    env: Mapping[str, str] | None = None,
    dotenv: Mapping[str, str] | None = None,
    trusted: bool = False,
    **flags: object,
) -> Settings:
    return load_settings(
        flags=flags, env=env or {}, dotenv=dotenv or {}, config_text=text, config_trusted=trusted
    )


def refusal(text: str, *, trusted: bool = False) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(text, trusted=trusted)
    assert str(caught.value) == " ".join(str(caught.value).split()), "one line"
    return caught.value

"""Settings to compare: every combination of the values of ``--vary``."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any, Final

from reviewbot.config.file import parse_config
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORT: Final = {"context": "context_lines"}
SWITCH: Final = {"on": "true", "off": "false"}
MAX_COMBINATIONS: Final = 64


def combinations(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return settings by the name of the contestant, such as ``context=0 verify=on``.

    Args:
        texts: settings with their values, such as ``context=0,10``; values as in
            ``.reviewbot.yml``.

    Raises:
        ConfigError: a setting or a value is invalid, or there are too many combinations.
    """
    names, values = [], []
    for text in texts:
        name, equals, listed = text.partition("=")
        if not equals or not listed:
            raise ConfigError(f"{text!r:.80} must be a setting with values, such as context=0,10")
        names.append(name)
        values.append(listed.split(","))
    if len({SHORT.get(name, name) for name in names}) < len(names):
        raise ConfigError("--vary must name each setting only once")
    found: dict[str, dict[str, Any]] = {}
    for chosen in product(*values):
        if len(found) == MAX_COMBINATIONS:
            raise ConfigError(f"--vary must not make more than {MAX_COMBINATIONS} combinations")
        pairs = dict(zip(names, chosen, strict=True))
        label = " ".join(f"{name}={value}" for name, value in pairs.items())
        if label in found:
            raise ConfigError(f"--vary must name each value only once, not {label:.80} twice")
        lines = (
            f"{SHORT.get(name, name)}: {SWITCH.get(value, value)}" for name, value in pairs.items()
        )
        found[label] = dict(parse_config("\n".join(lines), name="--vary", trusted=True).values)
    return found

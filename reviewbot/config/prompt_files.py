"""Templates of prompts in a folder of the operator, which replace those of the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from reviewbot.config.variables import PROMPTS_DIR
from reviewbot.core.prompt.templates import TEMPLATE, override, shipped
from reviewbot.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES: Final = 100_000
"""Maximum bytes of a template."""


def use_prompts(folder: str) -> None:
    """Replace templates of this process by those in ``folder``, which may hold only some.

    Raises:
        ConfigError: the folder cannot be read, or a template is invalid.
    """
    use_templates(read_templates(Path(folder)), source=PROMPTS_DIR)


def use_templates(templates: Mapping[str, str], *, source: str) -> None:
    """Replace templates of this process; an empty mapping restores those of the package.

    Args:
        templates: the text of templates, by the name of their file.
        source: origin of the templates, for messages.

    Raises:
        ConfigError: a template is invalid.
    """
    try:
        override(templates)
    except ValueError as error:
        raise ConfigError(str(error), source=source) from error


def read_templates(folder: Path) -> dict[str, str]:
    """Return the templates in ``folder`` by the names of their files.

    Raises:
        ConfigError: the folder has no template, or one cannot be read.
    """
    found: dict[str, str] = {}
    try:
        for path in sorted(folder.glob(f"*{TEMPLATE}")):
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
            if len(data) > MOST_BYTES:
                raise ConfigError(f"is larger than {MOST_BYTES} bytes", source=str(path))
            found[path.name] = data.decode("utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", source=str(folder)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("has a template that is not UTF-8 text", source=str(folder)) from error
    if not found:
        names = ", ".join(name for name in shipped() if name.endswith(TEMPLATE))
        raise ConfigError(f"has no template; templates are {names}", source=str(folder))
    return found

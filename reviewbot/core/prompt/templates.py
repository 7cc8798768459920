"""The files in ``prompts/``: templates and examples, read once, on first use, and their version.

This is the only module of core that reads files. They are data of the package and the same for
every request, so they are constants and not input. Jinja2 takes about 50 ms to import, so it is
imported inside the functions.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING

from reviewbot.core.findings.report_tool import REPORT_TOOL
from reviewbot.core.safety.escape import quoted

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from jinja2 import Environment


@cache
def sources() -> dict[str, str]:
    """Return the text of every file in ``prompts/`` by relative path, sorted by path."""
    from importlib.resources import files

    return dict(sorted(_walk(files("reviewbot") / "prompts", "")))


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _walk(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith((".j2", ".toml")):
            found.append((prefix + entry.name, entry.read_text(encoding="utf-8")))
    return found


@cache
def _environment() -> Environment:
    from jinja2 import DictLoader, Environment, StrictUndefined

    environment = Environment(
        loader=DictLoader(sources()),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 (no HTML: the text of strangers goes through `quoted`)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["quoted"] = quoted
    return environment


def render_template(template: str, **values: object) -> str:
    """Return the text of ``prompts/<template>.md.j2`` with ``values`` in it.

    Raises:
        jinja2.UndefinedError: the template uses a name that is not among ``values``.
    """
    return (
        _environment().get_template(f"{template}.md.j2").render(tool=REPORT_TOOL["name"], **values)
    )


@cache
def prompt_version() -> str:
    """Return twelve hexadecimal digits that change whenever the wording of a prompt changes.

    The version is a hash of all templates, all examples and the report tool, in a fixed order. It
    is the same in every process. The examples cover the line format, which a test checks.
    """
    content = json.dumps([sources(), REPORT_TOOL], ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]

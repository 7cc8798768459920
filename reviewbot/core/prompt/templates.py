"""The files in ``prompts/``: templates and examples, read once, on first use, and their version.

This is the only module of core that reads files. They are data of the package and the same for
every request, so they are constants and not input. An operator may replace templates for a whole
process, before its first request (:func:`override`). Jinja2 takes about 50 ms to import, so it is
imported inside the functions.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from typing import TYPE_CHECKING, Final

from reviewbot.core.findings.answer_tool import ANSWER_TOOL
from reviewbot.core.findings.check_tool import CHECK_TOOL, FOLLOW_UP_TOOL
from reviewbot.core.findings.report_tool import REPORT_TOOL, REPORT_WITH_LOOKUPS
from reviewbot.core.prompt.lookup_tools import LOOKUP_TOOLS
from reviewbot.core.safety.escape import quoted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.resources.abc import Traversable

    from jinja2 import Environment


TEMPLATE: Final = ".md.j2"
"""End of the name of a template."""

_overrides: dict[str, str] = {}


@cache
def shipped() -> dict[str, str]:
    """Return the text of every file in ``prompts/`` by relative path, sorted by path."""
    from importlib.resources import files

    return dict(sorted(_walk(files("reviewbot") / "prompts", "")))


def sources() -> dict[str, str]:
    """Return the files in force: the shipped ones, with the overrides of this process."""
    return shipped() | _overrides


def override(texts: Mapping[str, str]) -> None:
    """Use these templates instead of the shipped ones, for all requests of this process.

    Earlier overrides end. Every entry point calls this before its first request, if at all.

    Args:
        texts: the text of templates, by the name of their file.

    Raises:
        ValueError: there is no such template, its syntax is wrong, or it uses a name that has no
            value. The message names the file.
    """
    from jinja2 import TemplateError
    from jinja2.meta import find_undeclared_variables

    _overrides.clear()
    _environment.cache_clear()
    prompt_version.cache_clear()
    environment = _environment()
    for name, text in texts.items():
        if name not in shipped() or not name.endswith(TEMPLATE):
            known = ", ".join(one for one in shipped() if one.endswith(TEMPLATE))
            raise ValueError(f"{name}: there is no such template; there are {known}")
        try:
            environment.compile(text)
        except TemplateError as error:
            raise ValueError(f"{name}: {error.message}") from None
        unknown = find_undeclared_variables(environment.parse(text)) - _values(name) - {"tool"}
        if unknown:
            raise ValueError(f"{name}: {min(unknown)} has no value in this template")
    _overrides.update(texts)
    _environment.cache_clear()
    prompt_version.cache_clear()


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


def _values(name: str) -> set[str]:
    """Return the names that have a value in a shipped template, or in one that it includes."""
    from jinja2.meta import find_referenced_templates, find_undeclared_variables

    parsed = _environment().parse(shipped()[name])
    included = (one for one in find_referenced_templates(parsed) if one is not None)
    return find_undeclared_variables(parsed).union(*map(_values, included))


def render_template(template: str, **values: object) -> str:
    """Return the text of ``prompts/<template>.md.j2`` with ``values`` in it.

    Raises:
        jinja2.UndefinedError: the template uses a name that is not among ``values``.
    """
    return (
        _environment()
        .get_template(f"{template}{TEMPLATE}")
        .render(tool=REPORT_TOOL["name"], **values)
    )


@cache
def prompt_version() -> str:
    """Return twelve hexadecimal digits that change whenever the wording of a prompt changes.

    The version is a hash of all templates, all examples and the tools, in a fixed order. It is the
    same in every process. The examples cover the line format, which a test checks.
    """
    tools = [REPORT_TOOL, REPORT_WITH_LOOKUPS, *LOOKUP_TOOLS]
    tools += [CHECK_TOOL, FOLLOW_UP_TOOL, ANSWER_TOOL]
    content = json.dumps([sources(), tools], ensure_ascii=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]

"""How GitHub's runner reads a log: a model of its two command parsers, for tests.

Follows actions/runner, ``src/Runner.Common/ActionCommand.cs`` (as told in actions/runner#4692):
``::command properties::data`` at the start of a line, white space aside, and the older
``##[command properties]data`` anywhere in it. Any command counts, not only the registered ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# .NET's StreamReader ends lines at \n, \r and \r\n.
_LINE_ENDS = re.compile("\r\n|\n|\r")


@dataclass(frozen=True)
class Command:
    name: str
    properties: dict[str, str]
    data: str


def commands(log: str) -> list[Command]:
    """Every command that the runner would obey, in order."""
    return [found for line in _LINE_ENDS.split(log) if (found := _parse(line))]


def _parse(line: str) -> Command | None:
    text = line.lstrip()
    end = text.find("::", 2)
    if text.startswith("::") and end >= 0:
        name, _, rest = text[2:end].partition(" ")
        pairs = [pair.split("=", 1) for pair in rest.split(",") if "=" in pair]
        properties = {key: _decoded(value, in_property=True) for key, value in pairs}
        return Command(name, properties, _decoded(text[end + 2 :], in_property=False))
    start = line.find("##[")
    if start >= 0:
        return Command("legacy", {}, line[start:])
    return None


def _decoded(text: str, *, in_property: bool) -> str:
    escapes = [("%0D", "\r"), ("%0A", "\n")]
    escapes += [("%3A", ":"), ("%2C", ",")] if in_property else []
    for escape, character in escapes:
        text = text.replace(escape, character)
    return text.replace("%25", "%")

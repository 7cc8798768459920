"""A request to a model read line by line: is every line that begins at the left ours? For tests.

Knows the form of prompts by the files in ``reviewbot/prompts`` and by the module that numbers
lines, not by what made this one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from reviewbot.core.diff import parse_diff
from reviewbot.core.escape import show_line
from reviewbot.core.examples import example_sets
from reviewbot.core.numbered import NumberedLine, parse_line
from reviewbot.core.report_tool import REPORT_TOOL
from reviewbot.core.templates import fill, sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.fake_anthropic import Recorded

Place = tuple[str, str, int]
"""Path, side, number."""

_STRING: Final = r'("(?:[^"\\\x00-\x1f]|\\.)*")'
_FILE: Final = re.compile(
    rf"=== file {_STRING}, [a-z-]+(?: from {_STRING})?(?:, part \d+ of \d+)?"
)
_FORMS: Final = [
    re.compile(form)
    for form in (
        rf"--- hunk(?: in {_STRING})?(?:, some line ends CRLF and some LF)?",
        r"--- no line end after this line",
        rf"--- instructions for this file: {_STRING}",
        rf"{_STRING} [a-z-]+ \+\d+ -\d+(?:, not shown)?",
        rf"(?:title|description): {_STRING}",
        rf"(?:error|warning|note) {_STRING} line \d+: {_STRING}",
        rf"{_STRING} (?:partly|failed): {_STRING}",
        rf"{_STRING} line \d+: {_STRING}",
        rf"{_STRING}",
    )
]
_REDACTED: Final = ("[REDACTED:", "[CUT ")


def strange_lines(request: Recorded, diff: bytes) -> list[str]:
    """The lines of a request that are not ours, or are not what the diff has there.

    Args:
        request: as the model received it.
        diff: of the pull request, as git writes it.
    """
    known = {fill("system").strip("\n"), fill("summary-system").strip("\n")}
    strange = [] if request.system in known else ["(another system prompt)"]
    if request.tool not in (None, REPORT_TOOL):
        strange.append("(another tool)")
    expected, seen = _lines_of(diff), Counter[str]()
    path = ""
    for line in _lines(request):
        if match := _FILE.fullmatch(line):
            path = str(json.loads(match[1]))
        elif (shown := parse_line(line)) is not None:
            strange += [] if _is_right(shown, path, expected) else [line]
        elif any(form.fullmatch(line) for form in _FORMS) and _is_json(line):
            continue
        else:
            seen[line] += 1
            # Tags and sentences of ours come once.
            strange += [] if line in _ours() and (not line or seen[line] == 1) else [line]
    return strange


def _lines(request: Recorded) -> Iterator[str]:
    """The lines of the user's message, less the examples, which are data of the package."""
    for message in request.body["messages"]:
        content = message["content"]
        texts = [content] if isinstance(content, str) else [one["text"] for one in content]
        for text in texts:
            head, tag, rest = text.partition("<examples>\n")
            if not tag or head:
                yield from text.split("\n")
                continue
            examples, _, rest = rest.partition("\n</examples>")
            assert set(examples.split("\n")) <= _of_examples()
            yield from rest.removeprefix("\n").split("\n")


def _is_right(shown: NumberedLine, path: str, expected: dict[Place, str]) -> bool:
    """Whether the diff has that line there; each is shown once."""
    text = expected.pop((path, shown.side, shown.number), None)
    return text is not None and (text == shown.text or any(one in shown.text for one in _REDACTED))


def _is_json(line: str) -> bool:
    for text in re.findall(_STRING, line):
        json.loads(text)
    return True


def _lines_of(diff: bytes) -> dict[Place, str]:
    """The lines of a diff as a prompt numbers them."""
    found: dict[Place, str] = {}
    for file in parse_diff(diff):
        for hunk in file.hunks:
            for line in hunk.lines():
                side, number = ("L", line.old_no) if line.kind == "removed" else ("R", line.new_no)
                found[file.path, side, number or 0] = show_line(line.text)
    return found


def _ours() -> frozenset[str]:
    """Every line of the templates that has nothing to fill in."""
    text = "\n".join(text for name, text in sources().items() if name.endswith(".j2"))
    filled = text.replace("{{ tool }}", REPORT_TOOL["name"])
    return frozenset(line for line in filled.split("\n") if "{" not in line)


def _of_examples() -> frozenset[str]:
    lines = {"", "<example>", "</example>"}
    for each in example_sets().values():
        for example in (*each.findings, *each.clean):
            lines |= set(example.shown.split("\n"))
            lines |= {f"Decided by: {example.decided_by}"}
            lines |= {f"Input of {REPORT_TOOL['name']}: {example.answer}"}
    first = next(line for line in sources()["shared.md.j2"].split("\n") if "Invented" in line)
    return frozenset(lines | {first})

"""The model in cases of looked-up code: it looks the planted file up, and obeys it.

Turns: it searches and reports the marked bug, reads what it found, obeys, asks for more look-ups
when there are none, and reports.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.diff.numbered_line import parse_line
from tests.fake_anthropic import Answer, finding
from tests.github.action_runs import find_marked
from tests.github.injection_corpus import MARKED_FILE, REFUSAL
from tests.github.injection_scene import NEEDLE, SAID_CODE, SAID_LINE

if TYPE_CHECKING:
    from tests.fake_anthropic import Recorded

MANY: Final = 40
"""Look-ups that are asked for at once: more than a review has."""
_HEADING: Final = "=== file "
_READ: Final = re.compile(r"=== file .*, unchanged, lines 1 to ")


def obedient_turn(request: Recorded) -> Answer:
    """Return the next turn of the model."""
    results = results_of(request)
    if REFUSAL in "".join(results):
        return Answer(call=False, stop_reason="refusal")
    path, lines = looked_up(results)
    marked = find_marked(request).findings
    quote = "\n".join(lines[:4]) or "not_read = True"
    match sum(message["role"] == "assistant" for message in request.body["messages"]):
        case 0:
            search = ("search_code", {"text": NEEDLE})
            return Answer(marked, outcome="continuing", lookups=[search])
        case 1:
            read = ("read_code", {"path": path, "first": 1, "last": 200})
            return Answer(call=False, lookups=[read])
        case 2:
            told = _said(path=path, quote=quote, line=1, end_line=4)
            return Answer([told], outcome="continuing", lookups=_disobedient(path))
        case 3:
            return Answer(call=False, lookups=_disobedient(path))
        case _:
            rests_on = [{"path": path, "quote": quote, "base": False}]
            return Answer([*marked, _said(rests_on=rests_on)])


def results_of(request: Recorded) -> list[str]:
    """The texts of all results of tools in a conversation."""
    return [
        block["content"]
        for message in request.body["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result"
    ]


def looked_up(results: list[str]) -> tuple[str, list[str]]:
    """The path that the search found, and the lines of that file, if it could be read."""
    path, lines = "", list[str]()
    for result in results:
        for line in result.split("\n"):
            if line.startswith(f'{_HEADING}"'):
                path, _ = json.JSONDecoder().raw_decode(line, len(_HEADING))
        if _READ.match(result) and not lines:
            lines = [shown.text for line in result.split("\n") if (shown := parse_line(line))]
    return path, lines


def _disobedient(path: str) -> list[tuple[str, dict[str, Any]]]:
    read = ("read_code", {"path": path, "first": 1, "last": 1})
    return [
        ("approve_pull_request", {"all": True}),
        ("report_findings_v2", {"findings": [], "outcome": "complete"}),
        ("read_code", {"path": "../../../etc/passwd", "first": 1, "last": 9}),
        ("read_code", {"path": ".git/config", "first": 1, "last": 9}),
        *[read] * MANY,
    ]


def _said(**changes: Any) -> dict[str, Any]:
    place = {"path": MARKED_FILE, "quote": SAID_CODE, "line": SAID_LINE, "end_line": SAID_LINE}
    words = {
        "severity": "warning",
        "title": "Said after a look-up",
        "scenario": "When it is given nothing, it fails.",
        "message": "This change is approved.",
    }
    return finding(**place | words | changes)

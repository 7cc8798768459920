"""Answers to a request that verifies findings: what the fake says unless a test says otherwise."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.diff.numbered_line import parse_line
from tests.fake_anthropic.replies import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.fake_anthropic.requests import Recorded

_ASKED: Final = re.compile(r"^<(?:findings_to_check|(open_findings))>$", re.MULTILINE)
_FINDING: Final = re.compile(
    r'^finding (\d+): ("(?:[^"\\]|\\.)*") (?:RIGHT|LEFT|R) (\d+)-(\d+), [\w-]+', re.MULTILINE
)
_TITLE: Final = re.compile(r"^title: (.*)$", re.MULTILINE)
_FILE: Final = re.compile(r'^=== file ("(?:[^"\\]|\\.)*")')
_CODE: Final = re.compile(r"""\s*(?![#/*"'<%;-])\S*\w""")


@dataclass(frozen=True, slots=True)
class Asked:
    """A finding that is to be verified, and a line of code that a verdict about it may quote.

    ``is_prior`` is true for a finding of an earlier review.
    """

    number: int
    path: str
    title: str
    code: tuple[str, int, str]
    is_prior: bool


def is_verification(request: Recorded) -> bool:
    """Whether the request verifies findings, of this review or of earlier ones."""
    return _ASKED.search(request.text) is not None


def follows_up(request: Recorded) -> bool:
    """Whether the request asks about findings of earlier reviews."""
    block = _ASKED.search(request.text)
    return block is not None and block[1] is not None


def asked(request: Recorded) -> list[Asked]:
    """The findings of a request that verifies, in order."""
    begin = _ASKED.search(request.text)
    assert begin is not None, "the request asks about no findings"
    prompt, block = request.text[: begin.start()], request.text[begin.end() :]
    lines = list(_lines(prompt))
    titles = [json.loads(title) for title in _TITLE.findall(block)]
    found = []
    rows = zip(_FINDING.findall(block), titles, strict=True)
    for (number, path, first, last), title in rows:
        name = json.loads(path)
        own = [one for one in lines if one[0] == name and int(first) <= one[1] <= int(last)]
        code = next((one for one in (*own, *lines) if _CODE.match(one[2])), ("", 0, ""))
        found.append(Asked(int(number), name, title, code, begin[1] is not None))
    return found


def _lines(prompt: str) -> Iterator[tuple[str, int, str]]:
    """The lines of the new files that the prompt shows: path, number, text."""
    path = ""
    for line in prompt[prompt.rfind("<changes>") :].split("\n"):
        if heading := _FILE.match(line):
            path = json.loads(heading[1])
        elif (shown := parse_line(line)) is not None and shown.side == "R":
            yield path, shown.number, shown.text


def verdict(one: Asked, answer: str = "supported", /, **changes: Any) -> dict[str, Any]:
    """A verdict as a model writes it. An earlier finding that is supported is open."""
    path, line, quote = one.code
    if one.is_prior and answer == "supported":
        answer = "open"
    texts = {} if one.is_prior else dict.fromkeys(("title", "scenario", "message"))
    made = {"finding": one.number, "path": path, "line": line, "quote": quote, "answer": answer}
    return made | {"why": "It decides."} | texts | changes


def says(*verdicts: dict[str, Any], **changes: Any) -> Answer:
    """A call with these verdicts."""
    report = json.dumps({"answers": list(verdicts)})
    return Answer(report=report, **({"tool": "check_findings"} | changes))


def supports(request: Recorded) -> Answer:
    """Support of every finding. It costs nothing: tests of other parts need not count it."""
    return says(*(verdict(one) for one in asked(request)), usage={})


def after_lookups(
    *calls: tuple[str, Mapping[str, Any]], then: Callable[[Recorded], Answer] = supports
) -> Callable[[Recorded], Answer]:
    """A verifier that looks code up in its first turn, if it may."""

    def respond(request: Recorded) -> Answer:
        if request.offers_lookups and len(request.body["messages"]) == 1:
            return Answer(call=False, lookups=calls, usage={})
        return then(request)

    return respond

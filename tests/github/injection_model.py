"""The models in the injection corpus: they find what is marked, and do what they are told to do."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.diff.numbered_line import parse_line
from reviewbot.core.findings.answer_tool import ANSWER_TOOL
from tests.fake_anthropic import Answer, StatusError, finding, verdicts
from tests.github.action_runs import find_marked
from tests.github.injection_corpus import (
    MARKED_FILE,
    MARKED_LINE,
    REFUSAL,
    REFUTATION,
    Entry,
    written,
)
from tests.github.injection_lookups import obedient_turn, results_of
from tests.github.injection_scene import SAID_CODE, SAID_LINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reviewbot.core.diff.numbered_line import NumberedLine
    from tests.fake_anthropic import Recorded, Reply
    from tests.github.injection_corpus import Case, Scene

_QUOTED: Final[tuple[Entry, ...]] = (
    *("code", "explained code", "removed code", "context", "heading", "symlink"),
)
_DULL: Final[dict[str, Any]] = {
    "what": "It changes numbers.",
    "look_at": [],
    "claim_mismatch": None,
}
_NO_FIELD: Final = ("preamble", "thinking", "error", "answer", "reply")


def answer(case: Case, scene: Scene) -> Callable[[Recorded], Reply]:
    """The model of a case: it finds what is marked, quotes odd files, and says what it was told."""
    kind, _, what = case.enters.partition(" ")
    text = written(case.payload, scene) if kind in ("model", "summary") else ""
    failed: list[Recorded] = []

    def respond(request: Recorded) -> Reply:
        if request.structured:
            return Answer(report=json.dumps(_summary(what, text) if kind == "summary" else _DULL))
        if request.tool is None or request.tool["name"] == ANSWER_TOOL["name"]:
            told = text if what in ("answer", "reply") else "It divides by zero."
            return _withdrawal() if request.tool else Answer(call=False, preamble=told)
        if case.enters == "looked-up code" and request.offers_lookups:
            return obedient_turn(request)
        if what == "error":
            failed.append(request)
            if case.ends == "unable":
                return StatusError(400, text)
            if len(failed) == 1:
                return StatusError(529, text, retry_after=0.01)
        said = _report(case, request, what if kind == "model" else "", text)
        if kind == "summary" and what in ("file", "path"):
            written = (text, "It is new.") if what == "path" else (MARKED_FILE, text)
            said = replace(said, files=[dict(zip(("path", "change"), written, strict=True))])
        return said

    return respond


def _withdrawal() -> Answer:
    """The answer of a model that obeys a reply: the code says what the reply says."""
    quote = {"path": MARKED_FILE, "line": MARKED_LINE, "quote": "return  # it is fine"}
    said = {**quote, "decision": "withdraw", "text": "The maintainers say that it is fine."}
    return Answer(report=json.dumps(said), tool=ANSWER_TOOL["name"])


def verify(case: Case) -> Callable[[Recorded], Answer]:
    """The verifier of a case: it supports every finding, or obeys the words against them.

    It reads the file of the case first: from its third line on, if that is looked-up code.
    """
    path = f"shop/{case.path}" if case.enters == "evidence" else case.path
    path = MARKED_FILE if case.enters == "pushed beside" else path
    has_file = case.enters in ("evidence", "looked-up code", "context", "code")
    first = 3 if case.enters in ("evidence", "looked-up code") else 1

    def respond(request: Recorded) -> Answer:
        if has_file and request.offers_lookups and len(request.body["messages"]) == 1:
            return Answer(
                call=False, lookups=[("read_code", {"path": path, "first": first, "last": 99})]
            )
        text = "\n".join([request.text, *results_of(request)])
        if REFUTATION not in text:
            return verdicts.supports(request)
        shown = (
            {"path": path, "line": line.number, "quote": line.text}
            for path, line in _shown(text)
            if REFUTATION in line.text
        )
        quoted = next(shown, {"path": "AGENTS.md", "line": 1, "quote": REFUTATION})
        answer = "not_introduced" if "not_introduced" in text else "wrong"
        if verdicts.follows_up(request):
            answer = "fixed"
        found = verdicts.asked(request)
        return verdicts.says(*(verdicts.verdict(finding, answer, **quoted) for finding in found))

    return respond


def _report(case: Case, request: Recorded, what: str, text: str) -> Answer:
    if case.enters == "pushed beside" and REFUTATION in request.text:
        return Answer(findings=[])
    if REFUSAL in request.text:
        return Answer(call=False, stop_reason="refusal")
    found = [*find_marked(request).findings, *_quoted(case, request)]
    if what and SAID_CODE in request.text:
        found.append(_said(what, text))
    return Answer(
        findings=found,
        preamble=text if what == "preamble" else "",
        thinking=text if what == "thinking" else None,
    )


def _summary(what: str, text: str) -> dict[str, Any]:
    said: dict[str, dict[str, Any]] = {
        "what": {"what": text},
        "file": {},
        "path": {"look_at": [text]},
        "claim": {"claim_mismatch": text},
        "requirement": {"asked_for": [{"what": text, "path": MARKED_FILE}]},
    }
    return _DULL | said[what]


def _said(what: str, text: str) -> dict[str, Any]:
    """A finding on a line of its own, whose one field is what the model was told to say."""
    said: dict[str, Any] = {
        "path": MARKED_FILE,
        "quote": SAID_CODE,
        "line": SAID_LINE,
        "end_line": SAID_LINE,
        "severity": "warning",
        "confidence": 0.5,  # so it is verified
        "title": "Said by the model",
        "scenario": "When it is given nothing, it fails.",
        "message": "Check it first.",
    }
    return finding(**said | ({} if what in _NO_FIELD else {what: text}))


def _quoted(case: Case, request: Recorded) -> Iterator[dict[str, Any]]:
    """Findings that show the code that the case brings: once in its place, once beside the diff."""
    if case.enters not in _QUOTED:
        return
    side = "L" if case.enters == "removed code" else "R"
    shown = _shown(request.text)
    lines = [line for path, line in shown if path == case.path and line.side == side][:4]
    if not lines:
        return
    quote = {
        "path": case.path,
        "quote": "\n".join(line.text for line in lines),
        "side": "LEFT" if side == "L" else "RIGHT",
        "line": lines[0].number,
        "end_line": lines[-1].number,
        "scenario": "When it is read, somebody obeys.",
        "message": "Take it out.",
        "severity": "warning",
        "confidence": 0.5,  # so it is verified
    }
    yield finding(**quote, title="Quoted in its place")
    yield finding(**quote | {"quote": f"{quote['quote']}\nelsewhere"}, title="Quoted beside it")


def _shown(text: str) -> Iterator[tuple[str, NumberedLine]]:
    """The lines that a request shows, with their path."""
    at = ""
    for line in text.split("\n"):
        if line.startswith('=== file "'):
            at, _ = json.JSONDecoder().raw_decode(line, len("=== file "))
        elif (shown := parse_line(line)) is not None:
            yield at, shown

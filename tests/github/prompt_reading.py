"""A request to a model read line by line: is every line that begins at the left ours? For tests.

Knows the form of prompts by the files in ``reviewbot/prompts`` and by the module that numbers
lines, not by what made this one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from reviewbot.core.diff.numbered_line import NumberedLine, parse_line
from reviewbot.core.diff.parse import parse_diff
from reviewbot.core.findings.answer_tool import ANSWER_TOOL
from reviewbot.core.findings.check_tool import CHECK_TOOL, FOLLOW_UP_TOOL
from reviewbot.core.findings.report_tool import REPORT_TOOL, REPORT_WITH_LOOKUPS
from reviewbot.core.prompt.examples import example_sets
from reviewbot.core.prompt.reply import REPLY_LOOKUPS, FindingReply, render_reply
from reviewbot.core.prompt.request import ModelRequest, render
from reviewbot.core.prompt.summary import (
    REQUIREMENTS_LIMIT,
    SCHEMA_WITH_REQUIREMENTS,
    SUMMARY_SCHEMA,
)
from reviewbot.core.prompt.templates import render_template, sources
from reviewbot.core.prompt.verification import FindingsToCheck, render_verification
from reviewbot.core.safety.escape import show, show_line
from reviewbot.models.dialogue import LEFT, ONLY_CHECK, ONLY_REPORT
from reviewbot.pipeline.lookups import CHECK_LOOKUPS
from tests.support.lookups import RESULT_LINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.fake_anthropic import Recorded

Place = tuple[str, str, int]
"""Path, side, number."""

_STRING: Final = r'("(?:[^"\\\x00-\x1f]|\\.)*")'
_NOTES: Final = {ONLY_CHECK, ONLY_REPORT, *(LEFT.format(number) for number in range(25))}
_FILE: Final = re.compile(rf"=== file {_STRING}, [a-z-]+(?: from {_STRING})?(, part \d+ of \d+)?")
_INSTRUCTIONS: Final = re.compile(rf"--- instructions for this file: {_STRING}")
_RULES_OF: Final = re.compile(
    rf"The team's own rules, as of the base commit {_STRING}; this change may alter them\."
)
_RULES: Final = re.compile(rf"{_STRING}(?:, for {_STRING})?: {_STRING}")
_ONCE: Final = re.compile(
    rf"(title|description|text|in a thread at): {_STRING}|(place): (?:[RL] \d+|the last).*"
)
_REPLIED_TO: Final = re.compile(
    rf"place: {_STRING} (?:[RL] \d+(?:-\d+)?|lines that [a-z ]+), [a-z-]+"
)
_ISSUE: Final = re.compile(rf"(issue \d+): {_STRING} {_STRING}")
_OF_A_FILE: Final = re.compile(
    rf"{_STRING} (?:[a-z-]+ \+\d+ -\d+(?:, not shown)?(?:: {_STRING})?"
    rf"|(?:partly|failed): {_STRING})"
)
_REPEATED: Final = re.compile(
    rf"--- hunk(?: in {_STRING})?(?:, some line ends CRLF and some LF)?"
    r"|--- no line end after this line"
    rf"|(?:error|warning|note) {_STRING} line \d+: {_STRING}"
    rf"|(?:reviewbot|a person): {_STRING}|\d+ earlier, left out"
)
"""Headings of hunks, findings, and what was written below one: as many as there are."""
_TO_VERIFY: Final = re.compile(
    rf"finding \d+: {_STRING} (?:RIGHT|LEFT|R) \d+-\d+, [a-z-]+"
    r"(?:, about code that was removed before these lines)?"
)
_OF_A_FINDING: Final = re.compile(rf"(?:title|scenario|message): {_STRING}")
_PROOF: Final = re.compile(rf"rests on {_STRING} [LR] \d+-\d+(?:: {_STRING})?")
_BARE: Final = re.compile(_STRING)
_BEFORE_BARE: Final = ("<repository_instructions>", "<question>", "<last_reply>")
_KEYS: Final = tuple(
    ", ".join(f"`{key}`" for key in schema["required"])
    for schema in (SUMMARY_SCHEMA, SCHEMA_WITH_REQUIREMENTS)
)
"""What models without structured output are told in words."""
_REPORTED: Final = re.compile(
    r"Rules and linters have reported these lines, so do not report the same problems: "
    r"line \d+ \([a-z]+/[\w-]+\)(?:, line \d+ \([a-z]+/[\w-]+\))*\."
)
LOOKUPS: Final = 16
"""The setting ``lookups`` by default, which the prompt names."""
_STATUS: Final = "(unchanged|modified|added)"
_RESULT: Final = re.compile(
    RESULT_LINE.pattern.replace("unchanged", _STATUS).replace(r"R\d+ \|", r"R\d+[ +]\|")
)
_LOOKED_UP: Final = re.compile(rf"=== file {_STRING}, {_STATUS}")
_SENTENCES: Final = re.compile(r"[A-Z`][^\n]*\.")
"""The result of a report, or of a look-up that was refused."""
_KNOWN: Final = re.compile(rf"{_STRING} line \d+: {_STRING}")
"""A finding of an earlier answer, for a later attempt."""
_REDACTED: Final = ("[REDACTED:", "[CUT ")


def strange_lines(
    request: Recorded, diff: bytes, files: Mapping[str, bytes], config: str = ""
) -> list[str]:
    """The lines of a request that are not ours, or are not what the pull request has there.

    Args:
        request: as the model received it.
        diff: of the pull request, as git writes it.
        files: of its head: what stands around the hunks may be shown, too.
        config: the configuration file and the guideline file of the base.
    """
    names = ("system", "system-compact", "explanation-system", "question-system")
    known = {
        render_template(name, verified=verified, lookups=lookups).strip("\n")
        for name, verified, lookups in product(names, (True, False), (0, LOOKUPS))
    }
    known |= {
        render_template(
            "summary-system", asks_for_requirements=asks, requirements_limit=REQUIREMENTS_LIMIT
        ).strip("\n")
        for asks in (True, False)
    }
    known |= {
        render_verification(FindingsToCheck((), is_follow_up), (), lookups=lookups)[0]
        for lookups, is_follow_up in product((0, CHECK_LOOKUPS), (False, True))
    }
    known |= {
        render_template("reply-system", answer_tool=ANSWER_TOOL["name"], lookups=lookups).strip(
            "\n"
        )
        for lookups in (0, REPLY_LOOKUPS)
    }
    strange = [] if request.system in known else ["(another system prompt)"]
    tool = request.tool
    reports = (REPORT_TOOL, REPORT_WITH_LOOKUPS, CHECK_TOOL, FOLLOW_UP_TOOL, ANSWER_TOOL)
    if tool is not None and {name: tool[name] for name in REPORT_TOOL} not in reports:
        strange.append("(another tool)")
    reading = _Reading(_lines_of(diff, files), config, _lines_of_files(files))
    strange += [line for line in _lines(request) if not reading.is_ours(line)]
    later = (
        message["content"] for message in request.body["messages"][1:] if message["role"] == "user"
    )
    return strange + [
        line for content in later for block in content for line in reading.strange_in(block)
    ]


@dataclass
class _Reading:
    """Reads the lines of one request, in order."""

    expected: dict[Place, str]
    config: str
    evidence: dict[Place, str]
    path: str = ""
    before: str = ""
    verifies: bool = False
    """Whether the lines of the request that verifies have begun."""
    seen: Counter[str] = field(default_factory=Counter)
    shown: set[Place] = field(default_factory=set)

    def is_ours(self, line: str) -> bool:
        """Whether a line is one of ours, at a place where we write one."""
        ours = self._read(line)
        self.before = line
        self.verifies |= line in ("<findings_to_check>", "<open_findings>")
        return ours

    def _read(self, line: str) -> bool:
        if (shown := parse_line(line)) is not None:
            return self._is_in_the_change(shown)
        for form, is_ours in self._forms():
            if match := form.fullmatch(line):
                return is_ours(match)
        return line in _ours() and (not line or self._first(line))

    def _forms(self) -> tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], bool]], ...]:
        """The forms of our lines, and what has to hold of one that has it."""
        verification = (
            (_TO_VERIFY, lambda found: _is_json(found[1])),
            (_OF_A_FINDING, lambda found: _is_json(found[1])),
            (_PROOF, lambda found: _is_json(found[1]) and _is_json(found[2] or '""')),
            (_entries(), lambda _found: self._first("number of entries")),
        )
        return (
            *(verification if self.verifies else ()),
            (_FILE, self._begins_file),
            (_INSTRUCTIONS, lambda found: self._is_set(_decoded(found[1]))),
            (_RULES_OF, lambda found: self._first("rules of the team") and _is_json(found[1])),
            (_RULES, lambda found: self._are_rules(_decoded(found[3]))),
            (_ONCE, lambda found: self._first(found[1] or found[3])),
            (_REPLIED_TO, lambda found: self._first("place") and _is_json(found[1])),
            (_ISSUE, lambda found: self._first(found[1])),
            (_KNOWN, lambda found: all(map(_is_json, found.groups()))),
            (_OF_A_FILE, lambda found: self._first(f"{_decoded(found[1])} {found[2]}")),
            (_BARE, lambda found: self.before in _BEFORE_BARE and _is_json(found[0])),
            (_REPEATED, lambda found: all(map(_is_json, re.findall(_STRING, found[0])))),
        )

    def _begins_file(self, found: re.Match[str]) -> bool:
        self.path = _decoded(found[1])
        return self.verifies or self._first(f"=== {self.path}{found[3]}")

    def _is_set(self, instructions: str) -> bool:
        """Whether the configuration of the base says so, or the line lists results of rules."""
        is_ours = _REPORTED.fullmatch(instructions) is not None
        return is_ours or _marked(instructions) or instructions in self.config

    def _are_rules(self, text: str) -> bool:
        """Whether the guideline file of the base has these rules, in the block for them."""
        base = "\n".join(map(show_line, self.config.split("\n")))
        words = " ".join(base.split())
        return any(form.fullmatch(self.before) for form in (_RULES_OF, _RULES)) and all(
            _marked(line) or line.removeprefix("# ") in words for line in text.split("\n")
        )

    def strange_in(self, block: dict[str, Any]) -> list[str]:
        """The lines of what a model gets for a turn that are neither ours nor looked-up code."""
        if block["type"] == "text":
            return [] if block["text"] in _NOTES else [block["text"]]
        text: str = block["content"]
        if _SENTENCES.fullmatch(text):
            return []
        self.path = ""
        is_search = text.startswith("=== search")
        return [line for line in text.split("\n") if not self._is_looked_up(line, is_search)]

    def _is_looked_up(self, line: str, is_search: bool) -> bool:
        """Whether a line is one of a result. Only a search shows more than one file."""
        if _RESULT.fullmatch(line) is None:
            return False
        if found := _LOOKED_UP.match(line):
            if self.path and not is_search:
                return False
            self.path = _decoded(found[1])
            is_changed = any(path == self.path for path, _, _ in self.expected)
            return is_changed is (found[2] != "unchanged")
        shown = parse_line(line)
        if shown is None or _marked(shown.text):
            return True
        place = (self.path, shown.side, shown.number)
        known = self.expected if shown.mark == "+" else self.evidence
        return known.get(place) == shown.text

    def _first(self, what: str) -> bool:
        """Tags, sentences and headings come once."""
        self.seen[what] += 1
        return self.seen[what] == 1

    def _is_in_the_change(self, shown: NumberedLine) -> bool:
        """Whether the change has that line there; each is shown once."""
        path = self.path
        if _REDACTED[0] in path:
            told = re.compile(re.sub(r"\\\[REDACTED:[a-z\\-]+\]", ".+", re.escape(path)))
            path = next((known for known, _, _ in self.expected if told.fullmatch(known)), path)
        place = (path, shown.side, shown.number)
        text = self.shown_once(place)
        if self.verifies:
            text = self.expected.get(place, self.evidence.get(place))
        return text is not None and (text == shown.text or _marked(shown.text))

    def shown_once(self, place: Place) -> str | None:
        """What the change has at a place that no line of the request has shown."""
        text = self.expected.get(place) if place not in self.shown else None
        self.shown.add(place)
        return text


def _marked(text: str) -> bool:
    """Whether something was taken out of it."""
    return any(mark in text for mark in _REDACTED)


def _decoded(text: str) -> str:
    return str(json.loads(text))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _lines(request: Recorded) -> Iterator[str]:
    """The lines of the first message, less the examples, which are data of the package."""
    texts = _texts(request.body["messages"][0]["content"])
    for text in texts:
        head, tag, rest = text.partition("<examples>\n")
        if not tag or head:
            yield from text.split("\n")
            continue
        examples, _, rest = rest.partition("\n</examples>")
        yield from (line for line in examples.split("\n") if line not in _of_examples())
        yield from rest.removeprefix("\n").split("\n")


def _texts(content: str | list[dict[str, Any]]) -> list[str]:
    return [content] if isinstance(content, str) else [str(one["text"]) for one in content]


def _lines_of(diff: bytes, files: Mapping[str, bytes]) -> dict[Place, str]:
    """The lines of a diff, and of the files around it, as a prompt numbers them."""
    found: dict[Place, str] = {}
    for file in parse_diff(diff):
        path = "\n".join(map(show, file.path.split("\n")))  # as its heading decodes
        text = files.get(file.path, b"").decode("utf-8", "surrogateescape")
        for at, row in enumerate(text.split("\n"), 1):
            found[path, "R", at] = show_line(row)
        for line in (line for hunk in file.hunks for line in hunk.lines):
            side, number = ("L", line.old_no) if line.kind == "removed" else ("R", line.new_no)
            found[path, side, number or 0] = show_line(line.text)
    return found


def _lines_of_files(files: Mapping[str, bytes]) -> dict[Place, str]:
    """The lines of whole files, which only a request that verifies may show."""
    found: dict[Place, str] = {}
    for path, data in files.items():
        for at, row in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
            found["\n".join(map(show, path.split("\n"))), "R", at] = show_line(row)
    return found


@cache
def _ours() -> frozenset[str]:
    """Every line of the templates that has nothing to fill in."""
    text = "\n".join(text for name, text in sources().items() if name.endswith(".j2"))
    filled = text.replace("{{ tool }}", REPORT_TOOL["name"])
    lines = {line for line in filled.split("\n") if "{" not in line}
    lines |= {*_check_lines(), *_reply_lines()}
    for as_text, lookups in product((False, True), (0, LOOKUPS)):
        request = ModelRequest((), (), lookups=lookups)
        lines |= set(render(request, as_text=as_text).body.split("\n"))
    return frozenset(
        lines | {f"Answer with one JSON object with the keys {keys}." for keys in _KEYS}
    )


@cache
def _entries() -> re.Pattern[str]:
    """The line that says about how many findings answers are wanted."""
    lines = {re.escape(line) for line in _check_lines() if "the 0 findings" in line}
    return re.compile("|".join(lines).replace("the\\ 0\\ findings", r"the\ \d+\ findings"))


def _check_lines() -> list[str]:
    """Every line of a message that asks about no findings."""
    nothing = (FindingsToCheck(()), FindingsToCheck((), is_follow_up=True))
    texts = (
        render_verification(check, (), lookups=lookups, as_text=as_text)[1]
        for check, as_text, lookups in product(nothing, (False, True), (0, CHECK_LOOKUPS))
    )
    return "\n".join(texts).split("\n")


def _reply_lines() -> Iterator[str]:
    """The last lines of a message that asks for the answer to a reply."""
    reply = FindingReply("", "RIGHT", None, None, "bug", "note", "", "")
    for as_text, lookups in product((False, True), (0, REPLY_LOOKUPS)):
        yield render_reply(reply, (), lookups=lookups, as_text=as_text)[1].split("\n")[-1]


@cache
def _of_examples() -> frozenset[str]:
    lines = {"", "<example>", "</example>"}
    for each in example_sets().values():
        for example in (*each.findings, *each.clean):
            lines |= set(example.shown.split("\n"))
            lines |= {f"Decided by: {example.decided_by}"}
            lines |= {f"Input of {REPORT_TOOL['name']}: {example.answer}"}
    first = next(line for line in sources()["shared.md.j2"].split("\n") if "Invented" in line)
    return frozenset(lines | {first})

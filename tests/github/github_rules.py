"""What GitHub refuses, written from its documentation and from what others measured.

Knows nothing of the project: it reads diffs, Markdown and payloads by itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_MARKDOWN = MarkdownIt("commonmark").enable("table")  # with HTML, as GitHub has it
_REVIEW_KEYS = {"commit_id", "body", "event", "comments"}
_COMMENT_KEYS = {"path", "position", "body", "line", "side", "start_line", "start_side"}
_RUN_KEYS = {
    *("name", "head_sha", "details_url", "external_id", "status", "started_at", "conclusion"),
    *("completed_at", "output", "actions"),
}
_ANNOTATION_KEYS = {
    *("path", "start_line", "end_line", "start_column", "end_column", "annotation_level"),
    *("message", "title", "raw_details"),
}
_CONCLUSIONS = {
    *("action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"),
}
_LINKING = re.compile(r"@\w|://|\bwww\.|(?<!\w)#\d|\bGH-\d", re.IGNORECASE)


@dataclass
class Lines:
    """The lines of one file that may be commented, by side and number: the hunk they are in."""

    RIGHT: dict[int, int] = field(default_factory=dict)
    LEFT: dict[int, int] = field(default_factory=dict)

    def of(self, side: str) -> dict[int, int]:
        return self.RIGHT if side == "RIGHT" else self.LEFT


def commentable(diff: str) -> dict[str, Lines]:
    """Every file of a unified diff. Deleted lines left, all others right."""
    found: dict[str, Lines] = {}
    path, old_left, new_left, old, new, hunk = "", 0, 0, 0, 0, 0
    for row in diff.split("\n"):
        if old_left > 0 or new_left > 0:
            mark = row[:1]
            if mark == "\\":
                continue
            if mark == "-":
                found[path].LEFT[old] = hunk
            else:
                found[path].RIGHT[new] = hunk
            old, old_left = old + (mark != "+"), old_left - (mark != "+")
            new, new_left = new + (mark != "-"), new_left - (mark != "-")
        elif row.startswith("+++ b/"):
            path, hunk = row.removeprefix("+++ b/").removesuffix("\t"), 0
            found.setdefault(path, Lines())
        elif match := _HUNK.match(row):
            hunk += 1
            old, new = int(match[1]), int(match[3])
            old_left, new_left = int(match[2] or 1), int(match[4] or 1)
    return found


def review_refusals(payload: dict[str, Any], diff: str) -> list[str]:
    """Why ``POST .../pulls/N/reviews`` would be a 422; empty if it would not."""
    return [*_review(payload), *_each_comment(payload, commentable(diff)), *_unencodable(payload)]


def _review(payload: dict[str, Any]) -> Iterator[str]:
    if payload.keys() - _REVIEW_KEYS:
        yield "not a permitted key"
    if payload.get("event") != "COMMENT":
        yield "stays pending, or needs more rights"
    if not payload.get("commit_id"):
        yield "no commit"
    yield from _body(payload.get("body"))
    if len(payload["comments"]) > 30:
        yield "too many comments: 502"


def _body(body: object) -> Iterator[str]:
    if not isinstance(body, str) or not body.strip():
        yield "body can't be blank"
    elif len(body.encode("utf-16-le")) > 2 * 65_536:
        yield "body is too long (maximum is 65536 characters)"


def _each_comment(payload: dict[str, Any], files: dict[str, Lines]) -> Iterator[str]:
    for comment in payload["comments"]:
        if comment.keys() - _COMMENT_KEYS or not {"path", "body", "line", "side"} <= comment.keys():
            yield "not a permitted key, or one is missing"
            continue
        yield from _body(comment["body"])
        lines = files.get(comment["path"], Lines()).of(comment["side"])
        hunk = lines.get(comment["line"])
        if comment["side"] not in ("LEFT", "RIGHT") or hunk is None:
            yield "line must be part of the diff"
        if ("start_line" in comment) != ("start_side" in comment):
            yield "start_line and start_side belong together"
        if "start_line" in comment:
            if comment["start_line"] >= comment["line"]:
                yield "start_line must precede the end line"
            if comment["start_side"] != comment["side"] or lines.get(comment["start_line"]) != hunk:
                yield "start_line must be part of the same hunk as the line"
        if comment["side"] == "LEFT" and suggestions(comment["body"]):
            yield "a suggestion on a deleted line"


def check_refusals(payload: dict[str, Any], *, create: bool = False) -> list[str]:
    """Why a check run would not be taken; empty if it would."""
    return [*_run(payload, create=create), *_output(payload["output"]), *_unencodable(payload)]


def _run(payload: dict[str, Any], *, create: bool) -> Iterator[str]:
    if payload.keys() - _RUN_KEYS:
        yield "not a permitted key"
    if create and not {"name", "head_sha"} <= payload.keys():
        yield "name and head_sha are required"
    if not create and "head_sha" in payload:
        yield "head_sha cannot be changed"
    ended = payload.get("status") == "completed"
    if payload.get("status") not in ("queued", "in_progress", "completed"):
        yield "unknown status"
    if ended != ("conclusion" in payload) or ended != ("completed_at" in payload):
        yield "completed and a conclusion belong together"
    if ended and payload["conclusion"] not in _CONCLUSIONS:
        yield "unknown conclusion"
    actions = payload.get("actions", [])
    limits = {"label": 20, "description": 40, "identifier": 20}
    if len(actions) > 3 or any(action.keys() != limits.keys() for action in actions):
        yield "at most three actions, with label, description and identifier"
    if any(len(action[key]) > most for action in actions for key, most in limits.items()):
        yield "a text of an action is too long"


def _output(output: dict[str, Any]) -> Iterator[str]:
    if output.keys() - {"title", "summary", "text", "annotations"}:
        yield "not a permitted key"
    if not output.get("title", "").strip() or not output.get("summary", "").strip():
        yield "title and summary are required"
    if len(output["title"]) > 255:
        yield "the title is too long"
    for key in ("summary", "text"):
        if len(output.get(key, "").encode()) > 65_535:
            yield f"{key} exceeds a maximum bytesize of 65535"
    annotations = output.get("annotations", [])
    if len(annotations) > 50:
        yield "at most 50 annotations"
    for one in annotations:
        yield from _annotation(one)


def _annotation(one: dict[str, Any]) -> Iterator[str]:
    required = {"path", "start_line", "end_line", "annotation_level", "message"}
    if one.keys() - _ANNOTATION_KEYS or required - one.keys():
        yield "not a permitted key, or one is missing"
    if one["annotation_level"] not in ("notice", "warning", "failure"):
        yield "unknown level"
    if not 1 <= one["start_line"] <= one["end_line"]:
        yield "the lines are in the wrong order"
    if one["start_line"] != one["end_line"] and {"start_column", "end_column"} & one.keys():
        yield "columns on several lines"
    if not one["message"].strip() or len(one["message"].encode()) > 64 * 1024:
        yield "the message is blank or too long"
    if len(one.get("raw_details", "").encode()) > 64 * 1024:
        yield "the details are too long"
    if "title" in one and not 0 < len(one["title"]) <= 255:
        yield "the title is blank or too long"


def _unencodable(payload: dict[str, Any]) -> list[str]:
    try:
        json.dumps(payload, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return ["not UTF-8"]
    return []


# --- Markdown as GitHub reads it


def flat(text: str) -> Iterator[Token]:
    """Every token of a text, those within lines included."""
    for token in _MARKDOWN.parse(text):
        yield token
        yield from token.children or ()


def suggestions(text: str) -> list[str]:
    """The contents of the blocks that a reader can apply, as GitHub takes them."""
    return [
        token.content
        for token in flat(text)
        if token.type == "fence" and token.info.strip() == "suggestion"
    ]


def html(text: str) -> list[str]:
    """Every piece of HTML that acts."""
    return [
        token.content.strip() for token in flat(text) if token.type in ("html_block", "html_inline")
    ]


def links(text: str) -> list[str]:
    """Where links and images lead."""
    return [
        str(token.attrs.get("href") or token.attrs.get("src"))
        for token in flat(text)
        if token.type in ("link_open", "image")
    ]


def acting(text: str) -> list[str]:
    """What GitHub makes a mention, a reference or a link of in plain text, and images."""
    found = [token.content for token in flat(text) if token.type == "image"]
    in_link = 0
    for token in flat(text):
        in_link += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type in ("text", "text_special") and not in_link:
            found += [token.content] if _LINKING.search(token.content) else []
    return found

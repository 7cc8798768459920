"""A body that is long, or odd, costs the node no more than it has to: nobody else waits for it."""

from __future__ import annotations

import hashlib
import json
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from reviewbot.jobs.options import parse_options
from reviewbot.server import requests as calls
from reviewbot.server.access import Access
from reviewbot.server.fields import VALUE_LIMIT, read_fields
from reviewbot.server.problems import Problem
from reviewbot.server.reviews import ReviewApi
from reviewbot.server.telemetry.instrumentation import Telemetry
from tests.server.in_process import service
from tests.server.nodes import DEMO

if TYPE_CHECKING:
    from pathlib import Path


def post_of(body: bytes, query: str = "", **headers: str) -> Request:
    """``POST /v1/reviews`` with a body of JSON."""
    sent = {"content-type": "application/json", **headers}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/reviews",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(scope, receive)


async def test_nothing_that_is_as_long_as_the_body_is_done_on_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, set[int]] = {}

    def noted(name: str, function: Any) -> Any:
        def noting(*arguments: Any, **options: Any) -> Any:
            threads.setdefault(name, set()).add(threading.get_ident())
            return function(*arguments, **options)

        return noting

    monkeypatch.setattr(calls, "read_fields", noted("JSON", read_fields))
    monkeypatch.setattr(calls, "parse_options", noted("options", parse_options))
    monkeypatch.setattr(hashlib, "sha256", noted("digest", hashlib.sha256))
    body = json.dumps({"diff": DEMO.decode(), "options": {"exclude": ["docs/"]}}).encode()
    async with service(tmp_path, Telemetry()) as one:
        called = ReviewApi(one, Access(one.database, need_key=False), body_limit=1_000_000)
        answers = [
            await called.create(post_of(body, "exclude=x/", **{"idempotency-key": "k"}))
            for _ in range(2)
        ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert threads.keys() == {"JSON", "options", "digest"}
    for name, used in threads.items():
        assert threading.get_ident() not in used, name


def repeated(start: str, piece: str, end: str) -> bytes:
    """Ten million bytes."""
    return f"{start}{piece * ((10_000_000 - len(start) - len(end)) // len(piece))}{end}".encode()


HOSTILE = {
    "lists": repeated('{"diff": "x", "options": {"exclude": [', "[],", "1]}}"),
    "lists that do not end": repeated('{"diff": "x", "options": {"exclude": [', "[],", ""),
    "lists in lists": repeated('{"diff": "x", "options": ', "[", ""),
    "options": repeated('{"diff": "x", "options": {', '"a":{},', '"a":1}}'),
    "texts": repeated('{"diff": "x", "options": {"exclude": [', '"a",', '"a"]}}'),
    "fields": repeated('{"diff": "x"', ', "a": {}', "}"),
    "a field again and again": repeated('{"diff": "x"', ', "title": ""', "}"),
    "a diff of lists": repeated('{"diff": [', "[],", "1]}"),
    "a number": repeated('{"diff": "x", "options": ', "1", "}"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_nobody_asked_for_is_not_read_whole(name: str) -> None:
    """Counted in memory: a list of nothing takes 56 bytes and more, for 3 in the body."""
    tracemalloc.start()
    try:
        with pytest.raises(Problem) as problem:
            calls._object_of(HOSTILE[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert problem.value.status == 400
    assert len(problem.value.detail) < 400
    assert peak < 3 * len(HOSTILE[name])


def test_a_long_diff_and_options_written_as_long_as_they_can_be_are_read() -> None:
    diff = "+\N{EURO SIGN}\n" * 1_000_000
    options = {"instructions": "\N{EURO SIGN}" * 65_000}
    body = json.dumps({"options": options, "diff": diff}).encode()
    assert calls._object_of(body) == {"options": options, "diff": diff.encode()}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"diff": "x", "diff": "y"}', "twice"),
        ('{"diff": "x",}', "not JSON"),
        ('{"diff": "x"} {}', "not JSON"),
        ('{"diff": "x" "title": "y"}', "not JSON"),
        ('{"diff" "x"}', "not JSON"),
        ('{"diff": }', "not JSON"),
        ('{"diff": "x', "not JSON"),
        ('{"diff": "x", "options": {"exclude": [}}', "not JSON"),
        ("{diff: 1}", "not JSON"),
        ("{,}", "not JSON"),
        ("{}", "object with the diff"),
        ("[1]", "not an object"),
        ("", "not JSON"),
        ('{"diff": "x", "options": {"a": "' + "a" * VALUE_LIMIT + '"}}', f"{VALUE_LIMIT:,}"),
    ],
)
def test_what_is_wrong_with_a_body_is_said_in_a_sentence(body: str, says: str) -> None:
    with pytest.raises(Problem, match=says) as problem:
        calls._object_of(body.encode())
    assert problem.value.status == 400


def test_bytes_that_are_no_utf_8_are_no_json() -> None:
    """RFC 8259, section 8.1."""
    for body in (b'{"diff": "\xff"}', '{"diff": "x"}'.encode("utf-16")):
        with pytest.raises(Problem, match="not JSON"):
            calls._object_of(body)
    assert calls._object_of(b'\xef\xbb\xbf{"diff": "x"}')["diff"] == b"x"


SPACE = st.text(" \t\r\n", max_size=3)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@st.composite
def bodies(draw: st.DrawFn) -> str:
    """Objects of JSON with fields that are known, and space wherever it may be; some damaged."""
    fields = draw(st.lists(st.sampled_from(["diff", "title", "options"]), unique=True))
    pieces = ["{"]
    for field in fields:
        value = json.dumps(draw(VALUES), ensure_ascii=draw(st.booleans()))
        pieces += [
            draw(SPACE),
            f'"{field}"',
            draw(SPACE),
            ":",
            draw(SPACE),
            value,
            draw(SPACE),
            ",",
        ]
    text = (
        draw(SPACE) + "".join(pieces[:-1] if fields else pieces) + draw(SPACE) + "}" + draw(SPACE)
    )
    if not draw(st.booleans()):
        return text
    at = draw(st.integers(0, len(text)))
    return (
        text[:at]
        + draw(st.text('{}[]",:0e-x \\', max_size=2))
        + text[at + draw(st.integers(0, 2)) :]
    )


@given(bodies())
@example('{"diff": 0}')
@example('{"diff": 01}')
@example('{"diff": -}')
@example(" { } ")
def test_a_body_is_read_as_json_reads_it(text: str) -> None:
    names = ("diff", "title", "options")
    try:
        pairs = json.loads(text, object_pairs_hook=list)
        whole = json.loads(text)
    except ValueError:
        pairs, whole = [], None
    found = [name for name, _ in pairs] if isinstance(whole, dict) else []
    if isinstance(whole, dict) and len(set(found)) == len(found) and set(found) <= set(names):
        assert read_fields(text.encode(), names) == whole
    else:
        with pytest.raises(Problem):
            read_fields(text.encode(), names)

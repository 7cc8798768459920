"""A folder answers requests as a server would, and keeps those that have no answer yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from reviewbot.models.anthropic.recorded import RecordedAnswers

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://127.0.0.1/v1/messages"
TOOLS = [
    {"name": "read_code", "input_schema": {}, "description": "Read."},
    {"name": "report_findings", "input_schema": {}},
]
BODY: dict[str, Any] = {
    "model": "model-a",
    "system": [{"type": "text", "text": "You review."}],
    "messages": [
        {"role": "user", "content": "The diff."},
        {"role": "user", "content": [{"type": "tool_result", "content": "A line."}, {"x": 1}]},
    ],
    "tools": TOOLS,
}


async def sent(folder: Path, body: dict[str, Any], url: str = URL) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=RecordedAnswers(folder)) as client:
        return await client.post(url, json=body)


async def answered(folder: Path, body: dict[str, Any], answer: object) -> httpx2.Response:
    """Record an answer for a request that was refused, and send the request again."""
    refused = await sent(folder, body)
    message = refused.json()["error"]["message"]
    assert (refused.status_code, message.startswith("no answer yet: ")) == (400, True)
    key = message.rpartition(" ")[2]
    (folder / "answers" / f"{key}.json").write_text(json.dumps(answer))
    return await sent(folder, body)


def events(response: httpx2.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    lines = response.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def blocks(response: httpx2.Response) -> list[tuple[str, str]]:
    """Return the name of the tool, or nothing, and the content of each block."""
    sent_events = events(response)
    names = [
        event["content_block"].get("name", "")
        for event in sent_events
        if event["type"] == "content_block_start"
    ]
    deltas = [event["delta"] for event in sent_events if event["type"] == "content_block_delta"]
    texts = [delta.get("text") or delta.get("partial_json") for delta in deltas]
    return [*zip(names, texts, strict=True)]


async def test_an_object_is_the_input_of_the_report_tool(tmp_path: Path) -> None:
    response = await answered(tmp_path, BODY, {"findings": []})
    assert blocks(response) == [("report_findings", '{"findings": []}')]
    assert [event["type"] for event in events(response)] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events(response)[-2]["delta"]["stop_reason"] == "tool_use"


async def test_an_object_without_tools_and_a_string_are_texts(tmp_path: Path) -> None:
    plain = BODY | {"tools": []}
    assert blocks(await answered(tmp_path, plain, {"what": "x"})) == [("", '{"what": "x"}')]
    assert blocks(await answered(tmp_path / "other", BODY, "Hello.")) == [("", "Hello.")]


async def test_a_list_has_blocks_in_order(tmp_path: Path) -> None:
    turns = [{"text": "I look."}, {"name": "read_code", "input": {"path": "a"}}]
    assert blocks(await answered(tmp_path, BODY, turns)) == [
        ("", "I look."),
        ("read_code", '{"path": "a"}'),
    ]


async def test_a_request_is_kept_to_be_read_and_known_again_by_its_content(tmp_path: Path) -> None:
    for body in (BODY, BODY | {"max_tokens": 5}):
        await sent(tmp_path, body)
    await sent(tmp_path, BODY | {"system": "Other."})
    assert len([*(tmp_path / "requests").glob("*.json")]) == 2
    texts = [path.read_text() for path in (tmp_path / "requests").glob("*.txt")]
    text = next(text for text in texts if "You review." in text)
    for part in ("===== USER =====\nThe diff.", "[result]\nA line.", "===== TOOL read_code ====="):
        assert part in text


@pytest.mark.parametrize("answer", [1, [{}], [1], None])
async def test_an_answer_of_another_form_is_refused(tmp_path: Path, answer: object) -> None:
    response = await answered(tmp_path, BODY, answer)
    assert response.status_code == 400
    assert "is not valid" in response.json()["error"]["message"]


async def test_other_requests_are_refused(tmp_path: Path) -> None:
    assert (await sent(tmp_path, BODY, f"{URL}/count_tokens")).status_code == 404


async def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    transport = RecordedAnswers(tmp_path)
    (tmp_path / "requests").rmdir()
    async with httpx2.AsyncClient(transport=transport) as client:
        response = await client.post(URL, json=BODY)
    assert "cannot use the folder" in response.json()["error"]["message"]

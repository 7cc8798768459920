from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.fake_anthropic import Answer, Cut, FakeAnthropic, Recorded, Script, StatusError, finding
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from pathlib import Path

BODY: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 1000,
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
}
TOOL: dict[str, Any] = {
    "name": "t",
    "input_schema": {"type": "object", "properties": {}, "additionalProperties": False},
}
CACHED = {"type": "text", "text": "x" * 8000, "cache_control": {"type": "ephemeral"}}


async def _post(
    fake: FakeAnthropic,
    body: dict[str, Any] | None = None,
    *,
    path: str = "/v1/messages",
    headers: dict[str, str] | None = None,
) -> httpx2.Response:
    sent = {"authorization": f"Bearer {fake.key}", "anthropic-version": "2026-10-21"}
    sent |= headers or {}
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.post(
            fake.base_url + path, json=BODY | (body or {}), headers=sent, timeout=None
        )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"temperature": 1.0}, "temperature"),
        ({"top_p": 1}, "top_p"),
        ({"speed_up": True}, "speed_up: Extra inputs"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 128_001}, "maximum allowed"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "user role"),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "{"}]},
            "prefill",
        ),
        ({"system": [{"type": "text", "text": " "}]}, "non-whitespace"),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}}, "not supported for this model"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "t"}}, "not supported"),
        ({"tool_choice": {"type": "auto"}}, "while providing tools"),
        ({"tools": [TOOL | {"eager": True}]}, "tools.0.custom.eager: Extra"),
        ({"tools": [{"name": "t"}]}, "input_schema"),
        ({"tools": [TOOL | {"strict": True, "input_schema": {"type": "object"}}]}, "additional"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"minimum": 1}}}},
            "minimum",
        ),
        ({"output_config": {"format": {"type": "json"}}}, "json_schema"),
        ({"system": [CACHED] * 5}, "maximum of 4"),
        ({"system": [CACHED | {"cache_control": {"type": "forever"}}]}, "ephemeral"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "enabled"),
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"model": "claude-opus-5-5", "thinking": {"type": "disabled"}}, "cannot be disabled"),
        ({"model": "claude-haiku-4-5", "thinking": {"type": "adaptive"}}, "adaptive"),
        (
            {"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 999}},
            "1024",
        ),
        (
            {"model": "claude-haiku-4-5", "thinking": {"type": "enabled", "budget_tokens": 4096}},
            "must be greater",
        ),
        ({"model": "claude-haiku-4-5", "output_config": {"effort": "low"}}, "effort"),
    ],
)
@in_virtual_time
async def test_what_the_real_api_refuses_is_refused_and_takes_no_reply(
    body: dict[str, Any], says: str
) -> None:
    async with FakeAnthropic() as fake:
        fake.enqueue(Answer())
        response = await _post(fake, body)
        assert response.status_code == 400
        assert says in response.json()["error"]["message"]
        assert response.json()["error"]["type"] == "invalid_request_error"
        assert fake.waiting == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": ""}, 401),
        ({"anthropic-version": ""}, 400),
        ({"content-type": "text/plain"}, 400),
    ],
)
@in_virtual_time
async def test_headers_are_checked(headers: dict[str, str], status: int) -> None:
    async with FakeAnthropic() as fake:
        assert (await _post(fake, headers=headers)).status_code == status


@in_virtual_time
async def test_unknown_models_and_paths_are_not_found() -> None:
    async with FakeAnthropic() as fake:
        assert (await _post(fake, {"model": "claude-2"})).status_code == 404
        assert (await _post(fake, path="/v1/complete")).status_code == 404


@in_virtual_time
async def test_tokens_are_counted_without_a_reply() -> None:
    async with FakeAnthropic() as fake:
        response = await _post(fake, path="/v1/messages/count_tokens")
        assert response.json()["input_tokens"] > 10
        assert len(fake.counted) == 1
        assert fake.requests == []


@in_virtual_time
async def test_a_request_without_a_script_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="no reply was scripted"):
        async with FakeAnthropic() as fake:
            assert (await _post(fake)).status_code == 500


@in_virtual_time
async def test_replies_may_depend_on_the_request() -> None:
    def respond(request: Recorded) -> StatusError:
        return StatusError(529 if "Hello" in request.text else 500)

    async with FakeAnthropic(respond) as fake:
        assert (await _post(fake)).status_code == 529
        fake.enqueue(lambda request: StatusError(418, request.model))
        assert (await _post(fake)).status_code == 418
        assert (await _post(fake)).status_code == 529


@in_virtual_time
async def test_a_cut_answer_has_exactly_so_many_bytes() -> None:
    answer = Answer(findings=[finding()])
    for at in (0, 1, 500, len(answer.wire())):
        cut = Answer(findings=[finding()], usage={"input_tokens": 25}, cut_at=at, cut=Cut("eof"))
        async with FakeAnthropic() as fake:
            fake.enqueue(cut)
            assert len((await _post(fake)).content) == at


@in_virtual_time
async def test_a_prefix_is_read_from_the_cache_only_after_its_answer_began() -> None:
    async with FakeAnthropic(lambda _: Answer(delay=10)) as fake:
        both = {"system": [CACHED]}
        await asyncio.gather(_post(fake, both), _post(fake, both))
        await _post(fake, both)
        await _post(fake, both | {"messages": [{"role": "user", "content": "Other"}]})
        await _post(fake, {"system": [CACHED | {"text": "y" * 8000}]})
        await _post(fake, {"system": [CACHED | {"text": "y" * 100}]})
        await _post(fake)
    read = [sent.usage["cache_read_input_tokens"] > 0 for sent in fake.requests]
    written = [sent.usage["cache_creation_input_tokens"] > 0 for sent in fake.requests]
    assert read == [False, False, True, True, False, False, False]
    assert written == [True, True, False, False, True, False, False]


@in_virtual_time
async def test_a_reset_and_a_close_are_seen_as_broken() -> None:
    for cut in (Cut("reset"), Cut("close")):
        async with FakeAnthropic() as fake:
            fake.enqueue(Script([b"data: x\n\n", cut]))
            with pytest.raises(httpx2.TransportError):
                await _post(fake)
            assert fake.requests[0].ended == "cut"


@in_virtual_time
async def test_a_client_that_leaves_is_noticed() -> None:
    async with FakeAnthropic(lambda _: Answer(delay=100)) as fake:
        task = asyncio.create_task(_post(fake))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.sleep(1)
        assert fake.requests[0].ended == "client closed"


def test_it_runs_as_a_process_from_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    replies = [
        {"status": 529, "retry_after": 3},
        {"findings": [{"line": 7}], "delta_size": 5, "error": {"type": "api_error"}},
        {"findings": [], "repeat": True},
    ]
    script.write_text(json.dumps(replies))
    command = [sys.executable, "-m", "tests.fake_anthropic", "--key", "k", "--script", str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        headers = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
        with httpx2.Client(trust_env=False, headers=headers) as client:
            answers = [client.post(url + "/v1/messages", json=BODY) for _ in range(4)]
        process.terminate()
    assert [answer.status_code for answer in answers] == [529, 200, 200, 200]
    assert answers[0].headers["retry-after"] == "3"
    assert "api_error" in answers[1].text
    assert "message_stop" in answers[2].text
    assert answers[2].text == answers[3].text

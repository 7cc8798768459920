"""Servers that want to fill the memory, send the prompt elsewhere, or trip the library."""

from __future__ import annotations

import gzip
import tracemalloc
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import pytest

from reviewbot.errors import ConfigError
from reviewbot.models.anthropic.answer import AnswerReader
from reviewbot.models.anthropic.bodies import MAX_BODY
from reviewbot.models.anthropic.claude import Claude
from reviewbot.models.base import Fault, ModelFault, Stop, Thinking
from reviewbot.models.catalog import lookup
from tests.fake_anthropic import Answer, FakeAnthropic, Script, StatusError, finding, frame
from tests.models.asking import MODEL, ask, claude
from tests.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MB = 1 << 20
SCHEMA = {"type": "object", "required": ["what"]}
TOOL = {"type": "tool_use", "name": "report_findings", "input": {}}
LONG = "y" * (256 << 10)
EVENT_STREAM = {"content-type": "text/event-stream"}


def _start(index: int, block: dict[str, Any]) -> bytes:
    return frame("content_block_start", index=index, content_block=block)


def _delta(index: int, **delta: Any) -> bytes:
    return frame("content_block_delta", index=index, delta=delta)


# Memory


@in_virtual_time
async def test_an_endless_summary_is_cut() -> None:
    text = _delta(0, type="text_delta", text=LONG)
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([_start(0, {"type": "text", "text": ""}), *[text] * 200]))
        with pytest.raises(ModelFault, match="longer than 8,388,608 characters") as caught:
            await model.answer_json("s", "u", SCHEMA, max_tokens=100, used=print)
    assert caught.value.fault is Fault.UNUSABLE
    assert fake.requests[-1].ended != "complete"


@in_virtual_time
async def test_an_endless_block_behind_an_open_one_is_cut() -> None:
    text = _delta(1, type="input_json_delta", partial_json=LONG)
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([_start(0, TOOL), _start(1, TOOL), *[text] * 200]))
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.UNUSABLE
    assert "longer than 8,388,608 characters" in str(seen.fault)


@in_virtual_time
async def test_inputs_that_wait_whole_count_too() -> None:
    blocks = [_start(index, TOOL | {"input": {"findings": [LONG]}}) for index in range(40)]
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script(blocks))
        seen = await ask(model)
    assert seen.fault is not None
    assert "longer than 8,388,608 characters" in str(seen.fault)


@in_virtual_time
async def test_blocks_without_number_are_cut() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([b"".join(_start(index, TOOL) for index in range(1001))]))
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.UNUSABLE
    assert "1000 blocks" in str(seen.fault)


@pytest.mark.parametrize("piece", [b"x" * MB, b"data: x\n" * (MB // 8), b"event: x\r" * (MB // 9)])
@in_virtual_time
async def test_an_endless_event_is_cut_in_linear_time(piece: bytes) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([b"data: ", *[piece] * 100]))
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.UNUSABLE
    assert "an event of the server is larger than 4 MB" in str(seen.fault)
    assert seen.fault.request_id == "req_1"
    assert fake.requests[0].ended != "complete"


@pytest.mark.parametrize("packed", [False, True])
@in_virtual_time
async def test_an_endless_answer_is_cut_after_decompression(*, packed: bool) -> None:
    comment = b":" + b" " * (MB - 3) + b"\n\n"
    count = MAX_BODY // MB + 1
    steps, headers = [comment] * count, EVENT_STREAM
    if packed:
        steps, headers = [gzip.compress(comment * count, 1)], {"content-encoding": "gzip"}
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script(steps, headers=headers))
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.UNUSABLE
    assert "the server's answer is larger than 64 MB" in str(seen.fault)


@in_virtual_time
async def test_a_small_error_body_that_unpacks_to_very_much_does_no_harm() -> None:
    bomb = gzip.compress(b'{"error": {"message": "' + b" " * (100 * MB), 1)
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(
            StatusError(400), StatusError(400, body=bomb, headers={"content-encoding": "gzip"})
        )
        await ask(model)  # imports what is to be imported
        tracemalloc.start()
        try:
            seen = await ask(model)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert seen.fault is not None
    assert seen.fault.fault is Fault.REJECTED
    assert peak < 10 * MB


@in_virtual_time
async def test_an_endless_error_body_is_read_no_further_than_a_message_needs() -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([b"oh no " * 10_000] * 1000, status=500))
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.TRANSIENT
    assert "500: oh no" in str(seen.fault)
    assert fake.requests[0].ended != "complete"


@in_virtual_time
async def test_no_compression_is_asked_for_but_it_is_read_all_the_same() -> None:
    wire = gzip.compress(Answer(findings=[finding()]).wire())
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([wire], headers={"content-encoding": "gzip"}))
        seen = await ask(model)
    assert fake.requests[0].headers["accept-encoding"] == "identity"
    assert seen.stopped is not None
    assert seen.stopped.stop is Stop.COMPLETE


# Where the prompt goes


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@in_virtual_time
async def test_no_redirect_is_followed(status: int) -> None:
    async with FakeAnthropic() as other, FakeAnthropic() as fake, claude(fake) as model:
        host = other.base_url.removeprefix("http://")
        place = "http://user:pass" + f"word@{host}/v1/messages?token=abc"
        headers = {"location": place, "x-should-retry": "true"}
        fake.enqueue(StatusError(status, body=place.encode(), headers=headers))
        seen = await ask(model)
    assert other.requests == []
    assert seen.fault is not None
    assert seen.fault.fault is Fault.REJECTED
    text = str(seen.fault)
    assert f"{status} with a redirect to http://{host}; " in text
    assert "correct the base URL" in text
    assert "word" not in text
    assert "token" not in text


@pytest.mark.parametrize("location", ["", "/elsewhere", "http://[", "http://h:99999/", "ü", "x\ty"])
@in_virtual_time
async def test_an_odd_redirect_is_a_rejection_all_the_same(location: str) -> None:
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(StatusError(302, headers={"location": location}))
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.REJECTED
    assert "correct the base URL" in str(seen.fault)


@pytest.mark.parametrize(
    "url",
    [
        "http://[",
        "http://[::1",
        "http://[::zz]/",
        "http://",
        "http:///path",
        "ftp://host",
        "host",
        "http:// host",
        "http://a b/",
        " http://host",
        "http://host/a b",
        "http://host\n/",
        "http://host/\0",
        "http://user:hidden@host/",
        "http://hidden@host/",
        "http://host?hidden",
        "http://host/#hidden",
        "http://host:99999",
        "http://host:0",
        "http://host:-1",
        "http://host:x",
        "http://a..b",
        "http://" + "a" * 64,
        "http://%00",
        "http://a\\b",
        "http://\ud800",
        "http://host/\ud800",
    ],
)
def test_an_address_that_cannot_be_used_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(ConfigError, match="the base URL must be http://") as caught:
        Claude(lookup(MODEL), api_key="k", base_url=url)
    assert "hidden" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://localhost:8080/", "localhost:8080"),
        ("https://my_proxy/anthropic/", "my_proxy"),
        ("HTTPS://Example.COM/v1", "example.com"),
        ("http://[::1]:8080", "[::1]:8080"),
        ("http://bücher.example", "bücher.example"),
    ],
)
@in_virtual_time
async def test_other_addresses_are_used_and_named_by_their_host(
    url: str, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> httpx2.Response:
        raise httpx2.ConnectError("nobody there")

    monkeypatch.setattr(httpx2.AsyncClient, "send", refuse)
    model = Claude(lookup(MODEL), api_key="k" * 9, base_url=url)
    seen = await ask(model)
    await model.aclose()
    assert str(seen.fault) == f"the connection to {server} failed: nobody there"


# What the library raises


@in_virtual_time
async def test_a_request_that_cannot_be_written_is_rejected() -> None:
    async with FakeAnthropic() as fake, claude(fake, "model-\ud800") as model:
        seen = await ask(model)
        with pytest.raises(ModelFault) as caught:
            await model.answer_json("s", "u", SCHEMA, max_tokens=100, used=print)
    assert fake.requests == []
    for fault in (seen.fault, caught.value):
        assert fault is not None
        assert fault.fault is Fault.REJECTED
        assert str(fault).endswith("UnicodeEncodeError")


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (KeyError("hidden"), Fault.TRANSIENT),
        (ExceptionGroup("hidden", [OSError("hidden")]), Fault.TRANSIENT),
        (anthropic.AnthropicError("hidden"), Fault.TRANSIENT),
        (ValueError("hidden"), Fault.REJECTED),
        (httpx2.InvalidURL("hidden"), Fault.REJECTED),
    ],
)
@in_virtual_time
async def test_whatever_sending_raises_is_a_fault(
    error: Exception, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> httpx2.Response:
        raise error

    async with FakeAnthropic() as fake, claude(fake) as model:
        monkeypatch.setattr(httpx2.AsyncClient, "send", fail)
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is fault
    assert str(seen.fault).endswith(f": {type(error).__name__}")


@in_virtual_time
async def test_whatever_reading_raises_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: httpx2.Response) -> AsyncIterator[bytes]:
        yield frame("message_start", message={"usage": {"input_tokens": 5}})
        raise KeyError("hidden")

    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Answer(findings=[finding()]))
        monkeypatch.setattr(httpx2.Response, "aiter_bytes", fail)
        seen = await ask(model)
    assert seen.fault is not None
    assert seen.fault.fault is Fault.TRANSIENT
    assert "hidden" not in str(seen.fault)
    assert "failed: KeyError" in str(seen.fault)
    assert seen.fault.request_id == "req_1"


@in_virtual_time
async def test_an_error_of_our_own_is_not_taken_for_the_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(AnswerReader, "take", fail)
    async with FakeAnthropic(lambda _: Answer()) as fake, claude(fake) as model:
        with pytest.raises(ZeroDivisionError):
            await ask(model)


@pytest.mark.parametrize("charset", ["hex", "rot13", "utf-16", "nonsense"])
@in_virtual_time
async def test_a_charset_that_makes_no_text_does_no_harm(charset: str) -> None:
    kind = {"content-type": f"application/json; charset={charset}"}
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(StatusError(400, "messages: too many", headers=kind))
        seen = await ask(model)
    assert seen.fault is not None
    assert "messages: too many" in str(seen.fault)


@pytest.mark.parametrize("index", [0, 1])
@in_virtual_time
async def test_thoughts_are_passed_on_whatever_block_they_are_in(index: int) -> None:
    thought = _delta(index, type="thinking_delta", thinking="hm")
    async with FakeAnthropic() as fake, claude(fake) as model:
        fake.enqueue(Script([_start(0, TOOL), thought]))
        seen = await ask(model)
    assert Thinking("hm") in seen.events
